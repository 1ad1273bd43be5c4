//! Extension `health_check`: liveness and readiness over HTTP.
//!
//! * `GET /` (or the configured `path`) and `GET /healthz`: 200 while no component is dead, else 503.
//! * `GET /readyz`: 200 while every component is ok, else 503.
//! * `GET /status`: 200 with a snapshot of the process, for the command `status` and other programs.
//!
//! The body of the first two has the status of every component, the reason if it is not ok, and the result of the last reload.

mod response;
mod settings;
#[cfg(test)]
mod tests;

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::Uri;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use collector_config::{Diagnostics, schema_of};
use collector_http::server::{Server, Service};
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Running};
use collector_runtime::health::Health;
use collector_runtime::process_status::Process;
use futures_util::future::BoxFuture;

use response::STATUS;
use settings::HealthCheckSettings;

/// A connection lasts longer than any probe waits.
const SERVICE: Service = Service {
    name: "health check",
    connection_timeout: Duration::from_secs(10),
};

/// The factory of extension `health_check`.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "health_check",
        aliases: &[],
        signals: &[],
        makes: &[],
        schema: schema_of::<settings::HealthCheckKeys>,
        description: "Liveness (/, /healthz), readiness (/readyz) and a snapshot of the process (/status) over HTTP",
        create: |create| Ok(Box::new(HealthCheck::new(create)?)),
    }
}

struct HealthCheck {
    /// The path of the settings, for errors: `extensions::health_check`.
    section: String,
    settings: HealthCheckSettings,
    health: Health,
    process: Process,
    server: Option<Server>,
}

impl HealthCheck {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(HealthCheck {
            section: format!("extensions::{}", create.id),
            settings: HealthCheckSettings::read(create.settings)?,
            health: create.health.clone(),
            process: create.process(),
            server: None,
        })
    }
}

impl Extension for HealthCheck {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let HealthCheckSettings {
                endpoint,
                allowed_hosts,
                ..
            } = &self.settings;
            let server = Server::listen(SERVICE, endpoint, &self.section, "endpoint", allowed_hosts).await?;
            tracing::info!(endpoint = %server.address(), "health check listening");
            self.server = Some(server);
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let server = self.server.ok_or("run before start")?;
            server
                .serve(router(self.settings.path, self.health, self.process), running.shutdown)
                .await;
            Ok(())
        })
    }
}

/// Serves every path itself: the configured one may contain characters that mean something to a router.
fn router(liveness_path: String, health: Health, process: Process) -> Router {
    let liveness_path: Arc<str> = liveness_path.into();
    Router::new().fallback(get(move |uri: Uri| {
        let path = uri.path();
        let (code, body) = if path == STATUS && path != &*liveness_path {
            response::status(&process.status())
        } else {
            let (code, body) = response::response(path, &liveness_path, &health.watch().borrow().clone());
            (code, format!("{body:#}"))
        };
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")];
        ready((code, headers, format!("{body}\n")))
    }))
}
