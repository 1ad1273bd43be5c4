//! Errors of requests to the API server, with a hint and without secrets.

use kube::config::KubeconfigError;

/// A problem with a kubeconfig, without any of its content: the parser's own text would quote tokens.
pub(super) fn explain_kubeconfig(error: &KubeconfigError, contexts: &[String]) -> String {
    match error {
        KubeconfigError::ReadConfig(source, path) => format!(
            "{}: {source}; set kubeconfig to a file that this process can read, or auth_type: serviceAccount inside \
             of a cluster",
            path.display()
        ),
        KubeconfigError::FindPath => {
            "no home directory to look for .kube/config in; set kubeconfig, or auth_type: serviceAccount inside of a \
             cluster"
                .into()
        }
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("not a kubeconfig: see line {}, column {}", at.line(), at.column()),
            None => "not a kubeconfig in YAML".into(),
        },
        KubeconfigError::LoadContext(name) => {
            format!("no context {name:?}; it has {}", listed(contexts))
        }
        KubeconfigError::CurrentContextNotSet => {
            format!("current-context is not set; set context to one of {}", listed(contexts))
        }
        other => other.to_string(),
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "none".into(),
        _ => names
            .iter()
            .map(|name| format!("{name:?}"))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// The error with its causes and a hint.
pub fn explain(error: &kube::Error) -> String {
    match error {
        // The cause quotes the line, which may be a part of the key.
        kube::Error::RustlsTls(kube::client::RustlsTlsError::InvalidIdentityPem(_)) => {
            return "the client certificate or its key is not PEM".into();
        }
        kube::Error::Api(status) => {
            let message = match &*status.message {
                "" => "no reason given",
                message => message,
            };
            return format!("the API server answers {}: {message}", status.code);
        }
        kube::Error::SerdeError(problem) => {
            return format!("the API server's answer is not the expected object: {problem}");
        }
        _ => {}
    }
    let causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| {
        error.source()
    });
    let mut text = String::new();
    for cause in causes {
        if let Some(error) = cause.downcast_ref::<proxy::ProxyError>() {
            return error.to_string();
        }
        // Most wrappers repeat their cause; only what is new is added.
        let cause = cause.to_string();
        let cause = cause
            .trim_start_matches("ServiceError: ")
            .trim_start_matches("HyperError: ");
        if !text.contains(cause) && !cause.starts_with("client error (") {
            let separator = if text.is_empty() { "" } else { ": " };
            text = format!("{text}{separator}{cause}");
        }
    }
    if text.is_empty() {
        // There is no cause but the wrapper.
        text = error.to_string();
    }
    let advice = advice(&text);
    text + advice
}

/// A hint for a problem.
fn advice(problem: &str) -> &'static str {
    let says = |texts: &[&str]| texts.iter().any(|text| problem.contains(text));
    if says(&["UnknownIssuer"]) {
        "; the certificate is not from the expected authority: check certificate-authority in the kubeconfig"
    } else if says(&["CaUsedAsEndEntity"]) {
        "; the API server presents the certificate of an authority (CA:TRUE) itself: give it one that an authority has \
         signed, and put that authority's certificate in certificate-authority in the kubeconfig"
    } else if says(&["NotValidForName", "not valid for name"]) {
        "; the certificate is for another name: check server and tls-server-name in the kubeconfig"
    } else if says(&["certificate: Expired"]) {
        "; the API server's certificate has expired, or this machine's clock is wrong"
    } else if says(&["No CA certificates were loaded"]) {
        "; install the system's certificates (the package ca-certificates), name them in SSL_CERT_FILE, or set \
         certificate-authority in the kubeconfig"
    } else if says(&["Connection refused", "dns error", "failed to lookup address"]) {
        "; is it running, is the address right?"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hints_at_a_ca_used_as_server_certificate() {
        let cause = std::io::Error::other("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))");
        let error = kube::Error::Service(Box::new(cause));
        assert!(
            explain(&error).ends_with("in certificate-authority in the kubeconfig"),
            "{}",
            explain(&error)
        );
    }

    #[test]
    fn a_certificate_of_an_unknown_authority_leads_to_the_kubeconfig() {
        let cause = std::io::Error::other("invalid peer certificate: UnknownIssuer");
        let text = explain(&kube::Error::Service(Box::new(cause)));
        assert_eq!(
            text,
            "invalid peer certificate: UnknownIssuer; the certificate is not from the expected authority: check \
             certificate-authority in the kubeconfig"
        );
    }
}
