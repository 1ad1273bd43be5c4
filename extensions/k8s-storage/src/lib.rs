//! Extension `k8s_storage`: what components store, in ConfigMaps of the collector's own namespace.
//!
//! For a Deployment without a volume: small, shared by replicas, and fenced. Each component has a ConfigMap of its own, and
//! every write names the version that it replaces, so whoever has not written last learns of it.
//!
//! * [`content`]: what a ConfigMap holds, and how it is read and written. Pure.
//! * `store`: claims and transactions, as requests.

pub mod content;
mod settings;
mod store;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use collector_config::ComponentId;
use collector_config::Diagnostics;
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Kind, Running};
use collector_runtime::storage::{Leadership, Offer, Storage, Store, StoreError};
use futures_util::future::BoxFuture;
use job_watch::client::connect;
use job_watch::client::objects::Objects;

use crate::settings::Settings;
use crate::store::ConfigMapStore;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The extension, for the table of components.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "k8s_storage",
        aliases: &[],
        signals: &[],
        makes: &[],
        description: "Keeps what components store in ConfigMaps, for replicas that share it and Pods without a volume",
        create: |create| Ok(Box::new(K8sStorage::new(create)?)),
    }
}

struct K8sStorage {
    settings: Settings,
    access: Arc<Access>,
}

/// What other components hold of the extension.
struct Access {
    section: String,
    prefix: String,
    elector: Option<(ComponentId, Leadership)>,
    /// Set when it starts.
    reached: OnceLock<Reached>,
}

/// The ConfigMaps of one namespace.
struct Reached {
    objects: Objects,
    namespace: String,
}

impl K8sStorage {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let settings = Settings::read(create.settings)?;
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
            ..Offer::default()
        }
    }

    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let Settings {
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
            let objects = Objects::new(client, "", "configmaps", &namespace, PATIENCE);
            // It is set once: a component is started once.
            let _ = self.access.reached.set(Reached { objects, namespace });
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        // Who stores something reports whether it works.
        Box::pin(async move {
            running.shutdown.cancelled().await;
            Ok(())
        })
    }
}

impl Storage for Access {
    fn open(&self, kind: Kind, id: &ComponentId) -> BoxFuture<'_, Result<Arc<dyn Store>, StoreError>> {
        let opened = match self.reached.get() {
            Some(Reached { objects, namespace }) => {
                let name = content::name(&self.prefix, kind, id);
                let leadership = self.elector.as_ref().map(|(_, leadership)| leadership.clone());
                let store = ConfigMapStore::new(objects.clone(), namespace, name, kind.path(id), leadership);
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
