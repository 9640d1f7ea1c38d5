{{/* What the service and the migration have in common. */}}
{{- define "twinlog.labels" -}}
app.kubernetes.io/name: twinlog
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "twinlog.pod" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
automountServiceAccountToken: false
# A service of this name would put variables like TWINLOG_PORT into the pod.
enableServiceLinks: false
volumes:
  - name: home
    emptyDir: {}
  - name: tmp
    emptyDir: {}
{{- end }}

{{- define "twinlog.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
volumeMounts:
  - {name: home, mountPath: /var/lib/twinlog}
  - {name: tmp, mountPath: /tmp}
env:
  {{- $secret := required "secret: the name of the secret with the URLs and passwords" .Values.secret }}
  {{- range $variable, $key := dict "DATABASE_URL" "database-url" "AMQP_URL" "amqp-url" "BASIC_USERS" "basic-users" "DEVOPS_PASSWORD" "devops-password" "SEARCH_CURSOR_KEY" "search-cursor-key" }}
  - name: TWINLOG_{{ $variable }}
    valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ $key }}}}
  {{- end }}
  {{- with .Values.trustedProxies }}
  - name: TWINLOG_TRUSTED_PROXIES
    value: {{ . | quote }}
  {{- end }}
  {{- range $name, $value := .Values.environment }}
  - name: {{ $name }}
    value: {{ $value | quote }}
  {{- end }}
{{- end }}
