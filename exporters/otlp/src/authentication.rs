//! `auth`: the headers that an extension adds to each request.

use std::sync::Arc;

use collector_config::Diagnostic;
use collector_runtime::authentication::{AuthenticationError, Authenticator, Credentials};
use collector_runtime::component::Create;
use collector_sending::SendOutcome;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::Deserialize;

/// `auth`, under the Collector's name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(extend("required" = ["authenticator"]))]
pub struct AuthSettings {
    /// The id of the extension: a `bearertokenauth`, `basicauth` or `oauth2client`, such as `basicauth/grafana_cloud`.
    #[schemars(schema_with = "collector_config::schema::component_id")]
    pub authenticator: String,
}

/// The extension that `auth` names, if any.
#[derive(Clone, Default)]
pub(crate) struct Authentication(Option<Arc<dyn Authenticator>>);

/// The headers of one request.
pub(crate) struct Signed {
    /// The configured headers, and those of the extension.
    pub(crate) headers: HeaderMap,
    /// The headers of the extension.
    credentials: Option<Arc<Credentials>>,
}

impl Authentication {
    /// Finds the extension.
    ///
    /// # Errors
    /// If no authenticator has this name.
    pub(crate) fn find(auth: Option<&AuthSettings>, create: &Create<'_>) -> Result<Self, Diagnostic> {
        let Some(auth) = auth else {
            return Ok(Authentication(None));
        };
        let found = create.provided.authenticator(&auth.authenticator);
        let found = found.map_err(|why| create.settings.error("auth::authenticator", why))?;
        Ok(Authentication(Some(found)))
    }

    /// The headers of a request.
    ///
    /// # Errors
    /// The outcome of the request if the extension has no credentials.
    pub(crate) async fn sign(&self, configured: &HeaderMap) -> Result<Signed, SendOutcome> {
        let credentials = match &self.0 {
            None => None,
            Some(extension) => Some(extension.credentials().await.map_err(outcome)?),
        };
        signed(configured, credentials)
    }

    /// New headers after the backend refused these; `None` if the extension has no others.
    ///
    /// # Errors
    /// The outcome of the request if the extension fails.
    pub(crate) async fn sign_again(
        &self,
        refused: &Signed,
        configured: &HeaderMap,
    ) -> Result<Option<Signed>, SendOutcome> {
        let (Some(extension), Some(credentials)) = (&self.0, &refused.credentials) else {
            return Ok(None);
        };
        match extension.renew(credentials).await.map_err(outcome)? {
            None => Ok(None),
            Some(others) => signed(configured, Some(others)).map(Some),
        }
    }
}

fn signed(configured: &HeaderMap, credentials: Option<Arc<Credentials>>) -> Result<Signed, SendOutcome> {
    let mut headers = configured.clone();
    for (name, value) in credentials.iter().flat_map(|credentials| credentials.headers()) {
        let (Ok(header), Ok(mut content)) = (HeaderName::try_from(name), HeaderValue::try_from(value.expose())) else {
            return Err(SendOutcome::Misconfigured(format!(
                "the authenticator returned the header `{name}` with a character that is not valid in a header"
            )));
        };
        content.set_sensitive(true);
        headers.insert(header, content);
    }
    Ok(Signed { headers, credentials })
}

fn outcome(error: AuthenticationError) -> SendOutcome {
    match error {
        AuthenticationError::Unavailable { after, why } => SendOutcome::Retry { after, why },
        AuthenticationError::Refused(why) => SendOutcome::Misconfigured(why),
    }
}
