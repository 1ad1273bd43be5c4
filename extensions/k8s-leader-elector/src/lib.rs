//! Extension `k8s_leader_elector`: one of several replicas leads, decided by a Kubernetes Lease.
//!
//! * `election`: the rules, as a pure state machine: the Lease and the time are passed in.
//! * `settings`: the collector's keys.
//! * `elector`: the requests, and their times.

mod election;
mod elector;
mod settings;

use collector_config::{Diagnostics, schema_of};
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Running};
use collector_runtime::storage::{ClusterWide, Leadership, Offer};
use futures_util::future::BoxFuture;
use job_watch::client::{Connected, bounded, connect};
use kube::Api;
use opentelemetry::KeyValue;
use opentelemetry::metrics::Gauge;
use pacing::LogPace;
use tokio::sync::watch;

use crate::election::Election;
use crate::elector::{Elector, Signs};
use crate::settings::LeaderElectorSettings;

/// The extension, for the table of components.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "k8s_leader_elector",
        aliases: &[],
        signals: &[],
        makes: &[],
        description: "Decides which of several replicas leads, by a Kubernetes Lease",
        schema: schema_of::<LeaderElectorSettings>,
        create: |create| Ok(Box::new(LeaderElector::new(create)?)),
    }
}

struct LeaderElector {
    settings: LeaderElectorSettings,
    leads: watch::Sender<bool>,
    is_leader: (Gauge<u64>, KeyValue),
    connected: Option<Connected>,
}

impl LeaderElector {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let gauge = create.meter.u64_gauge("otelcol_k8s_leader_elector_is_leader");
        let gauge = gauge
            .with_description("1 on the leader, 0 on a standby replica")
            .build();
        Ok(LeaderElector {
            settings: LeaderElectorSettings::read(create.settings)?,
            leads: watch::Sender::new(false),
            is_leader: (gauge, KeyValue::new("extension", create.id.to_string())),
            connected: None,
        })
    }
}

impl Extension for LeaderElector {
    fn offer(&self) -> Offer {
        Offer {
            leadership: Some(Leadership(self.leads.subscribe())),
            cluster_wide: Some(ClusterWide {
                shard: self.settings.sharding.shard().map(|shard| shard.to_string()),
            }),
            ..Offer::default()
        }
    }

    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let LeaderElectorSettings {
                auth_type,
                kubeconfig,
                context,
                ..
            } = &self.settings;
            self.connected = Some(connect(*auth_type, kubeconfig.as_deref(), context.as_deref()).await?);
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let Connected { client, .. } = self.connected.ok_or("it was not started")?;
            let namespace = match &*self.settings.lease_namespace {
                "" => client.default_namespace().to_owned(),
                namespace => namespace.to_owned(),
            };
            let times = self.settings.times();
            let leases = Api::namespaced(bounded(client, times.request_timeout()), &namespace);
            let elector = Elector {
                leases,
                name: self.settings.lease(),
                namespace,
                election: Election::new(elector::identity(), times),
                leads: self.leads,
                health: running.health,
                signs: Signs {
                    is_leader: self.is_leader,
                    pace: LogPace::new(),
                    named_claim: None,
                },
            };
            elector.run(running.shutdown).await;
            Ok(())
        })
    }
}
