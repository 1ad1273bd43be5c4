//! The component: takes metrics in, serves what they come to.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use collector_config::Diagnostics;
use collector_data::{Batch, Payload};
use collector_http::server::Endpoint;
use collector_runtime::Inbox;
use collector_runtime::component::{ComponentError, Create, Exporter, Running};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::server::{self, PATH, Served, Server};
use crate::settings::Settings;
use crate::store::Store;
use crate::verbatim::Verbatim;
use prometheus_text::{Format, Options, gather, write};

/// Tells the time; a test's clock may stand still.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// The exporter `prometheus`.
pub struct Prometheus {
    /// Where its settings stand, for error texts: `exporters::prometheus`.
    section: String,
    settings: Settings,
    clock: Clock,
    listening: Option<Server>,
}

/// What is shown, shared between the pipeline and the scrapes.
struct Shown {
    store: Store,
    verbatim: Verbatim,
    expiration: Duration,
    /// What the last scrape had to leave out, so that each is said once.
    problems: Vec<String>,
}

impl Prometheus {
    /// Reads the settings; nothing listens yet.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    pub fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(Prometheus {
            section: format!("exporters::{}", create.id),
            settings: Settings::read(create.settings)?,
            clock: Arc::new(Instant::now),
            listening: None,
        })
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where it listens, once it was started.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.listening.as_ref().and_then(Server::address)
    }

    async fn listen(&mut self) -> Result<(), ComponentError> {
        let tls = self.settings.tls.as_ref().map(|tls| tls.acceptor());
        let tls = tls.transpose().map_err(|why| format!("{}: {why}", self.section))?;
        let settings = &self.settings;
        let endpoint = Endpoint::parse(&settings.endpoint).ok_or("its endpoint was not checked")?;
        let mut server = Server::listen(&endpoint, &self.section, "endpoint", &settings.allowed_hosts).await?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        server.tls = tls;
        let address = server
            .address()
            .map_or_else(|| endpoint.to_string(), |address| address.to_string());
        tracing::info!(url = format!("{scheme}://{address}{PATH}"), "serving metrics");
        self.listening = Some(server);
        Ok(())
    }
}

impl Exporter for Prometheus {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(self.listen())
    }

    fn run(self: Box<Self>, mut input: Inbox, _: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let server = self.listening.ok_or("it was not started")?;
            let settings = &self.settings;
            let shown = Arc::new(Mutex::new(Shown {
                store: Store::new(settings.metric_expiration.get(), settings.start_at_zero.get()),
                verbatim: Verbatim::default(),
                expiration: settings.metric_expiration.get(),
                problems: Vec::new(),
            }));
            let stop = CancellationToken::new();
            let served = Served {
                page: page(&shown, self.clock.clone(), settings.options(), settings.send_timestamps),
                open_metrics: settings.enable_open_metrics,
            };
            let server = tokio::spawn(server.serve(served, stop.clone()));
            // What others drain at a shutdown still comes, and may still be scraped.
            while let Some(Batch { payload, ack }) = input.recv().await {
                lock(&shown).add(payload, (self.clock)());
                ack.delivered();
            }
            stop.cancel();
            server.await?;
            Ok(())
        })
    }
}

impl Shown {
    fn add(&mut self, payload: Arc<Payload>, now: Instant) {
        let Payload::Metrics(metrics) = &*payload else { return };
        let (verbatim, other): (Vec<_>, Vec<_>) = metrics.iter().partition(|metrics| Verbatim::accepts(metrics));
        if verbatim.is_empty() {
            return self.store.add(payload, now);
        }
        for metrics in verbatim {
            self.verbatim.add(metrics, now);
        }
        let other: Vec<_> = other.into_iter().cloned().collect();
        self.store.add(Arc::new(Payload::Metrics(other)), now);
    }
}

fn page(shown: &Arc<Mutex<Shown>>, clock: Clock, options: Options, timestamps: bool) -> server::Page {
    let shown = Arc::clone(shown);
    Arc::new(move |format| {
        let now = clock();
        let mut shown = lock(&shown);
        let gathered = gather(&shown.store.metrics(now), &options);
        for problem in &gathered.problems {
            if !shown.problems.contains(problem) {
                tracing::warn!("{problem}");
            }
        }
        shown.problems = gathered.problems;
        let mut text = String::new();
        write(&mut text, &gathered.families, format, timestamps);
        let expiration = shown.expiration;
        if !expiration.is_zero() {
            shown.verbatim.expire(expiration, now);
        }
        shown.verbatim.write(&mut text, format);
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    })
}

/// A page that could not be written leaves nothing half done.
fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}
