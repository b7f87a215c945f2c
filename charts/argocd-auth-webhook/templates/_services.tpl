{{/* The built-in services, as the program has them. A test compares the two. */}}
{{- define "argocd-auth-webhook.builtInServices" -}}
services:
  - name: app-proxy
    selector: {matchLabels: {app: cap-app-proxy}}
  - name: gitops-operator
    selector: {matchLabels: {app: gitops-operator}}
  - name: event-reporter
    selector: {matchLabels: {app.kubernetes.io/name: cf-argocd-extras, app.kubernetes.io/component: event-reporter}}
  - name: sources-server
    selector: {matchLabels: {app.kubernetes.io/name: cf-argocd-extras, app.kubernetes.io/component: sources-server}}
  - name: runtime-event-reporter
    selector: {matchLabels: {app.kubernetes.io/name: runtime-event-reporter}}
  - name: cluster-event-reporter
    selector: {matchLabels: {app.kubernetes.io/name: cluster-event-reporter}}
  - name: argo-gateway
    selector: {matchLabels: {app.kubernetes.io/name: argo-gateway}}
{{- end -}}

{{/* The built-in services with the values' changes, then the values' additions. */}}
{{- define "argocd-auth-webhook.services" -}}
{{- $services := (include "argocd-auth-webhook.builtInServices" . | fromYaml).services -}}
{{- $places := dict -}}
{{- range $place, $service := $services }}{{ $_ := set $places $service.name $place }}{{ end -}}
{{- $known := len $services -}}
{{- $seen := dict -}}
{{- range $index, $entry := .Values.services -}}
{{- $path := printf "services[%d]" $index -}}
{{- if hasKey $seen $entry.name -}}
{{- fail (printf "%s.name: %q stands there twice" $path $entry.name) -}}
{{- end -}}
{{- $_ := set $seen $entry.name true -}}
{{- if eq $entry.name "none" -}}
{{- fail (printf "%s.name: \"none\" is what metrics call a pod of no service; choose another name" $path) -}}
{{- end -}}
{{- range $field := list "selector" "containers" -}}
{{- if and (hasKey $entry $field) (not (get $entry $field)) -}}
{{- fail (printf "%s.%s: must not be empty; leave it out, and the built-in one holds" $path $field) -}}
{{- end -}}
{{- end -}}
{{- $selector := $entry.selector | default dict -}}
{{- if and $selector (not $selector.matchLabels) (not $selector.matchExpressions) -}}
{{- fail (printf "%s.selector: must have matchLabels or matchExpressions: an empty selector means every pod" $path) -}}
{{- end -}}
{{- if hasKey $places $entry.name -}}
{{- if $selector -}}
{{- $_ := set (index $services (get $places $entry.name | int)) "selector" $selector -}}
{{- end -}}
{{- else -}}
{{- range $field := list "selector" "containers" "reads" -}}
{{- if not (get $entry $field) -}}
{{- fail (printf "%s.%s: must be given: %q is not one of the built-in services, so nothing is known of it" $path $field $entry.name) -}}
{{- end -}}
{{- end -}}
{{- $services = append $services (dict "name" $entry.name "selector" $selector) -}}
{{- end -}}
{{- end -}}
{{- toJson (dict "services" $services) -}}
{{- end -}}
