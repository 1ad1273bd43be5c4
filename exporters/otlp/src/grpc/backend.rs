//! One attempt to send one request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use collector_data::Payload;
use collector_runtime::ComponentError;
use collector_sending::{Destination, Request, SendOutcome};
use proxy::Proxy;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::time::error::Elapsed;
use tonic::transport::{Channel, Endpoint};

use super::call::{self, GrpcResponse};
use super::connect::{GrpcConnector, PeerProtocol};
use super::response;
use super::settings::GrpcConfig;
use crate::authentication::{Authentication, Signed};
use crate::encode::{self, BodyFormat, Encoding, GRPC_LIMITS};
use crate::outcome::RequestContext;
use crate::peer::{self, Hello, Speaks};
use crate::{endpoint, failure, route};

/// The backend, reached over gRPC.
pub(super) struct GrpcBackend {
    config: GrpcConfig,
    authentication: Authentication,
    transport: Endpoint,
    connector: GrpcConnector,
    /// Connects on first use, and again after a connection breaks.
    channel: Mutex<Channel>,
    protocol: PeerProtocol,
}

impl GrpcBackend {
    /// # Errors
    /// If the settings make no endpoint, which their check excludes.
    pub(super) fn new(
        config: GrpcConfig,
        authentication: Authentication,
        tls: ClientConfig,
        proxy: Option<Proxy>,
    ) -> Result<Self, ComponentError> {
        let mut transport = Endpoint::from_shared(config.endpoint.url.as_str().to_owned())?
            .origin(config.origin.clone())
            .user_agent(config.user_agent.clone())?;
        if let Some(timeout) = config.timeout {
            transport = transport.connect_timeout(timeout);
        }
        if let Some(keepalive) = &config.keepalive {
            transport = transport
                .http2_keep_alive_interval(keepalive.time.get())
                .keep_alive_timeout(keepalive.timeout.get())
                .keep_alive_while_idle(keepalive.permit_without_stream);
        }
        let protocol = PeerProtocol::default();
        let connector = GrpcConnector {
            host: config.endpoint.host().to_owned(),
            port: config.endpoint.port(),
            proxy: proxy.map(Arc::new),
            tls: match config.endpoint.tls {
                true => Some((Arc::new(tls), server_name(&config)?)),
                false => None,
            },
            protocol: protocol.clone(),
        };
        Ok(GrpcBackend {
            authentication,
            channel: Mutex::new(transport.connect_with_connector_lazy(connector.clone())),
            config,
            transport,
            connector,
            protocol,
        })
    }

    /// One call; the outer error is the timeout.
    async fn call(
        &self,
        request: &Request,
        message: Bytes,
        signed: &Signed,
    ) -> Result<Result<GrpcResponse, tonic::transport::Error>, Elapsed> {
        let headers = call::headers(&signed.headers, self.config.timeout);
        let call = call::unary(self.channel(), request.signal, &headers, &request.compression, message);
        match self.config.timeout {
            Some(timeout) => tokio::time::timeout(timeout, call).await,
            None => Ok(call.await),
        }
    }

    fn channel(&self) -> Channel {
        self.channel.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After a timeout, the connection may be dead without an error on either side.
    fn reconnect(&self) {
        let channel = self.transport.connect_with_connector_lazy(self.connector.clone());
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = channel;
    }

    /// Explains why no response arrived.
    async fn explain(&self, error: &tonic::transport::Error) -> String {
        let endpoint = &self.config.endpoint;
        let host = endpoint::authority(&endpoint.url);
        let mut speaks = self.protocol.get();
        let proxy = self.connector.proxy.as_deref();
        if speaks.is_none() && proxy.is_none() && !endpoint.tls && failure::is_broken(error) {
            // A peer without HTTP/2 may close the connection silently; it answers a plain request.
            speaks = peer::ask(&endpoint.url, Hello::Http1).await;
        }
        match speaks {
            Some(Speaks::Http1) => format!(
                "{host} speaks HTTP/1.1, and gRPC needs HTTP/2: this is an endpoint for OTLP over HTTP; use the \
                 exporter otlp_http, or the port for gRPC, usually 4317"
            ),
            Some(Speaks::Tls) => format!("{host} expects TLS: write https:// or remove tls::insecure"),
            Some(Speaks::Http2) | None => {
                let why = failure::explain_cause(Some(error), &endpoint.url, false);
                match proxy {
                    Some(proxy) if !failure::is_of_proxy(error) => route::through(why, proxy),
                    _ => why,
                }
            }
        }
    }

    /// The outcome of a timeout.
    async fn late(&self) -> SendOutcome {
        self.reconnect();
        let url = &self.config.endpoint.url;
        let why = failure::late(&endpoint::authority(url), self.config.timeout);
        let why = match self.connector.proxy.as_deref() {
            None => why,
            Some(proxy) => match proxy.diagnose(url.into(), true, route::PATIENCE).await {
                Some(fault) => fault.to_string(),
                None => route::through(why, proxy),
            },
        };
        SendOutcome::Retry { after: None, why }
    }
}

/// `server_name_override`, else the name in `authority`, else the name in `endpoint`.
fn server_name(config: &GrpcConfig) -> Result<ServerName<'static>, ComponentError> {
    if let Some(name) = config.tls.expected_name() {
        return Ok(name);
    }
    let host = config.origin.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Ok(ServerName::try_from(host)?)
}

impl Destination for GrpcBackend {
    fn prepare(&self, payload: Arc<Payload>) -> Result<Vec<Request>, String> {
        let encoding = Encoding {
            format: BodyFormat::Proto,
            compression: self.config.compression,
        };
        encode::requests(payload, encoding, GRPC_LIMITS)
    }

    fn unpack(&self, request: &Request) -> Result<Payload, String> {
        encode::unpack(request)
    }

    async fn export(&self, request: &Request) -> SendOutcome {
        let message = match encode::proto_body(request) {
            Ok(message) => message,
            Err(why) => return SendOutcome::Permanent(format!("the request cannot be sent: {why}")),
        };
        let configured = &self.config.headers;
        let mut signed = match self.authentication.sign(configured).await {
            Ok(signed) => signed,
            Err(outcome) => return outcome,
        };
        let mut response = self.call(request, message.clone(), &signed).await;
        if let Ok(Ok(refusal)) = &response
            && response::is_unauthenticated(refusal)
        {
            // The token may have expired or been revoked: retry once with another one.
            match self.authentication.sign_again(&signed, configured).await {
                Ok(None) => {}
                Err(outcome) => return outcome,
                Ok(Some(other)) => {
                    signed = other;
                    response = self.call(request, message, &signed).await;
                }
            }
        }
        let context = RequestContext {
            signal: request.signal,
            url: &self.config.endpoint.url,
            secrets: &signed.headers,
            non_retryable: &self.config.non_retryable,
            proxy: None,
        };
        match response {
            Ok(Ok(response)) => response::outcome(context, &response, SystemTime::now()),
            Ok(Err(error)) if failure::is_late(&error) => self.late().await,
            Ok(Err(error)) => SendOutcome::Retry {
                after: None,
                why: self.explain(&error).await,
            },
            Err(_) => self.late().await,
        }
    }
}
