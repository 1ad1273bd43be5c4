//! The cache of one token, and its renewal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use collector_runtime::authentication::{AuthenticationError, Authenticator, Credentials};
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::endpoint::TokenEndpoint;
use crate::settings::OAuth2Settings;

/// Tokens of one client.
pub(crate) struct Tokens {
    section: String,
    settings: OAuth2Settings,
    /// Set when the extension starts.
    endpoint: OnceLock<TokenEndpoint>,
    /// Locked during a request, so that waiting exporters share the token.
    state: Mutex<TokenState>,
    /// The number of requests.
    asked: AtomicU64,
}

#[derive(Default)]
struct TokenState {
    token: Option<Token>,
    /// The error of the last request.
    failure: Option<AuthenticationError>,
}

struct Token {
    credentials: Arc<Credentials>,
    /// Time of the replacement.
    until: Option<Instant>,
}

impl Tokens {
    pub(crate) fn new(section: String, settings: OAuth2Settings) -> Self {
        Tokens {
            section,
            settings,
            endpoint: OnceLock::new(),
            state: Mutex::default(),
            asked: AtomicU64::new(0),
        }
    }

    pub(crate) fn settings(&self) -> &OAuth2Settings {
        &self.settings
    }

    /// Sets the token endpoint.
    pub(crate) fn open(&self, endpoint: TokenEndpoint) {
        // An extension starts once.
        let _ = self.endpoint.set(endpoint);
    }

    /// The cached token, or a new one if it is `refused` or near its end.
    async fn get(&self, refused: Option<&Credentials>) -> Result<Arc<Credentials>, AuthenticationError> {
        let asked = self.asked.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let Some(token) = &state.token
            && refused != Some(&*token.credentials)
            && token.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(Arc::clone(&token.credentials));
        }
        // Another exporter requested a token meanwhile. A second request would only add load to a failing endpoint.
        if let (Some(failure), true) = (&state.failure, self.asked.load(Ordering::SeqCst) != asked) {
            return Err(failure.clone());
        }
        let fetched = self.fetch().await;
        self.asked.fetch_add(1, Ordering::SeqCst);
        match fetched {
            Ok(token) => {
                let credentials = Arc::clone(&token.credentials);
                *state = TokenState {
                    token: Some(token),
                    failure: None,
                };
                Ok(credentials)
            }
            Err(why) => {
                *state = TokenState {
                    token: None,
                    failure: Some(why.clone()),
                };
                Err(why)
            }
        }
    }

    async fn fetch(&self) -> Result<Token, AuthenticationError> {
        let named = |why: String| format!("{}: {why}", self.section);
        let Some(endpoint) = self.endpoint.get() else {
            let why = named("not started; add it to service::extensions".into());
            return Err(AuthenticationError::Refused(why));
        };
        let now = Instant::now();
        let grant = endpoint.ask(&self.settings).await.map_err(|error| match error {
            AuthenticationError::Unavailable { after, why } => {
                AuthenticationError::Unavailable { after, why: named(why) }
            }
            AuthenticationError::Refused(why) => AuthenticationError::Refused(named(why)),
        })?;
        // A token that lives shorter than the buffer would be fetched for every request.
        let until = grant
            .lifetime
            .and_then(|lifetime| now.checked_add(lifetime - self.settings.expiry_buffer.min(lifetime / 2)));
        tracing::debug!(extension = %self.section, lifetime = ?grant.lifetime, "new token");
        Ok(Token {
            credentials: Credentials::header("authorization", grant.authorization),
            until,
        })
    }
}

impl Authenticator for Tokens {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, AuthenticationError>> {
        Box::pin(self.get(None))
    }

    fn renew<'a>(
        &'a self,
        refused: &'a Credentials,
    ) -> BoxFuture<'a, Result<Option<Arc<Credentials>>, AuthenticationError>> {
        Box::pin(async {
            let other = self.get(Some(refused)).await?;
            Ok((*other != *refused).then_some(other))
        })
    }
}
