//! A client whose credentials are renewed while it lives. A refused request (401) stays refused; the next one carries the
//! renewed credentials: of the plugin, of the token file or of the changed kubeconfig.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use proxy::{Environment, Proxy};
use tokio::time::Instant;
use tower::BoxError;

use crate::client::connect::transport;
use crate::client::connector::{proxy_of_kubeconfig, take_proxy_url};
use crate::client::credentials::{CredentialError, Credentials, Presented};
use crate::client::exec::Identity;
use crate::client::explain::explain_kubeconfig;

/// The shortest time between two reads of a kubeconfig: several watches are rejected together.
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);

/// A kubeconfig and its context.
#[derive(Clone)]
pub(crate) struct ConfigSource {
    pub(crate) path: Option<PathBuf>,
    pub(crate) context: Option<String>,
    /// The file's name in texts.
    pub(crate) file: String,
}

/// The content of a kubeconfig: the API server and the user.
pub(crate) struct Read {
    pub(crate) config: Config,
    /// The user's name in the kubeconfig.
    pub(crate) user: Option<String>,
    /// The context's name in the kubeconfig.
    pub(crate) context: Option<String>,
    /// The proxy to the API server, if any.
    pub(crate) proxy: Option<Proxy>,
}

impl ConfigSource {
    /// Reads the kubeconfig.
    ///
    /// # Errors
    /// The part that cannot be used, without quoting it.
    pub(crate) async fn read(&self) -> Result<Read, String> {
        let kubeconfig = self.path.as_ref().map_or_else(Kubeconfig::read, Kubeconfig::read_from);
        let mut kubeconfig = kubeconfig.map_err(|error| explain_kubeconfig(&error, &[]))?;
        let contexts: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        let name = self.context.as_ref().or(kubeconfig.current_context.as_ref());
        let context = name.cloned();
        let named = kubeconfig.contexts.iter().find(|context| Some(&context.name) == name);
        let user = named.and_then(|context| context.context.as_ref()?.user.clone());
        let proxy_url = take_proxy_url(&mut kubeconfig, self.context.as_deref());
        let options = KubeConfigOptions {
            context: self.context.clone(),
            ..Default::default()
        };
        let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let config = config.map_err(|error| explain_kubeconfig(&error, &contexts))?;
        let proxy = proxy_of_kubeconfig(&config.cluster_url, proxy_url.as_deref(), Environment::of_process());
        let proxy = proxy.map_err(|why| match proxy_url {
            Some(_) => format!("proxy-url: {why}"),
            None => format!("cannot reach its API server: {why}"),
        })?;
        Ok(Read {
            config,
            user,
            context,
            proxy,
        })
    }
}

/// The connections to the API server, and their credentials.
struct Parts {
    /// Without credentials.
    config: Config,
    proxy: Option<Proxy>,
    credentials: Credentials,
    /// The fingerprint of the configuration.
    fingerprint: String,
    /// The connections of the plugin's last client certificate, or of the kubeconfig's.
    client: Mutex<(Option<Identity>, Client)>,
}

impl Parts {
    fn new(read: Read) -> Result<Parts, String> {
        let fingerprint = fingerprint(&read);
        let Read {
            mut config,
            user,
            proxy,
            ..
        } = read;
        let credentials = Credentials::take(&mut config.auth_info).map_err(|problem| match &user {
            Some(user) => format!("user {user:?}: {problem}"),
            None => problem,
        })?;
        let client = transport(config.clone(), proxy.clone())?;
        Ok(Parts {
            config,
            proxy,
            credentials,
            fingerprint,
            client: Mutex::new((None, client)),
        })
    }

    /// The connections for the presented credentials.
    fn client(&self, presented: &Presented) -> Result<Client, CredentialError> {
        let identity = presented
            .printed
            .as_ref()
            .and_then(|(credential, _)| credential.identity.as_ref());
        let mut current = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if current.0.as_ref() != identity {
            let mut config = self.config.clone();
            if let Some(identity) = identity {
                let user = &mut config.auth_info;
                user.client_certificate_data = Some(STANDARD.encode(&identity.certificate));
                user.client_key_data = Some(STANDARD.encode(&identity.key).into());
            }
            let client = transport(config, self.proxy.clone()).map_err(|_| {
                CredentialError(
                    "the credential plugin printed a client certificate or a key that cannot be used; expected PEM"
                        .into(),
                )
            })?;
            *current = (identity.cloned(), client);
        }
        Ok(current.1.clone())
    }
}

/// Equal for equal configurations. Holds secrets and stays in memory.
fn fingerprint(Read { config, proxy, .. }: &Read) -> String {
    let proxy = proxy.as_ref().map(Proxy::expose_url);
    let user = serde_json::to_string(&config.auth_info).unwrap_or_default();
    format!(
        "{user} {} {:?} {:?} {:?} {:?} {}",
        config.cluster_url,
        config.root_cert,
        proxy,
        config.tls_server_name,
        config.headers,
        config.accept_invalid_certs
    )
}

struct Session {
    current: Mutex<Arc<Parts>>,
    source: Option<ConfigSource>,
    renewal: tokio::sync::Mutex<Renewal>,
}

#[derive(Default)]
struct Renewal {
    last: Option<Instant>,
    problem: Option<String>,
}

/// Makes a client from a kubeconfig, and renews it from `source`.
///
/// # Errors
/// The part that cannot be used, and what to do.
pub(crate) async fn open(read: Read, source: Option<ConfigSource>) -> Result<Client, String> {
    let namespace = read.config.default_namespace.clone();
    let parts = Parts::new(read)?;
    parts.credentials.check().await.map_err(|error| error.to_string())?;
    let session = Arc::new(Session {
        current: Mutex::new(Arc::new(parts)),
        source,
        renewal: tokio::sync::Mutex::default(),
    });
    let service = tower::service_fn(move |request| session.clone().send(request));
    Ok(Client::new(service, namespace))
}

impl Session {
    async fn send(self: Arc<Self>, mut request: Request<Body>) -> Result<Response<Body>, BoxError> {
        let used = self.current();
        let presented = used.credentials.present().await?;
        let client = used.client(&presented)?;
        if let Some(header) = &presented.header {
            request.headers_mut().insert(AUTHORIZATION, header.clone());
        }
        let response = client.send(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            used.credentials.refused(&presented);
            self.renew().await?;
        }
        Ok(response)
    }

    fn current(&self) -> Arc<Parts> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the kubeconfig again and uses its credentials.
    ///
    /// # Errors
    /// The part that cannot be used. The current credentials stay.
    async fn renew(&self) -> Result<(), CredentialError> {
        let Some(source) = &self.source else { return Ok(()) };
        let mut renewal = self.renewal.lock().await;
        if renewal.last.is_none_or(|last| last.elapsed() >= RENEWAL_PAUSE) {
            renewal.last = Some(Instant::now());
            let used = self.current();
            let renewed = source.read().await.and_then(|read| {
                let is_same = fingerprint(&read) == used.fingerprint;
                // The same plugin keeps its pauses, the same file its last token.
                let renews_itself = matches!(used.credentials, Credentials::File(_) | Credentials::Plugin(_));
                if is_same && renews_itself {
                    return Ok(None);
                }
                // An unchanged kubeconfig may name changed files of a client certificate.
                Parts::new(read).map(|parts| Some((parts, is_same)))
            });
            match renewed {
                Ok(parts) => {
                    renewal.problem = None;
                    if let Some((parts, is_same)) = parts {
                        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(parts);
                        if !is_same {
                            tracing::info!(file = source.file, "credentials renewed from the kubeconfig");
                        }
                    }
                }
                Err(problem) => {
                    if renewal.problem.as_ref() != Some(&problem) {
                        tracing::warn!(
                            file = source.file,
                            problem,
                            "the API server refuses the credentials (401), and the kubeconfig has none to renew them with"
                        );
                    }
                    renewal.problem = Some(problem);
                }
            }
        }
        match &renewal.problem {
            None => Ok(()),
            Some(problem) => Err(CredentialError(format!(
                "the API server refuses the credentials (401), and kubeconfig {} cannot renew them: {problem}",
                source.file
            ))),
        }
    }
}
