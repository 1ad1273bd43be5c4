//! The name of the collector's Service: `NAMESPACE/[https:]SERVICE[:PORT]`.

use std::fmt;
use std::str::FromStr;

use job_watch::client::{is_dns_label, is_dns_subdomain};

/// The namespace and the Service of the manifests in `deploy/`.
const DEFAULT_NAME: &str = "kube-job-collector";
/// Selects TLS, as in paths of the API server's proxy.
const TLS: &str = "https:";

/// The Service of a collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CollectorService {
    pub namespace: String,
    pub name: String,
    /// The name or the number of the port, if it is given.
    port: Option<String>,
    /// True if the port speaks TLS.
    pub tls: bool,
}

impl CollectorService {
    /// The port to reach, `default` if none is given.
    pub(crate) fn port_or<'a>(&'a self, default: &'a str) -> &'a str {
        self.port.as_deref().unwrap_or(default)
    }

    /// As on the command line, with the port.
    pub(crate) fn named(&self, default_port: &str) -> String {
        let scheme = if self.tls { TLS } else { "" };
        format!(
            "{}/{scheme}{}:{}",
            self.namespace,
            self.name,
            self.port_or(default_port)
        )
    }
}

impl Default for CollectorService {
    fn default() -> Self {
        CollectorService {
            namespace: DEFAULT_NAME.into(),
            name: DEFAULT_NAME.into(),
            port: None,
            tls: false,
        }
    }
}

impl fmt::Display for CollectorService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { TLS } else { "" };
        write!(f, "{}/{scheme}{}", self.namespace, self.name)?;
        match &self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl FromStr for CollectorService {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |part: &str| {
            format!(
                "{part}, expected NAMESPACE/SERVICE, NAMESPACE/SERVICE:PORT or, for a port with TLS, \
                 NAMESPACE/https:SERVICE:PORT"
            )
        };
        let (namespace, service) = text.split_once('/').ok_or_else(|| wrong("found no `/`"))?;
        let tls = service.starts_with(TLS);
        let service = service.strip_prefix(TLS).unwrap_or(service);
        let (name, port) = match service.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (service, None),
        };
        if !is_dns_label(namespace) {
            return Err(wrong(&format!("{namespace:?} cannot be the name of a namespace")));
        }
        if !is_dns_subdomain(name) {
            return Err(wrong(&format!("{name:?} cannot be the name of a Service")));
        }
        if let Some(port) = port.filter(|port| !is_dns_label(port)) {
            return Err(wrong(&format!("{port:?} cannot be the name or number of a port")));
        }
        Ok(CollectorService {
            namespace: namespace.into(),
            name: name.into(),
            port: port.map(str::to_owned),
            tls,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_named_with_or_without_port_and_tls() {
        for (text, named) in [
            ("obs/kjc", "obs/kjc:web"),
            ("obs/kjc:8090", "obs/kjc:8090"),
            ("obs/https:kjc:web-tls", "obs/https:kjc:web-tls"),
        ] {
            let service: CollectorService = text.parse().unwrap();
            assert_eq!((service.named("web"), service.to_string()), (named.into(), text.into()));
        }
        assert_eq!(
            CollectorService::default().named("web"),
            "kube-job-collector/kube-job-collector:web"
        );
    }

    #[test]
    fn an_invalid_service_names_the_part_and_the_form() {
        for (text, part) in [
            ("kjc", "found no `/`"),
            ("/kjc", "\"\" cannot be the name of a namespace"),
            ("obs/", "\"\" cannot be the name of a Service"),
            ("obs/kjc/x", "\"kjc/x\" cannot be the name of a Service"),
            ("obs/kjc:", "\"\" cannot be the name or number of a port"),
            ("obs/kjc:a:b", "\"a:b\" cannot be the name or number of a port"),
        ] {
            let error = text.parse::<CollectorService>().unwrap_err();
            assert!(
                error.starts_with(part) && error.contains("expected NAMESPACE/SERVICE"),
                "{error}"
            );
        }
    }
}
