//! The component: selected records as Events, at a limited rate, retried until they are created.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use collector_config::{ComponentId, Diagnostics, schema_of};
use collector_data::Signal;
use collector_runtime::component::{Create, Factory, Running};
use collector_runtime::storage::Storage;
use collector_runtime::{ComponentError, Exporter, Inbox};
use collector_sending::Sender;
use futures_util::future::{self, BoxFuture};
use job_watch::access::is_allowed;
use job_watch::client::{Connected, bounded, connect};
use job_watch::model::OWN_COMPONENT;
use kube::Client;
use opentelemetry::metrics::Meter;

use crate::destination::Cluster;
use crate::rate::Rate;
use crate::response::RULE;
use crate::select::select;
use crate::settings::{K8sEventsConfig, K8sEventsSettings};

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
        schema: schema_of::<K8sEventsSettings>,
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
            let permission = check_permission(cluster.client.clone(), self.id.clone());
            let sender =
                Sender::new(cluster, self.id, config.retry, config.queue, self.meter).with_storage(self.storage);
            let (selected, feed) = select(input, config.selection);
            let mut sent = pin!(sender.run(selected, running));
            let mut beside = pin!(future::join(feed, permission));
            tokio::select! {
                sent = &mut sent => return sent,
                _ = &mut beside => {}
            }
            sent.await
        })
    }
}

/// Logs on startup that the permission is missing, so that this is known before the first Job fails. Roles in some namespaces
/// are enough for these, so it is no error.
async fn check_permission(client: Client, exporter: ComponentId) {
    match is_allowed(&client, "", "events", "create", "").await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(
            %exporter,
            rule = RULE,
            "the account may not create events in every namespace; the rule is missing, unless Roles contain it"
        ),
        Err(problem) => tracing::debug!(%exporter, problem, "cannot check the permission to create events"),
    }
}

/// The name of the Pod, which is that of its host; without one that of the component.
fn instance(host: Option<String>) -> String {
    let is_usable = |host: &String| !host.is_empty() && host.len() <= LONGEST_INSTANCE;
    host.filter(is_usable).unwrap_or_else(|| OWN_COMPONENT.into())
}

#[cfg(test)]
mod tests {
    use collector_data::{Outcome, Payload};
    use collector_testing::{Host, Running as RunningExporter};
    use http::{Request, Response};
    use http_body_util::BodyExt;
    use job_event::attributes as attr;
    use job_event::otlp::text;
    use kube::client::Body;
    use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
    use opentelemetry_proto::tonic::resource::v1::Resource;
    use tokio::time::Instant;

    use super::*;

    /// The exporter with a scripted API server.
    struct Scripted(Box<K8sEvents>);

    impl Exporter for Scripted {
        fn run(self: Box<Self>, input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
            self.0.run(input, running)
        }
    }

    fn failed(number: usize) -> Payload {
        let job = format!("job-{number}");
        let attributes = [attr::RECORD_UID, attr::JOB_NAME, attr::JOB_UID].map(|key| text(key, &job));
        Payload::Logs(vec![ResourceLogs {
            resource: Some(Resource {
                attributes: vec![text(attr::NAMESPACE_NAME, "shop")],
                ..Resource::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: vec![LogRecord {
                    event_name: attr::EVENT_NAME.into(),
                    attributes: attributes.into_iter().chain([text(attr::OUTCOME, "Failed")]).collect(),
                    ..LogRecord::default()
                }],
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }])
    }

    #[tokio::test(start_paused = true)]
    async fn a_hundred_failures_are_spread_by_the_rate() {
        let start = Instant::now();
        let sent: Arc<Mutex<Vec<u128>>> = Arc::default();
        let log = Arc::clone(&sent);
        let service = tower::service_fn(move |request: Request<Body>| {
            if request.uri().path().ends_with("/events") {
                log.lock().unwrap().push(start.elapsed().as_millis());
            }
            async move {
                let event = request.into_body().collect().await?.to_bytes();
                let response = Response::builder().status(201).body(Body::from(event.to_vec()));
                Ok::<_, kube::Error>(response.unwrap())
            }
        });
        let host = Host::new("k8s_events");
        let settings = collector_config::Settings::from_yaml("rate: 10\nburst: 20").unwrap();
        let scripted = Scripted(Box::new(K8sEvents {
            id: host.id.clone(),
            config: K8sEventsConfig::read(&settings).unwrap(),
            meter: host.metrics.meter(),
            storage: None,
            client: Some(bounded(Client::new(service, "default"), TIMEOUT)),
        }));
        let running = RunningExporter::exporter(&host, Box::new(scripted)).await.unwrap();
        let mut deliveries = Vec::new();
        for number in 0..100 {
            deliveries.push(running.send(failed(number)).await);
        }
        for delivery in deliveries {
            assert_eq!(delivery.await, Outcome::Delivered);
        }
        let sent = sent.lock().unwrap().clone();
        let expected: Vec<u128> = (0..100).map(|number: u128| number.saturating_sub(19) * 100).collect();
        assert_eq!(sent, expected, "20 at once, then one each 100 ms");
    }

    #[test]
    fn the_instance_is_the_pod_if_known() {
        assert_eq!(instance(Some("collector-7f9c".into())), "collector-7f9c");
        for host in [None, Some(String::new()), Some("x".repeat(129))] {
            assert_eq!(instance(host), "kube-job-collector");
        }
    }
}
