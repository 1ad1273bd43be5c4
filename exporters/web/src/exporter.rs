//! The component: receives events and gauges, keeps them, and serves them.

use std::sync::Arc;

use collector_config::{ComponentId, Diagnostics, Secret};
use collector_data::Batch;
use collector_http::server::{Endpoint, Server};
use collector_runtime::Inbox;
use collector_runtime::component::{ComponentError, Create, Exporter, Kind, Running};
use collector_runtime::health::Health;
use collector_runtime::process_status::Process;
use collector_runtime::storage::{Claimed, Storage};
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use opentelemetry::metrics::Meter;
use tokio_util::sync::CancellationToken;

use crate::leading::Elector;
use crate::persistence::Persistence;
use crate::server::{self, SERVICE};
use crate::settings::WebSettings;
pub use crate::state::Clock;
use crate::state::{Contents, Environment, Web};
use crate::telemetry::WebTelemetry;

/// The exporter `web`.
pub struct WebExporter {
    id: ComponentId,
    settings: WebSettings,
    clock: Clock,
    health: Health,
    process: Process,
    meter: Meter,
    telemetry: WebTelemetry,
    elector: Option<Elector>,
    storage: Option<Arc<dyn Storage>>,
    store: Option<Claimed>,
    server: Option<Server>,
}

/// The state that a successor continues.
struct Left {
    kept: Contents,
    /// `None` if the successor opens its store itself.
    persistence: Option<Persistence>,
}

impl WebExporter {
    /// Reads the settings; does not listen yet.
    ///
    /// # Errors
    /// All invalid settings.
    pub fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let settings = WebSettings::read(create.settings)?;
        let (storage, elector) = settings.services(create)?;
        Ok(WebExporter {
            id: create.id.clone(),
            settings,
            clock: Arc::new(Timestamp::now),
            health: create.health.clone(),
            process: create.process(),
            meter: create.meter.clone(),
            telemetry: WebTelemetry::new(create.meter, create.id),
            elector,
            storage,
            store: None,
            server: None,
        })
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The listen address after startup.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    async fn prepare(&mut self) -> Result<(), ComponentError> {
        if let Some(storage) = &self.storage {
            self.store = Some(Claimed::open(&**storage, Kind::Exporter, &self.id).await?);
        }
        let section = Kind::Exporter.path(&self.id);
        let settings = &self.settings;
        let tls = settings.tls.as_ref().map(|tls| tls.acceptor());
        let tls = tls.transpose().map_err(|why| format!("{section}: {why}"))?;
        let endpoint = Endpoint::parse(&settings.endpoint).ok_or("endpoint was not checked")?;
        let server = Server::listen(SERVICE, &endpoint, &section, "endpoint", &settings.allowed_hosts);
        let server = server.await?.with_tls(tls);
        tracing::info!(url = server.url("/"), "serving the page");
        if !server.address().ip().to_canonical().is_loopback() && self.token().is_none() {
            let address = server.address();
            tracing::warn!(%address, component = section, "everyone who reaches this address can read the events; restrict clients, or set auth::token");
        }
        self.server = Some(server);
        Ok(())
    }

    fn token(&self) -> Option<Secret> {
        let token = &self.settings.auth.token;
        (!token.expose().is_empty()).then(|| token.clone())
    }

    /// The state and the store, continued from a predecessor if there is one.
    fn resume(&mut self, running: &Running) -> (Web, Persistence) {
        let store = self.store.take().map(|store| store.with_health(&running.health));
        let left = running.succession.inherit::<Left>();
        let (kept, persistence) = match left {
            Some(Left { mut kept, persistence }) => {
                kept.events.limit(self.settings.limits());
                (kept, persistence.filter(|left| left.has_store() == store.is_some()))
            }
            None => (Contents::new(self.settings.limits()), None),
        };
        let persistence = match persistence {
            Some(mut persistence) => {
                persistence.report_to(&running.health);
                persistence
            }
            None => Persistence::new(store, &running.health),
        };
        let web = Web::new(
            kept,
            Environment {
                clock: self.clock.clone(),
                health: self.health.clone(),
                process: self.process.clone(),
                elector: self.elector.clone(),
                telemetry: self.telemetry.clone(),
            },
        );
        let gauges = [
            (
                "otelcol_exporter_web_events",
                "Kept events",
                web.observed(|web| web.kept().events.len() as u64),
            ),
            (
                "otelcol_exporter_web_events_size_bytes",
                "Memory of the kept events, at most max_bytes",
                web.observed(|web| web.kept().events.bytes() as u64),
            ),
            (
                "otelcol_exporter_web_clients",
                "Clients of the live stream",
                web.observed(|web| web.live().clients()),
            ),
        ];
        self.telemetry.observe(&self.meter, gauges);
        (web, persistence)
    }
}

impl Exporter for WebExporter {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(self.prepare())
    }

    fn run(mut self: Box<Self>, mut input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let server = self.server.take().ok_or("run before start")?;
            running.health.detail("url", server.url("/"));
            let (web, mut persistence) = self.resume(&running);
            let stop = CancellationToken::new();
            let router = server::router(web.clone(), self.token());
            let server = tokio::spawn(server.serve(router, stop.clone()));
            let mut leadership = self.elector.map(|elector| elector.leadership);
            let mut leads = leadership.as_ref().is_none_or(|leadership| leadership.is_leader());
            loop {
                web.set_restored(leads && persistence.is_restored());
                let change = async {
                    match &mut leadership {
                        Some(leadership) => leadership.until(!leads).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    // A client would keep its connection for minutes.
                    () = running.shutdown.cancelled(), if !web.live().is_ended() => web.live().end(),
                    () = change => {
                        leads = !leads;
                        if !leads {
                            persistence.stand_by();
                        }
                    }
                    batch = input.recv() => match batch {
                        Some(Batch { payload, ack }) => {
                            web.keep(&payload);
                            let last = web.kept().events.next() - 1;
                            persistence.acknowledge(last, ack);
                        }
                        None => break,
                    },
                    () = persistence.work(&web) => {}
                }
            }
            persistence.finish(&web).await;
            stop.cancel();
            server.await?;
            leave(&web, persistence, &running);
            Ok(())
        })
    }
}

/// Leaves the events to the successor, if there is one.
fn leave(web: &Web, persistence: Persistence, running: &Running) {
    if running.is_replaced() {
        let empty = Contents::new(web.kept().events.limits());
        let kept = std::mem::replace(&mut *web.kept(), empty);
        let persistence = running.succession.keeps_services().then_some(persistence);
        running.succession.leave(Left { kept, persistence });
    }
}
