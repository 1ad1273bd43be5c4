{{- /*
A role and its binding: (dict "root" $ "kind" "Role" "suffix" "-lease" "namespace" "ns" "rules" rules). A ClusterRole is named
after the namespace too, because two releases may have the same name.
*/ -}}
{{- define "kube-job-collector.role" -}}
{{- $cluster := eq .kind "ClusterRole" -}}
{{- $name := print (include "kube-job-collector.fullname" .root) .suffix -}}
{{- if and $cluster (ne .root.Release.Namespace (include "kube-job-collector.fullname" .root)) -}}
{{- $name = printf "%s-%s" .root.Release.Namespace $name -}}
{{- end -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}
metadata:
  name: {{ $name }}
  {{- if not $cluster }}
  namespace: {{ .namespace }}
  {{- end }}
  labels:
    {{- include "kube-job-collector.labels" .root | nindent 4 }}
rules:
  {{- toYaml .rules | nindent 2 }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ .kind }}Binding
metadata:
  name: {{ $name }}
  {{- if not $cluster }}
  namespace: {{ .namespace }}
  {{- end }}
  labels:
    {{- include "kube-job-collector.labels" .root | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ include "kube-job-collector.serviceAccount" .root }}
    namespace: {{ .root.Release.Namespace }}
{{- end }}
