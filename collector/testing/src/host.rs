use std::sync::Arc;

use collector_config::{ComponentId, Diagnostics, Settings};
use collector_runtime::component::{Create, Factory};
use collector_runtime::health::{Health, Status};
use collector_runtime::storage::{Offer, Provided, Storage};

use crate::OwnMetrics;

/// The environment of one component: the inputs that the collector provides on creation and while it runs.
pub struct Host {
    /// The component's id.
    pub id: ComponentId,
    /// The services of the extensions.
    pub provided: Provided,
    /// The health of the component.
    pub health: Health,
    /// The component's own metrics.
    pub metrics: OwnMetrics,
}

impl Host {
    /// A host without extensions for the component `id`, written as `type` or `type/name`.
    pub fn new(id: &str) -> Self {
        Host {
            id: crate::id(id),
            provided: Provided::new(),
            health: Health::new(),
            metrics: OwnMetrics::new(),
        }
    }

    /// Adds an extension `id` that offers this storage.
    #[must_use]
    pub fn with_storage(self, id: &str, storage: impl Storage + 'static) -> Self {
        let storage: Option<Arc<dyn Storage>> = Some(Arc::new(storage));
        self.with_offer(
            id,
            Offer {
                storage,
                ..Offer::default()
            },
        )
    }

    /// Adds an extension `id` with this offer.
    #[must_use]
    pub fn with_offer(mut self, id: &str, offer: Offer) -> Self {
        self.provided.add(crate::id(id), offer);
        self
    }

    /// Makes a component from its settings.
    ///
    /// # Errors
    /// The errors that `validate` would print.
    pub fn create<T: ?Sized>(&self, factory: &Factory<T>, yaml: &str) -> Result<Box<T>, Diagnostics> {
        (factory.create)(&Create {
            id: &self.id,
            settings: &Settings::from_yaml(yaml)?,
            meter: &self.metrics.meter(),
            health: &self.health,
            provided: &self.provided,
        })
    }

    /// The status that the component has reported.
    ///
    /// # Panics
    /// If it does not run yet.
    pub fn status(&self) -> Status {
        self.health.watch().borrow()[&self.id.to_string()].clone()
    }

    /// Waits until the component has a status for which `wanted` is true.
    pub async fn until(&self, wanted: impl Fn(&Status) -> bool) -> Status {
        let id = self.id.to_string();
        let mut health = self.health.watch();
        let statuses = health.wait_for(|statuses| statuses.get(&id).is_some_and(&wanted)).await;
        statuses.unwrap()[&id].clone()
    }
}
