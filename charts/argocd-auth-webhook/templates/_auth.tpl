{{/*
The Runtime's values, resolved as the program does it. The program is what decides about pods; what
is here decides which Secrets are named in roles, whether the chart makes one, and what is refused
before anything is installed. A test compares the two.
*/}}

{{/* A value if it is a mapping with something in it, else an empty one. */}}
{{- define "argocd-auth-webhook.map" -}}
{{- if and (kindIs "map" .) . }}{{ toJson . }}{{ else }}{}{{ end -}}
{{- end -}}

{{/* A reference as JSON, without the fields that are not given. (dict "block" auth "key" "…") */}}
{{- define "argocd-auth-webhook.reference" -}}
{{- $given := include "argocd-auth-webhook.map" (get .block .key) | fromJson -}}
{{- $reference := dict -}}
{{- range $field := list "name" "key" -}}
{{- with get $given $field }}{{ $_ := set $reference $field . }}{{ end -}}
{{- end -}}
{{- /* false says what leaving it out says. */ -}}
{{- if $given.optional }}{{ $_ := set $reference "optional" true }}{{ end -}}
{{- if $given }}{{ $_ := set $reference "given" true }}{{ end -}}
{{- toJson $reference -}}
{{- end -}}

{{- define "argocd-auth-webhook.username" -}}
{{- $password := eq .mode "password" -}}
{{- $username := dict "plain" "admin" -}}
{{- if and (kindIs "string" .block.username) .block.username -}}
{{- if regexMatch "^[-._A-Za-z0-9]{1,32}$" .block.username -}}
{{- $_ := set $username "plain" .block.username -}}
{{- else if $password -}}
{{- fail (printf "%s.username: is not allowed: it must be a user name: letters, digits, '-', '_' and '.', at most 32" .path) -}}
{{- end -}}
{{- end -}}
{{- $secret := include "argocd-auth-webhook.reference" (dict "block" .block "key" "usernameSecretKeyRef") | fromJson -}}
{{- $configMap := include "argocd-auth-webhook.reference" (dict "block" .block "key" "usernameConfigMapKeyRef") | fromJson -}}
{{- if and $password $secret.given $configMap.given -}}
{{- fail (printf "%s.usernameConfigMapKeyRef: stands beside %s.usernameSecretKeyRef; keep one of them" .path .path) -}}
{{- end -}}
{{- $reference := ternary $secret $configMap (hasKey $secret "given") -}}
{{- if $reference.given -}}
{{- if and $reference.name $reference.key -}}
{{- $username = dict (ternary "secret" "configMap" (hasKey $secret "given")) (omit $reference "given") -}}
{{- else if $password -}}
{{- fail (printf "%s.%s: needs name and key, not empty" .path (ternary "usernameSecretKeyRef" "usernameConfigMapKeyRef" (hasKey $secret "given"))) -}}
{{- end -}}
{{- end -}}
{{- toJson $username -}}
{{- end -}}

{{/*
One block: {mode, secret: {name, key, optional}, username}, and the plain credential as `plain`.
Nothing that is rendered may take `plain` but the Secret. (dict "path" "global.…" "block" auth)
*/}}
{{- define "argocd-auth-webhook.block" -}}
{{- $path := .path -}}
{{- $mode := .block.type | default "password" -}}
{{- if not (has $mode (list "token" "password")) -}}
{{- fail (printf "%s.type: is not allowed; allowed: token, password" $path) -}}
{{- end -}}
{{- $plain := get .block $mode | default "" -}}
{{- if not (kindIs "string" $plain) -}}
{{- fail (printf "%s.%s: must be a string; put it in quotes" $path $mode) -}}
{{- end -}}
{{- $secret := dict -}}
{{- if $plain -}}
{{- $secret = dict "name" (printf "gitops-runtime-argo-cd-%s" $mode) "key" "token" -}}
{{- else if eq $mode "token" -}}
{{- $secret = include "argocd-auth-webhook.reference" (dict "block" .block "key" "tokenSecretKeyRef") | fromJson -}}
{{- if not $secret.given -}}
{{- fail (printf "%s: type is token, but no token is given; set %s.token, or %s.tokenSecretKeyRef with name and key" $path $path $path) -}}
{{- end -}}
{{- range $field := list "name" "key" -}}
{{- if not (get $secret $field) -}}
{{- fail (printf "%s.tokenSecretKeyRef.%s: must be given, and not be empty" $path $field) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $secret = include "argocd-auth-webhook.reference" (dict "block" .block "key" "passwordSecretKeyRef") | fromJson -}}
{{- $secret = merge (dict) $secret (dict "name" "argocd-initial-admin-secret" "key" "password") -}}
{{- end -}}
{{- $username := include "argocd-auth-webhook.username" (dict "path" $path "block" .block "mode" $mode) | fromJson -}}
{{- toJson (dict "mode" $mode "secret" (omit $secret "given") "username" $username "plain" $plain) -}}
{{- end -}}

{{/* What two blocks must agree in: a token needs no user name. */}}
{{- define "argocd-auth-webhook.compared" -}}
{{- if eq .mode "token" }}{{ toJson (omit . "username") }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{- define "argocd-auth-webhook.defaultAuth" -}}
{{- toJson (dict "mode" "password" "secret" (dict "name" "argocd-initial-admin-secret" "key" "password") "username" (dict "plain" "admin") "plain" "") -}}
{{- end -}}

{{/* The three spellings: [{path, block, knownToRuntime}], as far as they are given. */}}
{{- define "argocd-auth-webhook.blocks" -}}
{{- $global := include "argocd-auth-webhook.map" .Values.global | fromJson -}}
{{- $blocks := list -}}
{{- range $name := list "external-arg-cd" "external-argo-cd" -}}
{{- $parent := include "argocd-auth-webhook.map" (get $global $name) | fromJson -}}
{{- $block := include "argocd-auth-webhook.map" $parent.auth | fromJson -}}
{{- if $block }}{{ $blocks = append $blocks (dict "path" (printf "global.%s.auth" $name) "block" $block "knownToRuntime" (eq $name "external-argo-cd")) }}{{ end -}}
{{- end -}}
{{- $integrations := include "argocd-auth-webhook.map" $global.integrations | fromJson -}}
{{- $argocd := include "argocd-auth-webhook.map" (get $integrations "argo-cd") | fromJson -}}
{{- $server := include "argocd-auth-webhook.map" $argocd.server | fromJson -}}
{{- $block := include "argocd-auth-webhook.map" $server.auth | fromJson -}}
{{- if $block }}{{ $blocks = append $blocks (dict "path" "global.integrations.argo-cd.server.auth" "block" $block "knownToRuntime" true) }}{{ end -}}
{{- toJson (dict "blocks" $blocks) -}}
{{- end -}}

{{/*
What holds: a block's fields, and `knownToRuntime`, whether the Runtime's chart reads it too and so
makes the Secret of a plain credential.
*/}}
{{- define "argocd-auth-webhook.auth" -}}
{{- $default := include "argocd-auth-webhook.defaultAuth" . -}}
{{- $effective := $default | fromJson -}}
{{- $first := "" -}}
{{- $known := false -}}
{{- range (include "argocd-auth-webhook.blocks" . | fromJson).blocks -}}
{{- $block := include "argocd-auth-webhook.block" . -}}
{{- if ne $block $default -}}
{{- if not $first -}}
{{- $first = .path -}}
{{- $effective = $block | fromJson -}}
{{- else if ne (include "argocd-auth-webhook.compared" ($block | fromJson)) (include "argocd-auth-webhook.compared" $effective) -}}
{{- fail (printf "%s: differs from %s, and both are given; keep one of them" .path $first) -}}
{{- end -}}
{{- $known = or $known .knownToRuntime -}}
{{- end -}}
{{- end -}}
{{- $_ := set $effective "knownToRuntime" $known -}}
{{- toJson $effective -}}
{{- end -}}

{{/* The app-proxy's own, older key: ours, or where this chart is installed by itself the Runtime's. */}}
{{- define "argocd-auth-webhook.argoCdUsername" -}}
{{- $appProxy := include "argocd-auth-webhook.map" (get .Values "app-proxy") | fromJson -}}
{{- $config := include "argocd-auth-webhook.map" $appProxy.config | fromJson -}}
{{- $theirs := ternary $config.argoCdUsername "" (kindIs "string" $config.argoCdUsername) -}}
{{- $ours := .Values.argoCdUsername | default "" -}}
{{- $mode := (include "argocd-auth-webhook.auth" . | fromJson).mode -}}
{{- if and $config.argoCdUsername (or (eq $mode "password") .Values.legacyAppProxy) (not (regexMatch "^[-._A-Za-z0-9]{1,32}$" $theirs)) -}}
{{- fail "app-proxy.config.argoCdUsername: is not allowed: it must be a user name, a string of letters, digits, '-', '_' and '.', at most 32" -}}
{{- end -}}
{{- if and $ours $theirs (ne $ours $theirs) -}}
{{- fail "argoCdUsername: differs from app-proxy.config.argoCdUsername, and both are given; keep one of them" -}}
{{- end -}}
{{- $ours | default $theirs -}}
{{- end -}}

{{/* Whether the chart makes the Secret of a plain credential: "true" or nothing. */}}
{{- define "argocd-auth-webhook.makesSecret" -}}
{{- $auth := include "argocd-auth-webhook.auth" . | fromJson -}}
{{- $create := toString .Values.credentials.createSecret -}}
{{- if and $auth.plain (or (eq $create "true") (and (eq $create "auto") (not $auth.knownToRuntime))) -}}
true
{{- end -}}
{{- end -}}

{{/*
The values that the program gets: the three blocks, with a fixed text in place of a plain credential,
and our own keys.
*/}}
{{- define "argocd-auth-webhook.programValues" -}}
{{- $global := include "argocd-auth-webhook.map" .Values.global | fromJson -}}
{{- $integrations := include "argocd-auth-webhook.map" $global.integrations | fromJson -}}
{{- $out := dict -}}
{{- range $spelling := list
    (dict "name" "external-arg-cd" "from" (get $global "external-arg-cd"))
    (dict "name" "external-argo-cd" "from" (get $global "external-argo-cd"))
    (dict "name" "argo-cd" "from" (get $integrations "argo-cd")) -}}
{{- $from := include "argocd-auth-webhook.map" $spelling.from | fromJson -}}
{{- $server := include "argocd-auth-webhook.map" $from.server | fromJson -}}
{{- $auth := include "argocd-auth-webhook.map" (ternary $server.auth $from.auth (eq $spelling.name "argo-cd")) | fromJson -}}
{{- $auth = pick $auth "type" "token" "tokenSecretKeyRef" "username" "usernameSecretKeyRef" "usernameConfigMapKeyRef" "password" "passwordSecretKeyRef" -}}
{{- range $field := list "token" "password" -}}
{{- if get $auth $field }}{{ $_ := set $auth $field "(in the Secret)" }}{{ end -}}
{{- end -}}
{{- $server = pick $server "svc" "port" "rootpath" -}}
{{- if eq $spelling.name "argo-cd" -}}
{{- if $auth }}{{ $_ := set $server "auth" $auth }}{{ end -}}
{{- if $server }}{{ $_ := set $out "integrations" (dict "argo-cd" (dict "server" $server)) }}{{ end -}}
{{- else -}}
{{- $block := dict -}}
{{- if $auth }}{{ $_ := set $block "auth" $auth }}{{ end -}}
{{- if $server }}{{ $_ := set $block "server" $server }}{{ end -}}
{{- if $block }}{{ $_ := set $out $spelling.name $block }}{{ end -}}
{{- end -}}
{{- end -}}
{{- $values := dict -}}
{{- if $out }}{{ $_ := set $values "global" $out }}{{ end -}}
{{- with include "argocd-auth-webhook.argoCdUsername" . -}}
{{- $_ := set $values "app-proxy" (dict "config" (dict "argoCdUsername" .)) -}}
{{- end -}}
{{- $root := .Values -}}
{{- range $key := list "argocd" "delivery" "onConflict" "legacyAppProxy" "services" "rollout" -}}
{{- $value := get $root $key -}}
{{- if or (kindIs "bool" $value) $value }}{{ $_ := set $values $key $value }}{{ end -}}
{{- end -}}
{{- with omit .Values.credentials "createSecret" }}{{ $_ := set $values "credentials" . }}{{ end -}}
{{- toYaml $values -}}
{{- end -}}

{{/* Whether pods are replaced: something if they are. `rollout` is a mode, or a mapping that holds one. */}}
{{- define "argocd-auth-webhook.replacesPods" -}}
{{- $mode := .Values.rollout -}}
{{- if kindIs "map" $mode }}{{ $mode = $mode.mode }}{{ end -}}
{{- if eq ($mode | default "automatic") "automatic" }}true{{ end -}}
{{- end -}}
