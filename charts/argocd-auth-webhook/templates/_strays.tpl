{{/*
What looks like an auth block and stands where nobody reads it, in the program's own words.
*/}}

{{/* A name without what people vary: case, hyphens and underscores. */}}
{{- define "argocd-auth-webhook.fold" -}}
{{- lower . | replace "-" "" | replace "_" "" | replace " " "" -}}
{{- end -}}

{{/* "true" if a key is a name misspelt: written otherwise, or with one letter wrong. (dict "key" "…" "name" "…") */}}
{{- define "argocd-auth-webhook.misspelt" -}}
{{- if ne .key .name -}}
{{- $name := include "argocd-auth-webhook.fold" .name -}}
{{- $all := list $name (printf "%s." $name) -}}
{{- range $i := until (len $name) -}}
{{- $before := substr 0 $i $name -}}
{{- $after := substr $i (len $name) $name -}}
{{- $rest := substr 1 (len $after) $after -}}
{{- $all = append $all (printf "%s.%s" $before $after) -}}
{{- $all = append $all (printf "%s.?%s" $before $rest) -}}
{{- if $rest -}}
{{- $all = append $all (printf "%s%s%s%s" $before (substr 0 1 $rest) (substr 0 1 $after) (substr 1 (len $rest) $rest)) -}}
{{- end -}}
{{- end -}}
{{- if regexMatch (printf "^(%s)$" (join "|" $all)) (include "argocd-auth-webhook.fold" .key) }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* "true" for the block that the Runtime's charts have by default, which nobody wrote. */}}
{{- define "argocd-auth-webhook.isChartDefault" -}}
{{- if and (kindIs "map" .) -}}
{{- if hasKey . "passwordSecretKeyRef" -}}
{{- $expected := dict "type" "password" "username" "admin" "passwordSecretKeyRef" (dict "name" "argocd-initial-admin-secret" "key" "password") -}}
{{- $default := true -}}
{{- range $key, $value := . -}}
{{- if hasKey $expected $key -}}
{{- if not (deepEqual (get $expected $key) $value) }}{{ $default = false }}{{ end -}}
{{- else if $value }}{{ $default = false }}{{ end -}}
{{- end -}}
{{- if $default }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" if a value has nothing but fields of an auth block. So do logins of others, where others have them. */}}
{{- define "argocd-auth-webhook.isLogin" -}}
{{- if kindIs "map" . -}}
{{- $login := gt (len .) 1 -}}
{{- range $key, $_ := . }}{{ if not (include "argocd-auth-webhook.field" $key) }}{{ $login = false }}{{ end }}{{ end -}}
{{- if $login }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/* "true…" if a value has what only an auth block has. */}}
{{- define "argocd-auth-webhook.isAuth" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- if or (has $folded (list "tokensecretkeyref" "passwordsecretkeyref")) (and (eq $folded "type") (has $value (list "token" "password"))) }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true…" if an auth block stands in it, or in its `server`. */}}
{{- define "argocd-auth-webhook.holdsAuth" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- if eq $folded "auth" }}{{ include "argocd-auth-webhook.isAuth" $value }}{{ end -}}
{{- if eq $folded "server" }}{{ include "argocd-auth-webhook.holdsAuth" $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true…" if it, or its `server`, says where Argo CD is. */}}
{{- define "argocd-auth-webhook.holdsAddress" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- if and (has $folded (list "svc" "port" "rootpath")) (not (kindIs "invalid" $value)) }}true{{ end -}}
{{- if eq $folded "server" }}{{ include "argocd-auth-webhook.holdsAddress" $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true…" if an `argo-cd` as the Runtime has it stands in it. */}}
{{- define "argocd-auth-webhook.holdsArgoCd" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- if eq (include "argocd-auth-webhook.fold" $key) "argocd" }}{{ include "argocd-auth-webhook.has" (dict "value" $value "names" (list "server" "auth" "svc" "port" "rootpath")) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "argocd-auth-webhook.holdsASpelling" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- if include "argocd-auth-webhook.meant" (dict "key" $key "names" (list "external-argo-cd" "external-arg-cd")) }}true{{ end -}}
{{- if eq $folded "integrations" }}{{ include "argocd-auth-webhook.holdsArgoCd" $value }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The one of these names that a key is, or is misspelt. (dict "key" "…" "names" list) */}}
{{- define "argocd-auth-webhook.meant" -}}
{{- $key := .key -}}
{{- $meant := "" -}}
{{- range .names }}{{ if eq $key . }}{{ $meant = . }}{{ end }}{{ end -}}
{{- range .names -}}
{{- if and (not $meant) (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" .)) }}{{ $meant = . }}{{ end -}}
{{- end -}}
{{- $meant -}}
{{- end -}}

{{/* The field of an auth block that a key is, however it is written. */}}
{{- define "argocd-auth-webhook.field" -}}
{{- $folded := include "argocd-auth-webhook.fold" . -}}
{{- range list "type" "token" "tokenSecretKeyRef" "username" "usernameSecretKeyRef" "usernameConfigMapKeyRef" "password" "passwordSecretKeyRef" -}}
{{- if eq (include "argocd-auth-webhook.fold" .) $folded }}{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Fields beside `auth` that belong into it. (dict "path" "…" "block" dict "auth" "server.auth") */}}
{{- define "argocd-auth-webhook.inParent" -}}
{{- $path := .path -}}
{{- $auth := .auth -}}
{{- $above := list -}}
{{- range splitList "." $auth }}{{ $above = append $above (printf "`%s:`" .) }}{{ end -}}
{{- range $key, $value := .block -}}
{{- if include "argocd-auth-webhook.given" $value -}}
{{- $field := include "argocd-auth-webhook.field" $key -}}
{{- if $field -}}
{{- fail (printf "%s.%s: is not read here; write %s above it, as %s.%s.%s" $path $key (join " and " $above) $path $auth $field) -}}
{{- end -}}
{{- include "argocd-auth-webhook.address" (dict "path" $path "key" $key) -}}
{{- range $name := list "auth" "server" -}}
{{- if and (kindIs "map" $value) (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" $name)) -}}
{{- fail (printf "%s.%s: is not read; write it as `%s:`" $path $key $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Where Argo CD is, outside of `server` or misspelt in it. (dict "path" "…" "key" "…") */}}
{{- define "argocd-auth-webhook.address" -}}
{{- $path := .path -}}
{{- $key := .key -}}
{{- range $name := list "svc" "port" "rootpath" -}}
{{- if eq (include "argocd-auth-webhook.fold" $key) $name -}}
{{- if not (hasSuffix ".server" $path) -}}
{{- fail (printf "%s.%s: is not read here; write `server:` above it, as %s.server.%s" $path $key $path $name) -}}
{{- else if ne $key $name -}}
{{- fail (printf "%s.%s: is not read; write it as `%s:`" $path $key $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" if a mapping has a `server` with a `svc`. */}}
{{- define "argocd-auth-webhook.svcOfServer" -}}
{{- $server := (include "argocd-auth-webhook.map" . | fromJson).server -}}
{{- if kindIs "map" $server }}{{ if and (kindIs "string" $server.svc) $server.svc }}true{{ end }}{{ end -}}
{{- end -}}

{{- define "argocd-auth-webhook.noUrl" -}}
{{- if include "argocd-auth-webhook.given" .value }}{{ fail (printf "%s: is not read here, where svc, port and rootpath are; write it as argocd.url" .path) }}{{ end -}}
{{- end -}}

{{/* (dict "path" "global." "global" dict) */}}
{{- define "argocd-auth-webhook.underGlobal" -}}
{{- $path := .path -}}
{{- range $key, $value := .global -}}
{{- if include "argocd-auth-webhook.given" $value -}}
{{- $meant := include "argocd-auth-webhook.meant" (dict "key" $key "names" (list "external-argo-cd" "external-arg-cd")) -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- $at := printf "%s%s" $path $key -}}
{{- if eq $meant $key -}}
{{- if not (kindIs "map" $value) }}{{ fail (printf "%s: must be a mapping" $at) }}{{ end -}}
{{- include "argocd-auth-webhook.inParent" (dict "path" $at "block" $value "auth" "auth") -}}
{{- range $inner, $given := (include "argocd-auth-webhook.map" $value.server | fromJson) -}}
{{- if include "argocd-auth-webhook.given" $given -}}
{{- include "argocd-auth-webhook.address" (dict "path" (printf "%s.server" $at) "key" $inner) -}}
{{- if eq (include "argocd-auth-webhook.fold" $inner) "url" }}{{ include "argocd-auth-webhook.noUrl" (dict "path" (printf "%s.server.%s" $at $inner) "value" $given) }}{{ end -}}
{{- $right := include "argocd-auth-webhook.field" $inner -}}
{{- if $right }}{{ $right = printf "auth.%s" $right }}{{ end -}}
{{- if eq (include "argocd-auth-webhook.fold" $inner) "auth" }}{{ $right = "auth" }}{{ end -}}
{{- if $right -}}
{{- fail (printf "%s.server.%s: is not read here; write `auth:` beside `server:`, as %s.%s" $at $inner $at $right) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- else if eq $key "integrations" -}}
{{- if not (kindIs "map" $value) }}{{ fail (printf "%s: must be a mapping" $at) }}{{ end -}}
{{- include "argocd-auth-webhook.inIntegrations" (dict "path" $at "block" $value) -}}
{{- else if $meant -}}
{{- fail (printf "%s: is not read; write it as `%s:`" $at $meant) -}}
{{- else if and (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "integrations")) (include "argocd-auth-webhook.holdsArgoCd" $value) -}}
{{- fail (printf "%s: is not read; write it as `integrations:`" $at) -}}
{{- else if and (eq $folded "argocd") (or (include "argocd-auth-webhook.holdsAuth" $value) (include "argocd-auth-webhook.isAuth" $value) (include "argocd-auth-webhook.holdsAddress" $value)) -}}
{{- fail (printf "%s: is not read here; write `integrations:` above it, as %sintegrations.argo-cd" $at $path) -}}
{{- else if and (eq $folded "server") (kindIs "map" $value) (kindIs "string" $value.svc) $value.svc -}}
{{- fail (printf "%s: is not read here; write `external-argo-cd:` above it, as %sexternal-argo-cd.server" $at $path) -}}
{{- else if and (eq $folded "auth") (or (include "argocd-auth-webhook.isAuth" $value) (include "argocd-auth-webhook.isLogin" $value)) -}}
{{- fail (printf "%s: is not read here; write `external-argo-cd:` above it, as %sexternal-argo-cd.auth, or `auth:` at the root" $at $path) -}}
{{- else if include "argocd-auth-webhook.holdsAuth" $value -}}
{{- fail (printf "%s: is not read; write it as `external-argo-cd:`" $at) -}}
{{- else if hasSuffix "Ref" (include "argocd-auth-webhook.field" $key) -}}
{{- fail (printf "%s: is not read here; write `external-argo-cd:` and `auth:` above it, as %sexternal-argo-cd.auth.%s" $at $path $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "argocd-auth-webhook.inIntegrations" -}}
{{- $path := .path -}}
{{- range $key, $value := .block -}}
{{- if and (include "argocd-auth-webhook.given" $value) (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "argo-cd")) -}}
{{- fail (printf "%s.%s: is not read; write it as `argo-cd:`" $path $key) -}}
{{- end -}}
{{- if and (eq (include "argocd-auth-webhook.fold" $key) "server") (include "argocd-auth-webhook.holdsAddress" $value) -}}
{{- fail (printf "%s.%s: is not read here; write `argo-cd:` above it, as %s.argo-cd.server" $path $key $path) -}}
{{- end -}}
{{- end -}}
{{- $at := printf "%s.argo-cd" $path -}}
{{- $parent := include "argocd-auth-webhook.map" (get .block "argo-cd") | fromJson -}}
{{- include "argocd-auth-webhook.inParent" (dict "path" $at "block" $parent "auth" "server.auth") -}}
{{- if include "argocd-auth-webhook.given" $parent.auth -}}
{{- fail (printf "%s.auth: is not read here; write `server:` above it, as %s.server.auth" $at $at) -}}
{{- end -}}
{{- $server := include "argocd-auth-webhook.map" $parent.server | fromJson -}}
{{- include "argocd-auth-webhook.inParent" (dict "path" (printf "%s.server" $at) "block" $server "auth" "auth") -}}
{{- include "argocd-auth-webhook.noUrl" (dict "path" (printf "%s.server.url" $at) "value" $server.url) -}}
{{- end -}}

{{/* What says where Argo CD's server is, and what stands around it: all that is looked at beside an `auth` of our own. */}}
{{- define "argocd-auth-webhook.addresses" -}}
{{- $kept := dict -}}
{{- range $key, $value := . -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- if kindIs "map" $value -}}
{{- $inner := dict -}}
{{- if not (has $folded (list "redis" "reposerver")) }}{{ $inner = include "argocd-auth-webhook.addresses" $value | fromJson }}{{ end -}}
{{- if $inner }}{{ $_ := set $kept $key $inner }}{{ end -}}
{{- else if has $folded (list "svc" "port" "rootpath" "url") -}}
{{- $_ := set $kept $key $value -}}
{{- end -}}
{{- end -}}
{{- toJson $kept -}}
{{- end -}}

{{- define "argocd-auth-webhook.strays" -}}
{{- range $scope := (include "argocd-auth-webhook.scopes" . | fromJson).scopes -}}
{{- range $key, $value := $scope.block -}}
{{- if include "argocd-auth-webhook.given" $value -}}
{{- $at := printf "%s%s" $scope.path $key -}}
{{- $meant := include "argocd-auth-webhook.meant" (dict "key" $key "names" (list "external-argo-cd" "external-arg-cd")) -}}
{{- if and (not $meant) (or (eq $key "integrations") (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "integrations"))) (include "argocd-auth-webhook.holdsArgoCd" $value) }}{{ $meant = "integrations" }}{{ end -}}
{{- if $meant -}}
{{- fail (printf "%s: is not read here; write `global:` above it, as %sglobal.%s" $at $scope.path $meant) -}}
{{- else if and (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "global")) (include "argocd-auth-webhook.holdsASpelling" $value) -}}
{{- fail (printf "%s: is not read; write it as `global:`" $at) -}}
{{- else if and (eq $key "argo-cd") (include "argocd-auth-webhook.svcOfServer" $value) -}}
{{- fail (printf "%s.server.svc: is not read here; write it as %sglobal.external-argo-cd.server.svc" $at $scope.path) -}}
{{- else if and $scope.path (eq $key "auth") (include "argocd-auth-webhook.isAuth" $value) -}}
{{- fail (printf "%s: is not read here; write it as `auth:` at the root (in an umbrella's values under `argocd-auth-webhook:`), or under global.external-argo-cd" $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "argocd-auth-webhook.underGlobal" (dict "path" (printf "%sglobal." $scope.path) "global" (include "argocd-auth-webhook.map" $scope.block.global | fromJson)) -}}
{{- end -}}
{{- include "argocd-auth-webhook.elsewhere" (dict "keys" list "block" .Values "global" dict "here" dict) -}}
{{- end -}}

{{/* "true…" if a mapping has one of these keys, however it is written. (dict "value" … "names" list) */}}
{{- define "argocd-auth-webhook.has" -}}
{{- $names := .names -}}
{{- if kindIs "map" .value -}}
{{- range $key, $_ := .value -}}
{{- if has (include "argocd-auth-webhook.fold" $key) $names }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* `auth` and `argocd` of ours under a name that is nearly right. */}}
{{- define "argocd-auth-webhook.misspeltOwn" -}}
{{- $fields := list "type" "token" "tokensecretkeyref" "username" "usernamesecretkeyref" "usernameconfigmapkeyref" "password" "passwordsecretkeyref" -}}
{{- range $key, $value := .Values -}}
{{- if include "argocd-auth-webhook.given" $value -}}
{{- if include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "auth") -}}
{{- $same := and (eq (include "argocd-auth-webhook.fold" $key) "auth") (include "argocd-auth-webhook.has" (dict "value" $value "names" $fields)) -}}
{{- $only := kindIs "map" $value -}}
{{- if $only }}{{ range $inner, $_ := $value }}{{ if not (include "argocd-auth-webhook.field" $inner) }}{{ $only = false }}{{ end }}{{ end }}{{ end -}}
{{- if or $same $only (include "argocd-auth-webhook.isAuth" $value) -}}
{{- fail (printf "%s: is not read; write it as `auth:`" $key) -}}
{{- end -}}
{{- end -}}
{{- if and (ne $key "argo-cd") (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "argocd")) -}}
{{- if include "argocd-auth-webhook.has" (dict "value" $value "names" (list "url" "svc" "port" "rootpath" "namespace" "tls")) -}}
{{- fail (printf "%s: is not read; write it as `argocd:`" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* "true" where a block is read. (list of keys) */}}
{{- define "argocd-auth-webhook.isRead" -}}
{{- $path := join "/" . -}}
{{- if or (eq $path "auth") (regexMatch "^([^/]*/)?global/(external-argo?-cd/auth|integrations/argo-cd/server/auth)$" $path) }}true{{ end -}}
{{- end -}}

{{/* "true" where the keys lead below `global` to something about Argo CD. (list of keys) */}}
{{- define "argocd-auth-webhook.isAboutArgoCd" -}}
{{- $path := join "/" . -}}
{{- if regexMatch "^(.*/)?global/" $path -}}
{{- $below := regexReplaceAll "^([^/]*/)*?global/" $path "" -}}
{{- if regexMatch "^integrations(/(server|auth)(/.*)?)?$" $below }}true
{{- else if regexMatch "(^|/)argo(/|$)|argo?cd" (include "argocd-auth-webhook.fold" $below) }}true{{ end -}}
{{- end -}}
{{- end -}}

{{/*
Anything at any depth that only an auth block has, or that can be nothing else where it stands. Helm copies
`global` into each chart of a chart: `global` is the nearest one around, and `here` what stands in it where
we are; a copy is passed over. (dict "keys" list "block" dict "global" dict "here" dict)
*/}}
{{- define "argocd-auth-webhook.elsewhere" -}}
{{- $around := .keys -}}
{{- $about := include "argocd-auth-webhook.isAboutArgoCd" $around -}}
{{- $atGlobal := regexMatch "^(.*/)?global$" (join "/" $around) -}}
{{- $outer := .global -}}
{{- $here := .here -}}
{{- $global := ternary .block.global $outer (kindIs "map" .block.global) -}}
{{- range $key, $value := .block -}}
{{- $keys := append $around $key -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- $same := dict -}}
{{- if eq $key "global" }}{{ $same = dict "is" $outer }}{{ else if and (kindIs "map" $here) (hasKey $here $key) }}{{ $same = dict "is" (get $here $key) }}{{ end -}}
{{- $copy := and (hasKey $same "is") (deepEqual $same.is $value) -}}
{{- if eq $folded "auth" }}{{ $copy = or $copy (include "argocd-auth-webhook.isChartDefault" $value) }}{{ end -}}
{{- if and (not $copy) (le (len $keys) 10) (include "argocd-auth-webhook.given" $value) (ne $folded "redis") (not (include "argocd-auth-webhook.isRead" $keys)) -}}
{{- if and (has $key (list "svc" "port" "rootpath")) (regexMatch "^[^/]+/.+/global/(external-argo?-cd|integrations/argo-cd)/server$" (join "/" $around)) (not (has (toString $value) (list "argocd-server" "argo-cd-server" "80"))) -}}
{{- fail (printf "%s: is not read here; write it under global.external-argo-cd.server, or under `argocd:` at the root" (join "." $keys)) -}}
{{- end -}}
{{- $reference := and (has $folded (list "tokensecretkeyref" "passwordsecretkeyref")) (kindIs "map" $value) -}}
{{- $mode := and (eq $folded "type") (has $value (list "token" "password")) -}}
{{- $token := and (eq $folded "token") (kindIs "string" $value) -}}
{{- $password := and (eq $folded "password") (kindIs "string" $value) -}}
{{- if or $reference (and (or $about $atGlobal) (or $mode $token)) (and $about $password) -}}
{{- fail (printf "%s: is not read here; write it under global.external-argo-cd.auth, or under `auth:` at the root" (join "." $keys)) -}}
{{- else if kindIs "map" $value -}}
{{- include "argocd-auth-webhook.elsewhere" (dict "keys" $keys "block" $value "global" $global "here" $same.is) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
