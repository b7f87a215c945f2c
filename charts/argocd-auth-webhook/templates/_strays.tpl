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

{{- define "argocd-auth-webhook.holdsArgoCd" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- if and (eq (include "argocd-auth-webhook.fold" $key) "argocd") (kindIs "map" $value) }}true{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "argocd-auth-webhook.holdsASpelling" -}}
{{- if kindIs "map" . -}}
{{- range $key, $value := . -}}
{{- $folded := include "argocd-auth-webhook.fold" $key -}}
{{- if has $folded (list "externalargocd" "externalargcd") }}true{{ end -}}
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
{{- range $name := list "auth" "server" -}}
{{- if and (kindIs "map" $value) (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" $name)) -}}
{{- fail (printf "%s.%s: is not read; write it as `%s:`" $path $key $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
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
{{- else if and (eq $folded "argocd") (or (include "argocd-auth-webhook.holdsAuth" $value) (include "argocd-auth-webhook.isAuth" $value)) -}}
{{- fail (printf "%s: is not read here; write `integrations:` above it, as %sintegrations.argo-cd" $at $path) -}}
{{- else if and (eq $folded "auth") (include "argocd-auth-webhook.isAuth" $value) -}}
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
{{- end -}}
{{- $at := printf "%s.argo-cd" $path -}}
{{- $parent := include "argocd-auth-webhook.map" (get .block "argo-cd") | fromJson -}}
{{- include "argocd-auth-webhook.inParent" (dict "path" $at "block" $parent "auth" "server.auth") -}}
{{- if include "argocd-auth-webhook.given" $parent.auth -}}
{{- fail (printf "%s.auth: is not read here; write `server:` above it, as %s.server.auth" $at $at) -}}
{{- end -}}
{{- $server := include "argocd-auth-webhook.map" $parent.server | fromJson -}}
{{- include "argocd-auth-webhook.inParent" (dict "path" (printf "%s.server" $at) "block" $server "auth" "auth") -}}
{{- end -}}

{{- define "argocd-auth-webhook.strays" -}}
{{- range $scope := (include "argocd-auth-webhook.scopes" . | fromJson).scopes -}}
{{- range $key, $value := $scope.block -}}
{{- if include "argocd-auth-webhook.given" $value -}}
{{- $at := printf "%s%s" $scope.path $key -}}
{{- $meant := include "argocd-auth-webhook.meant" (dict "key" $key "names" (list "external-argo-cd" "external-arg-cd")) -}}
{{- if and (not $meant) (eq (include "argocd-auth-webhook.fold" $key) "integrations") (include "argocd-auth-webhook.holdsArgoCd" $value) }}{{ $meant = "integrations" }}{{ end -}}
{{- if $meant -}}
{{- fail (printf "%s: is not read here; write `global:` above it, as %sglobal.%s" $at $scope.path $meant) -}}
{{- else if and (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "global")) (include "argocd-auth-webhook.holdsASpelling" $value) -}}
{{- fail (printf "%s: is not read; write it as `global:`" $at) -}}
{{- else if and $scope.path (eq $key "auth") (include "argocd-auth-webhook.isAuth" $value) -}}
{{- fail (printf "%s: is not read here; write it as `auth:` at the root, or under global.external-argo-cd" $at) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $scope.path -}}
{{- range $key, $value := $scope.block -}}
{{- if and (include "argocd-auth-webhook.misspelt" (dict "key" $key "name" "auth")) (include "argocd-auth-webhook.isAuth" $value) -}}
{{- fail (printf "%s: is not read; write it as `auth:`" $key) -}}
{{- end -}}
{{- if and (kindIs "map" $value) (eq (include "argocd-auth-webhook.fold" $key) "argocd") (not (has $key (list "argocd" "argo-cd"))) -}}
{{- if or (hasKey $value "url") (hasKey $value "svc") (hasKey $value "port") (hasKey $value "rootpath") -}}
{{- fail (printf "%s: is not read; write it as `argocd:`" $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "argocd-auth-webhook.underGlobal" (dict "path" (printf "%sglobal." $scope.path) "global" (include "argocd-auth-webhook.map" $scope.block.global | fromJson)) -}}
{{- end -}}
{{- end -}}
