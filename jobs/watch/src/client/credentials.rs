//! Authenticates requests to the API server: by a token, a token file, a password or a credential plugin. Takes the secrets
//! out of a kubeconfig and checks them before any request is sent.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use kube::config::{AuthInfo, AuthProviderConfig};
use secrecy::ExposeSecret;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use crate::client::exec::{Credential, Plugin};
use crate::client::renewal::Renewal;

/// The longest age of a token from a file; kubelets replace a Pod's token long before it expires.
const RELOAD: Duration = Duration::from_secs(60);
/// The longest token file, bytes; a header cannot be longer.
const LONGEST: u64 = 64 * 1024;

/// A request cannot be sent because there are no credentials at the moment. Holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct CredentialError(pub(crate) String);

/// The source of the header `Authorization`.
pub(crate) enum Credentials {
    /// None, or a client certificate alone.
    None,
    /// A token or a password of the kubeconfig.
    Fixed(HeaderValue),
    /// A file that another program renews.
    File(TokenFile),
    /// A credential plugin.
    Plugin(Arc<Renewal>),
}

/// The credentials of one request.
pub(crate) struct Presented {
    /// The header `Authorization`.
    pub(crate) header: Option<HeaderValue>,
    /// The credential of a plugin, with its number.
    pub(crate) printed: Option<(Arc<Credential>, u64)>,
}

impl Credentials {
    /// Takes all but client certificates and impersonation out of a user of a kubeconfig, in the order in which kubectl
    /// looks at them.
    ///
    /// # Errors
    /// The key that cannot be used, and what to do.
    pub(crate) fn take(user: &mut AuthInfo) -> Result<Credentials, String> {
        let provider = user.auth_provider.take();
        let (name, password) = (user.username.take(), user.password.take());
        let (token, file) = (user.token.take(), user.token_file.take());
        let exec = user.exec.take();
        if let Some(provider) = provider {
            return replaced(&provider).map(Credentials::Fixed);
        }
        if let (Some(name), Some(password)) = (name, password) {
            let encoded = STANDARD.encode(format!("{name}:{}", password.expose_secret()));
            return header("Basic", &encoded).map(Credentials::Fixed);
        }
        let token = token.filter(|token| !token.expose_secret().is_empty());
        let token = token.map(|token| bearer(token.expose_secret()));
        let token = token
            .transpose()
            .map_err(|problem| format!("token cannot be sent: {problem}"))?;
        if let Some(path) = file.filter(|path| !path.is_empty()) {
            // With both, the file takes precedence (client-go, `BearerTokenFile`).
            return Ok(Credentials::File(TokenFile::new(path.into(), token)));
        }
        match (token, exec) {
            (Some(token), _) => Ok(Credentials::Fixed(token)),
            (None, Some(exec)) => Ok(Credentials::Plugin(Arc::new(Renewal::new(Plugin::read(&exec)?)))),
            (None, None) => Ok(Credentials::None),
        }
    }

    /// Returns the credentials for the next request.
    ///
    /// # Errors
    /// The reason why there are none at the moment.
    pub(crate) async fn present(&self) -> Result<Presented, CredentialError> {
        let (header, printed) = match self {
            Credentials::None => (None, None),
            Credentials::Fixed(header) => (Some(header.clone()), None),
            Credentials::File(file) => (Some(file.header().await?), None),
            Credentials::Plugin(renewal) => {
                let (credential, number) = renewal.credential().await?;
                (credential.header.clone(), Some((credential, number)))
            }
        };
        Ok(Presented { header, printed })
    }

    /// Records that the API server rejected these credentials (401).
    pub(crate) fn refused(&self, presented: &Presented) {
        match (self, &presented.printed) {
            (Credentials::File(file), _) => file.refused(),
            (Credentials::Plugin(renewal), Some((_, number))) => renewal.refused(*number),
            _ => {}
        }
    }

    /// Checks the credentials without the API server, and lets a person at a terminal log in.
    ///
    /// # Errors
    /// The reason why no request could be sent.
    pub(crate) async fn check(&self) -> Result<(), CredentialError> {
        match self {
            Credentials::None | Credentials::Fixed(_) => Ok(()),
            Credentials::File(_) => self.present().await.map(drop),
            // A plugin that fails now may work in a minute: its network may not be up yet.
            Credentials::Plugin(renewal) if !renewal.is_interactive() => Ok(()),
            Credentials::Plugin(_) => self.present().await.map(drop),
        }
    }
}

/// A token as the header `Authorization`.
///
/// # Errors
/// The character that a header cannot carry; not the token.
pub(crate) fn bearer(token: &str) -> Result<HeaderValue, String> {
    header("Bearer", token)
}

fn header(scheme: &str, text: &str) -> Result<HeaderValue, String> {
    let is_visible = |byte: u8| (b'!'..=b'~').contains(&byte);
    if let Some(at) = text.bytes().position(|byte| !is_visible(byte)) {
        let what = match text.as_bytes().get(at) {
            Some(b'\n' | b'\r') => "a line break",
            Some(b' ') => "a space",
            _ => "a character that is not valid in a header",
        };
        return Err(format!(
            "found {what} at byte {} of {}; write the token on one line, without quotes and spaces around it",
            at + 1,
            text.len()
        ));
    }
    let mut value = HeaderValue::try_from(format!("{scheme} {text}")).map_err(|_| "not valid in a header")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Handles `auth-provider`, which kubectl no longer supports.
fn replaced(provider: &AuthProviderConfig) -> Result<HeaderValue, String> {
    let name = &*provider.name;
    let instead = match name {
        "gcp" => {
            "gke-gcloud-auth-plugin: install it and run `gcloud container clusters get-credentials CLUSTER`, which writes \
             an exec section"
        }
        "azure" => {
            "kubelogin (github.com/Azure/kubelogin): run `kubelogin convert-kubeconfig`, which writes an exec section"
        }
        "oidc" => {
            "kubelogin (github.com/int128/kubelogin), which `kubectl oidc-login setup` sets up as an exec section"
        }
        _ => "an exec section with your provider's credential plugin",
    };
    // Without the provider it is not renewed, but it is valid until it expires.
    let token = provider.config.get("id-token").filter(|_| name == "oidc");
    if let Some(token) = token.filter(|token| !token.is_empty()) {
        tracing::warn!("auth-provider oidc: its id-token is used until it expires and is not renewed; use {instead}");
        return bearer(token).map_err(|problem| format!("auth-provider oidc: id-token cannot be sent: {problem}"));
    }
    let gone = match name {
        "gcp" | "azure" => "was removed from client-go and kubectl in version 1.26",
        "oidc" => "has no id-token, and renewing one is not supported",
        _ => "is unknown",
    };
    Err(format!("auth-provider {name:?} {gone}; use {instead}"))
}

/// A file with a token, which is read periodically.
pub(crate) struct TokenFile {
    path: PathBuf,
    state: Mutex<Read>,
}

#[derive(Default)]
struct Read {
    /// The last token that could be read.
    token: Option<HeaderValue>,
    at: Option<Instant>,
    /// The error of the last attempt to read the file.
    problem: Option<String>,
}

impl TokenFile {
    fn new(path: PathBuf, token: Option<HeaderValue>) -> Self {
        let state = Read {
            token,
            ..Read::default()
        };
        TokenFile {
            path,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, Read> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refused(&self) {
        self.state().at = None;
    }

    async fn header(&self) -> Result<HeaderValue, CredentialError> {
        {
            let state = self.state();
            let is_young = state.at.is_some_and(|at| at.elapsed() < RELOAD);
            if let Some(token) = state.token.as_ref().filter(|_| is_young) {
                return Ok(token.clone());
            }
        }
        let read = self.read().await;
        let mut state = self.state();
        state.at = Some(Instant::now());
        match read {
            Ok(token) => {
                state.problem = None;
                Ok(state.token.insert(token).clone())
            }
            Err(problem) => {
                let problem = format!("token file {}: {problem}", self.path.display());
                if state.token.is_some() && state.problem.as_ref() != Some(&problem) {
                    tracing::warn!(problem, "cannot reload the token, keeping the last one");
                }
                state.problem = Some(problem.clone());
                // The last token is valid until it is rejected (kubernetes/kubernetes#68164).
                state.token.clone().ok_or(CredentialError(problem))
            }
        }
    }

    async fn read(&self) -> Result<HeaderValue, String> {
        let file = tokio::fs::File::open(&self.path).await;
        let file = file.map_err(|error| format!("{error}; set tokenFile to a file that this process can read"))?;
        let mut text = String::new();
        let read = file.take(LONGEST + 1).read_to_string(&mut text).await;
        read.map_err(|error| format!("{error}; expected a token"))?;
        if text.len() as u64 > LONGEST {
            return Err(format!("longer than {LONGEST} bytes, expected a token"));
        }
        match text.trim() {
            "" => Err("empty, expected a token".into()),
            token => bearer(token),
        }
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
