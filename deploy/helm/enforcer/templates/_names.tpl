{{- define "enforcer.name" -}}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{- end }}
{{- define "enforcer.secret" -}}{{ .Values.existingSecret | default (include "enforcer.name" .) }}{{- end }}
{{- define "enforcer.selector" -}}
app.kubernetes.io/name: enforcer
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "enforcer.labels" -}}
{{ include "enforcer.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
{{- /* Seconds that a stop may take: the drain, and ten for the rest. */ -}}
{{- define "enforcer.grace" -}}
{{- add (.Values.config.drain_delay | default 0) (.Values.config.drain_window | default 0) 15 -}}
{{- end }}
