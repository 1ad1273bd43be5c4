//! Extension health_check: liveness and readiness over HTTP.
//!
//! * `GET /` (or the configured `path`) and `GET /healthz`: 200 while no component is dead, else 503.
//! * `GET /readyz`: 200 while every component does its work, else 503.
//!
//! The body tells the condition of every component, with the reason where it is not well.

mod answer;
mod server;
mod settings;
#[cfg(test)]
mod tests;

use futures_util::future::BoxFuture;
use pipeline::component::{ComponentError, Create, Extension, Factory, Running};
use pipeline::config::Diagnostics;
use pipeline::health::Health;
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
    /// Where its settings stand, for error texts: `extensions::health_check`.
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

    async fn listen(&self) -> Result<TcpListener, ComponentError> {
        let endpoint = &self.settings.endpoint;
        TcpListener::bind(settings::address(endpoint)).await.map_err(|error| {
            let section = &self.section;
            match error.kind() {
                std::io::ErrorKind::AddrInUse => format!(
                    "cannot listen on {endpoint}: address already in use; another collector? set {section}::endpoint"
                ),
                _ => format!("cannot listen on {endpoint}: {error}; see {section}::endpoint"),
            }
            .into()
        })
    }
}

impl Extension for HealthCheck {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            self.listener = Some(self.listen().await?);
            tracing::info!(endpoint = self.settings.endpoint, "health check listens");
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let listener = self.listener.ok_or("it was not started")?;
            server::serve(listener, self.settings.path.into(), self.health, running.shutdown).await;
            Ok(())
        })
    }
}
