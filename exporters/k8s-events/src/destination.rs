//! One attempt to create the Events of a record.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use collector_data::{Payload, proto};
use collector_sending::{Destination, Request, SendOutcome};
use k8s_openapi::api::core::v1::Event;
use kube::api::PostParams;
use kube::{Api, Client};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use tokio::time::{Instant, sleep};

use crate::event;
use crate::rate::Rate;
use crate::response;

/// The encoding of every request: a record as OTLP protobuf, so that a later release may make other Events of it.
const PROTO: &str = "proto";

/// The API server as the destination of a sender.
pub(crate) struct Cluster {
    pub(crate) client: Client,
    pub(crate) rate: Mutex<Rate>,
    /// The statuses that are not retried.
    pub(crate) non_retryable: BTreeSet<u16>,
    /// The `reportingInstance` of the Events.
    pub(crate) instance: String,
}

impl Destination for Cluster {
    /// A request for each record, so that the refusal of one does not affect others.
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let Payload::Logs(resources) = &*payload else {
            return Err("only logs can be exported".into());
        };
        let records = resources.iter().flat_map(|logs| {
            let records = logs.scope_logs.iter().flat_map(|scope| &scope.log_records);
            records.map(|record| alone(logs, record))
        });
        let requests = records.map(|payload| Request::new(&payload, PROTO, "", proto::encode(&payload)));
        Ok(requests.collect())
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        if request.encoding != PROTO {
            return Err(format!("unknown encoding `{}`, expected {PROTO}", request.encoding));
        }
        proto::decode(request.signal, request.body.clone()).map_err(|error| format!("it cannot be decoded: {error}"))
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        let events = match self.events(request) {
            Ok(events) => events,
            Err(why) => return SendOutcome::Permanent(why),
        };
        let mut refused = None;
        for event in events {
            match self.create(&event).await {
                SendOutcome::Accepted => {}
                // The Event about the CronJob may be accepted.
                SendOutcome::Permanent(why) => refused = refused.or(Some(why)),
                outcome => return outcome,
            }
        }
        refused.map_or(SendOutcome::Accepted, SendOutcome::Permanent)
    }
}

impl Cluster {
    fn events(&self, request: &Request) -> Result<Vec<Event>, String> {
        let Payload::Logs(resources) = self.unpack(request)? else {
            return Err("only logs can be exported".into());
        };
        let mut events = Vec::new();
        for logs in &resources {
            let resource = logs.resource.as_ref().map_or(&[][..], |resource| &resource.attributes);
            for record in logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
                events.extend(event::events(resource, record, &self.instance)?);
            }
        }
        Ok(events)
    }

    /// How long the next request waits.
    fn wait(&self) -> Duration {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.admit(Instant::now())
    }

    async fn create(&self, event: &Event) -> SendOutcome {
        let wait = self.wait();
        if !wait.is_zero() {
            sleep(wait).await;
        }
        let namespace = event.metadata.namespace.as_deref().unwrap_or_default();
        let events: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        match events.create(&PostParams::default(), event).await {
            Ok(_) => SendOutcome::Accepted,
            Err(error) => response::outcome(&error, namespace, &self.non_retryable),
        }
    }
}

/// A record without the others of its resource.
fn alone(logs: &ResourceLogs, record: &LogRecord) -> Payload {
    Payload::Logs(vec![ResourceLogs {
        resource: logs.resource.clone(),
        scope_logs: vec![ScopeLogs {
            log_records: vec![record.clone()],
            ..ScopeLogs::default()
        }],
        ..ResourceLogs::default()
    }])
}

#[cfg(test)]
mod tests {
    use http::{Request as HttpRequest, Response};
    use job_event::otlp::text;
    use kube::client::Body;

    use super::*;

    fn cluster() -> Cluster {
        let service = tower::service_fn(|_: HttpRequest<Body>| async {
            Ok::<_, std::io::Error>(Response::builder().status(500).body(Body::empty()).unwrap())
        });
        Cluster {
            client: Client::new(service, "default"),
            rate: Mutex::new(Rate::new(1.0, 1)),
            non_retryable: BTreeSet::new(),
            instance: "test".into(),
        }
    }

    fn logs(namespace: &str, jobs: &[&str]) -> ResourceLogs {
        let records = jobs.iter().map(|job| LogRecord {
            attributes: vec![text("k8s.job.name", job)],
            ..LogRecord::default()
        });
        ResourceLogs {
            resource: Some(opentelemetry_proto::tonic::resource::v1::Resource {
                attributes: vec![text("k8s.namespace.name", namespace)],
                ..Default::default()
            }),
            scope_logs: vec![ScopeLogs {
                log_records: records.collect(),
                ..ScopeLogs::default()
            }],
            ..ResourceLogs::default()
        }
    }

    #[tokio::test]
    async fn each_record_is_a_request_that_can_be_unpacked() {
        let cluster = cluster();
        let payload = Payload::Logs(vec![logs("shop", &["a", "b"]), logs("ml", &["c"])]);
        let requests = cluster.prepare(Arc::new(payload)).unwrap();
        let alone = [logs("shop", &["a"]), logs("shop", &["b"]), logs("ml", &["c"])];
        let expected = alone.map(|logs| Payload::Logs(vec![logs]));
        let unpacked: Vec<Payload> = requests
            .iter()
            .map(|request| cluster.unpack(request).unwrap())
            .collect();
        assert_eq!(unpacked, expected);
        assert!(requests.iter().all(|request| request.items == 1));
    }

    #[tokio::test]
    async fn an_unreadable_request_is_dropped() {
        let cluster = cluster();
        let request = cluster
            .prepare(Arc::new(Payload::Logs(vec![logs("shop", &["a"])])))
            .unwrap()
            .remove(0);
        let damaged = Request {
            body: request.body.slice(1..),
            ..request.clone()
        };
        let other = Request {
            encoding: "json".into(),
            ..request
        };
        for request in [damaged, other] {
            let outcome = cluster.export(&request).await;
            assert!(matches!(outcome, SendOutcome::Permanent(_)), "{outcome:?}");
        }
    }
}
