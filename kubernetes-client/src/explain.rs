//! What went wrong on the way to the API server, in words that help and without secrets.

use kube::client::AuthError;
use kube::config::KubeconfigError;

/// A problem with a kubeconfig, without any of its content: the parser's own text would quote tokens.
pub fn explain_kubeconfig(error: &KubeconfigError, contexts: &[String]) -> String {
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

/// What went wrong, with its causes and what to look at, and without what a credential plugin printed: that may be a token.
pub fn explain(error: &kube::Error) -> String {
    let causes: Vec<&(dyn std::error::Error + 'static)> =
        std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |error| {
            error.source()
        })
        .collect();
    for cause in &causes {
        match cause.downcast_ref::<AuthError>() {
            Some(AuthError::AuthExecRun { cmd, out }) => {
                return format!("the credential plugin {cmd:?} failed with {}", out.status);
            }
            Some(AuthError::AuthExecParse(_)) => return "the credential plugin did not print an ExecCredential".into(),
            _ => {}
        }
    }
    let mut text = String::new();
    for cause in causes {
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

/// What to look at.
fn advice(problem: &str) -> &'static str {
    let says = |texts: &[&str]| texts.iter().any(|text| problem.contains(text));
    if says(&["UnknownIssuer"]) {
        "; the certificate is not from the expected authority: check certificate-authority in the kubeconfig"
    } else if says(&["NotValidForName"]) {
        "; the certificate is for another name: check server and tls-server-name in the kubeconfig"
    } else if says(&["certificate: Expired"]) {
        "; the API server's certificate has expired, or this machine's clock is wrong"
    } else if says(&["Connection refused", "dns error", "failed to lookup address"]) {
        "; is it running, is the address right?"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn no_error_quotes_a_credential_plugin() {
        let out = std::process::Output {
            status: std::process::ExitStatus::from_raw(256),
            stdout: b"s3cret".to_vec(),
            stderr: Vec::new(),
        };
        let error = AuthError::AuthExecRun {
            cmd: "plugin".into(),
            out: Box::new(out),
        };
        let text = explain(&kube::Error::Service(Box::new(error)));
        assert_eq!(text, "the credential plugin \"plugin\" failed with exit status: 1");
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
