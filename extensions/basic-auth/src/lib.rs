//! Extension `basicauth`: user name and password of HTTP basic authentication.

mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use collector_config::{Diagnostics, Secret, schema_of};
use collector_runtime::authentication::{CredentialSource, Credentials, SourceExtension};
use collector_runtime::component::{Create, Extension, Factory, Kind};
use futures_util::future::BoxFuture;

use settings::BasicAuthSettings;

/// The factory of extension `basicauth`.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "basicauth",
        aliases: &["basic_auth"],
        signals: &[],
        makes: &[],
        description: "Authenticates exporters with a user name and password, from the configuration or from files that are reloaded",
        schema: schema_of::<settings::BasicAuthKeys>,
        create: |create| Ok(Box::new(extension(create)?)),
    }
}

type BasicAuth = SourceExtension<Account>;

struct Account {
    /// The path of the settings, for errors.
    section: String,
    settings: BasicAuthSettings,
}

fn extension(create: &Create<'_>) -> Result<BasicAuth, Diagnostics> {
    Ok(SourceExtension::new(Account {
        section: Kind::Extension.path(create.id),
        settings: BasicAuthSettings::read(create.settings)?,
    }))
}

impl CredentialSource for Account {
    fn read(&self) -> BoxFuture<'_, Result<Arc<Credentials>, String>> {
        let named = |key: &str, why: String| format!("{}::client_auth::{key}: {why}", self.section);
        Box::pin(async move {
            let username = self.settings.username.get().await;
            let username = username.map_err(|why| named("username_file", why))?;
            let password = self.settings.password.get().await;
            let password = password.map_err(|why| named("password_file", why))?;
            let both = STANDARD.encode(format!("{}:{}", username.expose(), password.expose()));
            Ok(Credentials::header(
                "authorization",
                Secret::new(format!("Basic {both}")),
            ))
        })
    }
}
