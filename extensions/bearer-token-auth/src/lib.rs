//! Extension `bearertokenauth`: a token in a header, written in the configuration or read from a file.

mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use collector_config::{Diagnostics, Secret};
use collector_runtime::authentication::{AuthenticationError, Authenticator, Credentials, SecretSource};
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Kind, Running};
use collector_runtime::storage::Offer;
use futures_util::future::BoxFuture;

use settings::Settings;

/// The factory of extension `bearertokenauth`.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "bearertokenauth",
        aliases: &["bearer_token_auth"],
        signals: &[],
        makes: &[],
        description: "Authenticates exporters with a token, from the configuration or from a file that is reloaded",
        create: |create| Ok(Box::new(BearerToken::new(create)?)),
    }
}

struct BearerToken(Arc<Token>);

struct Token {
    /// The path of its settings, for error texts.
    section: String,
    header: String,
    scheme: String,
    token: SecretSource,
}

impl BearerToken {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let settings = Settings::read(create.settings)?;
        Ok(BearerToken(Arc::new(Token {
            section: Kind::Extension.path(create.id),
            header: settings.header,
            scheme: settings.scheme,
            token: settings.token,
        })))
    }
}

impl Token {
    async fn read(&self) -> Result<Arc<Credentials>, String> {
        let token = self.token.get().await;
        let token = token.map_err(|why| format!("{}::filename: {why}", self.section))?;
        let value = match self.scheme.as_str() {
            "" => token,
            scheme => Secret::new(format!("{scheme} {}", token.expose())),
        };
        Ok(Credentials::header(&self.header, value))
    }
}

impl Extension for BearerToken {
    fn offer(&self) -> Offer {
        Offer {
            authenticator: Some(self.0.clone()),
            ..Offer::default()
        }
    }

    /// Reads the file, so that a wrong path shows at once.
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

impl Authenticator for Token {
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
