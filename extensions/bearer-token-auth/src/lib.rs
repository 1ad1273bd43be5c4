//! Extension `bearertokenauth`: a token in a header, from the configuration or a file.

mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use collector_config::{Diagnostics, Secret, schema_of};
use collector_runtime::authentication::{CredentialSource, Credentials, SourceExtension};
use collector_runtime::component::{Create, Extension, Factory, Kind};
use futures_util::future::BoxFuture;

use settings::BearerTokenSettings;

/// The factory of extension `bearertokenauth`.
pub fn factory() -> Factory<dyn Extension> {
    Factory {
        type_name: "bearertokenauth",
        aliases: &["bearer_token_auth"],
        signals: &[],
        makes: &[],
        description: "Authenticates exporters with a token, from the configuration or from a file that is reloaded",
        schema: schema_of::<settings::BearerTokenKeys>,
        create: |create| Ok(Box::new(extension(create)?)),
    }
}

type BearerToken = SourceExtension<Token>;

struct Token {
    /// The path of the settings, for errors.
    section: String,
    settings: BearerTokenSettings,
}

fn extension(create: &Create<'_>) -> Result<BearerToken, Diagnostics> {
    Ok(SourceExtension::new(Token {
        section: Kind::Extension.path(create.id),
        settings: BearerTokenSettings::read(create.settings)?,
    }))
}

impl CredentialSource for Token {
    fn read(&self) -> BoxFuture<'_, Result<Arc<Credentials>, String>> {
        Box::pin(async {
            let BearerTokenSettings { header, scheme, token } = &self.settings;
            let token = token.get().await;
            let token = token.map_err(|why| format!("{}::filename: {why}", self.section))?;
            let value = match scheme.as_str() {
                "" => token,
                scheme => Secret::new(format!("{scheme} {}", token.expose())),
            };
            Ok(Credentials::header(header, value))
        })
    }
}
