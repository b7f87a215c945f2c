{{/* What both processes' pods have in common. (dict "root" . "component" "webhook" "values" .Values.webhook "account" "…") */}}
{{- define "argocd-auth-webhook.podMetadata" -}}
labels:
  {{- include "argocd-auth-webhook.selector" . | nindent 2 }}
  {{- with merge (dict) (.values.podLabels | default dict) (.root.Values.commonLabels | default dict) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  # Settings are read once: a change of them replaces the pods.
  checksum/config: {{ include "argocd-auth-webhook.programValues" .root | sha256sum }}
  {{- with merge (dict) (.values.podAnnotations | default dict) (.root.Values.commonAnnotations | default dict) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- define "argocd-auth-webhook.podSpec" -}}
serviceAccountName: {{ .account }}
# The Service's name would make variables with the prefix of the program's own.
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- include "argocd-auth-webhook.podSecurity" . | nindent 2 }}
volumes:
  - name: config
    configMap:
      name: {{ include "argocd-auth-webhook.configName" .root }}
{{- end -}}

{{- define "argocd-auth-webhook.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "argocd-auth-webhook.container" -}}
image: {{ include "argocd-auth-webhook.image" .root | quote }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- include "argocd-auth-webhook.containerSecurity" . }}
env:
  - name: POD_NAMESPACE
    valueFrom:
      fieldRef:
        fieldPath: metadata.namespace
  - name: ARGOCD_AUTH_WEBHOOK_LOG_LEVEL
    value: {{ .root.Values.log.level | quote }}
  - name: ARGOCD_AUTH_WEBHOOK_LOG_FORMAT
    value: {{ .root.Values.log.format | quote }}
resources:
  {{- toYaml .values.resources | nindent 2 }}
volumeMounts:
  - name: config
    mountPath: /etc/argocd-auth-webhook
    readOnly: true
livenessProbe:
  httpGet:
    path: /livez
    port: admin
  periodSeconds: 10
  timeoutSeconds: 5
readinessProbe:
  httpGet:
    path: /readyz
    port: admin
  # Soon ready, and slow to be doubted: a pod that ends is taken out of the Service anyway, and one
  # that answers a probe late on a busy node still answers reviews.
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 5
{{- end -}}

{{- define "argocd-auth-webhook.containerSecurity" }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}
