{{/*
The Runtime's values, resolved as the program does it. The program is what decides about pods; what
is here decides which Secrets are named in roles, whether the chart makes one, and what is refused
before anything is installed. A test compares the two. `_strays.tpl` has what is refused because
nobody reads it, `_program.tpl` what the program gets.
*/}}

{{/* A value if it is a mapping with something in it, else an empty one. */}}
{{- define "argocd-auth-webhook.map" -}}
{{- if and (kindIs "map" .) . }}{{ toJson . }}{{ else }}{}{{ end -}}
{{- end -}}

{{/* A mapping, which it must be where it is given and anybody looks. (dict "loud" … "path" "…" "value" …) */}}
{{- define "argocd-auth-webhook.mapping" -}}
{{- if and .loud (include "argocd-auth-webhook.given" .value) (not (kindIs "map" .value)) }}{{ fail (printf "%s: must be a mapping" .path) }}{{ end -}}
{{- include "argocd-auth-webhook.map" .value -}}
{{- end -}}

{{/* Whether a value is given: "true" unless it is null or empty. */}}
{{- define "argocd-auth-webhook.given" -}}
{{- if or . (kindIs "bool" .) (kindIs "float64" .) (kindIs "int64" .) (kindIs "int" .) }}true{{ end -}}
{{- end -}}

{{/* A reference as JSON, without the fields that are not given. (dict "block" auth "key" "…" "path" "…") */}}
{{- define "argocd-auth-webhook.reference" -}}
{{- $path := printf "%s.%s" .path .key -}}
{{- $value := get .block .key -}}
{{- if and (include "argocd-auth-webhook.given" $value) (not (kindIs "map" $value)) -}}
{{- fail (printf "%s: must be a mapping" $path) -}}
{{- end -}}
{{- $given := include "argocd-auth-webhook.map" $value | fromJson -}}
{{- range $field, $pattern := dict "name" "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" "key" "^\\.?[-_A-Za-z0-9][-._A-Za-z0-9]*$" -}}
{{- $text := get $given $field -}}
{{- if include "argocd-auth-webhook.given" $text -}}
{{- if not (kindIs "string" $text) -}}
{{- fail (printf "%s.%s: must be a string; put it in quotes" $path $field) -}}
{{- end -}}
{{- if or (not (regexMatch $pattern $text)) (gt (len $text) 253) -}}
{{- fail (printf "%s.%s: is not allowed: it must be a Kubernetes name" $path $field) -}}
{{- end -}}
{{- end -}}
{{- end -}}
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
{{- if and $password (include "argocd-auth-webhook.given" .block.username) (not (kindIs "string" .block.username)) -}}
{{- fail (printf "%s.username: must be a string; put it in quotes" .path) -}}
{{- end -}}
{{- if and (kindIs "string" .block.username) .block.username -}}
{{- if regexMatch "^[-._A-Za-z0-9]{1,32}$" .block.username -}}
{{- $_ := set $username "plain" .block.username -}}
{{- else if $password -}}
{{- fail (printf "%s.username: is not allowed: it must be a user name: letters, digits, '-', '_' and '.', at most 32" .path) -}}
{{- end -}}
{{- end -}}
{{- $secret := include "argocd-auth-webhook.reference" (dict "block" .block "key" "usernameSecretKeyRef" "path" .path) | fromJson -}}
{{- $configMap := include "argocd-auth-webhook.reference" (dict "block" .block "key" "usernameConfigMapKeyRef" "path" .path) | fromJson -}}
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
{{- $block := .block -}}
{{- $fields := list "type" "token" "tokenSecretKeyRef" "username" "usernameSecretKeyRef" "usernameConfigMapKeyRef" "password" "passwordSecretKeyRef" -}}
{{- range $key, $_ := $block -}}
{{- if not (has $key $fields) -}}
{{- fail (printf "%s.%s: unknown key; known here: %s" $path $key (join ", " $fields)) -}}
{{- end -}}
{{- end -}}
{{- range $key := list "tokenSecretKeyRef" "passwordSecretKeyRef" "usernameSecretKeyRef" "usernameConfigMapKeyRef" -}}
{{- $value := get $block $key -}}
{{- if and (include "argocd-auth-webhook.given" $value) (not (kindIs "map" $value)) -}}
{{- fail (printf "%s.%s: must be a mapping" $path $key) -}}
{{- end -}}
{{- end -}}
{{- if not .block.type -}}
{{- range $key := list "token" "tokenSecretKeyRef" -}}
{{- if include "argocd-auth-webhook.given" (get $block $key) -}}
{{- fail (printf "%s.type: must be given beside %s; write `type: token`" $path $key) -}}
{{- end -}}
{{- end -}}
{{- if not (or .block.password .block.passwordSecretKeyRef) -}}
{{- fail (printf "%s.type: must be given; write `type: token`, or `type: password` for the admin's initial password in Secret argocd-initial-admin-secret" $path) -}}
{{- end -}}
{{- end -}}
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
{{- $secret = include "argocd-auth-webhook.reference" (dict "block" .block "key" "tokenSecretKeyRef" "path" $path) | fromJson -}}
{{- if not $secret.given -}}
{{- fail (printf "%s: type is token, but no token is given; set %s.token, or %s.tokenSecretKeyRef with name and key" $path $path $path) -}}
{{- end -}}
{{- range $field := list "name" "key" -}}
{{- if not (get $secret $field) -}}
{{- fail (printf "%s.tokenSecretKeyRef.%s: must be given, and not be empty" $path $field) -}}
{{- end -}}
{{- end -}}
{{- else -}}
{{- $secret = include "argocd-auth-webhook.reference" (dict "block" .block "key" "passwordSecretKeyRef" "path" $path) | fromJson -}}
{{- $secret = merge (dict) $secret (dict "name" "argocd-initial-admin-secret" "key" "password") -}}
{{- end -}}
{{- $username := include "argocd-auth-webhook.username" (dict "path" $path "block" .block "mode" $mode) | fromJson -}}
{{- toJson (dict "mode" $mode "secret" (omit $secret "given") "username" $username "plain" $plain) -}}
{{- end -}}

{{/* What two blocks must agree in: a token needs no user name. */}}
{{- define "argocd-auth-webhook.compared" -}}
{{- if eq .mode "token" }}{{ toJson (pick . "mode" "secret" "plain") }}{{ else }}{{ toJson (pick . "mode" "secret" "plain" "username") }}{{ end -}}
{{- end -}}

{{- define "argocd-auth-webhook.defaultAuth" -}}
{{- toJson (dict "mode" "password" "secret" (dict "name" "argocd-initial-admin-secret" "key" "password") "username" (dict "plain" "admin") "plain" "") -}}
{{- end -}}

{{/*
The document and each mapping at its root: [{path, keys, block}]. In the values of the Runtime `global` is
at the root, in an umbrella chart's under one key of any name.
*/}}
{{- define "argocd-auth-webhook.scopes" -}}
{{- $scopes := list (dict "path" "" "keys" list "block" .Values) -}}
{{- range $key, $value := .Values -}}
{{- if and (kindIs "map" $value) (ne $key "global") -}}
{{- $scopes = append $scopes (dict "path" (printf "%s." $key) "keys" (list $key) "block" $value) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "scopes" $scopes) -}}
{{- end -}}

{{/*
The Runtime's blocks, the outermost first: [{path, keys, spelling, auth, server}]. Of the charts only
those since 0.26 read a spelling whichever chart it is: `integrations`.
*/}}
{{- define "argocd-auth-webhook.found" -}}
{{- $found := list -}}
{{- $argocd := include "argocd-auth-webhook.map" .Values.argocd | fromJson -}}
{{- /* Where our own blocks say all, nothing else is looked at. */ -}}
{{- $loud := not (and .Values.auth (or $argocd.url $argocd.svc)) -}}
{{- range $scope := (include "argocd-auth-webhook.scopes" . | fromJson).scopes -}}
{{- $global := include "argocd-auth-webhook.map" $scope.block.global | fromJson -}}
{{- range $name := list "external-arg-cd" "external-argo-cd" "integrations" -}}
{{- $path := printf "%sglobal.%s" $scope.path $name -}}
{{- $parent := include "argocd-auth-webhook.mapping" (dict "loud" $loud "path" $path "value" (get $global $name)) | fromJson -}}
{{- if eq $name "integrations" -}}
{{- $path = printf "%s.argo-cd" $path -}}
{{- $parent = include "argocd-auth-webhook.mapping" (dict "loud" $loud "path" $path "value" (get $parent "argo-cd")) | fromJson -}}
{{- end -}}
{{- $server := include "argocd-auth-webhook.mapping" (dict "loud" $loud "path" (printf "%s.server" $path) "value" $parent.server) | fromJson -}}
{{- $auth := $parent.auth -}}
{{- if eq $name "integrations" -}}
{{- $auth = $server.auth -}}
{{- $path = printf "%s.server" $path -}}
{{- end -}}
{{- $auth = include "argocd-auth-webhook.mapping" (dict "loud" $loud "path" (printf "%s.auth" $path) "value" $auth) | fromJson -}}
{{- $found = append $found (dict "path" (printf "%s.auth" $path) "keys" $scope.keys "spelling" $name "auth" $auth "server" $server) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "found" $found) -}}
{{- end -}}

{{/* Every auth block that is given: ours alone where it is, else the Runtime's. */}}
{{- define "argocd-auth-webhook.blocks" -}}
{{- include "argocd-auth-webhook.misspeltOwn" . -}}
{{- $own := .Values.auth -}}
{{- if and (include "argocd-auth-webhook.given" $own) (not (kindIs "map" $own)) -}}
{{- fail "auth: must be a mapping" -}}
{{- end -}}
{{- $blocks := list -}}
{{- if $own -}}
{{- $blocks = list (dict "path" "auth" "keys" list "spelling" "" "auth" $own) -}}
{{- $argocd := include "argocd-auth-webhook.map" .Values.argocd | fromJson -}}
{{- if not (or $argocd.url $argocd.svc) -}}
{{- include "argocd-auth-webhook.strays" (dict "Values" (include "argocd-auth-webhook.addresses" .Values | fromJson)) -}}
{{- end -}}
{{- else -}}
{{- include "argocd-auth-webhook.strays" . -}}
{{- range (include "argocd-auth-webhook.found" . | fromJson).found -}}
{{- if .auth }}{{ $blocks = append $blocks . }}{{ end -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "blocks" $blocks) -}}
{{- end -}}

{{/*
What holds: a block's fields, where it stands (`path`, `keys`, `spelling`; `counted` are all places that say it), and whether a chart of the
Runtime makes the Secret of a plain credential: surely where it reads the block whichever chart it is
(`readByRuntime`), and perhaps (`knownToRuntime`).
*/}}
{{- define "argocd-auth-webhook.auth" -}}
{{- $default := include "argocd-auth-webhook.defaultAuth" . -}}
{{- $given := list -}}
{{- $defaults := list -}}
{{- range (include "argocd-auth-webhook.blocks" . | fromJson).blocks -}}
{{- $block := include "argocd-auth-webhook.block" (dict "path" .path "block" .auth) -}}
{{- $one := merge ($block | fromJson) (pick . "path" "keys" "spelling") -}}
{{- if eq $block $default }}{{ $defaults = append $defaults $one }}{{ else }}{{ $given = append $given $one }}{{ end -}}
{{- end -}}
{{- /* Merged values carry a chart's defaults beside what a person wrote. */ -}}
{{- $blocks := ternary $given $defaults (gt (len $given) 0) -}}
{{- if not $blocks -}}
{{- fail (include "argocd-auth-webhook.missing" .) -}}
{{- end -}}
{{- $effective := first $blocks -}}
{{- $first := $effective.path -}}
{{- $compared := include "argocd-auth-webhook.compared" $effective -}}
{{- $known := false -}}
{{- $read := false -}}
{{- $spellings := list -}}
{{- $counted := list -}}
{{- range $blocks -}}
{{- $spellings = append $spellings .spelling -}}
{{- $counted = append $counted (pick . "keys" "spelling") -}}
{{- if ne (include "argocd-auth-webhook.compared" .) $compared -}}
{{- fail (printf "%s: differs from %s, and both are given; keep one of them" .path $first) -}}
{{- end -}}
{{- if and (eq .spelling "integrations") (not $read) -}}
{{- $read = true -}}
{{- $effective = . -}}
{{- end -}}
{{- $known = or $known (has .spelling (list "integrations" "external-argo-cd")) -}}
{{- end -}}
{{- $_ := set $effective "readByRuntime" $read -}}
{{- $_ := set $effective "knownToRuntime" $known -}}
{{- $_ := set $effective "spellings" $spellings -}}
{{- $_ := set $effective "counted" $counted -}}
{{- $create := toString .Values.credentials.createSecret -}}
{{- $makes := and $effective.plain (or (eq $create "true") (and (eq $create "auto") (not $read))) -}}
{{- $_ := set $effective "makesSecret" (ternary true false (not (not $makes))) -}}
{{- if $makes -}}
{{- /* A name that no chart of the Runtime renders, so that nobody owns it twice. */ -}}
{{- $_ := set $effective "former" $effective.secret -}}
{{- $_ := set $effective "secret" (dict "name" (printf "%s-argocd-%s" .Release.Name $effective.mode) "key" $effective.mode) -}}
{{- end -}}
{{- toJson $effective -}}
{{- end -}}

{{- define "argocd-auth-webhook.missing" -}}
auth: must be given: nothing here says which credential of Argo CD the pods get. Write one of these:

    auth:
      type: token
      tokenSecretKeyRef: {name: SECRET, key: KEY}

    auth:
      type: password
      username: USER
      passwordSecretKeyRef: {name: SECRET, key: KEY}

or, for user admin with Argo CD's initial password (Secret argocd-initial-admin-secret):

    auth:
      type: password
{{ end -}}

{{/* Whether the chart makes the Secret of a plain credential: "true" or nothing. */}}
{{- define "argocd-auth-webhook.makesSecret" -}}
{{- if (include "argocd-auth-webhook.auth" . | fromJson).makesSecret }}true{{ end -}}
{{- end -}}

{{/*
Whether the Secret is kept under its former name too: this chart made it there for `external-arg-cd`,
and pods may refer to it. Not where a chart of the Runtime may own it.
*/}}
{{- define "argocd-auth-webhook.keepsFormerSecret" -}}
{{- $auth := include "argocd-auth-webhook.auth" . | fromJson -}}
{{- if and $auth.makesSecret (eq $auth.spelling "external-arg-cd") (not $auth.knownToRuntime) (ne (toString .Values.credentials.keepFormerSecret) "false") }}true{{ end -}}
{{- end -}}
