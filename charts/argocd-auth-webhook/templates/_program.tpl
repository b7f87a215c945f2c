{{/*
The mappings of one name beside a scope's `global`: {found: [{scope, value}]}. The scope's own, or of the nearest
charts in it that have one. Where `global` is at the root it may be an umbrella's, shared by all: then what a
chart in it has comes before what stands beside the Runtime. (dict "root" . "scope" "a." "key" "…")
*/}}
{{- define "argocd-auth-webhook.beside" -}}
{{- $key := .key -}}
{{- $around := .root.Values -}}
{{- if .scope }}{{ $around = get .root.Values (trimSuffix "." .scope) }}{{ end -}}
{{- $own := include "argocd-auth-webhook.map" (get ($around | default dict) $key) | fromJson -}}
{{- $found := list -}}
{{- if and .scope $own -}}
{{- $found = list (dict "scope" .scope "value" $own) -}}
{{- else -}}
{{- $level := list (dict "path" (.scope | default "") "block" ($around | default dict)) -}}
{{- range until 2 -}}
{{- $charts := list -}}
{{- range $one := $level -}}
{{- range $name, $value := $one.block -}}
{{- if and (kindIs "map" $value) (ne $name "global") (ne $name $key) -}}
{{- $charts = append $charts (dict "path" (printf "%s%s." $one.path $name) "block" $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $level = ternary list $charts (gt (len $found) 0) -}}
{{- range $level -}}
{{- $value := include "argocd-auth-webhook.map" (get .block $key) | fromJson -}}
{{- if $value }}{{ $found = append $found (dict "scope" .path "value" $value) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if and $own (not $found) }}{{ $found = list (dict "scope" (.scope | default "") "value" $own) }}{{ end -}}
{{- end -}}
{{- toJson (dict "found" $found) -}}
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
{{- $argoCd := (include "argocd-auth-webhook.firstBeside" (dict "root" . "scope" $auth.scope "key" "argo-cd") | fromJson).value | default dict -}}
{{- $theirs := "" -}}
{{- $path := "" -}}
{{- range (include "argocd-auth-webhook.beside" (dict "root" . "scope" $auth.scope "key" "app-proxy") | fromJson).found -}}
{{- $at := printf "%sapp-proxy.config.argoCdUsername" .scope -}}
{{- $config := include "argocd-auth-webhook.map" .value.config | fromJson -}}
{{- $name := ternary $config.argoCdUsername "" (kindIs "string" $config.argoCdUsername) -}}
{{- $needed := or (eq $mode "password") $.Values.legacyAppProxy -}}
{{- if and $config.argoCdUsername $needed (not (regexMatch "^[-._A-Za-z0-9]{1,32}$" $name)) -}}
{{- fail (printf "%s: is not allowed: it must be a user name, a string of letters, digits, '-', '_' and '.', at most 32" $at) -}}
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

{{/* Puts a value at a path of keys that ends in a dot or is empty. (dict "into" dict "scope" "a." "value" dict) */}}
{{- define "argocd-auth-webhook.put" -}}
{{- $value := .value -}}
{{- if .scope }}{{ range reverse (splitList "." (trimSuffix "." .scope)) }}{{ $value = dict . $value }}{{ end }}{{ end -}}
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
{{- else if eq $auth.spelling "integrations" -}}
{{- include "argocd-auth-webhook.put" (dict "into" $values "scope" $auth.scope "value" (dict "global" (dict "integrations" (dict "argo-cd" (dict "server" (dict "auth" $block)))))) -}}
{{- else -}}
{{- include "argocd-auth-webhook.put" (dict "into" $values "scope" $auth.scope "value" (dict "global" (dict $auth.spelling (dict "auth" $block)))) -}}
{{- end -}}
{{- range (include "argocd-auth-webhook.found" . | fromJson).found -}}
{{- $server := pick .server "svc" "port" "rootpath" -}}
{{- if $server -}}
{{- $parent := dict "server" $server -}}
{{- if eq .spelling "integrations" }}{{ $parent = dict "argo-cd" $parent }}{{ end -}}
{{- include "argocd-auth-webhook.put" (dict "into" $values "scope" .scope "value" (dict "global" (dict .spelling $parent))) -}}
{{- end -}}
{{- end -}}
{{- $argoCd := include "argocd-auth-webhook.firstBeside" (dict "root" . "scope" $auth.scope "key" "argo-cd") | fromJson -}}
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
{{- if $picked }}{{ include "argocd-auth-webhook.put" (dict "into" $values "scope" $argoCd.scope "value" (dict "argo-cd" $picked)) }}{{ end -}}
{{- end -}}
{{- with include "argocd-auth-webhook.argoCdUsername" . -}}
{{- include "argocd-auth-webhook.put" (dict "into" $values "scope" $auth.scope "value" (dict "app-proxy" (dict "config" (dict "argoCdUsername" .)))) -}}
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
