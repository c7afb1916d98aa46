{{/*
For the chart of an application, with this chart as its dependency and `mode: sidecar`. All but the last two take the context of the
dependency, `.Subcharts.closewatch`. The chart in deploy/helm/examples/sidecar uses them.
*/}}

{{/* An item of the pod's initContainers: a native sidecar, which starts before the application and ends after it. */}}
{{- define "closewatch.sidecar.container" -}}
- {{- include "closewatch.container" . | nindent 2 }}
  restartPolicy: Always
  lifecycle:
    preStop:
      # All preStop hooks begin with the pod's termination, and a sidecar gets its SIGTERM only after the application has ended: so
      # this hook starts the drain. It returns when the last session has ended.
      exec: {command: [/usr/bin/closewatch, drain, --wait]}
{{- end -}}

{{/* Items of the pod's volumes. */}}
{{- define "closewatch.sidecar.volumes" -}}
{{- include "closewatch.volumes" . -}}
{{- end -}}

{{/* Labels of the pod, by which the PodMonitor and the NetworkPolicy select it. */}}
{{- define "closewatch.sidecar.labels" -}}
{{- if ne .Values.mode "sidecar" -}}{{- fail "closewatch.mode must be sidecar in the chart of an application" -}}{{- end -}}
{{- include "closewatch.selector" . -}}
{{- end -}}

{{/* Annotations of the pod: a changed configuration replaces the pods. */}}
{{- define "closewatch.sidecar.annotations" -}}
checksum/closewatch: {{ include "closewatch.toml" . | sha256sum }}
{{- end -}}

{{/* The targetPort of the application's Service. */}}
{{- define "closewatch.sidecar.port" -}}
{{- include "closewatch.listenPort" . -}}
{{- end -}}

{{/* Seconds that the application has to stay up after its pod was deleted. */}}
{{- define "closewatch.sidecar.sleepSeconds" -}}
{{- add (include "closewatch.drainSeconds" .) .Values.terminationSlackSeconds -}}
{{- end -}}

{{/* terminationGracePeriodSeconds of the pod, from the same dictionary as closewatch.sidecar.lifecycle below. */}}
{{- define "closewatch.sidecar.graceSeconds" -}}
{{- $own := (((.lifecycle).preStop).sleep).seconds | default 0 -}}
{{- add (max (include "closewatch.sidecar.sleepSeconds" .closewatch) $own) .closewatch.Values.sidecar.applicationShutdownSeconds -}}
{{- end -}}

{{/*
`lifecycle` of the application's container: (dict "closewatch" .Subcharts.closewatch "lifecycle" .Values.lifecycle). Its own
lifecycle is kept. A preStop of its own is kept if it sleeps for long enough; any other is a conflict that only its author can
solve, and is reported.
*/}}
{{- define "closewatch.sidecar.lifecycle" -}}
{{- $seconds := include "closewatch.sidecar.sleepSeconds" .closewatch | atoi -}}
{{- $own := .lifecycle | default dict -}}
{{- $hook := $own.preStop | default dict -}}
{{- if $hook.sleep -}}
{{- if lt (int $hook.sleep.seconds) $seconds -}}
{{- fail (printf "preStop of the application sleeps for %d s, and the drain of its sidecar needs %d s" (int $hook.sleep.seconds) $seconds) -}}
{{- end -}}
{{- toYaml $own -}}
{{- else if $hook -}}
{{- fail (printf "the application has a preStop hook, and has to stay up for %d s while its sidecar drains: sleep for as long in that hook, and do not include closewatch.sidecar.lifecycle" $seconds) -}}
{{- else -}}
{{- mergeOverwrite (deepCopy $own) (dict "preStop" (dict "sleep" (dict "seconds" $seconds))) | toYaml -}}
{{- end -}}
{{- end -}}
