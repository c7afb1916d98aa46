{{/* A duration of the configuration in whole seconds, rounded up: (dict "key" "drain" "value" "1m 30s"). */}}
{{- define "closewatch.seconds" -}}
{{- $text := toString .value -}}
{{- if not (regexMatch "^(0|([0-9]+ *(h|m|s|ms) *)+)$" $text) -}}
{{- fail (printf "config.timeouts.%s: the chart cannot add up %q: write whole numbers of h, m, s and ms, as in \"1m 30s\"" .key $text) -}}
{{- end -}}
{{- $ms := 0 -}}
{{- range regexFindAll "[0-9]+ *(ms|h|m|s)" $text -1 -}}
{{- $unit := get (dict "h" 3600000 "m" 60000 "s" 1000 "ms" 1) (regexFind "[a-z]+" .) -}}
{{- $ms = add $ms (mul (regexFind "[0-9]+" . | atoi) $unit) -}}
{{- end -}}
{{- div (add $ms 999) 1000 -}}
{{- end -}}

{{/* The longest drain: its configured times, and 16 s at most for goodbyes (5 s), giving up (1 s) and the close log (10 s). */}}
{{- define "closewatch.drainSeconds" -}}
{{- $sum := 16 -}}
{{- $times := .Values.config.timeouts | default dict -}}
{{- range $key := list "unready" "drain" "drain_jitter" "close_reply" "final_scrape" -}}
{{- if kindIs "invalid" (get $times $key) -}}{{- fail (printf "config.timeouts.%s: the chart adds it up, so it must have a value" $key) -}}{{- end -}}
{{- if not (hasKey $times $key) -}}{{- fail (printf "config.timeouts.%s: the chart adds it up, so it must have a value" $key) -}}{{- end -}}
{{- $sum = add $sum (include "closewatch.seconds" (dict "key" $key "value" (get $times $key)) | atoi) -}}
{{- end -}}
{{- $sum -}}
{{- end -}}

{{/* terminationGracePeriodSeconds of a gateway's pod. A preStop hook runs before SIGTERM starts the drain. */}}
{{- define "closewatch.graceSeconds" -}}
{{- $drain := include "closewatch.drainSeconds" . | atoi -}}
{{- $given := toString .Values.terminationGracePeriodSeconds -}}
{{- $hook := .Values.lifecycle.preStop | default dict -}}
{{- $sleep := 0 -}}
{{- if $hook.sleep -}}
{{- $sleep = int $hook.sleep.seconds -}}
{{- else if and $hook (not $given) -}}
{{- fail "lifecycle.preStop: the chart cannot know how long this hook takes: set terminationGracePeriodSeconds" -}}
{{- end -}}
{{- $least := add $drain $sleep -}}
{{- if not $given -}}{{ add $least .Values.terminationSlackSeconds }}
{{- else if le (int $given) (int $least) -}}
{{- fail (printf "terminationGracePeriodSeconds: %s is too short: preStop and the drain take up to %d s" $given $least) -}}
{{- else -}}{{ $given }}
{{- end -}}
{{- end -}}
