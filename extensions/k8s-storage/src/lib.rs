//! Extension `k8s_storage`: the storage of components in ConfigMaps of the collector's namespace.
//!
//! For a Deployment without a volume: small, shared by replicas, and fenced. Each component has its own ConfigMap. Every
//! write names the version that it replaces, so a replica that lost its claim cannot overwrite another.
//!
//! * `content`: the content of a ConfigMap, read and written. Pure.
//! * `store`: claims and transactions, as requests.
//! * `shards`: a shard that continues the state of a smaller number of shards.

mod content;
mod settings;
mod shards;
mod store;

pub use content::config_map_name;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use collector_config::ComponentId;
use collector_config::{Diagnostics, schema_of};
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Kind, Running};
use collector_runtime::storage::{ClusterWide, Leadership, Offer, Storage, Store, StoreError};
use futures_util::future::BoxFuture;
use job_watch::client::{bounded, connect};
use job_watch::shard::Shard;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use crate::settings::K8sStorageSettings;
use crate::store::ConfigMapStore;

/// The timeout of a request.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The extension, for the table of components.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "k8s_storage",
        aliases: &[],
        signals: &[],
        makes: &[],
        description: "Stores the state of components in ConfigMaps, for replicas that share it and Pods without a volume",
        schema: schema_of::<K8sStorageSettings>,
        create: |create| Ok(Box::new(K8sStorage::new(create)?)),
    }
}

struct K8sStorage {
    settings: K8sStorageSettings,
    access: Arc<Access>,
}

/// The storage that other components use.
struct Access {
    section: String,
    prefix: String,
    elector: Option<(ComponentId, Leadership)>,
    shard: Option<Shard>,
    /// Set on startup.
    reached: OnceLock<Reached>,
}

/// The ConfigMaps of one namespace.
struct Reached {
    api: Api<ConfigMap>,
    namespace: String,
}

impl K8sStorage {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let settings = K8sStorageSettings::read(create.settings)?;
        let elector = match &*settings.k8s_leader_elector {
            "" => None,
            name => match create.provided.leadership(name) {
                Ok(elector) => Some(elector),
                Err(problem) => {
                    let error = create.settings.error("k8s_leader_elector", problem);
                    return Err(Diagnostics(vec![error]));
                }
            },
        };
        let access = Access {
            section: Kind::Extension.path(create.id),
            prefix: settings.prefix.clone(),
            elector,
            shard: settings.sharding.shard(),
            reached: OnceLock::new(),
        };
        Ok(K8sStorage {
            settings,
            access: Arc::new(access),
        })
    }
}

impl Extension for K8sStorage {
    fn offer(&self) -> Offer {
        Offer {
            storage: Some(self.access.clone()),
            cluster_wide: Some(ClusterWide {
                shard: self.access.shard.map(|shard| shard.to_string()),
            }),
            ..Offer::default()
        }
    }

    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let K8sStorageSettings {
                auth_type,
                kubeconfig,
                context,
                ..
            } = &self.settings;
            let client = connect(*auth_type, kubeconfig.as_deref(), context.as_deref())
                .await?
                .client;
            let namespace = match &*self.settings.namespace {
                "" => client.default_namespace().to_owned(),
                namespace => namespace.to_owned(),
            };
            tracing::info!(namespace, "storing in ConfigMaps");
            let api = Api::namespaced(bounded(client, TIMEOUT), &namespace);
            // A component is started once.
            let _ = self.access.reached.set(Reached { api, namespace });
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        // The components that store report their own health.
        Box::pin(async move {
            running.shutdown.cancelled().await;
            Ok(())
        })
    }
}

impl Storage for Access {
    fn open(&self, kind: Kind, id: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>> {
        let opened = match self.reached.get() {
            Some(Reached { api, namespace }) => {
                let name = content::config_map_name(&self.prefix, kind, id);
                let leadership = self.elector.as_ref().map(|(_, leadership)| leadership.clone());
                let store = ConfigMapStore::new(api.clone(), namespace, name, kind.path(id), leadership);
                let store = store.with_shard(self.shard);
                Ok(Arc::new(store) as Arc<dyn Store>)
            }
            None => Err(StoreError::Unavailable(format!("{} is not started yet", self.section))),
        };
        Box::pin(async { opened })
    }

    fn leader_elector(&self) -> Option<&ComponentId> {
        self.elector.as_ref().map(|(id, _)| id)
    }

    fn capacity(&self) -> Option<usize> {
        Some(content::CAPACITY)
    }
}
