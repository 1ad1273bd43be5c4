//! The settings, under the names of the Collector's extension `basicauth`.

use collector_config::{Diagnostics, Secret};
use collector_runtime::authentication::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

/// The valid settings.
pub(crate) struct BasicAuthSettings {
    pub(crate) username: SecretSource,
    pub(crate) password: SecretSource,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["client_auth"]))]
pub(crate) struct BasicAuthKeys {
    /// The user name and the password.
    client_auth: ClientAuth,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("allOf" = [
    {"anyOf": [{"required": ["username"]}, {"required": ["username_file"]}]},
    {"anyOf": [{"required": ["password"]}, {"required": ["password_file"]}]},
]))]
struct ClientAuth {
    /// The user name. Use it or `username_file`.
    username: Secret,
    /// A file with the user name, read again for each request.
    username_file: String,
    /// The password, a secret. Use it or `password_file`.
    password: Secret,
    /// A file with the password, read again for each request.
    password_file: String,
}

impl BasicAuthSettings {
    /// Reads and checks the settings, without I/O.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let written: BasicAuthKeys = settings.read()?;
        let account = written.client_auth;
        let mut errors = Vec::new();
        let username = SecretSource::read(
            ("client_auth::username", &account.username),
            ("client_auth::username_file", &account.username_file),
            settings,
            &mut errors,
        );
        let password = SecretSource::read(
            ("client_auth::password", &account.password),
            ("client_auth::password_file", &account.password_file),
            settings,
            &mut errors,
        );
        if account.username.expose().contains(':') {
            let message = "contains `:`, which ends the user name; set the password in `password`";
            errors.push(settings.error("client_auth::username", message));
        }
        match (username, password) {
            (Some(username), Some(password)) if errors.is_empty() => Ok(BasicAuthSettings { username, password }),
            _ => Err(Diagnostics(errors)),
        }
    }
}
