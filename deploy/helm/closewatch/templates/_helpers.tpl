{{/* The name of all objects of a release, cut so that "-metrics" and the like still fit into 63 characters. */}}
{{- define "closewatch.name" -}}
{{- $chart := .Values.nameOverride | default "closewatch" -}}
{{- if .Values.fullnameOverride -}}{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains $chart .Release.Name -}}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}{{ printf "%s-%s" .Release.Name $chart | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{/* The labels by which everything finds the pods: a gateway's own, or the one that an application's pods are given. */}}
{{- define "closewatch.selector" -}}
{{- if eq .Values.mode "sidecar" -}}
closewatch/sidecar: {{ include "closewatch.name" . }}
{{- else -}}
app.kubernetes.io/name: closewatch
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{- end -}}

{{- define "closewatch.labels" -}}
app.kubernetes.io/name: closewatch
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- define "closewatch.image" -}}
{{- if .Values.image.digest -}}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "closewatch.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}{{ .Values.serviceAccount.name | default (include "closewatch.name" .) }}
{{- else -}}{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* Not empty if there is something to relay to, and so a configuration. */}}
{{- define "closewatch.configured" -}}
{{- if or .Values.config.upstream .Values.config.routes -}}yes{{- end -}}
{{- end -}}

{{/* A value that would have no effect is reported. */}}
{{- define "closewatch.conflicts" -}}
{{- if eq .Values.mode "sidecar" -}}
{{- $gateways := dict "autoscaling" .Values.autoscaling "ingress" .Values.ingress "httpRoute" .Values.httpRoute "monitoring.serviceMonitor" .Values.monitoring.serviceMonitor -}}
{{- range $name, $value := $gateways -}}
{{- if $value.enabled -}}{{- fail (printf "%s.enabled: a sidecar has no Deployment and no Service of its own" $name) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.monitoring.podMonitor.enabled .Values.monitoring.serviceMonitor.enabled -}}
{{- fail "monitoring: podMonitor and serviceMonitor would both scrape the same pods: take one" -}}
{{- end -}}
{{- end -}}

{{/* Not empty if this chart runs the pods itself. */}}
{{- define "closewatch.gateway" -}}
{{- if and (eq .Values.mode "gateway") (include "closewatch.configured" .) -}}yes{{- end -}}
{{- end -}}

{{/* The port of an address in the configuration: (dict "key" "config.listen" "address" "0.0.0.0:8080"). */}}
{{- define "closewatch.port" -}}
{{- $port := regexFind ":[0-9]+$" (toString .address) | trimPrefix ":" -}}
{{- if or (not $port) (eq $port "0") -}}
{{- fail (printf "%s: %q is not an address with a port, as in \"0.0.0.0:8080\"" .key (toString .address)) -}}
{{- end -}}
{{- $port -}}
{{- end -}}

{{- define "closewatch.listenPort" -}}
{{- include "closewatch.port" (dict "key" "config.listen" "address" .Values.config.listen) -}}
{{- end -}}

{{- define "closewatch.metricsPort" -}}
{{- include "closewatch.port" (dict "key" "config.metrics.listen" "address" (.Values.config.metrics).listen) -}}
{{- end -}}
