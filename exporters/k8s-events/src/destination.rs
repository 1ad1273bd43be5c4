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
