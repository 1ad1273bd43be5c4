//! Extension `basicauth`: user name and password of HTTP basic authentication.

mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_config::{Diagnostics, Secret};
use collector_runtime::authentication::{AuthenticationError, Authenticator, Credentials};
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Kind, Running};
use collector_runtime::storage::Offer;
use futures_util::future::BoxFuture;

use settings::Settings;

/// The factory of extension `basicauth`.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "basicauth",
        aliases: &["basic_auth"],
        signals: &[],
        makes: &[],
        description: "Authenticates exporters with a user name and password, from the configuration or from files that are reloaded",
        create: |create| Ok(Box::new(BasicAuth::new(create)?)),
    }
}

struct BasicAuth(Arc<Account>);

struct Account {
    /// The path of its settings, for error texts.
    section: String,
    settings: Settings,
}

impl BasicAuth {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(BasicAuth(Arc::new(Account {
            section: Kind::Extension.path(create.id),
            settings: Settings::read(create.settings)?,
        })))
    }
}

impl Account {
    async fn read(&self) -> Result<Arc<Credentials>, String> {
        let named = |key: &str, why: String| format!("{}::client_auth::{key}: {why}", self.section);
        let username = self.settings.username.get().await;
        let username = username.map_err(|why| named("username_file", why))?;
        let password = self.settings.password.get().await;
        let password = password.map_err(|why| named("password_file", why))?;
        let both = STANDARD.encode(format!("{}:{}", username.expose(), password.expose()));
        Ok(Credentials::header(
            "authorization",
            Secret::new(format!("Basic {both}")),
        ))
    }
}

impl Extension for BasicAuth {
    fn offer(&self) -> Offer {
        Offer {
            authenticator: Some(self.0.clone()),
            ..Offer::default()
        }
    }

    /// Reads the files, so that a wrong path shows at once.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { Ok(self.0.read().await.map(drop)?) })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            running.shutdown.cancelled().await;
            Ok(())
        })
    }
}

impl Authenticator for Account {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, AuthenticationError>> {
        Box::pin(async { self.read().await.map_err(AuthenticationError::Refused) })
    }

    fn renew<'a>(
        &'a self,
        refused: &'a Credentials,
    ) -> BoxFuture<'a, Result<Option<Arc<Credentials>>, AuthenticationError>> {
        Box::pin(async {
            let now = self.credentials().await?;
            Ok((*now != *refused).then_some(now))
        })
    }
}
