//! The component: selected records as Events, at a limited rate, retried until they are created.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector_config::{ComponentId, Diagnostics};
use collector_data::Signal;
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::storage::Storage;
use collector_runtime::{ComponentError, Exporter, Inbox};
use collector_sending::Sender;
use futures_util::future::BoxFuture;
use job_watch::client::{Connected, bounded, connect};
use job_watch::model::OWN_COMPONENT;
use kube::Client;
use opentelemetry::metrics::Meter;

use crate::destination::Cluster;
use crate::rate::Rate;
use crate::select::select;
use crate::settings::K8sEventsConfig;

/// The timeout of one request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes of a `reportingInstance` (`pkg/apis/core/validation/events.go`).
const LONGEST_INSTANCE: usize = 128;

/// The factory of `k8s_events`.
pub fn factory() -> Factory<dyn Exporter> {
    Factory {
        type_name: "k8s_events",
        aliases: &[],
        signals: &[Signal::Logs],
        makes: &[],
        description: "Writes failed and stalled Jobs and missed runs as Kubernetes Events onto the Job and its CronJob",
        create: |create| Ok(Box::new(K8sEvents::new(create)?)),
    }
}

struct K8sEvents {
    id: ComponentId,
    config: K8sEventsConfig,
    meter: Meter,
    storage: Option<Arc<dyn Storage>>,
    /// Set by `start`.
    client: Option<Client>,
}

impl K8sEvents {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let config = K8sEventsConfig::read(create.settings)?;
        let storage = config.queue.open("sending_queue", create);
        Ok(K8sEvents {
            id: create.id.clone(),
            config,
            meter: create.meter.clone(),
            storage: storage.map_err(|error| Diagnostics(vec![error]))?,
            client: None,
        })
    }
}

impl Exporter for K8sEvents {
    /// Reads the kubeconfig or the service account. It sends no request: the API server may be unavailable on startup.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let K8sEventsConfig {
                auth_type,
                kubeconfig,
                context,
                ..
            } = &self.config;
            let connected = connect(*auth_type, kubeconfig.as_deref(), context.as_deref()).await?;
            let Connected { client, server, .. } = connected;
            tracing::info!(exporter = %self.id, server, "writing Kubernetes Events");
            self.client = Some(bounded(client, TIMEOUT));
            Ok(())
        })
    }

    fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let config = self.config;
            let cluster = Cluster {
                client: self.client.ok_or("the exporter was run before it was started")?,
                rate: Mutex::new(Rate::new(config.rate, config.burst)),
                non_retryable: config.non_retryable,
                instance: instance(std::env::var("HOSTNAME").ok()),
            };
            let sender =
                Sender::new(cluster, self.id, config.retry, config.queue, self.meter).with_storage(self.storage);
            let (selected, feed) = select(input, config.selection);
            let mut sent = pin!(sender.run(selected, running));
            tokio::select! {
                sent = &mut sent => return sent,
                () = feed => {}
            }
            sent.await
        })
    }
}

/// The name of the Pod, which is that of its host; without one that of the component.
fn instance(host: Option<String>) -> String {
    let is_usable = |host: &String| !host.is_empty() && host.len() <= LONGEST_INSTANCE;
    host.filter(is_usable).unwrap_or_else(|| OWN_COMPONENT.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instance_is_the_pod_if_known() {
        assert_eq!(instance(Some("collector-7f9c".into())), "collector-7f9c");
        for host in [None, Some(String::new()), Some("x".repeat(129))] {
            assert_eq!(instance(host), "kube-job-collector");
        }
    }
}
