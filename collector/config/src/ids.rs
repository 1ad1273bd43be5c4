//! The ids of components and pipelines: `type`, `type/name`.

use std::fmt;

use super::suggest;
use crate::ComponentId;
use collector_data::Signal;

/// The id of a pipeline: `logs`, `metrics/states`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PipelineId {
    /// The signal of the pipeline.
    pub signal: Signal,
    /// The part after the slash, where there is one.
    pub name: Option<String>,
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{}/{name}", self.signal),
            None => write!(f, "{}", self.signal),
        }
    }
}

/// Why a text is not an id, and what to do about it.
pub type IdError = (String, Option<String>);

/// Reads a component's id by the collector's rules; spaces around its parts are left out.
///
/// # Errors
/// If the type is not `[a-zA-Z][0-9a-zA-Z_]{0,62}`, or the name is empty, longer than 1024 characters, or has
/// spaces, control characters or symbols in it.
pub fn component_id(text: &str) -> Result<ComponentId, IdError> {
    let (type_name, name) = split(text)?;
    let first = type_name.chars().next();
    let valid = first.is_some_and(|c| c.is_ascii_alphabetic())
        && type_name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && type_name.len() <= 63;
    if !valid {
        let found = format!("`{}` is not the type of a component", short(type_name));
        let help = "expected a letter, then up to 62 letters, digits and `_`; a name of your own follows after `/`";
        return Err((found, Some(help.to_owned())));
    }
    Ok(ComponentId {
        type_name: type_name.to_owned(),
        name,
    })
}

/// Reads a pipeline's id.
///
/// # Errors
/// If it does not begin with a signal, or the name is not one.
pub fn pipeline_id(text: &str) -> Result<PipelineId, IdError> {
    let (signal, name) = split(text)?;
    let signals = Signal::ALL.map(Signal::as_str);
    match Signal::ALL.into_iter().find(|s| s.as_str() == signal) {
        Some(signal) => Ok(PipelineId { signal, name }),
        None => {
            let found = format!(
                "`{}` is not a signal, expected `logs`, `metrics` or `traces`",
                short(signal)
            );
            let help = suggest::nearest(signal, signals).map(|s| format!("did you mean `{s}`?"));
            Err((found, help))
        }
    }
}

fn split(text: &str) -> Result<(&str, Option<String>), IdError> {
    let Some((type_name, name)) = text.split_once('/') else {
        return Ok((text.trim(), None));
    };
    let name = name.trim();
    let symbol = |c: char| {
        c.is_whitespace() || c.is_control() || matches!(c, '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~')
    };
    let found = if name.is_empty() {
        format!("`{}` has no name after the `/`", short(text))
    } else if name.chars().count() > 1024 {
        "the name after the `/` has more than 1024 characters".to_owned()
    } else if let Some(c) = name.chars().find(|c| symbol(*c)) {
        format!("found `{}` in the name `{}`", c, short(name))
    } else {
        return Ok((type_name.trim(), Some(name.to_owned())));
    };
    Err((
        found,
        Some("expected a name of letters, digits and punctuation, without spaces and symbols".to_owned()),
    ))
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn component_ids() {
        for (text, type_name, name) in [
            ("otlp", "otlp", None),
            ("otlp_http/datadog", "otlp_http", Some("datadog")),
            (" otlp / eu-1.x/y ", "otlp", Some("eu-1.x/y")),
            ("A9_", "A9_", None),
            ("debug/ü", "debug", Some("ü")),
        ] {
            let id = component_id(text).unwrap_or_else(|e| panic!("{text}: {e:?}"));
            assert_eq!((id.type_name.as_str(), id.name.as_deref()), (type_name, name), "{text}");
        }
        let long = "a".repeat(64);
        let long_name = format!("a/{}", "b".repeat(1025));
        for text in [
            "", " ", "/x", "1a", "a-b", "a b", "ü", &long, "a/", "a/ ", "a/b c", "a/b$", "a/\u{7}", &long_name,
        ] {
            assert!(component_id(text).is_err(), "{text}");
        }
        assert!(component_id(&"a".repeat(63)).is_ok());
        assert!(component_id(&format!("a/{}", "ü".repeat(1024))).is_ok());
    }

    #[test]
    fn pipeline_ids() {
        let id = pipeline_id(" metrics / states").expect("valid");
        assert_eq!((id.signal, id.name.as_deref()), (Signal::Metrics, Some("states")));
        assert_eq!(id.to_string(), "metrics/states");
        assert_eq!(pipeline_id("logs").expect("valid").to_string(), "logs");
        let (found, help) = pipeline_id("metric/x").expect_err("no signal");
        assert_eq!(
            found,
            "`metric` is not a signal, expected `logs`, `metrics` or `traces`"
        );
        assert_eq!(help.as_deref(), Some("did you mean `metrics`?"));
        assert!(pipeline_id("logs/").is_err());
    }
}
