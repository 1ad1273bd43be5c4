//! How components reach the Kubernetes API.
//!
//! * [`connect`](connect()): connections, and credentials that are renewed while the client lives.
//! * `connector`: TCP, directly or through a proxy; `coalesced`: read in ticks while it carries a watch.
//! * [`bounded`](bounded()): single objects, read and written with bounds in bytes and time.
//! * [`explain`](explain()): errors with a hint and without secrets.

mod bounded;
mod coalesced;
mod connect;
mod connector;
mod credentials;
mod drained;
mod exec;
mod explain;
mod renewal;
mod session;
mod socket;

pub use coalesced::Coalesce;
pub(crate) use coalesced::{Ticking, Ticks};

pub use bounded::{ErrorKind, bounded, error_kind};
pub use connect::{AuthType, ClientError, Connected, auth_errors, connect};
pub use explain::explain;

use schemars::{Schema, SchemaGenerator, json_schema};

/// True for a DNS label (RFC 1123), such as the name of a namespace.
pub fn is_dns_label(name: &str) -> bool {
    name.len() <= 63 && !name.contains('.') && is_dns_subdomain(name)
}

/// True for a DNS subdomain (RFC 1123), such as the names of most objects.
pub fn is_dns_subdomain(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(allowed) && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// The schema of a setting with a name that [`is_dns_label`] accepts, such as that of a namespace; empty: none.
pub fn optional_label_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        // The name may consist of digits.
        "type": ["string", "integer", "boolean"],
        "minimum": 0,
        "pattern": "^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$",
        "patternErrorMessage": "expected lower-case letters, digits and '-', at most 63 of them",
    })
}

/// The schema of a setting with a name that [`is_dns_subdomain`] accepts.
pub fn subdomain_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": ["string", "number", "boolean"],
        "minimum": 0,
        "maxLength": 253,
        "pattern": r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "patternErrorMessage": "expected lower-case letters, digits, '-' and '.'",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_as_the_api_server_checks_them() {
        for name in ["a", "a-1.b", "0"] {
            assert!(is_dns_subdomain(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a_b", "a..b", ".a", "a/b", &"a".repeat(254)] {
            assert!(!is_dns_subdomain(name), "{name}");
        }
        assert!(is_dns_label(&"a".repeat(63)) && !is_dns_label(&"a".repeat(64)) && !is_dns_label("a.b"));
    }
}
