{{/* The container, but for what a sidecar has besides. */}}
{{- define "closewatch.container" -}}
name: closewatch
image: {{ include "closewatch.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: {{ concat (list "--config" "/etc/closewatch/closewatch.toml") .Values.extraArgs | toJson }}
{{- with .Values.extraEnv }}
env: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.extraEnvFrom }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - {name: closewatch, containerPort: {{ include "closewatch.listenPort" . }}}
  - {name: cw-metrics, containerPort: {{ include "closewatch.metricsPort" . }}}
{{- $port := include "closewatch.metricsPort" . | atoi }}
startupProbe:
  {{- mergeOverwrite (dict "httpGet" (dict "path" "/livez" "port" $port) "periodSeconds" 1 "failureThreshold" 30) .Values.startupProbe | toYaml | nindent 2 }}
readinessProbe:
  {{- mergeOverwrite (dict "httpGet" (dict "path" "/readyz" "port" $port) "periodSeconds" 2 "failureThreshold" 1) .Values.readinessProbe | toYaml | nindent 2 }}
resources: {{- toYaml .Values.resources | nindent 2 }}
securityContext: {{- toYaml .Values.securityContext | nindent 2 }}
volumeMounts:
  - {name: closewatch-config, mountPath: /etc/closewatch, readOnly: true}
  {{- if include "closewatch.certificates" . }}
  - {name: closewatch-tls, mountPath: /etc/closewatch-tls, readOnly: true}
  {{- end }}
  {{- with .Values.extraVolumeMounts }}{{ toYaml . | nindent 2 }}{{ end }}
{{- end -}}

{{- define "closewatch.volumes" -}}
- name: closewatch-config
  configMap: {name: {{ include "closewatch.name" . }}}
{{- with include "closewatch.certificates" . }}
# The kubelet replaces the files when a Secret changes, and closewatch reads them again.
- name: closewatch-tls
  projected:
    sources: {{- . | nindent 6 }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Certificates, each under a name of its own, whatever its key in the Secret. */}}
{{- define "closewatch.certificates" -}}
{{- $sources := list -}}
{{- with .Values.tls -}}
{{- if .secretName -}}
{{- $items := list (dict "key" .certKey "path" "server.crt") (dict "key" .keyKey "path" "server.key") -}}
{{- $sources = append $sources (dict "secret" (dict "name" .secretName "items" $items)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.upstreamTls -}}
{{- $items := list (dict "key" .caKey "path" "ca.crt") -}}
{{- if .caSecretName -}}{{- $sources = append $sources (dict "secret" (dict "name" .caSecretName "items" $items)) -}}{{- end -}}
{{- if .caConfigMapName -}}{{- $sources = append $sources (dict "configMap" (dict "name" .caConfigMapName "items" $items)) -}}{{- end -}}
{{- if .clientSecretName -}}
{{- $items := list (dict "key" .clientCertKey "path" "client.crt") (dict "key" .clientKeyKey "path" "client.key") -}}
{{- $sources = append $sources (dict "secret" (dict "name" .clientSecretName "items" $items)) -}}
{{- end -}}
{{- end -}}
{{- if $sources -}}{{ toYaml $sources }}{{- end -}}
{{- end -}}
