{{/*
The configuration as TOML. Helm's own `toToml` does not do: numbers in values are floating point, and `workers: 2` comes out of it
as `workers = 2.0`, which is not a whole number in TOML.
*/}}
{{- define "closewatch.toml" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and $config.upstream $config.routes -}}{{- fail "config.upstream and config.routes are both set: take one out" -}}{{- end -}}
{{- range list "upstream" "routes" -}}
{{- if not (get $config .) -}}{{- $_ := unset $config . -}}{{- end -}}
{{- end -}}
{{- if .Values.tls.secretName -}}
{{- if (.Values.config.tls).cert -}}{{- fail "tls.secretName and config.tls.cert are both set: take one out" -}}{{- end -}}
{{- $_ := set $config "tls" (dict "cert" "/etc/closewatch-tls/server.crt" "key" "/etc/closewatch-tls/server.key") -}}
{{- end -}}
{{- with .Values.upstreamTls -}}
{{- $upstream := $config.upstream_tls | default dict -}}
{{- if and .caSecretName .caConfigMapName -}}{{- fail "upstreamTls: caSecretName and caConfigMapName are both set: take one out" -}}{{- end -}}
{{- if or .caSecretName .caConfigMapName -}}
{{- if $upstream.ca -}}{{- fail "upstreamTls has a CA, and config.upstream_tls.ca is set: take one out" -}}{{- end -}}
{{- $_ := set $upstream "ca" "/etc/closewatch-tls/ca.crt" -}}
{{- end -}}
{{- if .clientSecretName -}}
{{- if $upstream.cert -}}{{- fail "upstreamTls.clientSecretName and config.upstream_tls.cert are both set: take one out" -}}{{- end -}}
{{- $_ := set $upstream "cert" "/etc/closewatch-tls/client.crt" -}}
{{- $_ := set $upstream "key" "/etc/closewatch-tls/client.key" -}}
{{- end -}}
{{- if $upstream -}}{{- $_ := set $config "upstream_tls" $upstream -}}{{- end -}}
{{- end -}}
{{- include "closewatch.toml.table" (dict "table" $config "path" "") -}}
{{- end -}}

{{/* One table: its values first, since in TOML whatever follows a [header] belongs to that header's table. */}}
{{- define "closewatch.toml.table" -}}
{{- $path := .path -}}
{{- range $key, $value := .table -}}
{{- if not (or (kindIs "invalid" $value) (include "closewatch.toml.isTable" $value) (include "closewatch.toml.isTables" $value)) -}}
{{- printf "%s = %s\n" (include "closewatch.toml.key" $key) (include "closewatch.toml.value" (dict "value" $value "path" (printf "%s%s" $path $key))) -}}
{{- end -}}
{{- end -}}
{{- range $key, $value := .table -}}
{{- $name := printf "%s%s" $path (include "closewatch.toml.key" $key) -}}
{{- if include "closewatch.toml.isTable" $value -}}
{{- printf "\n[%s]\n" $name -}}
{{- include "closewatch.toml.table" (dict "table" $value "path" (printf "%s." $name)) -}}
{{- else if include "closewatch.toml.isTables" $value -}}
{{- range $value -}}
{{- if not (kindIs "map" .) -}}{{- fail (printf "config.%s is a list of tables, and of %s" $name (toJson .)) -}}{{- end -}}
{{- printf "\n[[%s]]\n" $name -}}
{{- include "closewatch.toml.table" (dict "table" . "path" (printf "%s." $name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "closewatch.toml.isTable" -}}
{{- if kindIs "map" . -}}yes{{- end -}}
{{- end -}}

{{- define "closewatch.toml.isTables" -}}
{{- if kindIs "slice" . -}}{{- if . -}}{{- if kindIs "map" (first .) -}}yes{{- end -}}{{- end -}}{{- end -}}
{{- end -}}

{{- define "closewatch.toml.key" -}}
{{- if regexMatch "^[A-Za-z0-9_-]+$" . -}}{{ . }}{{- else -}}{{ include "closewatch.toml.string" . }}{{- end -}}
{{- end -}}

{{/* A basic string is what JSON writes, but for DEL, which JSON leaves as it is. */}}
{{- define "closewatch.toml.string" -}}
{{- toRawJson . | replace "\x7f" "\\u007f" -}}
{{- end -}}

{{- define "closewatch.toml.value" -}}
{{- $path := .path -}}
{{- if kindIs "string" .value -}}
{{- include "closewatch.toml.string" .value -}}
{{- else if kindIs "bool" .value -}}
{{- ternary "\"on\"" "\"off\"" .value -}}
{{- else if kindIs "slice" .value -}}
{{- $items := list -}}
{{- range .value -}}
{{- $items = append $items (include "closewatch.toml.value" (dict "value" . "path" $path)) -}}
{{- end -}}
{{- printf "[%s]" (join ", " $items) -}}
{{- else if or (kindIs "map" .value) (kindIs "invalid" .value) -}}
{{- fail (printf "config.%s: %s cannot be in a list of values" $path (toJson .value)) -}}
{{- else -}}
{{- toJson .value -}}
{{- end -}}
{{- end -}}
