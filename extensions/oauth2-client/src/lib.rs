//! Extension `oauth2client`: tokens of the client credentials grant (RFC 6749, section 4.4), cached until shortly before
//! they expire.
//!
//! * `settings`: the settings and their check, without I/O.
//! * `answer`: parses a response of the token endpoint. Pure.
//! * `endpoint`: one request to the token endpoint.
//! * `tokens`: the cache, with one request at a time for all exporters.

mod answer;
mod endpoint;
mod settings;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use collector_config::ComponentId;
use collector_config::{Diagnostics, schema_of};
use collector_http::tls::Reload;
use collector_runtime::component::{ComponentError, Create, Extension, Factory, Kind, Running};
use collector_runtime::storage::Offer;
use futures_util::future::BoxFuture;

use endpoint::TokenEndpoint;
use settings::OAuth2Settings;
use tokens::Tokens;

/// The factory of extension `oauth2client`.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "oauth2client",
        aliases: &["oauth2_client"],
        signals: &[],
        makes: &[],
        description: "Authenticates exporters with tokens of an OAuth 2.0 token endpoint (client credentials)",
        schema: schema_of::<settings::OAuth2Keys>,
        create: |create| Ok(Box::new(OAuth2Client::new(create)?)),
    }
}

struct OAuth2Client {
    id: ComponentId,
    tokens: Arc<Tokens>,
    /// Set on startup if files are reloaded.
    reload: Option<Reload>,
}

impl OAuth2Client {
    fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        let settings = OAuth2Settings::read(create.settings)?;
        Ok(OAuth2Client {
            id: create.id.clone(),
            tokens: Arc::new(Tokens::new(Kind::Extension.path(create.id), settings)),
            reload: None,
        })
    }
}

impl Extension for OAuth2Client {
    fn offer(&self) -> Offer {
        Offer {
            authenticator: Some(self.tokens.clone()),
            ..Offer::default()
        }
    }

    /// Reads files. Requests no token: the token endpoint may be unavailable on startup.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async {
            let settings = self.tokens.settings();
            settings.client_id.get().await?;
            settings.client_secret.get().await?;
            let (endpoint, reload) = TokenEndpoint::new(settings).await?;
            self.tokens.open(endpoint);
            self.reload = reload;
            Ok(())
        })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let stopped = running.shutdown.cancelled();
            match self.reload {
                None => stopped.await,
                Some(reload) => tokio::select! {
                    () = stopped => {}
                    never = reload.run(&self.id) => match never {},
                },
            }
            Ok(())
        })
    }
}
