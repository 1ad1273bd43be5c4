//! Authenticator extensions whose credentials come from the configuration or from files.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{AuthenticationError, Authenticator, Credentials};
use crate::component::{ComponentError, Extension, Running};
use crate::storage::Offer;

/// Credentials that are read before each request, so that a changed file takes effect.
pub trait CredentialSource: Send + Sync + 'static {
    /// Reads the credentials.
    ///
    /// # Errors
    /// A file that cannot be read; the text names its setting.
    fn read(&self) -> BoxFuture<'_, Result<Arc<Credentials>, String>>;
}

/// An extension that offers the credentials of a source.
pub struct SourceExtension<S>(Arc<Reader<S>>);

struct Reader<S>(S);

impl<S: CredentialSource> SourceExtension<S> {
    /// An extension with this source.
    pub fn new(source: S) -> Self {
        SourceExtension(Arc::new(Reader(source)))
    }

    /// The offered authenticator.
    pub fn authenticator(&self) -> Arc<dyn Authenticator> {
        self.0.clone()
    }
}

impl<S: CredentialSource> Extension for SourceExtension<S> {
    fn offer(&self) -> Offer {
        Offer {
            authenticator: Some(self.authenticator()),
            ..Offer::default()
        }
    }

    /// Reads the files, so that a wrong path is an error on startup.
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(async { Ok(self.0.0.read().await.map(drop)?) })
    }

    fn run(self: Box<Self>, running: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            running.shutdown.cancelled().await;
            Ok(())
        })
    }
}

impl<S: CredentialSource> Authenticator for Reader<S> {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, AuthenticationError>> {
        Box::pin(async { self.0.read().await.map_err(AuthenticationError::Refused) })
    }

    fn renew<'a>(
        &'a self,
        refused: &'a Credentials,
    ) -> BoxFuture<'a, Result<Option<Arc<Credentials>>, AuthenticationError>> {
        Box::pin(async {
            let now = self.credentials().await?;
            Ok((*now != *refused).then_some(now))
        })
    }
}
