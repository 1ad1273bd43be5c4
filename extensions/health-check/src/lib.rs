//! Extension health_check: liveness and readiness over HTTP.
//!
//! * `GET /` (or the configured `path`) and `GET /healthz`: 200 while no component is dead, else 503.
//! * `GET /readyz`: 200 while every component is ok, else 503.
//!
//! The body has the status of every component, with the reason where it is not ok.

mod answer;
mod server;
mod settings;
#[cfg(test)]
mod tests;

use collector_config::Diagnostics;
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Running};
use collector_runtime::health::Health;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;

use settings::Settings;

/// The factory of extension `health_check`.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "health_check",
        aliases: &[],
        signals: &[],
        makes: &[],
        description: "Liveness (/, /healthz) and readiness (/readyz) over HTTP",
        create: |create| Ok(Box::new(HealthCheck::new(create)?)),
    }
}

struct HealthCheck {
    /// The path of its settings, for error texts: `extensions::health_check`.
    section: String,
    settings: Settings,
    health: Health,
    listener: Option<TcpListener>,
}

impl HealthCheck {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(HealthCheck {
            section: format!("extensions::{}", create.id),
            settings: Settings::read(create.settings)?,
            health: create.health.clone(),
            listener: None,
        })
    }
}

impl Extension for HealthCheck {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let endpoint = &self.settings.endpoint;
            let listener = endpoint.listen(&format!("{}::endpoint", self.section)).await?;
            let address = listener
                .local_addr()
                .map_or_else(|_| endpoint.to_string(), |address| address.to_string());
            tracing::info!(endpoint = address, "health check listening");
            self.listener = Some(listener);
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let listener = self.listener.ok_or("it was not started")?;
            server::serve(listener, &self.section, self.settings, self.health, running.shutdown).await;
            Ok(())
        })
    }
}
