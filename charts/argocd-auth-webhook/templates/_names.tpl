{{/* An umbrella's alias takes the chart's name, and may be in camel case: no name of an object is. */}}
{{- define "argocd-auth-webhook.name" -}}
{{- default .Chart.Name .Values.nameOverride | lower | replace "_" "-" | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 50 characters, so that every suffix of ours fits into the 63 of a label. */}}
{{- define "argocd-auth-webhook.fullname" -}}
{{- $name := include "argocd-auth-webhook.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Cluster-scoped objects: two releases of one name may stand in two namespaces. */}}
{{- define "argocd-auth-webhook.clusterName" -}}
{{- printf "%s-%s" .Release.Name .Release.Namespace -}}
{{- end -}}

{{/* Of the release alone, as the Secrets: the commands for people find it by `--release`. */}}
{{- define "argocd-auth-webhook.configName" -}}
{{- printf "%s-config" .Release.Name -}}
{{- end -}}

{{- define "argocd-auth-webhook.controllerName" -}}
{{- printf "%s-controller" (include "argocd-auth-webhook.fullname" .) -}}
{{- end -}}

{{- define "argocd-auth-webhook.testName" -}}
{{- printf "%s-test" (include "argocd-auth-webhook.fullname" .) -}}
{{- end -}}

{{- define "argocd-auth-webhook.webhookAccount" -}}
{{- .Values.webhook.serviceAccount.name | default (ternary (include "argocd-auth-webhook.fullname" .) "default" .Values.webhook.serviceAccount.create) -}}
{{- end -}}

{{- define "argocd-auth-webhook.controllerAccount" -}}
{{- .Values.controller.serviceAccount.name | default (ternary (include "argocd-auth-webhook.controllerName" .) "default" .Values.controller.serviceAccount.create) -}}
{{- end -}}

{{/* The Secret that the webhook serves from. */}}
{{- define "argocd-auth-webhook.servingSecret" -}}
{{- .Values.certificates.secretName | default (printf "%s-serving" .Release.Name) -}}
{{- end -}}

{{- define "argocd-auth-webhook.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* (dict "root" . "component" "webhook") */}}
{{- define "argocd-auth-webhook.selector" -}}
app.kubernetes.io/name: {{ include "argocd-auth-webhook.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{/* (dict "root" . "component" "webhook" "labels" dict "annotations" dict), the last two if there are more */}}
{{- define "argocd-auth-webhook.metadata" -}}
labels:
  helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
  app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
  app.kubernetes.io/managed-by: {{ .root.Release.Service }}
  {{- include "argocd-auth-webhook.selector" . | nindent 2 }}
  {{- with merge (dict) (.labels | default dict) (.root.Values.commonLabels | default dict) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
