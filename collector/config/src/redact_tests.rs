//! Secrets: never in a message, never in printed configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::Error as _;

use super::{Secret, Source, component_id, load, print, read_all, redact};

const SECRET: &str = "hunter2-\"quoted\"\n0123456789";

fn environment(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some(SECRET.to_owned()),
        "NUMBER" => Some("987654321".to_owned()),
        "WORD" => Some("sesame".to_owned()),
        _ => None,
    }
}

fn source(text: &str) -> Source {
    Source {
        name: Arc::from("a.yaml"),
        text: text.to_owned(),
        adds: false,
    }
}

fn configuration(settings: &str) -> Source {
    source(&format!(
        "exporters: {{x: {settings}}}\nservice: {{pipelines: {{logs: {{receivers: [a], exporters: [x]}}}}}}\n"
    ))
}

/// A type whose checks quote their input, whole and in part: the worst case of a component.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
#[allow(dead_code, reason = "only reading it matters")]
struct Careless {
    number: u8,
    flag: bool,
    list: Vec<String>,
    map: BTreeMap<String, u8>,
    word: Choice,
    whole: Quoting,
    part: QuotingPart,
    around: Around,
    time: super::Duration,
    headers: BTreeMap<String, Secret>,
    option: Option<u16>,
    letter: char,
    token_limit: u8,
    secret_part: QuotingPart,
    secret_whole: Quoting,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Choice {
    #[default]
    Basic,
    Sesam,
}

#[derive(Debug, Default)]
struct Quoting;

impl<'de> Deserialize<'de> for Quoting {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(D::Error::custom(format!(
            "{text} and {text:?} are wrong, so is {}",
            text.trim()
        )))
    }
}

#[derive(Debug, Default)]
struct QuotingPart;

impl<'de> Deserialize<'de> for QuotingPart {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Err(D::Error::custom(format!(
            "begins with {}",
            text.chars().take(5).collect::<String>()
        )))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
struct Around;

impl TryFrom<BTreeMap<String, String>> for Around {
    type Error = String;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, String> {
        Err(format!("{map:?} is wrong"))
    }
}

#[test]
fn a_value_of_the_environment_is_in_no_message() {
    let keys = [
        "number", "flag", "list", "map", "word", "whole", "part", "around", "time", "headers", "option", "letter", "zz",
    ];
    for variable in ["TOKEN", "NUMBER", "WORD"] {
        let value = environment(variable).expect("is set");
        for template in [
            format!("${{env:{variable}}}"),
            format!("x ${{{variable}}}"),
            format!("${{UNSET:-${{{variable}}}}}"),
        ] {
            for shape in ["'T'", "[ok, 'T']", "{k: 'T'}", "{k: [{l: 'T'}]}"] {
                for key in keys {
                    let settings = format!("{{{key}: {}}}", shape.replace('T', &template));
                    let config = load(&[configuration(&settings)], &[], &environment).unwrap_or_else(|e| panic!("{e}"));
                    let settings = &config.exporters[&component_id("x").expect("an id")];
                    let mut shown = settings.error(key, format!("{value} {value:?} is wrong")).to_string();
                    if let Err(errors) = settings.read::<Careless>() {
                        assert!(!errors.0.is_empty());
                        shown += &errors.to_string();
                    }
                    for part in ["hunter", "0123456", "98765", "sesam "] {
                        assert!(!shown.contains(part), "{key}: {template} in {shape}: {shown}");
                    }
                    let sesame = shown.replace("`basic` or `sesam`", "");
                    assert!(!sesame.contains("sesam"), "{key}: {template} in {shape}: {shown}");
                }
            }
        }
    }
}

#[test]
fn messages_stay_clear_without_the_value() {
    for (settings, expected) in [
        (
            "{number: '${TOKEN}'}",
            "number: found `${TOKEN}`, expected a whole number from 0 to 255",
        ),
        (
            "{number: '${env:NUMBER}'}",
            "number: found `${env:NUMBER}`, expected a whole number from 0 to 255",
        ),
        (
            "{word: '${WORD}'}",
            "word: found `${WORD}`, expected `basic` or `sesam`",
        ),
        (
            "{whole: '${env:WORD}'}",
            "whole: ${env:WORD} and \"${env:WORD}\" are wrong, so is ${env:WORD}",
        ),
        (
            "{part: '${WORD}'}",
            "part: found `${WORD}`, whose value is not valid here",
        ),
        (
            "{around: {k: 'Bearer ${WORD}'}}",
            "around: {\"k\": \"Bearer ${WORD}\"} is wrong",
        ),
        (
            "{around: {api_key: letmein}}",
            "around: {\"api_key\": \"[REDACTED]\"} is wrong",
        ),
        ("{time: '${WORD}'}", "time: `${WORD}` is not a duration"),
        (
            "{number: 'https://u:letmein@host/'}",
            "number: found the text \"https://[REDACTED]@host/\", expected",
        ),
    ] {
        let config = load(&[configuration(settings)], &[], &environment).unwrap_or_else(|e| panic!("{e}"));
        let settings = &config.exporters[&component_id("x").expect("an id")];
        let shown = settings.read::<Careless>().expect_err("an error").to_string();
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn sections_do_not_show_values_of_the_environment() {
    let text = "\
receivers: '${TOKEN}'
exporters: ['${TOKEN}']
service:
  extensions: '${WORD}'
  telemetry: {level: '${WORD}'}
  pipelines:
    logs: {receivers: ['${TOKEN}', '${WORD}', '${WORD}', '${TOKEN}/${WORD}'], exporters: '${NUMBER}'}
    traces: '${WORD}'
";
    let (_, errors) = read_all(&[source(text)], &[], &environment);
    let shown = errors.to_string();
    assert_eq!(errors.0.len(), 8, "{shown}");
    for part in ["hunter", "98765", "sesam"] {
        assert!(!shown.contains(part), "{shown}");
    }
}

const WITH_SECRETS: &str = "\
exporters:
  otlp_http:
    endpoint: https://user:letmein@host:4318/path@x
    fourth_endpoint: https://letmein@host:${env:PORT}/
    other_endpoint: 'https://${env:U}:${P}@host'
    third_endpoint: 'https://${U:-admin/x}:letmein@host'
    headers:
      dd-api-key: ${env:DD_API_KEY:-letmein}
      Authorization: Bearer ${TOKEN}
      x: {deep: [letmein, 12345, true, ]}
      empty: ''
      nothing:
    tls: {key_pem: |
      letmein
      }
    client_secret: '${env:S:-}'
    apiKey: !!str letmein
    broken_token: 'letmein${'
    timeout: ${env:TIMEOUT:-30s}
    literal: $${env:X}
    text: '0123'
    number: 0123
    plain: 'a: b # c'
    lines: \"a\\tb\\n\\u0007\"
    nested: {list: [1, [2, {a: ~}], [], {}, '']}
    'true': yes
service:
";

const WITHOUT_SECRETS: &str = "\
exporters:
  otlp_http:
    endpoint: \"https://[REDACTED]@host:4318/path@x\"
    fourth_endpoint: \"https://[REDACTED]@host:${env:PORT}/\"
    other_endpoint: \"https://${env:U}:${env:P}@host\"
    third_endpoint: \"https://${env:U:-[REDACTED]}[REDACTED]@host\"
    headers:
      dd-api-key: \"${env:DD_API_KEY:-[REDACTED]}\"
      Authorization: \"[REDACTED]${env:TOKEN}\"
      x:
        deep:
          - \"[REDACTED]\"
          - \"[REDACTED]\"
          - \"[REDACTED]\"
      empty: \"\"
      nothing:
    tls:
      key_pem: \"[REDACTED]\"
    client_secret: \"${env:S:-}\"
    apiKey: \"[REDACTED]\"
    broken_token: \"[REDACTED]\"
    timeout: ${env:TIMEOUT:-30s}
    literal: $${env:X}
    text: \"0123\"
    number: 0123
    plain: \"a: b # c\"
    lines: \"a\\tb\\n\\u0007\"
    nested:
      list:
        - 1
        -
          - 2
          -
            a: null
        - []
        - {}
        - \"\"
    true: yes
    password: \"[REDACTED]\"
service:
";

#[test]
fn printed_configuration_has_no_secrets() {
    let text = WITH_SECRETS.replace(
        "    tls: {key_pem: |\n      letmein\n      }\n",
        "    tls:\n      key_pem: |\n        letmein\n",
    );
    let printed = print(&[source(&text)], &["exporters.otlp_http.password=letmein".to_owned()]);
    let printed = printed.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(printed, WITHOUT_SECRETS);
    // The output is a configuration again, and the same one.
    assert_eq!(
        print(&[source(&printed)], &[]).unwrap_or_else(|e| panic!("{e}")),
        printed
    );
    assert_eq!(print(&[], &[]).as_deref(), Ok("{}\n"));
}

#[test]
fn keys_that_name_secrets() {
    for key in [
        "api_key",
        "apikey",
        "API-Key",
        "dd-api-key",
        "token",
        "bearerToken",
        "password",
        "client_secret",
        "headers",
        "Authorization",
        "key_pem",
        "passwd",
    ] {
        assert!(redact::names_secret(key), "{key}");
    }
    for key in ["endpoint", "key", "timeout", "key_file", "header", "keepalive"] {
        assert!(!redact::names_secret(key), "{key}");
    }
}

proptest::proptest! {
    #[test]
    fn what_is_printed_is_read_back(text in "(?s).{0,40}", key in "[a-z:# {'é-]{1,10}") {
        let escaped: String = text.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let key_escaped: String = key.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
        let first = print(&[source(&format!("a: {{\"{key_escaped}\": \"{escaped}\"}}"))], &[]);
        if let Ok(first) = first {
            proptest::prop_assert_eq!(print(&[source(&first)], &[]), Ok(first));
        } else {
            proptest::prop_assert!(key.contains("${"), "{:?}", first);
        }
    }
}

#[test]
fn secrets_in_queries_are_never_shown() {
    let text = "\
exporters:
  a:
    one: https://h/v1?api_key=hunter2&env=prod#f
    two: https://h/v1?env=prod&sig=hunter2
    three: https://h/v1?x=hunter2hunter2hunter2hunter2
    four: https://h/v1?token=${env:TOKEN}&key=${env:K:-hunter2}
    five: https://h/hunter-2?page=2&sort=name
";
    let printed = print(&[source(text)], &[]).unwrap_or_else(|e| panic!("{e}"));
    let shown: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split_once("://h/"))
        .map(|(_, url)| url)
        .collect();
    assert_eq!(
        shown,
        [
            "v1?api_key=[REDACTED]&env=prod#f\"",
            "v1?env=prod&sig=[REDACTED]\"",
            "v1?x=[REDACTED]\"",
            "v1?token=${env:TOKEN}&key=[REDACTED]\"",
            "hunter-2?page=2&sort=name",
        ],
        "{printed}"
    );
    let (config, _) = read_all(&[source(text)], &[], &|_| Some("t".into()));
    let config = config.expect("a configuration");
    let settings = config.exporters.values().next().expect("one");
    for (key, value) in [
        ("one", "https://h/v1?api_key=hunter2&env=prod#f"),
        ("two", "https://h/v1?env=prod&sig=hunter2"),
    ] {
        let error = settings.error(key, format!("cannot use {value}")).to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }
    let wrong = settings
        .read::<std::collections::BTreeMap<String, u8>>()
        .expect_err("texts");
    assert!(
        !wrong.to_string().contains("hunter2&") && !wrong.to_string().contains("hunter2`"),
        "{wrong}"
    );
}
