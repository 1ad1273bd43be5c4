//! The settings, under the names of the Collector's extension `oauth2client`.

use std::collections::BTreeMap;

use collector_config::{Diagnostics, Duration, Secret};
use collector_http::tls::TlsSettings;
use collector_runtime::authentication::SecretSource;
use reqwest::Url;
use schemars::JsonSchema;
use serde::Deserialize;

/// The valid settings.
pub(crate) struct OAuth2Settings {
    pub(crate) client_id: SecretSource,
    pub(crate) client_secret: SecretSource,
    pub(crate) token_url: Url,
    /// Separated by spaces.
    pub(crate) scopes: String,
    /// Further fields of the request.
    pub(crate) endpoint_params: BTreeMap<String, Secret>,
    pub(crate) timeout: Option<std::time::Duration>,
    pub(crate) tls: TlsSettings,
    /// A token is replaced this long before it expires.
    pub(crate) expiry_buffer: std::time::Duration,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend(
    "required" = ["token_url"],
    "allOf" = [
        {"anyOf": [{"required": ["client_id"]}, {"required": ["client_id_file"]}]},
        {"anyOf": [{"required": ["client_secret"]}, {"required": ["client_secret_file"]}]},
    ]
))]
pub(crate) struct OAuth2Keys {
    /// The id of the client. Use it or `client_id_file`.
    client_id: Secret,
    /// A file with the id of the client, read for each token.
    client_id_file: String,
    /// The secret of the client. Use it or `client_secret_file`.
    client_secret: Secret,
    /// A file with the secret of the client, read for each token.
    client_secret_file: String,
    /// The URL of the token endpoint.
    #[schemars(schema_with = "collector_config::schema::url")]
    token_url: String,
    /// The requested scopes.
    scopes: Vec<String>,
    /// Additional fields of the request, such as `audience`. Their values are secrets.
    endpoint_params: BTreeMap<String, Secret>,
    /// The timeout of one request to the token endpoint; 0: none.
    timeout: Duration,
    /// TLS and its certificates, for the token endpoint.
    tls: TlsSettings,
    /// How long before it expires a token is renewed, at most half of its lifetime.
    expiry_buffer: Duration,
}

impl Default for OAuth2Keys {
    fn default() -> Self {
        OAuth2Keys {
            client_id: Secret::default(),
            client_id_file: String::new(),
            client_secret: Secret::default(),
            client_secret_file: String::new(),
            token_url: String::new(),
            scopes: Vec::new(),
            endpoint_params: BTreeMap::new(),
            timeout: Duration::from_secs(10),
            tls: TlsSettings::default(),
            expiry_buffer: Duration::from_secs(300),
        }
    }
}

impl OAuth2Settings {
    /// Reads and checks the settings, without I/O.
    pub(crate) fn read(settings: &collector_config::Settings) -> Result<Self, Diagnostics> {
        let written: OAuth2Keys = settings.read()?;
        let mut errors = Vec::new();
        let client_id = SecretSource::read(
            ("client_id", &written.client_id),
            ("client_id_file", &written.client_id_file),
            settings,
            &mut errors,
        );
        let client_secret = SecretSource::read(
            ("client_secret", &written.client_secret),
            ("client_secret_file", &written.client_secret_file),
            settings,
            &mut errors,
        );
        let token_url = token_url(written.token_url.trim());
        if let Err(why) = &token_url {
            errors.push(settings.error("token_url", why.clone()));
        }
        if let Some(scope) = written
            .scopes
            .iter()
            .position(|scope| scope.contains(char::is_whitespace))
        {
            let message = "a scope contains no spaces; write each scope as its own entry";
            errors.push(settings.error(&format!("scopes::{scope}"), message));
        }
        for key in ["grant_type", "client_id", "client_secret", "scope"] {
            if written.endpoint_params.contains_key(key) {
                let message = format!("`{key}` is set by the extension and cannot be changed here");
                errors.push(settings.error(&format!("endpoint_params::{key}"), message));
            }
        }
        errors.extend(written.tls.errors(settings));
        let (Some(client_id), Some(client_secret), Ok(token_url), true) =
            (client_id, client_secret, token_url, errors.is_empty())
        else {
            return Err(Diagnostics(errors));
        };
        let host = token_url.host_str().unwrap_or_default();
        if token_url.scheme() == "http" && !proxy::is_loopback(host) {
            let message = format!("the client secret goes to {host} unencrypted; use https://");
            settings.warn(settings.error("token_url", message));
        }
        Ok(OAuth2Settings {
            client_id,
            client_secret,
            token_url,
            scopes: written.scopes.join(" "),
            endpoint_params: written.endpoint_params,
            timeout: (!written.timeout.get().is_zero()).then_some(written.timeout.get()),
            tls: written.tls,
            expiry_buffer: written.expiry_buffer.get(),
        })
    }
}

fn token_url(text: &str) -> Result<Url, String> {
    const EXPECTED: &str = "expected the URL of a token endpoint, such as `https://login.example.com/oauth2/token`";
    if text.is_empty() {
        return Err(format!("found an empty text, {EXPECTED}"));
    }
    let url = Url::parse(text).map_err(|why| format!("not a URL ({why}), {EXPECTED}"))?;
    if !matches!(url.scheme(), "https" | "http") || url.host_str().unwrap_or_default().is_empty() {
        return Err(format!("not an `https://` or `http://` URL, {EXPECTED}"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("contains a user name or password; use `client_id` and `client_secret`".into());
    }
    Ok(url)
}
