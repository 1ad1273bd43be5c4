{{- /* The environment of the container; extraEnv is last, so it takes precedence. */ -}}
{{- define "kube-job-collector.env" -}}
{{- $values := .Values -}}
- name: POD_IP
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- if gt (int $values.shards) 1 }}
- name: SHARDS
  value: {{ $values.shards | quote }}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
{{- with include "kube-job-collector.credential" . }}
- name: {{ . }}
  valueFrom:
    secretKeyRef:
      name: {{ default (include "kube-job-collector.fullname" $) $values.credentials.existingSecret }}
      key: {{ $values.credentials.key }}
{{- end }}
{{- $variables := list (list "K8S_CLUSTER_NAME" $values.clusterName) -}}
{{- if eq $values.backend "datadog" -}}
{{- $variables = concat $variables (list
  (list "DD_SITE" $values.datadog.site)
  (list "DD_ENV" $values.datadog.env)
  (list "DD_TAGS" (join "," $values.datadog.tags))) -}}
{{- else if eq $values.backend "dynatrace" -}}
{{- $variables = append $variables (list "DT_ENVIRONMENT" $values.dynatrace.environment) -}}
{{- else if eq $values.backend "grafana-cloud" -}}
{{- $variables = append $variables (list "GRAFANA_CLOUD_INSTANCE_ID" $values.grafanaCloud.instanceId) -}}
{{- else if eq $values.backend "oauth2" -}}
{{- $variables = append $variables (list "OAUTH2_CLIENT_ID" $values.oauth2.clientId) -}}
{{- end -}}
{{- if eq $values.storage.type "volume" -}}
{{- $variables = append $variables (list "QUEUE_STORAGE" "file_storage") -}}
{{- end -}}
{{- $variables = concat $variables (list
  (list "HTTPS_PROXY" $values.proxy.https)
  (list "HTTP_PROXY" $values.proxy.http)) -}}
{{- if or $values.proxy.https $values.proxy.http -}}
{{- $variables = append $variables (list "NO_PROXY" (prepend $values.proxy.noProxy "$(KUBERNETES_SERVICE_HOST)" | join ",")) -}}
{{- end -}}
{{- range $variable := $variables -}}
{{- if index $variable 1 }}
- name: {{ index $variable 0 }}
  value: {{ index $variable 1 | toString | quote }}
{{- end -}}
{{- end -}}
{{- with $values.web.token.existingSecret }}
{{- if $values.web.enabled }}
- name: WEB_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ . }}
      key: {{ $values.web.token.key }}
{{- end }}
{{- end }}
{{- with $values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
