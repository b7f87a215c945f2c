{{/*
Where Argo CD is, as the program reads it. What is wrong is refused here and not by the schema, whose
messages quote a value: people paste credentials into the wrong place.
*/}}

{{/* Refuses what is no address of Argo CD, without quoting it. */}}
{{- define "argocd-auth-webhook.checkArgocd" -}}
{{- $argocd := .Values.argocd | default dict -}}
{{- range $key := list "svc" "port" "rootpath" -}}
{{- if and $argocd.url (get $argocd $key) -}}
{{- fail (printf "argocd.url: stands beside argocd.%s; keep one of them" $key) -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^$|^https?://[^\\s@?#]+$" ($argocd.url | default "")) -}}
{{- fail "argocd.url: is not allowed: it must be a URL with http:// or https://, without user, query or fragment" -}}
{{- end -}}
{{- if and $argocd.svc (not (include "argocd-auth-webhook.isObject" $argocd.svc)) -}}
{{- fail "argocd.svc: is not allowed: it must be the name of a Service, without scheme, port and path" -}}
{{- end -}}
{{- if and (include "argocd-auth-webhook.given" $argocd.port) (not (include "argocd-auth-webhook.port" $argocd.port)) -}}
{{- fail "argocd.port: is not a port; allowed: 1 to 65535" -}}
{{- end -}}
{{- if not (regexMatch "^[-._~/A-Za-z0-9]*$" ($argocd.rootpath | default "")) -}}
{{- fail "argocd.rootpath: is not allowed: it must be a path: letters, digits, '-', '_', '.', '~' and '/'" -}}
{{- end -}}
{{- if not (regexMatch "^$|^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" ($argocd.namespace | default "")) -}}
{{- fail "argocd.namespace: is not allowed: it must be lower case letters, digits and '-', at most 63, with a letter or digit at both ends" -}}
{{- end -}}
{{- $tls := $argocd.tls | default dict -}}
{{- if and $tls.caSecretKeyRef $tls.caConfigMapKeyRef -}}
{{- fail "argocd.tls.caConfigMapKeyRef: stands beside argocd.tls.caSecretKeyRef; keep one of them" -}}
{{- end -}}
{{- range $key := list "caSecretKeyRef" "caConfigMapKeyRef" -}}
{{- $_ := include "argocd-auth-webhook.reference" (dict "block" $tls "key" $key "path" "argocd.tls") -}}
{{- end -}}
{{- if not (regexMatch "^[-._A-Za-z0-9]{0,32}$" (.Values.argoCdUsername | default "")) -}}
{{- fail "argoCdUsername: is not allowed: it must be a user name: letters, digits, '-', '_' and '.', at most 32" -}}
{{- end -}}
{{- end -}}

{{/* "true" for what can be the name of an object of Kubernetes. */}}
{{- define "argocd-auth-webhook.isObject" -}}
{{- if and (kindIs "string" .) (le (len (toString .)) 253) (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" (toString .)) }}true{{ end -}}
{{- end -}}

{{/* A port, with or without quotes; nothing where it is none. */}}
{{- define "argocd-auth-webhook.port" -}}
{{- $text := toString . -}}
{{- if and (regexMatch "^[1-9][0-9]{0,4}$" $text) (ge (int $text) 1) (le (int $text) 65535) }}{{ int $text }}{{ end -}}
{{- end -}}

{{/* As the charts cut names. */}}
{{- define "argocd-auth-webhook.cut" -}}
{{- . | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Refuses what can't be used where our own block doesn't say where Argo CD is. (dict "strict" … "at" "…" "says" "…") */}}
{{- define "argocd-auth-webhook.unusable" -}}
{{- if .strict }}{{ fail (printf "%s: %s; or say where Argo CD is with argocd.url or argocd.svc" .at .says) }}{{ end -}}
{{- end -}}

{{/* What is said of a value that is no text. */}}
{{- define "argocd-auth-webhook.noText" -}}
{{- if kindIs "bool" . }}must be a string, but it is a boolean; put it in quotes
{{- else if kindIs "map" . }}must be a string, but it is a mapping
{{- else if kindIs "slice" . }}must be a string, but it is a list
{{- else if not (kindIs "string" .) }}must be a string, but it is a number; put it in quotes
{{- end -}}
{{- end -}}

{{/* A name that a block gives; nothing where it gives none. (dict "strict" … "path" "…" "block" … "key" "…") */}}
{{- define "argocd-auth-webhook.givenName" -}}
{{- $value := get .block .key -}}
{{- $says := .says | default "it must be a Kubernetes name: lower case letters, digits, '-' and '.', at most 253, with a letter or digit at both ends" -}}
{{- if include "argocd-auth-webhook.isObject" $value }}{{ $value }}
{{- else if include "argocd-auth-webhook.given" $value -}}
{{- include "argocd-auth-webhook.unusable" (dict "strict" .strict "at" (printf "%s.%s" .path .key) "says" (include "argocd-auth-webhook.noText" $value | default (printf "is not allowed: %s" $says))) -}}
{{- end -}}
{{- end -}}

{{/* A port that a block gives; nothing where it gives none. (as above) */}}
{{- define "argocd-auth-webhook.givenPort" -}}
{{- $value := get .block .key -}}
{{- if include "argocd-auth-webhook.given" $value -}}
{{- $port := include "argocd-auth-webhook.port" $value -}}
{{- if not $port }}{{ include "argocd-auth-webhook.unusable" (dict "strict" .strict "at" (printf "%s.%s" .path .key) "says" "is not a port; allowed: 1 to 65535") }}{{ end -}}
{{- $port -}}
{{- end -}}
{{- end -}}

{{/* A path that a block gives, without slashes at its ends. (as above) */}}
{{- define "argocd-auth-webhook.givenPath" -}}
{{- $value := get .block .key -}}
{{- if include "argocd-auth-webhook.given" $value -}}
{{- if and (kindIs "string" $value) (regexMatch "^[-._~/A-Za-z0-9]*$" (toString $value)) }}{{ trimAll "/" $value }}
{{- else }}{{ include "argocd-auth-webhook.unusable" (dict "strict" .strict "at" (printf "%s.%s" .path .key) "says" (include "argocd-auth-webhook.noText" $value | default "is not allowed: it must be a path: letters, digits, '-', '_', '.', '~' and '/'")) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
What one block says over what holds otherwise: {svc, port, rootpath}.
(dict "strict" … "path" "…" "block" block "otherwise" {svc, port, rootpath})
*/}}
{{- define "argocd-auth-webhook.service" -}}
{{- $address := .otherwise -}}
{{- $of := pick . "strict" "path" "block" -}}
{{- with include "argocd-auth-webhook.givenName" (merge (dict "key" "svc" "says" "it must be the name of a Service, without scheme, port and path") $of) -}}
{{- $address = dict "svc" . "port" 80 "rootpath" "" -}}
{{- end -}}
{{- if not $address.url -}}
{{- with include "argocd-auth-webhook.givenPort" (merge (dict "key" "port") $of) }}{{ $_ := set $address "port" (int .) }}{{ end -}}
{{- if include "argocd-auth-webhook.given" .block.rootpath }}{{ $_ := set $address "rootpath" (include "argocd-auth-webhook.givenPath" (merge (dict "key" "rootpath") $of)) }}{{ end -}}
{{- end -}}
{{- toJson $address -}}
{{- end -}}

{{/*
The Argo CD that the Runtime brings along: {svc, port, rootpath}, or {url}.
(dict "strict" … "path" "argo-cd" "block" its values)
*/}}
{{- define "argocd-auth-webhook.bundled" -}}
{{- $of := pick . "strict" "path" "block" -}}
{{- $key := "fullnameOverride" -}}
{{- if and (hasKey .block $key) (not (include "argocd-auth-webhook.given" .block.fullnameOverride)) -}}
{{- $key = "nameOverride" -}}
{{- $says := "is empty, so that Argo CD's Service is called after the Runtime's release, which isn't known here" -}}
{{- include "argocd-auth-webhook.unusable" (dict "strict" .strict "at" (printf "%s.fullnameOverride" .path) "says" $says) -}}
{{- end -}}
{{- $name := include "argocd-auth-webhook.givenName" (merge (dict "key" $key) $of) | default "argo-cd" -}}
{{- $server := include "argocd-auth-webhook.map" .block.server | fromJson -}}
{{- $path := .path -}}
{{- $part := include "argocd-auth-webhook.givenName" (dict "strict" .strict "path" (printf "%s.server" $path) "block" $server "key" "name") | default "server" -}}
{{- $svc := include "argocd-auth-webhook.cut" (printf "%s-%s" (include "argocd-auth-webhook.cut" $name) $part) -}}
{{- $configs := include "argocd-auth-webhook.map" .block.configs | fromJson -}}
{{- $params := include "argocd-auth-webhook.map" $configs.params | fromJson -}}
{{- $insecure := or (not (hasKey $params "server.insecure")) (and (get $params "server.insecure") (ne (toString (get $params "server.insecure")) "false")) -}}
{{- $rootpath := include "argocd-auth-webhook.givenPath" (dict "strict" .strict "path" (printf "%s.configs.params" $path) "block" $params "key" "server.rootpath") -}}
{{- $service := include "argocd-auth-webhook.map" $server.service | fromJson -}}
{{- $port := include "argocd-auth-webhook.givenPort" (dict "strict" .strict "path" (printf "%s.server.service" $path) "block" $service "key" (ternary "servicePortHttp" "servicePortHttps" (not (not $insecure)))) -}}
{{- if $insecure -}}
{{- toJson (dict "svc" $svc "port" (int ($port | default 80)) "rootpath" $rootpath) -}}
{{- else if eq ($port | default "443") "443" -}}
{{- toJson (dict "svc" $svc "port" 443 "rootpath" $rootpath) -}}
{{- else -}}
{{- toJson (dict "url" (printf "https://%s:%s/%s" $svc $port $rootpath)) -}}
{{- end -}}
{{- end -}}

{{/*
The `argo-cd` of the Runtime's charts, of which two must say the same: {path, block, given, enabled}, where
`enabled` is "true", "false" or "unsaid". (dict "strict" … "root" . "keys" list)
*/}}
{{- define "argocd-auth-webhook.oneArgoCd" -}}
{{- $strict := .strict -}}
{{- $found := (include "argocd-auth-webhook.beside" (dict "root" .root "keys" .keys "key" "argo-cd") | fromJson).found -}}
{{- $one := dict "path" "" "block" dict "given" false "enabled" "unsaid" -}}
{{- $said := "" -}}
{{- range $place, $candidate := $found -}}
{{- $path := printf "%sargo-cd" .scope -}}
{{- $enabled := "unsaid" -}}
{{- if and (hasKey .value "enabled") (not (kindIs "invalid" .value.enabled)) -}}
{{- /* Helm leaves a chart out for no other value than this. */ -}}
{{- $enabled = ternary "false" "true" (and (kindIs "bool" .value.enabled) (not .value.enabled)) -}}
{{- end -}}
{{- $says := "left out" -}}
{{- if and (gt (len $found) 1) (ne $enabled "false") -}}
{{- $says = include "argocd-auth-webhook.bundled" (dict "strict" $strict "path" $path "block" .value) -}}
{{- end -}}
{{- if eq $place 0 -}}
{{- $one = dict "path" $path "block" .value "given" true "enabled" $enabled -}}
{{- $said = $says -}}
{{- else if ne $says $said -}}
{{- include "argocd-auth-webhook.unusable" (dict "strict" $strict "at" $path "says" (printf "differs from %s, and both are given; keep one of them" $one.path)) -}}
{{- end -}}
{{- end -}}
{{- toJson $one -}}
{{- end -}}

{{/* Where Argo CD is: {path, svc, port, rootpath} or {path, url}; `path` is empty where nothing says so. */}}
{{- define "argocd-auth-webhook.argocd" -}}
{{- $auth := include "argocd-auth-webhook.auth" . | fromJson -}}
{{- $own := .Values.argocd | default dict -}}
{{- $own = ternary $own (dict) (kindIs "map" $own) -}}
{{- $strict := not (or $own.url $own.svc) -}}
{{- $argoCd := include "argocd-auth-webhook.oneArgoCd" (dict "strict" $strict "root" . "keys" $auth.keys) | fromJson -}}
{{- $enabled := $argoCd.enabled -}}
{{- $services := dict "external-arg-cd" "argocd-server" "external-argo-cd" "argocd-server" "integrations" "argo-cd-server" -}}
{{- $server := dict -}}
{{- range $first := list true false -}}
{{- if and (not $server) (ne $enabled "true") -}}
{{- $given := list -}}
{{- $byDefault := dict -}}
{{- range (include "argocd-auth-webhook.found" $ | fromJson).found -}}
{{- $says := or (include "argocd-auth-webhook.given" .server.svc) (include "argocd-auth-webhook.given" .server.port) (include "argocd-auth-webhook.given" .server.rootpath) -}}
{{- if and $says (eq $first (has .spelling $auth.spellings)) -}}
{{- $default := get $services .spelling -}}
{{- $path := ternary (trimSuffix ".auth" .path) (printf "%s.server" (trimSuffix ".auth" .path)) (eq .spelling "integrations") -}}
{{- $address := include "argocd-auth-webhook.service" (dict "strict" $strict "path" $path "block" .server "otherwise" (dict "svc" $default "port" 80 "rootpath" "")) | fromJson -}}
{{- if or (ne $address.svc $default) (ne (int $address.port) 80) $address.rootpath -}}
{{- if and $given (not (deepEqual $address (omit (first $given) "path"))) -}}
{{- include "argocd-auth-webhook.unusable" (dict "strict" $strict "at" $path "says" (printf "differs from %s, and both are given; keep one of them" (first $given).path)) -}}
{{- end -}}
{{- $_ := set $address "path" $path -}}
{{- $given = append $given $address -}}
{{- else if not $byDefault -}}
{{- $byDefault = merge (dict "path" $path) $address -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $given -}}
{{- $server = first $given -}}
{{- else if eq $enabled "false" -}}
{{- $server = $byDefault -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $address := dict "svc" (get $services $auth.spelling | default "argo-cd-server") "port" 80 "rootpath" "" "path" "" -}}
{{- if $server -}}
{{- $address = $server -}}
{{- else if and $argoCd.given (ne $enabled "false") -}}
{{- $address = include "argocd-auth-webhook.bundled" (merge (dict "strict" $strict) $argoCd) | fromJson -}}
{{- $_ := set $address "path" $argoCd.path -}}
{{- else if ne $enabled "false" -}}
{{- $_ := set $address "svc" "argo-cd-server" -}}
{{- end -}}
{{- $ours := dict -}}
{{- range $key, $value := $own }}{{ if include "argocd-auth-webhook.given" $value }}{{ $_ := set $ours $key $value }}{{ end }}{{ end -}}
{{- if $ours.url -}}
{{- $address = dict "url" $ours.url -}}
{{- else -}}
{{- $address = include "argocd-auth-webhook.service" (dict "strict" false "path" "argocd" "block" $ours "otherwise" $address) | fromJson -}}
{{- end -}}
{{- if $own }}{{ $_ := set $address "path" "argocd" }}{{ end -}}
{{- toJson $address -}}
{{- end -}}

{{/* The same for a person, in the program's words. */}}
{{- define "argocd-auth-webhook.argocdSaid" -}}
{{- $address := include "argocd-auth-webhook.argocd" . | fromJson -}}
{{- if $address.path }}{{ $address.path }}{{ else }}by default{{ end }}: Argo CD at {{ if $address.url }}{{ $address.url }}{{ else }}Service {{ $address.svc }}, port {{ int $address.port }}{{ with $address.rootpath }}, path /{{ . }}{{ end }}{{ end -}}
{{- end -}}
