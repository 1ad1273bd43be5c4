//! The settings.

use std::sync::Arc;

use collector_config::{ComponentId, Diagnostics, Secret};
use collector_http::server::{Endpoint, ServerTls};
use collector_runtime::component::Create;
use collector_runtime::storage::Storage;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::leading::Elector;
use crate::store::StoreLimits;

type Services = (Option<Arc<dyn Storage>>, Option<Elector>);

/// The smallest `max_bytes`: one event with evidence fits.
const MIN_BYTES: usize = 64 * 1024;
/// The largest `max_events`: a view looks at each of them.
const MAX_EVENTS: usize = 100_000;

/// The settings of `web`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct WebSettings {
    /// The address to listen on, `host:port`. Without a host (`:8090`) it is every address of the machine.
    #[schemars(schema_with = "collector_http::server::endpoint_schema")]
    pub(crate) endpoint: String,
    /// Additional host names of requests, such as `jobs.example.com`, `*.example.com`, or `*` for any.
    pub(crate) allowed_hosts: Vec<String>,
    /// The maximum number of events that are kept, 1 to 100000.
    #[schemars(range(min = 1, max = MAX_EVENTS))]
    pub(crate) max_events: usize,
    /// The maximum memory of the kept events in bytes, at least 65536.
    #[schemars(range(min = MIN_BYTES))]
    pub(crate) max_bytes: usize,
    /// The id of the extension that stores the events across restarts. Without it they are in memory only.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    pub(crate) storage: String,
    /// The id of the elector whose leader has the events. By default it is that of the storage, if it has one.
    #[schemars(schema_with = "collector_config::schema::optional_component_id")]
    pub(crate) k8s_leader_elector: String,
    /// The token that readers need.
    pub(crate) auth: Auth,
    /// The certificate of the server, which turns on HTTPS.
    pub(crate) tls: Option<ServerTls>,
}

/// `auth`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Auth {
    /// The token that each request presents, a secret. Without it everybody who reaches the address may read.
    pub(crate) token: Secret,
}

impl Default for WebSettings {
    fn default() -> Self {
        WebSettings {
            endpoint: "localhost:8090".into(),
            allowed_hosts: Vec::new(),
            max_events: 2000,
            max_bytes: 8 * 1024 * 1024,
            storage: String::new(),
            k8s_leader_elector: String::new(),
            auth: Auth::default(),
            tls: None,
        }
    }
}

impl WebSettings {
    /// Reads and checks the settings.
    ///
    /// # Errors
    /// All invalid settings.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let read: WebSettings = settings.read()?;
        let mut errors = Diagnostics::default();
        if Endpoint::parse(&read.endpoint).is_none() {
            let found = format!("found {:?}, expected host:port", read.endpoint);
            let help = "for example localhost:8090, or 0.0.0.0:8090 so that a Service can reach it";
            errors.push(settings.error("endpoint", found).with_help(help));
        }
        if !(1..=MAX_EVENTS).contains(&read.max_events) {
            let found = format!("found {}, expected 1 to {MAX_EVENTS}", read.max_events);
            errors.push(settings.error("max_events", found));
        }
        if read.max_bytes < MIN_BYTES {
            let found = format!(
                "found {}, expected {MIN_BYTES} or more: one event may have as many bytes",
                read.max_bytes
            );
            errors.push(settings.error("max_bytes", found));
        }
        let token = read.auth.token.expose();
        if token.chars().any(|c| c.is_control() || c.is_whitespace()) {
            let text = "has a space or a control character, which no header can carry";
            errors.push(settings.error("auth::token", text));
        }
        for problem in read.tls.iter().flat_map(|tls| tls.problems(settings)) {
            errors.push(problem);
        }
        errors.into_result(read)
    }

    /// The storage, and the elector whose leader has the events.
    ///
    /// # Errors
    /// Missing extensions, and an elector other than that of the storage.
    pub(crate) fn services(&self, create: &Create<'_>) -> Result<Services, Diagnostics> {
        let mut errors = Diagnostics::default();
        let mut wrong = |key: &str, problem: String| errors.push(create.settings.error(key, problem));
        let storage = match &*self.storage {
            "" => None,
            name => create
                .provided
                .storage(name)
                .map_err(|problem| wrong("storage", problem))
                .ok(),
        };
        let shared = storage
            .as_ref()
            .and_then(|storage| storage.leader_elector())
            .map(ComponentId::to_string);
        let named = Some(self.k8s_leader_elector.clone()).filter(|name| !name.is_empty());
        if let (Some(shared), Some(named)) = (&shared, &named)
            && shared != named
        {
            let found = format!(
                "found {named:?}, expected {shared:?} as in the storage {:?}",
                self.storage
            );
            wrong("k8s_leader_elector", found);
        }
        let elector = named.or(shared).and_then(|name| {
            let found = create.provided.leadership(&name);
            found.map_err(|problem| wrong("k8s_leader_elector", problem)).ok()
        });
        let elector = elector.map(|(id, leadership)| Elector { id, leadership });
        errors.into_result((storage, elector))
    }

    /// How much is kept.
    pub(crate) fn limits(&self) -> StoreLimits {
        StoreLimits {
            max_events: self.max_events,
            max_bytes: self.max_bytes,
        }
    }
}
