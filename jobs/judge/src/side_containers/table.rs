//! The rows, by kind: meshes, proxies, secrets, telemetry, others.

use super::SideContainer;

const fn row(
    project: &'static str,
    names: &'static [&'static str],
    images: &'static [&'static str],
    next_step: &'static str,
    source: &'static str,
) -> SideContainer {
    SideContainer {
        project,
        names,
        images,
        tag: "",
        next_step,
        source,
    }
}

/// The table of well-known side containers.
pub const SIDE_CONTAINERS: [SideContainer; 45] = [
    row(
        "Istio",
        &["istio-proxy"],
        &["proxyv2"],
        "Run Istio's proxy as a native sidecar (ENABLE_NATIVE_SIDECARS of istiod, Kubernetes 1.29 and later), or let the work \
         send POST localhost:15020/quitquitquit when it finishes.",
        "istio/istio manifests/charts/istio-control/istio-discovery/files/injection-template.yaml",
    ),
    row(
        "Linkerd",
        &["linkerd-proxy"],
        &["linkerd/proxy", "buoyantio/proxy"],
        "Run Linkerd's proxy as a native sidecar (annotation config.alpha.linkerd.io/proxy-enable-native-sidecar, Kubernetes \
         1.29 and later), or start the work with linkerd-await --shutdown.",
        "linkerd/linkerd2 charts/partials/templates/_proxy.tpl",
    ),
    row(
        "Consul",
        &["consul-dataplane", "consul-connect-envoy-sidecar", "envoy-sidecar"],
        &["consul-dataplane"],
        "Make the proxy a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and later), or set the \
         annotation consul.hashicorp.com/enable-sidecar-proxy-lifecycle and let the work send POST \
         localhost:20600/graceful_shutdown when it finishes.",
        "hashicorp/consul-k8s control-plane/connect-inject/webhook/consul_dataplane_sidecar.go",
    ),
    row(
        "Kuma, Kong Mesh",
        &["kuma-sidecar"],
        &["kuma-dp"],
        "Make the proxy a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and later), or let the \
         work send POST localhost:9901/quitquitquit when it finishes.",
        "kumahq/kuma pkg/plugins/runtime/k8s/util/names.go",
    ),
    row(
        "NGINX Service Mesh",
        &["nginx-mesh-sidecar"],
        &["nginx-mesh-sidecar"],
        "",
        "docs.nginx.com/nginx-service-mesh/reference",
    ),
    row(
        "Envoy, Open Service Mesh, AWS App Mesh",
        &["envoy"],
        &[
            "envoyproxy/envoy",
            "envoyproxy/envoy-alpine",
            "envoyproxy/envoy-distroless",
            "aws-appmesh-envoy",
        ],
        "Make the proxy a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and later), or let the \
         work send POST /quitquitquit to Envoy's admin port when it finishes.",
        "envoyproxy.io/docs/envoy/latest/operations/admin; openservicemesh/osm pkg/constants/constants.go; \
         aws/aws-app-mesh-controller-for-k8s pkg/inject/envoy.go",
    ),
    row(
        "Dapr",
        &["daprd"],
        &["daprd"],
        "Make daprd a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and later), or let the work \
         send POST localhost:3500/v1.0/shutdown when it finishes.",
        "docs.dapr.io/operations/hosting/kubernetes/kubernetes-job",
    ),
    row(
        "Cloud SQL Auth Proxy",
        &[
            "cloud-sql-proxy",
            "cloudsql-proxy",
            "cloudsqlproxy",
            "cloud-sql-auth-proxy",
            "cloud-sql-proxy-sidecar",
            "csql-proxy",
            "gce-proxy",
        ],
        &["cloud-sql-proxy", "cloudsqlproxy", "gce-proxy"],
        "Make the proxy a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and later), or start it \
         with --quitquitquit --exit-zero-on-sigterm and let the work send POST localhost:9091/quitquitquit when it finishes.",
        "GoogleCloudPlatform/cloud-sql-proxy examples/k8s-sidecar/README.md",
    ),
    row(
        "AlloyDB Auth Proxy",
        &["alloydb-auth-proxy", "alloydb-proxy"],
        &["alloydb-auth-proxy"],
        "Make the proxy a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and later), or start it \
         with --quitquitquit and let the work send POST localhost:9091/quitquitquit when it finishes.",
        "GoogleCloudPlatform/alloydb-auth-proxy examples/k8s-sidecar/README.md",
    ),
    row(
        "PgBouncer",
        &["pgbouncer"],
        &["pgbouncer"],
        "",
        "pgbouncer.org; bitnami/containers bitnami/pgbouncer",
    ),
    row(
        "Vault Agent",
        &["vault-agent"],
        &[],
        "Set the annotation vault.hashicorp.com/agent-pre-populate-only: \"true\", so that only Vault's init container runs, or \
         make the agent a native sidecar (initContainers with restartPolicy: Always, Kubernetes 1.29 and later).",
        "developer.hashicorp.com/vault/docs/deploy/kubernetes/injector/annotations",
    ),
    row(
        "consul-template",
        &["consul-template"],
        &["hashicorp/consul-template"],
        "",
        "bank-vaults/vault-secrets-webhook pkg/webhook/pod.go",
    ),
    row(
        "CyberArk Conjur",
        &["cyberark-secrets-provider-for-k8s", "secretless-broker"],
        &[
            "secrets-provider-for-k8s",
            "conjur-authn-k8s-client",
            "secretless-broker",
        ],
        "",
        "cyberark/secrets-provider-for-k8s PUSH_TO_FILE.md; cyberark/secretless-broker",
    ),
    row(
        "SPIFFE Helper",
        &["spiffe-helper"],
        &["spiffe-helper"],
        "",
        "spiffe/spiffe-helper README.md",
    ),
    row(
        "Azure Workload Identity proxy",
        &["azwi-proxy"],
        &["azure/workload-identity/proxy"],
        "",
        "Azure/azure-workload-identity pkg/webhook/consts.go",
    ),
    row(
        "AWS SigV4 Proxy",
        &["aws-sigv4-proxy", "sigv4-proxy"],
        &["aws-sigv4-proxy"],
        "",
        "awslabs/aws-sigv4-proxy README.md",
    ),
    row(
        "OAuth2 Proxy",
        &["oauth2-proxy"],
        &["oauth2-proxy"],
        "",
        "oauth2-proxy/manifests helm/oauth2-proxy",
    ),
    row(
        "kube-rbac-proxy",
        &["kube-rbac-proxy"],
        &["kube-rbac-proxy"],
        "",
        "brancz/kube-rbac-proxy examples",
    ),
    row(
        "Datadog Agent",
        &["datadog-agent", "datadog-agent-injected", "dd-agent"],
        &[
            "datadog/agent",
            "datadoghq/agent",
            "datadog/docker-dd-agent",
            "datadog/dogstatsd",
            "datadoghq/dogstatsd",
        ],
        "",
        "DataDog/datadog-agent pkg/clusteragent/admission/mutate/agent_sidecar",
    ),
    row(
        "OpenTelemetry Collector",
        &[
            "otc-container",
            "otel-collector",
            "otel-agent",
            "opentelemetry-collector",
            "aws-otel-collector",
            "splunk-otel-collector",
        ],
        &[
            "opentelemetry-collector",
            "opentelemetry-collector-contrib",
            "opentelemetry-collector-k8s",
            "aws-otel-collector",
            "splunk-otel-collector",
        ],
        "",
        "open-telemetry/opentelemetry-operator internal/naming/main.go; open-telemetry/opentelemetry-helm-charts",
    ),
    row(
        "Jaeger agent",
        &["jaeger-agent"],
        &["jaeger-agent"],
        "",
        "jaegertracing.io/docs/1.57/operator",
    ),
    row(
        "Fluent Bit",
        &["fluent-bit", "fluentbit", "aws-for-fluent-bit"],
        &["fluent-bit", "aws-for-fluent-bit"],
        "",
        "docs.fluentbit.io/manual/installation/kubernetes; aws/aws-for-fluent-bit",
    ),
    row(
        "Fluentd",
        &["fluentd"],
        &["fluentd", "fluentd-kubernetes-daemonset", "fluentd-elasticsearch"],
        "",
        "fluent/fluentd-kubernetes-daemonset",
    ),
    row(
        "Elastic Beats and Agent",
        &["filebeat", "metricbeat", "elastic-agent"],
        &[
            "filebeat",
            "filebeat-oss",
            "metricbeat",
            "metricbeat-oss",
            "elastic-agent",
        ],
        "",
        "elastic/beats deploy/kubernetes",
    ),
    row(
        "Promtail",
        &["promtail"],
        &["promtail"],
        "",
        "grafana/helm-charts charts/promtail",
    ),
    row(
        "Vector",
        &[],
        &["timberio/vector", "vectordotdev/vector"],
        "",
        "vectordotdev/helm-charts charts/vector",
    ),
    row(
        "Telegraf",
        &["telegraf"],
        &["telegraf"],
        "",
        "influxdata/telegraf-operator sidecar.go",
    ),
    row(
        "Grafana Agent, Grafana Alloy",
        &["grafana-agent", "grafana-alloy"],
        &["grafana/agent", "grafana/alloy"],
        "",
        "grafana/alloy operations/helm/charts/alloy",
    ),
    row(
        "StatsD exporter",
        &["statsd-exporter"],
        &["statsd-exporter"],
        "",
        "prometheus/statsd_exporter README.md",
    ),
    row(
        "AWS X-Ray daemon",
        &["xray-daemon", "aws-xray-daemon"],
        &["aws-xray-daemon"],
        "",
        "docs.aws.amazon.com/xray/latest/devguide/xray-daemon.html; aws/aws-app-mesh-controller-for-k8s pkg/inject/xray.go",
    ),
    row(
        "CloudWatch agent",
        &["cloudwatch-agent", "cwagent"],
        &["cloudwatch-agent"],
        "",
        "aws/amazon-cloudwatch-agent; docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Container-Insights.html",
    ),
    row(
        "New Relic infrastructure agent",
        &["newrelic-infrastructure-sidecar", "newrelic-infra"],
        &[
            "newrelic/infrastructure",
            "newrelic/infrastructure-k8s",
            "newrelic/infrastructure-bundle",
        ],
        "",
        "newrelic/newrelic-infra-operator internal/agent/injector.go",
    ),
    row(
        "Splunk Universal Forwarder",
        &["splunk-forwarder", "splunk-universal-forwarder"],
        &["splunk/universalforwarder"],
        "",
        "splunk/docker-splunk docs",
    ),
    row(
        "SignalFx Smart Agent",
        &["signalfx-agent"],
        &["signalfx-agent"],
        "",
        "signalfx/signalfx-agent deployments/k8s",
    ),
    row(
        "Tailscale",
        &["tailscale", "ts-sidecar"],
        &["tailscale/tailscale"],
        "",
        "tailscale/tailscale docs/k8s/sidecar.yaml",
    ),
    row(
        "Cloudflare Tunnel",
        &["cloudflared"],
        &["cloudflare/cloudflared"],
        "",
        "developers.cloudflare.com/cloudflare-one/tutorials/many-cfd-one-tunnel",
    ),
    row(
        "Teleport, Machine ID",
        &["tbot"],
        &["teleport-distroless", "tbot-distroless"],
        "",
        "gravitational/teleport examples/chart",
    ),
    row(
        "Twingate",
        &["twingate-connector", "twingate-client"],
        &["twingate/connector", "twingate/client"],
        "",
        "Twingate/helm-charts stable/connector",
    ),
    row(
        "Gluetun",
        &["gluetun"],
        &["qmcgaw/gluetun"],
        "",
        "qdm12/gluetun-wiki setup/advanced/kubernetes.md",
    ),
    row(
        "GKE Cloud Storage FUSE",
        &["gke-gcsfuse-sidecar"],
        &["gcs-fuse-csi-driver-sidecar-mounter"],
        "",
        "GoogleCloudPlatform/gcs-fuse-csi-driver pkg/webhook/sidecar_spec.go",
    ),
    row(
        "JuiceFS",
        &["jfs-mount"],
        &["juicedata/mount"],
        "",
        "juicedata/juicefs-csi-driver pkg/common/common.go",
    ),
    row(
        "git-sync",
        &["git-sync"],
        &["git-sync"],
        "Run git-sync as an init container with --one-time, or make it a native sidecar (initContainers with restartPolicy: \
         Always, Kubernetes 1.29 and later).",
        "kubernetes/git-sync README.md",
    ),
    SideContainer {
        tag: "dind",
        ..row(
            "Docker in Docker",
            &["dind", "docker-dind"],
            &["docker"],
            "",
            "hub.docker.com/_/docker",
        )
    },
    row(
        "Katib metrics collector",
        &["metrics-logger-and-collector"],
        &["file-metrics-collector", "tfevent-metrics-collector"],
        "",
        "kubeflow/katib pkg/apis/controller/common/v1beta1; pkg/webhook/v1beta1/pod",
    ),
    row(
        "Airflow XCom",
        &["airflow-xcom-sidecar"],
        &[],
        "",
        "apache/airflow providers/cncf/kubernetes/utils/xcom_sidecar.py",
    ),
];
