//! The settings, under the names of the Collector's extension `bearertokenauth`.

use collector_config::{Diagnostics, Secret};
use collector_runtime::authentication::SecretSource;
use schemars::JsonSchema;
use serde::Deserialize;

/// The valid settings.
pub(crate) struct BearerTokenSettings {
    pub(crate) header: String,
    pub(crate) scheme: String,
    pub(crate) token: SecretSource,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("anyOf" = [{"required": ["token"]}, {"required": ["filename"]}]))]
pub(crate) struct BearerTokenKeys {
    /// The header for the token.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]+$"), extend("type" = ["string", "integer", "boolean"]))]
    header: String,
    /// The prefix of the token; `""`: none.
    #[schemars(regex(pattern = "^[A-Za-z0-9_-]*$"), extend("type" = ["string", "integer", "boolean"]))]
    scheme: String,
    /// The token, a secret. Use it or `filename`.
    token: Secret,
    /// A file with the token, read again for each request.
    filename: String,
}

impl Default for BearerTokenKeys {
    fn default() -> Self {
        BearerTokenKeys {
            header: "Authorization".into(),
            scheme: "Bearer".into(),
            token: Secret::default(),
            filename: String::new(),
        }
    }
}

impl BearerTokenSettings {
    /// Reads and checks the settings, without I/O.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let written: BearerTokenKeys = settings.read()?;
        let mut errors = Vec::new();
        let is_token = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
        if written.header.is_empty() || !is_token(&written.header) {
            let message = "not the name of a header, expected letters, digits, `-` and `_`";
            errors.push(settings.error("header", message));
        }
        if !is_token(&written.scheme) {
            let message = "not a scheme, expected one word such as `Bearer`, or `\"\"` for the token alone";
            errors.push(settings.error("scheme", message));
        }
        let token = SecretSource::read(
            ("token", &written.token),
            ("filename", &written.filename),
            settings,
            &mut errors,
        );
        let scheme = written.scheme.to_ascii_lowercase();
        if !scheme.is_empty()
            && written
                .token
                .expose()
                .to_ascii_lowercase()
                .starts_with(&format!("{scheme} "))
        {
            let message = format!("begins with `{}`, which `scheme` adds", written.scheme);
            errors.push(settings.error("token", message));
        }
        match token {
            Some(token) if errors.is_empty() => Ok(BearerTokenSettings {
                header: written.header,
                scheme: written.scheme,
                token,
            }),
            _ => Err(Diagnostics(errors)),
        }
    }
}
