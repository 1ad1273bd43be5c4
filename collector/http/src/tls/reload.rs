//! Certificates that are replaced while the collector runs, as cert-manager and service meshes do.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use collector_config::ComponentId;
use collector_runtime::ComponentError;
use rustls::crypto::CryptoProvider;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::tls::material::Material;
use crate::tls::peers::{Identity, Trust};
use crate::tls::settings::TlsSettings;

/// Reloads the files periodically. New handshakes use the new content; existing connections are unchanged.
pub struct Reload {
    settings: TlsSettings,
    interval: Duration,
    in_use: Material,
    trust: Arc<Trust>,
    identity: Arc<Identity>,
    provider: Arc<CryptoProvider>,
}

impl Reload {
    pub(crate) fn new(
        settings: TlsSettings,
        interval: Duration,
        in_use: Material,
        trust: Arc<Trust>,
        identity: Arc<Identity>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Reload {
            settings,
            interval,
            in_use,
            trust,
            identity,
            provider,
        }
    }

    /// Never returns. Unusable files, such as a certificate whose key is not written yet, are ignored.
    pub async fn run(mut self, component: &ComponentId) -> Infallible {
        let mut ticks = interval_at(Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = None;
        loop {
            ticks.tick().await;
            match self.read().await {
                Ok(true) => {
                    tracing::info!(%component, "certificates reloaded");
                    said = None;
                }
                Ok(false) => said = None,
                Err(why) => {
                    let why = why.to_string();
                    if said.as_ref() != Some(&why) {
                        tracing::warn!(%component, "cannot reload certificates, keeping the current ones: {why}");
                        said = Some(why);
                    }
                }
            }
        }
    }

    /// True if anything changed.
    async fn read(&mut self) -> Result<bool, ComponentError> {
        let found = Material::read(&self.settings, true).await?;
        if found == self.in_use {
            return Ok(false);
        }
        // Both first: either all of it is used or nothing.
        let identity = found.identity(&self.provider)?;
        let judge = found.judge(&self.settings, &self.provider)?;
        self.identity.replace(identity);
        self.trust.replace(judge);
        self.in_use = found;
        Ok(true)
    }
}
