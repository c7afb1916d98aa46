{{/* One release, one name: cut so that "-overview" and the like still fit into 63 characters. */}}
{{- define "closewatch.name" -}}
{{- if contains "closewatch" .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-closewatch" .Release.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- define "closewatch.selector" -}}
app.kubernetes.io/name: closewatch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "closewatch.labels" -}}
{{ include "closewatch.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "closewatch.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}
