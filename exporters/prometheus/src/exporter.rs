//! The component: receives metrics and serves their latest values.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use collector_config::Diagnostics;
use collector_data::{Batch, Payload};
use collector_http::server::{Endpoint, Server};
use collector_runtime::Inbox;
use collector_runtime::component::{ComponentError, Create, Exporter, Running};
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::server::{self, PATH, SERVICE, Served};
use crate::settings::PrometheusSettings;
use crate::store::Store;
use crate::verbatim::Verbatim;
use prometheus_text::{Format, Options, gather, write};

/// Returns the time.
pub type Clock = Arc<dyn Fn() -> Instant + Send + Sync>;

/// The exporter `prometheus`.
pub struct Prometheus {
    /// The path of the settings, for errors: `exporters::prometheus`.
    section: String,
    settings: PrometheusSettings,
    clock: Clock,
    server: Option<Server>,
}

/// The latest values, shared between the pipeline and the scrapes.
struct Shown {
    store: Store,
    verbatim: Verbatim,
    expiration: Duration,
    /// The metrics that the last scrape left out, so that each is logged once.
    problems: Vec<String>,
}

impl Prometheus {
    /// Reads the settings; does not listen yet.
    ///
    /// # Errors
    /// All invalid settings.
    pub fn new(create: &Create<'_>) -> Result<Self, Diagnostics> {
        Ok(Prometheus {
            section: format!("exporters::{}", create.id),
            settings: PrometheusSettings::read(create.settings)?,
            clock: Arc::new(Instant::now),
            server: None,
        })
    }

    /// Reads the time from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The listen address after startup.
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.server.as_ref().map(Server::address)
    }

    async fn listen(&mut self) -> Result<(), ComponentError> {
        let settings = &self.settings;
        let tls = settings.tls.as_ref().map(|tls| tls.acceptor());
        let tls = tls.transpose().map_err(|why| format!("{}: {why}", self.section))?;
        let endpoint = Endpoint::parse(&settings.endpoint).ok_or("endpoint was not checked")?;
        let server = Server::listen(SERVICE, &endpoint, &self.section, "endpoint", &settings.allowed_hosts);
        let server = server.await?.with_tls(tls);
        tracing::info!(url = server.url(PATH), "serving metrics");
        self.server = Some(server);
        Ok(())
    }
}

impl Exporter for Prometheus {
    fn start(&mut self) -> BoxFuture<'_, Result<(), ComponentError>> {
        Box::pin(self.listen())
    }

    fn run(self: Box<Self>, mut input: Inbox, _: Running) -> BoxFuture<'static, Result<(), ComponentError>> {
        Box::pin(async move {
            let server = self.server.ok_or("run before start")?;
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
            let server = tokio::spawn(server.serve(server::router(served), stop.clone()));
            // On shutdown, other components still send the metrics they hold, which may still be scraped.
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

/// A panic while writing a page leaves the values as they were.
fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}
