{{- /*
The pipeline: the preset of the backend, with `config` merged over it, then additions for values of the chart. An addition never
replaces what the pipeline sets.
*/ -}}

{{- /* Merges (list target over) into target: mappings key by key; null removes a key; everything else is replaced. */ -}}
{{- define "kube-job-collector.merge" -}}
{{- $target := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- if kindIs "invalid" $value -}}
{{- $_ := unset $target $key -}}
{{- else if and (kindIs "map" $value) (kindIs "map" (get $target $key)) -}}
{{- include "kube-job-collector.merge" (list (get $target $key) $value) -}}
{{- else -}}
{{- $_ := set $target $key (kindIs "map" $value | ternary (deepCopy $value) $value) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* Adds (list target more) to target what target does not have; entries of lists as well. */ -}}
{{- define "kube-job-collector.add" -}}
{{- $target := index . 0 -}}
{{- range $key, $value := index . 1 -}}
{{- $old := get $target $key -}}
{{- if and (kindIs "map" $value) (kindIs "map" $old) -}}
{{- include "kube-job-collector.add" (list $old $value) -}}
{{- else if and (kindIs "slice" $value) (kindIs "slice" $old) -}}
{{- $_ := set $target $key (concat $old $value | uniq) -}}
{{- else if or (not (hasKey $target $key)) (kindIs "invalid" $old) -}}
{{- $_ := set $target $key $value -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* The part of an id before the slash. */ -}}
{{- define "kube-job-collector.type" -}}
{{- index (splitList "/" .) 0 -}}
{{- end }}

{{- /* The name of the ConfigMap of a component with `storage: k8s_storage`: (list prefix kind id). See extensions/k8s-storage. */ -}}
{{- define "kube-job-collector.stateName" -}}
{{- $id := index . 2 -}}
{{- $name := "" -}}
{{- range $char := regexFindAll "." $id -1 -}}
{{- if regexMatch "[a-z0-9]" $char -}}
{{- $name = print $name $char -}}
{{- else if eq $char "_" -}}
{{- $name = print $name "-" -}}
{{- else -}}
{{- $name = print $name (printf "-x%x" $char) -}}
{{- end -}}
{{- end -}}
{{- if contains "/" $id -}}
{{- $name = printf "%s-%d" $name (len (index (splitn "/" 2 $id) "_1")) -}}
{{- end -}}
{{- printf "%s-%s-%s" (index . 0) (index . 1) $name | trunc 253 | trimSuffix "-" -}}
{{- end }}

{{- /* The names of the ConfigMaps of a component in all shards, and in those of each smaller number that divides theirs: (list name
shards). See extensions/k8s-storage. */ -}}
{{- define "kube-job-collector.shardNames" -}}
{{- $shards := int (index . 1) -}}
{{- $base := index . 0 | trunc 240 | trimSuffix "-" -}}
{{- $names := list (index . 0) -}}
{{- range $count := untilStep 2 (add1 $shards | int) 1 -}}
{{- if eq (mod $shards $count) 0 -}}
{{- range $shard := until $count -}}
{{- $names = append $names (printf "%s-%d-of-%d" $base $shard $count) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toYaml $names -}}
{{- end }}

{{- /* Both come from the Pod, so that another number takes effect with its Pod. */ -}}
{{- define "kube-job-collector.sharding" -}}
shards: ${env:SHARDS}
shard: ${env:POD_NAME}
{{- end }}

{{- define "kube-job-collector.additions" -}}
{{- $fullname := include "kube-job-collector.fullname" .root -}}
{{- $values := .root.Values -}}
{{- $store := get (dict "configMap" "k8s_storage" "volume" "file_storage") $values.storage.type -}}
{{- $extensions := dict "health_check" (dict "endpoint" "${env:POD_IP:-localhost}:13133") -}}
{{- if gt (int $values.replicas) 1 -}}
{{- $_ := set $extensions "k8s_leader_elector" (dict "lease_name" $fullname) -}}
{{- end -}}
{{- if eq $store "k8s_storage" -}}
{{- $settings := dict "prefix" $fullname -}}
{{- if gt (int $values.replicas) 1 -}}
{{- $_ := set $settings "k8s_leader_elector" "k8s_leader_elector" -}}
{{- end -}}
{{- if gt (int $values.shards) 1 -}}
{{- $_ := set $settings "sharding" (include "kube-job-collector.sharding" . | fromYaml) -}}
{{- end -}}
{{- $_ := set $extensions $store $settings -}}
{{- else if $store -}}
{{- $_ := set $extensions $store (dict "directory" "/var/lib/kube-job-collector/state") -}}
{{- end -}}
{{- $more := dict "extensions" $extensions "service" (dict "extensions" (keys $extensions | sortAlpha)) -}}
{{- $scrape := dict "pull" (dict "exporter" (dict "prometheus" (dict "host" "${env:POD_IP:-localhost}" "port" 8888))) -}}
{{- $_ := set $more.service "telemetry" (dict "metrics" (dict "readers" (list $scrape))) -}}
{{- if dig "service" "telemetry" "metrics" "readers" false .config -}}
{{- $_ := unset $more.service "telemetry" -}}
{{- end -}}
{{- range $section := list "receivers" "connectors" -}}
{{- range $id, $_ := default dict (get $.config $section) -}}
{{- $settings := dict -}}
{{- $type := include "kube-job-collector.type" $id -}}
{{- if and $store (has $type (list "k8s_job" "job_metrics")) -}}
{{- $_ := set $settings "storage" $store -}}
{{- end -}}
{{- if and (gt (int $values.replicas) 1) (has $type (list "k8s_job" "kube_state_metrics")) -}}
{{- $_ := set $settings "k8s_leader_elector" "k8s_leader_elector" -}}
{{- end -}}
{{- if and (gt (int $values.shards) 1) (has $type (list "k8s_job" "kube_state_metrics")) -}}
{{- $_ := set $settings "sharding" (include "kube-job-collector.sharding" . | fromYaml) -}}
{{- end -}}
{{- if and $values.namespaces (has $type (list "k8s_job" "kube_state_metrics")) -}}
{{- $_ := set $settings "namespaces" (dict "include" $values.namespaces) -}}
{{- end -}}
{{- if $settings -}}
{{- $_ := set $more $section (set (default dict (get $more $section)) $id $settings) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $exporters := dict -}}
{{- $signals := dict -}}
{{- if $values.web.enabled -}}
{{- $web := dict "endpoint" "${env:POD_IP:-localhost}:8090" "max_events" $values.web.maxEvents -}}
{{- with $values.web.allowedHosts -}}{{- $_ := set $web "allowed_hosts" . -}}{{- end -}}
{{- if and $store $values.web.persist -}}{{- $_ := set $web "storage" $store -}}{{- end -}}
{{- if gt (int $values.replicas) 1 -}}{{- $_ := set $web "k8s_leader_elector" "k8s_leader_elector" -}}{{- end -}}
{{- if $values.web.token.existingSecret -}}{{- $_ := set $web "auth" (dict "token" "${env:WEB_TOKEN}") -}}{{- end -}}
{{- $_ := set $exporters "web" $web -}}
{{- $_ := set $signals "logs" (list "web") -}}
{{- $_ := set $signals "metrics" (list "web") -}}
{{- end -}}
{{- if $values.k8sEvents.enabled -}}
{{- $_ := set $exporters "k8s_events" (dict "sending_queue" (dict "storage" "${env:QUEUE_STORAGE:-}")) -}}
{{- $_ := set $signals "logs" (append (default list $signals.logs) "k8s_events") -}}
{{- end -}}
{{- if $exporters -}}
{{- $pipelines := dict -}}
{{- range $id, $pipeline := dig "service" "pipelines" dict .config -}}
{{- $signal := get $signals (include "kube-job-collector.type" $id) -}}
{{- range $receiver := default list (get $pipeline "receivers") -}}
{{- if and $signal (eq (include "kube-job-collector.type" $receiver) "k8s_job") -}}
{{- $_ := set $pipelines $id (dict "exporters" $signal) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if not $pipelines -}}
{{- fail "web.enabled, k8sEvents.enabled: no pipeline in config receives from k8s_job" -}}
{{- end -}}
{{- $_ := set $more "exporters" $exporters -}}
{{- $_ := set $more.service "pipelines" $pipelines -}}
{{- end -}}
{{- include "kube-job-collector.add" (list .config $more) -}}
{{- end }}

{{- define "kube-job-collector.pipeline" -}}
{{- include "kube-job-collector.check" . -}}
{{- $config := dict -}}
{{- if ne .Values.backend "custom" -}}
{{- $config = .Files.Get (printf "files/presets/%s.yaml" .Values.backend) | fromYaml -}}
{{- end -}}
{{- range $id, $exporter := default dict $config.exporters -}}
{{- if and $.Values.endpoint (eq (include "kube-job-collector.type" $id) "otlp_http") -}}
{{- $_ := set $exporter "endpoint" $.Values.endpoint -}}
{{- end -}}
{{- end -}}
{{- if and .Values.oauth2.tokenUrl (eq .Values.backend "oauth2") -}}
{{- $_ := set $config.extensions.oauth2client "token_url" .Values.oauth2.tokenUrl -}}
{{- end -}}
{{- include "kube-job-collector.merge" (list $config .Values.config) -}}
{{- include "kube-job-collector.additions" (dict "root" . "config" $config) -}}
{{- toYaml $config -}}
{{- end }}

{{- /* The ports of the container, as YAML: name to number. */ -}}
{{- define "kube-job-collector.ports" -}}
{{- $config := include "kube-job-collector.pipeline" . | fromYaml -}}
health: 13133
{{- range $reader := dig "service" "telemetry" "metrics" "readers" list $config }}
{{- with dig "pull" "exporter" "prometheus" "port" "" $reader }}
metrics: {{ . }}
{{- end }}
{{- end }}
{{- if .Values.web.enabled }}
web: 8090
{{- end }}
{{- range $id, $settings := default dict $config.exporters }}
{{- if eq (include "kube-job-collector.type" $id) "prometheus" }}
{{ $id | replace "/" "-" | replace "_" "-" | trunc 15 | trimSuffix "-" }}: {{ regexFind "[0-9]+$" (dig "endpoint" "localhost:8889" (default dict $settings)) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* The ports of the URLs in the pipeline and of the proxies, as YAML: number to true. */ -}}
{{- define "kube-job-collector.egressPorts" -}}
{{- $text := print (include "kube-job-collector.pipeline" .) "\n" .Values.proxy.https "\n" .Values.proxy.http -}}
{{- $ports := dict -}}
{{- range $url := regexFindAll "[a-z0-9]+://[^\\s\"'/]+" $text -1 -}}
{{- $port := regexFind ":[0-9]+$" $url | trimPrefix ":" -}}
{{- $_ := set $ports (default (hasPrefix "https:" $url | ternary "443" "80") $port) true -}}
{{- end -}}
{{- /* Addresses without a scheme, as otlp_grpc takes them; those of the Pod itself are not outgoing. */ -}}
{{- range $line := regexFindAll "endpoint: [^\\s\"'/]+:[0-9]+" $text -1 -}}
{{- if not (contains "POD_IP" $line) -}}
{{- $_ := set $ports (regexFind "[0-9]+$" $line) true -}}
{{- end -}}
{{- end -}}
{{- toYaml $ports -}}
{{- end }}
