{{/* A time as the program reads it (`90s`, `10m`), in whole seconds. */}}
{{- define "argocd-auth-webhook.seconds" -}}
{{- $number := regexFind "^[0-9]+" . | int64 -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" }}{{ div $number 1000 }}{{ else }}{{ mul $number (get (dict "s" 1 "m" 60 "h" 3600) $unit) }}{{ end -}}
{{- end -}}

{{/* What a schema can't say. Each message has the path and the fix. */}}
{{- define "argocd-auth-webhook.validate" -}}
{{- if kindIs "map" (get .Values "argocd-auth-webhook") -}}
{{- fail "argocd-auth-webhook: these values are an umbrella chart's; this chart is installed by itself, so move what stands under argocd-auth-webhook to the root" -}}
{{- end -}}
{{- $ours := list "auth" "argoCdUsername" "argocd" "delivery" "onConflict" "legacyAppProxy" "rollout" "services" "credentials" "image" "imagePullSecrets" "nameOverride" "fullnameOverride" "commonLabels" "commonAnnotations" "log" "webhook" "controller" "certificates" "networkPolicy" "monitoring" "tests" -}}
{{- /* `argo-cd` is a key of the Runtime's. */ -}}
{{- $folded := dict -}}
{{- range $ours }}{{ $_ := set $folded (lower .) . }}{{ end -}}
{{- range $key, $value := .Values -}}
{{- $name := get $folded (lower $key | replace "-" "" | replace "_" "") -}}
{{- if and $name (ne $name $key) (ne $key "argo-cd") -}}
{{- fail (printf "%s: is not read; did you mean %s?" $key $name) -}}
{{- end -}}
{{- end -}}
{{- range $path, $labels := dict "commonLabels" .Values.commonLabels "webhook.podLabels" .Values.webhook.podLabels "controller.podLabels" .Values.controller.podLabels -}}
{{- range $key := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- if hasKey ($labels | default dict) $key -}}
{{- fail (printf "%s: %s is the chart's own; take it out" $path $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := include "argocd-auth-webhook.auth" . -}}
{{- $_ := include "argocd-auth-webhook.services" . -}}
{{- if and .Values.webhook.hostNetwork (eq (int .Values.webhook.port) 10250) -}}
{{- fail "webhook.port: 10250 is the kubelet's on the node's network; with webhook.hostNetwork set webhook.port to another port that the API server may reach" -}}
{{- end -}}
{{- if eq (int .Values.webhook.port) 9090 -}}
{{- fail "webhook.port: 9090 is the port of health and metrics; choose another" -}}
{{- end -}}
{{- include "argocd-auth-webhook.checkArgocd" . -}}
{{- $_ := include "argocd-auth-webhook.argocd" . -}}
{{- range $key := list "secretName" "caBundle" -}}
{{- if and (ne $.Values.certificates.source "secret") (get $.Values.certificates $key) -}}
{{- fail (printf "certificates.%s: is given, but certificates.source is %s; set certificates.source: secret" $key $.Values.certificates.source) -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.certificates.source "self-managed" -}}
{{- $ca := include "argocd-auth-webhook.seconds" .Values.certificates.caLifetime | int64 -}}
{{- $leaf := include "argocd-auth-webhook.seconds" .Values.certificates.certificateLifetime | int64 -}}
{{- $propagation := include "argocd-auth-webhook.seconds" .Values.certificates.propagationTime | int64 -}}
{{- if or (lt $ca 10) (gt $ca 630720000) -}}
{{- fail "certificates.caLifetime: must be between 10s and 175200h (20 years)" -}}
{{- end -}}
{{- if or (lt $leaf 1) (gt $leaf (div $ca 2)) -}}
{{- fail (printf "certificates.certificateLifetime: must be between 1s and half of certificates.caLifetime, which is %s" .Values.certificates.caLifetime) -}}
{{- end -}}
{{- if gt $propagation (div $leaf 6) -}}
{{- fail (printf "certificates.propagationTime: must be at most a sixth of certificates.certificateLifetime, which is %s" .Values.certificates.certificateLifetime) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.certificates.caBundle (not (contains "-----BEGIN CERTIFICATE-----" .Values.certificates.caBundle)) -}}
{{- fail "certificates.caBundle: must be PEM, with -----BEGIN CERTIFICATE-----" -}}
{{- end -}}
{{- range $process := list "webhook" "controller" -}}
{{- $account := (get $.Values $process).serviceAccount -}}
{{- if and (not $account.create) (not $account.name) -}}
{{- fail (printf "%s.serviceAccount.name: must be given with %s.serviceAccount.create: false" $process $process) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "argocd-auth-webhook.webhookAccount" .) (include "argocd-auth-webhook.controllerAccount" .) -}}
{{- fail "controller.serviceAccount.name: is the webhook's too; the webhook must not have the controller's permissions" -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled -}}
{{- fail "monitoring.serviceMonitor.enabled: stands beside monitoring.podMonitor.enabled; each would count everything again, so keep one of them" -}}
{{- end -}}
{{- end -}}
