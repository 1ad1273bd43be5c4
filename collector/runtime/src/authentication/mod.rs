//! Interface between authenticator extensions and exporters: the headers that authenticate a request.
//!
//! While an exporter is created, it looks up the authenticator in its setting `auth::authenticator`
//! ([`Provided::authenticator`](crate::storage::Provided::authenticator)). It requests credentials before each request, and new ones
//! once when the backend refuses them (HTTP 401, gRPC UNAUTHENTICATED).

mod secret_file;
mod source;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use secret_file::{SecretFile, SecretSource};
pub use source::{CredentialSource, SourceExtension};

use collector_config::Secret;

/// Headers that authenticate a request. `Debug` shows their names only.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    headers: Vec<(String, Secret)>,
}

impl Credentials {
    /// One header; the name in lower case.
    pub fn header(name: &str, value: Secret) -> Arc<Self> {
        Arc::new(Credentials {
            headers: vec![(name.to_ascii_lowercase(), value)],
        })
    }

    /// Names, in lower case, and values.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.headers()).finish()
    }
}

/// The reason for missing credentials. The messages contain no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthenticationError {
    /// Transient: the token endpoint is unavailable.
    #[error("{why}")]
    Unavailable {
        /// The shortest wait that the token endpoint asks for.
        after: Option<Duration>,
        /// The problem.
        why: String,
    },
    /// Needs a configuration change: the client secret is wrong.
    #[error("{0}")]
    Refused(String),
}

/// An extension that authenticates requests.
pub trait Authenticator: Send + Sync {
    /// The credentials for the next request; cheap unless they have to be fetched.
    ///
    /// # Errors
    /// Missing credentials. The request is retried.
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, AuthenticationError>>;

    /// Other credentials than those that a backend refused; `None` if there are no others.
    ///
    /// # Errors
    /// Credentials that are unavailable at the moment.
    fn renew<'a>(
        &'a self,
        refused: &'a Credentials,
    ) -> BoxFuture<'a, Result<Option<Arc<Credentials>>, AuthenticationError>>;
}
