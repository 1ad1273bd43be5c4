//! The command line of `status`.

use std::path::PathBuf;

use clap::Args;

use super::{ClusterArgs, Format};
use crate::in_cluster::CollectorService;

const HELP: &str = "\
Examples:
  kube-job-collector status
  kube-job-collector status --url http://10.1.2.3:13133
  kube-job-collector status --collector
  kube-job-collector status --collector ops/kube-job-collector:8090 -o json

The collector answers if its configuration has the extension health_check or,
with --collector, the exporter web.

Exit codes:
  0  ready
  1  not ready: the text names each problem and the next step
  2  no answer: the message names what was tried";

/// Which collector to show.
#[derive(Args, Clone, Debug)]
#[command(after_help = HELP)]
pub(crate) struct StatusArgs {
    /// The address of the collector's health_check
    #[arg(long, value_name = "URL", default_value = "http://localhost:13133")]
    pub url: String,
    /// A collector in a cluster, through the API server
    /// [default: kube-job-collector/kube-job-collector:web]
    #[arg(long, value_name = "NAMESPACE/SERVICE[:PORT]", conflicts_with = "url")]
    #[arg(num_args = 0..=1, default_missing_value = "kube-job-collector/kube-job-collector")]
    pub collector: Option<CollectorService>,
    /// With --collector: the kubeconfig
    #[arg(long, value_name = "FILE", requires = "collector")]
    kubeconfig: Option<PathBuf>,
    /// With --collector: the context of the kubeconfig
    #[arg(long, value_name = "NAME", requires = "collector")]
    context: Option<String>,
    /// `text` for people, `json` for programs
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    pub output: Format,
}

impl StatusArgs {
    /// The cluster of `--collector`.
    pub(crate) fn cluster(&self) -> ClusterArgs {
        ClusterArgs {
            namespace: None,
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }
}
