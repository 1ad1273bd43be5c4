//! Proxies, shared by all clients: the choice of the proxy for a target, and the connection through it.
//!
//! * [`Proxy`]: one proxy, read from a URL. Neither `Debug` nor `Display` shows its credentials.
//! * [`Proxies`]: the choice for a target, from a setting or the environment; pure.
//! * [`Proxy::connect`]: a connection to a target through a proxy, by HTTP `CONNECT` or SOCKS5.
//! * [`ProxyError`]: why the connection failed, naming the proxy and where it is configured.
//!
//! ```
//! use proxy::{Environment, Proxies, Target};
//!
//! let variables = [("HTTPS_PROXY", "http://user:secret@proxy.example:3128"), ("NO_PROXY", ".internal")];
//! let proxies = Proxies::from(Environment::read(variables));
//! let chosen = proxies.choose(Target::https("otlp.example", 443)).unwrap().unwrap();
//! assert_eq!(chosen.to_string(), "http://proxy.example:3128");
//! assert!(proxies.choose(Target::https("otlp.internal", 443)).unwrap().is_none());
//! ```

mod choice;
mod connect;
mod error;
mod no_proxy;
mod socks;
#[cfg(test)]
mod through_tests;
mod url;

pub use choice::{Environment, Proxies, Target, is_loopback};
pub use error::{ProxyError, ProxyFailure};
pub use url::{InvalidProxy, Proxy};
