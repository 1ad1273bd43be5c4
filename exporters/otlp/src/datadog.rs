//! Addresses of Datadog. Its OTLP intake is `https://otlp.<site>`; its other hosts are not OTLP intakes. A wrong site
//! is a name that does not resolve or a key that is refused.

use collector_config::nearest;
use reqwest::Url;

use crate::backends::is_at;

/// The domains of Datadog.
pub(crate) const DOMAINS: [&str; 3] = ["datadoghq.com", "datadoghq.eu", "ddog-gov.com"];

/// The sites and their other names.
const SITES: [(&str, &[&str]); 9] = [
    ("datadoghq.com", &["us", "us1"]),
    ("us3.datadoghq.com", &["us3"]),
    ("us5.datadoghq.com", &["us5"]),
    ("datadoghq.eu", &["eu", "eu1"]),
    ("ap1.datadoghq.com", &["ap1"]),
    ("ap2.datadoghq.com", &["ap2"]),
    ("uk1.datadoghq.com", &["uk1"]),
    ("ddog-gov.com", &["gov", "us1-fed", "us1_fed", "fed"]),
    ("us2.ddog-gov.com", &["us2", "us2-fed", "us2_fed"]),
];

/// A problem with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressProblem {
    pub(crate) message: String,
    pub(crate) help: String,
    /// True if the address may still be valid.
    pub(crate) perhaps: bool,
}

/// Checks an address of Datadog or one that resembles it, or to which Datadog's API key is sent (`with_key`).
pub(crate) fn check(url: &Url, with_key: bool) -> Option<AddressProblem> {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let rest = host.strip_prefix("otlp.");
    let is_site = |text: &str| SITES.iter().any(|(site, _)| *site == text);
    if rest.is_some_and(is_site) {
        return None;
    }
    let wrong = |message: String, site: Option<&str>| {
        let help = match site {
            Some(site) => format!("did you mean the site {site}, `https://otlp.{site}`?"),
            None => format!("write `https://otlp.` and your site: {}", sites()),
        };
        Some(AddressProblem {
            message,
            help,
            perhaps: false,
        })
    };
    let is_datadog = is_at(url, &DOMAINS);
    if let Some(rest) = rest {
        let short = rest.to_ascii_lowercase();
        if (is_datadog || with_key)
            && let Some(site) = by_short_name(&short)
        {
            return wrong(format!("`{rest}` is not a Datadog site"), Some(site));
        }
        if is_datadog {
            return of_unknown_site(rest, wrong);
        }
    }
    if is_datadog {
        return elsewhere(url, host, wrong);
    }
    let meant = rest.unwrap_or(host);
    let near = nearest(meant, SITES.iter().map(|(site, _)| *site));
    if resembles(host) || (near.is_some() && (rest.is_some() || with_key)) {
        return wrong(format!("`{meant}` is not a Datadog site"), near.or(Some(SITES[0].0)));
    }
    None
}

/// A host below a domain of Datadog, after `otlp.`.
fn of_unknown_site(
    rest: &str,
    wrong: impl Fn(String, Option<&str>) -> Option<AddressProblem>,
) -> Option<AddressProblem> {
    let (label, domain) = rest.split_once('.').unwrap_or((rest, ""));
    let known = SITES.iter().find(|(site, _)| *site == domain);
    // `us1.datadoghq.com`: the short name of a site.
    if let Some(site) = by_short_name(label) {
        return wrong(format!("`{rest}` is not a Datadog site"), Some(site));
    }
    let looks_like_one = label.len() == 3 && label.ends_with(|c: char| c.is_ascii_digit());
    if known.is_some() && looks_like_one {
        return Some(AddressProblem {
            message: format!("`{rest}` is not a known Datadog site"),
            help: format!("known sites: {}", sites()),
            perhaps: true,
        });
    }
    // `app.datadoghq.com` and `api.us5.datadoghq.com` contain the site.
    wrong(format!("`{rest}` is not a Datadog site"), site_in(rest))
}

/// A host of Datadog that does not begin with `otlp.`.
fn elsewhere(
    url: &Url,
    host: &str,
    wrong: impl Fn(String, Option<&str>) -> Option<AddressProblem>,
) -> Option<AddressProblem> {
    // `gcp.integrations.otlp.datadoghq.com`, `api.datadoghq.com/api/intake/otlp/v1/metrics`
    if host.split('.').any(|label| label == "otlp") || url.path().contains("otlp") {
        return None;
    }
    let site = site_in(host);
    let what = match host.split('.').next().unwrap_or_default() {
        "app" | "www" => "is a Datadog web page, not its OTLP intake",
        "api" => "is Datadog's API, not its OTLP intake",
        _ => "is not Datadog's OTLP intake",
    };
    wrong(format!("`{host}` {what}"), site)
}

/// The longest site that the host ends with.
fn site_in(host: &str) -> Option<&'static str> {
    let sites = SITES.iter().map(|(site, _)| *site);
    sites
        .filter(|site| {
            host.strip_suffix(site)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
        .max_by_key(|site| site.len())
}

fn by_short_name(name: &str) -> Option<&'static str> {
    let found = SITES.iter().find(|(_, short)| short.contains(&name));
    found.map(|(site, _)| *site)
}

/// True for a public domain that is named after Datadog but not its own: `datadog.com`, `us5.datadog.com`,
/// `datadoghq.us`; false for a private host (`datadog-agent.datadog`, `datadog.example.com`).
fn resembles(host: &str) -> bool {
    const TOP: [&str; 8] = ["com", "eu", "us", "net", "org", "io", "co", "gov"];
    let mut labels = host.rsplit('.');
    let (top, second) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
    TOP.contains(&top) && (second.starts_with("datadog") || second.starts_with("ddog"))
}

/// For messages.
pub(crate) fn sites() -> String {
    SITES.map(|(site, _)| site).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, with_key: bool) -> Option<AddressProblem> {
        check(&Url::parse(url).unwrap(), with_key)
    }

    #[test]
    fn sites_match_the_datadog_docs() {
        let page = include_str!("../../../docs/datadog.md");
        let rows = page.lines().map(|line| line.split('`').collect::<Vec<_>>());
        let documented: Vec<&str> = rows
            .filter(|row| row.len() == 5 && row[3] == format!("https://otlp.{}", row[1]))
            .map(|row| row[1])
            .collect();
        assert_eq!(documented, SITES.map(|(site, _)| site));
    }

    #[test]
    fn sites_pass() {
        for (site, _) in SITES {
            assert_eq!(found(&format!("https://otlp.{site}"), true), None, "{site}");
            assert_eq!(found(&format!("https://otlp.{site}./v1/logs"), true), None, "{site}");
        }
        for url in [
            "https://gcp.integrations.otlp.datadoghq.com",
            "https://api.datadoghq.com/api/intake/otlp/v1/metrics",
            "http://127.0.0.1:4318",
            "http://datadog-agent.datadog:4318",
            "http://datadog-agent.datadog.svc.cluster.local:4318",
            "https://datadog.proxy.example.com",
            "https://otlp.example.com",
            "https://otlp-gateway.internal:4318",
        ] {
            assert_eq!(found(url, true), None, "{url}");
        }
        for url in ["https://otlp.eu", "https://otlp.us5", "https://otlp.nr-data.net"] {
            assert_eq!(found(url, false), None, "{url}: not meant for Datadog");
        }
    }

    #[test]
    fn wrong_sites_lead_to_the_right_one() {
        for (site, meant) in [
            ("us5", "us5.datadoghq.com"),
            ("us1", "datadoghq.com"),
            ("EU", "datadoghq.eu"),
            ("eu1", "datadoghq.eu"),
            ("US5", "us5.datadoghq.com"),
            ("us1.datadoghq.com", "datadoghq.com"),
            ("eu.datadoghq.com", "datadoghq.eu"),
            ("eu1.datadoghq.eu", "datadoghq.eu"),
            ("app.datadoghq.com", "datadoghq.com"),
            ("app.datadoghq.eu", "datadoghq.eu"),
            ("api.us5.datadoghq.com", "us5.datadoghq.com"),
            ("otlp.us3.datadoghq.com", "us3.datadoghq.com"),
            ("datadog.com", "datadoghq.com"),
            ("us5.datadog.com", "us5.datadoghq.com"),
            ("datadgohq.com", "datadoghq.com"),
            ("datadoghq.con", "datadoghq.com"),
            ("datadoghq.us", "datadoghq.eu"),
        ] {
            let wrong = found(&format!("https://otlp.{site}"), true).unwrap_or_else(|| panic!("{site} passes"));
            assert!(!wrong.perhaps, "{site}");
            assert!(wrong.message.contains("is not a Datadog site"), "{site}: {wrong:?}");
            assert!(wrong.help.contains(&format!("site {meant},")), "{site}: {wrong:?}");
        }
    }

    #[test]
    fn rejects_datadog_hosts_without_otlp() {
        for (host, expected, meant) in [
            ("app.datadoghq.com", "web page", "datadoghq.com"),
            ("api.us5.datadoghq.com", "Datadog's API", "us5.datadoghq.com"),
            (
                "http-intake.logs.datadoghq.eu",
                "not Datadog's OTLP intake",
                "datadoghq.eu",
            ),
            ("datadoghq.com", "not Datadog's OTLP intake", "datadoghq.com"),
            ("us3.datadoghq.com", "not Datadog's OTLP intake", "us3.datadoghq.com"),
        ] {
            for with_key in [true, false] {
                let wrong = found(&format!("https://{host}"), with_key).unwrap();
                assert!(wrong.message.contains(expected), "{host}: {wrong:?}");
                assert!(
                    wrong.help.contains(&format!("https://otlp.{meant}`")),
                    "{host}: {wrong:?}"
                );
            }
        }
    }

    #[test]
    fn site_that_may_be_new_is_a_possible_error_only() {
        let wrong = found("https://otlp.in1.datadoghq.com", true).unwrap();
        assert!(wrong.perhaps && wrong.help.contains("us5.datadoghq.com"), "{wrong:?}");
    }
}
