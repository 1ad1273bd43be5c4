//! The component: receives events and gauges, keeps them, and serves them.

use std::sync::Arc;

use collector_config::{Diagnostics, Secret};
use collector_data::Batch;
use collector_http::server::{Endpoint, Server};
use collector_runtime::Inbox;
use collector_runtime::component::{ComponentError, Create, Exporter, Running};
use collector_runtime::health::Health;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::server::{self, SERVICE};
use crate::settings::WebSettings;
pub use crate::state::Clock;
use crate::state::Web;

/// The exporter `web`.
pub struct WebExporter {
    /// The path of the settings, for errors: `exporters::web`.
    section: String,
    settings: WebSettings,
    clock: Clock,
    health: Health,
    server: Option<Server>,
}

impl WebExporter {
    /// Reads the settings; does not listen yet.
    ///
    /// # Errors
    /// All invalid settings.
    pub fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(WebExporter {
            section: format!("exporters::{}", create.id),
            settings: WebSettings::read(create.settings)?,
            clock: Arc::new(Timestamp::now),
            health: create.health.clone(),
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

    async fn listen(&mut self) -> Result<(), ComponentError> {
        let settings = &self.settings;
        let tls = settings.tls.as_ref().map(|tls| tls.acceptor());
        let tls = tls.transpose().map_err(|why| format!("{}: {why}", self.section))?;
        let endpoint = Endpoint::parse(&settings.endpoint).ok_or("endpoint was not checked")?;
        let server = Server::listen(SERVICE, &endpoint, &self.section, "endpoint", &settings.allowed_hosts);
        let server = server.await?.with_tls(tls);
        tracing::info!(url = server.url("/"), "serving the page");
        self.server = Some(server);
        Ok(())
    }

    fn token(&self) -> Option<Secret> {
        let token = &self.settings.auth.token;
        (!token.expose().is_empty()).then(|| token.clone())
    }
}

impl Exporter for WebExporter {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(self.listen())
    }

    fn run(mut self: Box<Self>, mut input: Inbox, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let server = self.server.take().ok_or("run before start")?;
            let web = Web::new(
                self.settings.limits(),
                self.clock.clone(),
                self.health.clone(),
                running.shutdown.clone(),
            );
            let stop = CancellationToken::new();
            let router = server::router(web.clone(), self.token());
            let server = tokio::spawn(server.serve(router, stop.clone()));
            while let Some(Batch { payload, ack }) = input.recv().await {
                web.keep(&payload);
                ack.delivered();
            }
            stop.cancel();
            server.await?;
            Ok(())
        })
    }
}
