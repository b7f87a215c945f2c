{{/*
The mappings of one name beside a scope's `global`: {found: [{keys, scope, value}]}. The scope's own. Where `global`
is at the root it may be an umbrella's, shared by all: then also those of the nearest charts in it that have one, as
far as they say anything; and where what stands around some is the Runtime's, it is one of these.
(dict "root" . "keys" list "key" "argo-cd" or "app-proxy")
*/}}
{{- define "argocd-auth-webhook.beside" -}}
{{- $key := .key -}}
{{- $around := .root.Values -}}
{{- range .keys }}{{ $around = get $around . }}{{ end -}}
{{- $own := include "argocd-auth-webhook.map" (get ($around | default dict) $key) | fromJson -}}
{{- $found := list -}}
{{- if $own }}{{ $found = list (dict "keys" .keys "value" $own "around" $around) }}{{ end -}}
{{- if not (and .keys $own) -}}
{{- $level := list (dict "keys" .keys "block" ($around | default dict)) -}}
{{- $nested := list -}}
{{- range until 2 -}}
{{- $charts := list -}}
{{- range $one := $level -}}
{{- range $name, $value := $one.block -}}
{{- if and (kindIs "map" $value) (ne $name "global") (ne $name $key) -}}
{{- $charts = append $charts (dict "keys" (append $one.keys $name) "block" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $level = ternary list $charts (gt (len $nested) 0) -}}
{{- range $level -}}
{{- $value := include "argocd-auth-webhook.map" (get .block $key) | fromJson -}}
{{- $config := include "argocd-auth-webhook.map" $value.config | fromJson -}}
{{- $says := hasKey $config "argoCdUsername" -}}
{{- if eq $key "argo-cd" -}}
{{- $says = or (hasKey $value "enabled") (hasKey $value "fullnameOverride") (hasKey $value "nameOverride") (hasKey $value "server") (hasKey $value "configs") -}}
{{- end -}}
{{- if and $value $says }}{{ $nested = append $nested (dict "keys" .keys "value" $value "around" .block) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $found = concat $found $nested -}}
{{- end -}}
{{- $ofRuntime := list -}}
{{- $all := list -}}
{{- range $one := $found -}}
{{- $scope := "" -}}
{{- range .keys }}{{ $scope = printf "%s%s." $scope . }}{{ end -}}
{{- $kept := dict "keys" .keys "scope" $scope "value" .value -}}
{{- $all = append $all $kept -}}
{{- $is := false -}}
{{- range list "app-proxy" "event-reporters" "gitops-operator" "internal-router" "tunnel-client" -}}
{{- if and (ne . $key) (include "argocd-auth-webhook.given" (get $one.around .)) }}{{ $is = true }}{{ end -}}
{{- end -}}
{{- if $is }}{{ $ofRuntime = append $ofRuntime $kept }}{{ end -}}
{{- end -}}
{{- toJson (dict "found" (ternary $ofRuntime $all (gt (len $ofRuntime) 0))) -}}
{{- end -}}

{{/* The first of those, or an empty one. */}}
{{- define "argocd-auth-webhook.firstBeside" -}}
{{- $found := (include "argocd-auth-webhook.beside" . | fromJson).found -}}
{{- if $found }}{{ toJson (first $found) }}{{ else }}{}{{ end -}}
{{- end -}}

{{/* The app-proxy's own, older key: ours, or where this chart is installed by itself the Runtime's. */}}
{{- define "argocd-auth-webhook.argoCdUsername" -}}
{{- $auth := include "argocd-auth-webhook.auth" . | fromJson -}}
{{- if $auth.spelling -}}
{{- $ours := .Values.argoCdUsername | default "" -}}
{{- $mode := $auth.mode -}}
{{- $argoCd := (include "argocd-auth-webhook.firstBeside" (dict "root" . "keys" $auth.keys "key" "argo-cd") | fromJson).value | default dict -}}
{{- $theirs := "" -}}
{{- $path := "" -}}
{{- range (include "argocd-auth-webhook.beside" (dict "root" . "keys" $auth.keys "key" "app-proxy") | fromJson).found -}}
{{- $at := printf "%sapp-proxy.config.argoCdUsername" .scope -}}
{{- $config := include "argocd-auth-webhook.map" .value.config | fromJson -}}
{{- $name := ternary $config.argoCdUsername "" (kindIs "string" $config.argoCdUsername) -}}
{{- $needed := or (eq $mode "password") $.Values.legacyAppProxy -}}
{{- if and (include "argocd-auth-webhook.given" $config.argoCdUsername) $needed (not (regexMatch "^[-._A-Za-z0-9]{1,32}$" $name)) -}}
{{- fail (printf "%s: is not allowed: it must be a user name: letters, digits, '-', '_' and '.', at most 32" $at) -}}
{{- end -}}
{{- /* The classic charts' default, which they read for the Argo CD that they bring along alone. */ -}}
{{- if and (eq $name "admin") (kindIs "bool" $argoCd.enabled) (not $argoCd.enabled) }}{{ $name = "" }}{{ end -}}
{{- if and $name $theirs $needed (ne $name $theirs) -}}
{{- fail (printf "%s: differs from %s, and both are given; keep one of them" $at $path) -}}
{{- end -}}
{{- if and $name (not $theirs) }}{{ $theirs = $name }}{{ $path = $at }}{{ end -}}
{{- end -}}
{{- if and $ours $theirs (ne $ours $theirs) -}}
{{- fail (printf "argoCdUsername: differs from %s, and both are given; keep one of them" $path) -}}
{{- end -}}
{{- $ours | default $theirs -}}
{{- end -}}
{{- end -}}

{{/* Puts a value at a path of keys. (dict "into" dict "keys" list "value" dict) */}}
{{- define "argocd-auth-webhook.put" -}}
{{- $value := .value -}}
{{- range reverse .keys }}{{ $value = dict . $value }}{{ end -}}
{{- $_ := mustMergeOverwrite .into $value -}}
{{- end -}}

{{/*
The values that the program gets: the block that holds, at its own place, with a reference or a fixed
text in place of a plain credential; where Argo CD is; and our own keys.
*/}}
{{- define "argocd-auth-webhook.programValues" -}}
{{- $auth := include "argocd-auth-webhook.auth" . | fromJson -}}
{{- $values := dict -}}
{{- $block := dict "type" $auth.mode -}}
{{- if and $auth.plain (not $auth.makesSecret) -}}
{{- $_ := set $block $auth.mode "(in the Secret)" -}}
{{- else -}}
{{- $_ := set $block (printf "%sSecretKeyRef" $auth.mode) $auth.secret -}}
{{- end -}}
{{- with $auth.username.plain }}{{ $_ := set $block "username" . }}{{ end -}}
{{- with $auth.username.secret }}{{ $_ := set $block "usernameSecretKeyRef" . }}{{ end -}}
{{- with $auth.username.configMap }}{{ $_ := set $block "usernameConfigMapKeyRef" . }}{{ end -}}
{{- if not $auth.spelling -}}
{{- $_ := set $values "auth" $block -}}
{{- else -}}
{{- /* At every place that says it: which of them count decides which `server` does. */ -}}
{{- range $auth.counted -}}
{{- $under := dict .spelling (dict "auth" $block) -}}
{{- if eq .spelling "integrations" }}{{ $under = dict "integrations" (dict "argo-cd" (dict "server" (dict "auth" $block))) }}{{ end -}}
{{- include "argocd-auth-webhook.put" (dict "into" $values "keys" .keys "value" (dict "global" (deepCopy $under))) -}}
{{- end -}}
{{- end -}}
{{- range (include "argocd-auth-webhook.found" . | fromJson).found -}}
{{- $server := pick .server "svc" "port" "rootpath" -}}
{{- if $server -}}
{{- $parent := dict "server" $server -}}
{{- if eq .spelling "integrations" }}{{ $parent = dict "argo-cd" $parent }}{{ end -}}
{{- include "argocd-auth-webhook.put" (dict "into" $values "keys" .keys "value" (dict "global" (dict .spelling $parent))) -}}
{{- end -}}
{{- end -}}
{{- $argoCd := include "argocd-auth-webhook.firstBeside" (dict "root" . "keys" $auth.keys "key" "argo-cd") | fromJson -}}
{{- if $argoCd.value -}}
{{- $server := include "argocd-auth-webhook.map" $argoCd.value.server | fromJson -}}
{{- $service := include "argocd-auth-webhook.map" $server.service | fromJson -}}
{{- $configs := include "argocd-auth-webhook.map" $argoCd.value.configs | fromJson -}}
{{- $params := pick (include "argocd-auth-webhook.map" $configs.params | fromJson) "server.rootpath" "server.insecure" -}}
{{- $picked := pick $argoCd.value "enabled" "fullnameOverride" "nameOverride" -}}
{{- $server = pick $server "name" -}}
{{- with pick $service "servicePortHttp" "servicePortHttps" }}{{ $_ := set $server "service" . }}{{ end -}}
{{- if $server }}{{ $_ := set $picked "server" $server }}{{ end -}}
{{- if $params }}{{ $_ := set $picked "configs" (dict "params" $params) }}{{ end -}}
{{- if $picked }}{{ include "argocd-auth-webhook.put" (dict "into" $values "keys" $argoCd.keys "value" (dict "argo-cd" $picked)) }}{{ end -}}
{{- end -}}
{{- with include "argocd-auth-webhook.argoCdUsername" . -}}
{{- include "argocd-auth-webhook.put" (dict "into" $values "keys" $auth.keys "value" (dict "app-proxy" (dict "config" (dict "argoCdUsername" .)))) -}}
{{- end -}}
{{- $root := .Values -}}
{{- range $key := list "argocd" "delivery" "onConflict" "legacyAppProxy" "services" "rollout" -}}
{{- $value := get $root $key -}}
{{- if or (kindIs "bool" $value) $value }}{{ $_ := set $values $key $value }}{{ end -}}
{{- end -}}
{{- with omit .Values.credentials "createSecret" "keepFormerSecret" }}{{ $_ := set $values "credentials" . }}{{ end -}}
{{- toYaml $values -}}
{{- end -}}

{{/* Whether pods are replaced: something if they are. `rollout` is a mode, or a mapping that holds one. */}}
{{- define "argocd-auth-webhook.replacesPods" -}}
{{- $mode := .Values.rollout -}}
{{- if kindIs "map" $mode }}{{ $mode = $mode.mode }}{{ end -}}
{{- if eq ($mode | default "automatic") "automatic" }}true{{ end -}}
{{- end -}}
