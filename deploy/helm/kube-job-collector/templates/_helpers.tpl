{{- define "kube-job-collector.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "kube-job-collector.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "kube-job-collector.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "kube-job-collector.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: with serviceAccount.create=false, name an existing ServiceAccount" .Values.serviceAccount.name -}}
{{- end -}}
{{- end }}

{{- define "kube-job-collector.selector" -}}
app.kubernetes.io/name: {{ include "kube-job-collector.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kube-job-collector.labels" -}}
{{ include "kube-job-collector.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Name, namespace and labels of an object: (list $ suffix). */ -}}
{{- define "kube-job-collector.metadata" -}}
{{- $root := index . 0 -}}
name: {{ include "kube-job-collector.fullname" $root }}{{ index . 1 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "kube-job-collector.labels" $root | nindent 2 }}
{{- end }}

{{- define "kube-job-collector.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end }}

{{- /* The variable that has the credential of the backend; none for backends without one. */ -}}
{{- define "kube-job-collector.credential" -}}
{{- get (dict
  "datadog" "DD_API_KEY"
  "new-relic" "NEW_RELIC_LICENSE_KEY"
  "dynatrace" "DT_API_TOKEN"
  "honeycomb" "HONEYCOMB_API_KEY"
  "grafana-cloud" "GRAFANA_CLOUD_API_KEY"
  "oauth2" "OAUTH2_CLIENT_SECRET") .Values.backend -}}
{{- end }}

{{- /* The spec of a PersistentVolumeClaim. */ -}}
{{- define "kube-job-collector.claim" -}}
accessModes:
  {{- toYaml .Values.storage.volume.accessModes | nindent 2 }}
{{- with .Values.storage.volume.storageClass }}
storageClassName: {{ . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.storage.volume.size }}
{{- end }}

{{- /* Values that contradict each other, as errors. */ -}}
{{- define "kube-job-collector.check" -}}
{{- $values := .Values -}}
{{- if and (include "kube-job-collector.credential" .) (not $values.credentials.existingSecret) (not $values.credentials.value) -}}
{{- fail (printf "credentials.existingSecret: backend %s needs a credential; name a Secret that has it under the key %q (or set credentials.value for a trial)" $values.backend $values.credentials.key) -}}
{{- end -}}
{{- if and $values.credentials.existingSecret $values.credentials.value -}}
{{- fail "credentials: existingSecret and value are both set; expected one of them" -}}
{{- end -}}
{{- if and (eq $values.backend "dynatrace") (not $values.dynatrace.environment) (not $values.endpoint) -}}
{{- fail "dynatrace.environment: backend dynatrace needs the id of the environment, such as abc12345" -}}
{{- end -}}
{{- if and (eq $values.backend "grafana-cloud") (not $values.grafanaCloud.instanceId) -}}
{{- fail "grafanaCloud.instanceId: backend grafana-cloud needs the id of the instance, such as 123456" -}}
{{- end -}}
{{- if and (eq $values.backend "oauth2") (not $values.oauth2.clientId) -}}
{{- fail "oauth2.clientId: backend oauth2 needs the client id" -}}
{{- end -}}
{{- if and (eq $values.backend "file") (ne $values.storage.type "volume") -}}
{{- fail (printf "storage.type: found %s, expected volume: backend file writes to it" $values.storage.type) -}}
{{- end -}}
{{- if and (eq $values.backend "custom") (not $values.config) -}}
{{- fail "config: backend custom needs a pipeline in config" -}}
{{- end -}}
{{- if and (gt (int $values.replicas) 1) (ne $values.storage.type "configMap") -}}
{{- fail (printf "storage.type: found %s, expected configMap: %d replicas share their state in ConfigMaps" $values.storage.type (int $values.replicas)) -}}
{{- end -}}
{{- if gt (int $values.shards) 1 -}}
{{- if gt (int $values.replicas) 1 -}}
{{- fail (printf "replicas: found %d, expected 1 with shards: %d: a StatefulSet has one Pod for each shard" (int $values.replicas) (int $values.shards)) -}}
{{- end -}}
{{- if $values.namespaces -}}
{{- fail "namespaces: expected none with more than one shard: each shard has the namespaces of its own" -}}
{{- end -}}
{{- if $values.web.enabled -}}
{{- fail "web.enabled: expected false with more than one shard: the page of a Pod would show the Jobs of its shard only" -}}
{{- end -}}
{{- if eq $values.storage.type "none" -}}
{{- fail "storage.type: found none, expected configMap or volume with more than one shard" -}}
{{- end -}}
{{- if $values.storage.volume.existingClaim -}}
{{- fail "storage.volume.existingClaim: expected none with more than one shard: each Pod needs a volume of its own" -}}
{{- end -}}
{{- end -}}
{{- if and $values.podMonitor.enabled $values.serviceMonitor.enabled -}}
{{- fail "podMonitor.enabled, serviceMonitor.enabled: both are set; each point would be scraped twice" -}}
{{- end -}}
{{- end }}
