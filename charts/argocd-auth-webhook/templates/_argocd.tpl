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
{{- if and (regexMatch "^[0-9]{1,5}$" $text) (ge (int $text) 1) (le (int $text) 65535) }}{{ int $text }}{{ end -}}
{{- end -}}

{{/* As the charts cut names. */}}
{{- define "argocd-auth-webhook.cut" -}}
{{- . | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/*
What one block says over what holds otherwise: {svc, port, rootpath}. What can't be used says nothing,
as in the program. (dict "block" block "otherwise" {svc, port, rootpath})
*/}}
{{- define "argocd-auth-webhook.service" -}}
{{- $address := .otherwise -}}
{{- if include "argocd-auth-webhook.isObject" .block.svc -}}
{{- $address = dict "svc" .block.svc "port" 80 "rootpath" "" -}}
{{- end -}}
{{- if not $address.url -}}
{{- with include "argocd-auth-webhook.port" .block.port }}{{ $_ := set $address "port" (int .) }}{{ end -}}
{{- if and (kindIs "string" .block.rootpath) .block.rootpath -}}
{{- if regexMatch "^[-._~/A-Za-z0-9]*$" .block.rootpath }}{{ $_ := set $address "rootpath" (trimAll "/" .block.rootpath) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toJson $address -}}
{{- end -}}

{{/* The Argo CD that the Runtime brings along: {svc, port, rootpath}, or {url}. (its values) */}}
{{- define "argocd-auth-webhook.bundled" -}}
{{- $name := "argo-cd" -}}
{{- if include "argocd-auth-webhook.isObject" .fullnameOverride -}}
{{- $name = .fullnameOverride -}}
{{- else if and (hasKey . "fullnameOverride") (not .fullnameOverride) (include "argocd-auth-webhook.isObject" .nameOverride) -}}
{{- $name = .nameOverride -}}
{{- end -}}
{{- $server := include "argocd-auth-webhook.map" .server | fromJson -}}
{{- $part := ternary $server.name "server" (eq (include "argocd-auth-webhook.isObject" $server.name) "true") -}}
{{- $svc := include "argocd-auth-webhook.cut" (printf "%s-%s" (include "argocd-auth-webhook.cut" $name) $part) -}}
{{- $configs := include "argocd-auth-webhook.map" .configs | fromJson -}}
{{- $params := include "argocd-auth-webhook.map" $configs.params | fromJson -}}
{{- $insecure := or (not (hasKey $params "server.insecure")) (and (get $params "server.insecure") (ne (toString (get $params "server.insecure")) "false")) -}}
{{- $rootpath := get $params "server.rootpath" | default "" -}}
{{- $rootpath = ternary $rootpath "" (and (kindIs "string" $rootpath) (regexMatch "^[-._~/A-Za-z0-9]*$" (toString $rootpath))) | trimAll "/" -}}
{{- $service := include "argocd-auth-webhook.map" $server.service | fromJson -}}
{{- $port := include "argocd-auth-webhook.port" (get $service (ternary "servicePortHttp" "servicePortHttps" (not (not $insecure)))) -}}
{{- if $insecure -}}
{{- toJson (dict "svc" $svc "port" (int ($port | default 80)) "rootpath" $rootpath) -}}
{{- else if eq ($port | default "443") "443" -}}
{{- toJson (dict "svc" $svc "port" 443 "rootpath" $rootpath) -}}
{{- else -}}
{{- toJson (dict "url" (printf "https://%s:%s/%s" $svc $port $rootpath)) -}}
{{- end -}}
{{- end -}}

{{/* Where Argo CD is: {path, svc, port, rootpath} or {path, url}; `path` is empty where nothing says so. */}}
{{- define "argocd-auth-webhook.argocd" -}}
{{- $auth := include "argocd-auth-webhook.auth" . | fromJson -}}
{{- $argoCd := dict "path" "" "block" dict "given" false -}}
{{- range $scope := (include "argocd-auth-webhook.scopes" . | fromJson).scopes -}}
{{- $block := include "argocd-auth-webhook.map" (get $scope.block "argo-cd") | fromJson -}}
{{- /* Where the block is an umbrella's, shared by all, it is of the one chart that has it. */ -}}
{{- $is := or (eq $scope.path $auth.scope) (and (eq $auth.scope "") (not $argoCd.given)) -}}
{{- if and $block $is -}}
{{- $argoCd = dict "path" (printf "%sargo-cd" $scope.path) "block" $block "given" true -}}
{{- end -}}
{{- end -}}
{{- $enabled := "unsaid" -}}
{{- if include "argocd-auth-webhook.given" $argoCd.block.enabled -}}
{{- /* Helm leaves a chart out for no other value than this. */ -}}
{{- $enabled = ternary "false" "true" (and (kindIs "bool" $argoCd.block.enabled) (not $argoCd.block.enabled)) -}}
{{- end -}}
{{- $services := dict "external-arg-cd" "argocd-server" "external-argo-cd" "argocd-server" "integrations" "argo-cd-server" -}}
{{- $servers := list -}}
{{- range $own := list true false -}}
{{- range (include "argocd-auth-webhook.found" $ | fromJson).found -}}
{{- $says := or (include "argocd-auth-webhook.given" .server.svc) (include "argocd-auth-webhook.given" .server.port) (include "argocd-auth-webhook.given" .server.rootpath) -}}
{{- if and $says (eq $own (eq .spelling $auth.spelling)) -}}
{{- $default := get $services .spelling -}}
{{- $address := include "argocd-auth-webhook.service" (dict "block" .server "otherwise" (dict "svc" $default "port" 80 "rootpath" "")) | fromJson -}}
{{- $_ := set $address "path" (ternary (trimSuffix ".auth" .path) (printf "%s.server" (trimSuffix ".auth" .path)) (eq .spelling "integrations")) -}}
{{- if or (eq $enabled "false") (ne $address.svc $default) (ne (int $address.port) 80) $address.rootpath -}}
{{- $servers = append $servers $address -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $address := dict "svc" (get $services $auth.spelling | default "argo-cd-server") "port" 80 "rootpath" "" "path" "" -}}
{{- if and $servers (ne $enabled "true") -}}
{{- $address = first $servers -}}
{{- else if and $argoCd.given (ne $enabled "false") -}}
{{- $address = include "argocd-auth-webhook.bundled" $argoCd.block | fromJson -}}
{{- $_ := set $address "path" $argoCd.path -}}
{{- else if ne $enabled "false" -}}
{{- $_ := set $address "svc" "argo-cd-server" -}}
{{- end -}}
{{- $own := .Values.argocd | default dict -}}
{{- $own = ternary $own (dict) (kindIs "map" $own) -}}
{{- $ours := dict -}}
{{- range $key, $value := $own }}{{ if include "argocd-auth-webhook.given" $value }}{{ $_ := set $ours $key $value }}{{ end }}{{ end -}}
{{- if $ours.url -}}
{{- $address = dict "url" $ours.url -}}
{{- else -}}
{{- $address = include "argocd-auth-webhook.service" (dict "block" $ours "otherwise" $address) | fromJson -}}
{{- end -}}
{{- if $own }}{{ $_ := set $address "path" "argocd" }}{{ end -}}
{{- toJson $address -}}
{{- end -}}

{{/* The same for a person, in the program's words. */}}
{{- define "argocd-auth-webhook.argocdSaid" -}}
{{- $address := include "argocd-auth-webhook.argocd" . | fromJson -}}
{{- if $address.path }}{{ $address.path }}{{ else }}by default{{ end }}: Argo CD at {{ if $address.url }}{{ $address.url }}{{ else }}Service {{ $address.svc }}, port {{ int $address.port }}{{ with $address.rootpath }}, path /{{ . }}{{ end }}{{ end -}}
{{- end -}}
