//! TLS of clients: the trusted servers, and the certificate that the client presents.
//!
//! * `settings`: the keys and their check, without I/O.
//! * `material`: the contents of the files.
//! * `authorities`: the trusted server certificates.
//! * `peers`: the callbacks of rustls during a handshake; can be replaced while connections are made.
//! * `reload`: reads the files again every `reload_interval`.

mod authorities;
mod material;
mod peers;
mod reload;
mod settings;

pub use authorities::NotTrusted;
pub use reload::Reload;
pub use settings::TlsSettings;

use std::sync::Arc;

use collector_runtime::ComponentError;
use rustls::ClientConfig;
use rustls::client::Resumption;
use rustls::crypto::ring;

use material::Material;
use peers::{Identity, Trust};

/// The protocols offered in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpn {
    /// HTTP/2, else HTTP/1.1.
    Both,
    /// Only HTTP/1.1.
    Http1,
    /// Only HTTP/2, as gRPC needs.
    Http2,
}

/// TLS of a client, and the task that reloads its files.
pub struct Client {
    /// For the transport.
    pub config: ClientConfig,
    /// Runs beside the transport if files are reloaded.
    pub reload: Option<Reload>,
}

impl TlsSettings {
    /// Reads the files and configures TLS. `needed` is false if no endpoint uses TLS; then a machine without any
    /// certificates is fine.
    ///
    /// # Errors
    /// A file that cannot be read or has other contents than expected; the text names it.
    pub async fn client(&self, needed: bool, alpn: Alpn) -> Result<Client, ComponentError> {
        let provider = Arc::new(ring::default_provider());
        let material = Material::read(self, needed).await?;
        let identity = Arc::new(Identity::new(material.identity(&provider)?));
        let trust = Arc::new(Trust::new(
            material.judge(self, &provider)?,
            self.expected_name(),
            Arc::clone(&provider),
        ));
        let versions = self.versions();
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&trust) as Arc<_>)
            .with_client_cert_resolver(Arc::clone(&identity) as Arc<_>);
        config.alpn_protocols = match alpn {
            Alpn::Both => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            Alpn::Http1 => vec![b"http/1.1".to_vec()],
            Alpn::Http2 => vec![b"h2".to_vec()],
        };
        let interval = self.reload_interval.get();
        let reload = (needed && !interval.is_zero()).then(|| {
            // A resumed session would keep the identity of its first handshake.
            config.resumption = Resumption::disabled();
            Reload::new(self.clone(), interval, material, trust, identity, provider)
        });
        Ok(Client { config, reload })
    }
}
