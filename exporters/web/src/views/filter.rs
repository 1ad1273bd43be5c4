//! The filter in a URL. A key may be repeated: any of its values matches. An empty value does not filter, because forms send those.

use collector_config::{Duration, nearest};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use url::form_urlencoded;

use crate::views::{EventKind, Listed};

/// The outcomes of a finished Job.
const OUTCOMES: [&str; 4] = ["Succeeded", "Failed", "Deleted", "Replaced"];

/// A condition on events: all keys have to match.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Filter {
    /// Namespaces.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub namespace: Vec<String>,
    /// Kinds of owners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kind: Vec<String>,
    /// Names of owners.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owner: Vec<String>,
    /// Names of Jobs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub job: Vec<String>,
    /// Causes; a recovery matches with any of its causes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cause: Vec<String>,
    /// Categories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub category: Vec<String>,
    /// Reasons.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reason: Vec<String>,
    /// Outcomes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub outcome: Vec<String>,
    /// Kinds of events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub event: Vec<EventKind>,
    /// The earliest time, as written: `6h` before now, or a time of RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Part of a name, a cause, a reason or the sentence, in any case.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub q: String,
}

/// The earliest time of a filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Since {
    /// As written.
    pub text: String,
    #[serde(skip)]
    bound: Bound,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Ago(SignedDuration),
    At(Timestamp),
}

/// A query that is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct QueryError {
    /// The key.
    pub key: String,
    /// The problem, and what is expected.
    pub message: String,
    /// The keys that are known here.
    pub known: Vec<&'static str>,
}

impl QueryError {
    /// The error of a key that is not one of `known`.
    pub(crate) fn unknown(key: &str, known: Vec<&'static str>) -> Self {
        let near = nearest(key, known.iter().copied()).map(|near| format!("; did you mean {near}?"));
        QueryError {
            key: key.to_owned(),
            message: format!("unknown query key {key:?}{}", near.unwrap_or_default()),
            known,
        }
    }
}

impl Filter {
    /// The keys of a filter.
    pub const KEYS: [&'static str; 11] = [
        "namespace",
        "kind",
        "owner",
        "job",
        "cause",
        "category",
        "reason",
        "outcome",
        "event",
        "since",
        "q",
    ];

    /// Reads the query of a URL. Pairs whose key is in `others` are returned.
    ///
    /// # Errors
    /// An unknown key, or an invalid value.
    pub fn parse(query: &str, others: &[&'static str]) -> Result<(Filter, Vec<(String, String)>), QueryError> {
        let known = || Filter::KEYS.iter().chain(others).copied().collect::<Vec<_>>();
        let (mut filter, mut rest) = (Filter::default(), Vec::new());
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            if others.contains(&&*key) {
                rest.push((key.into_owned(), value.into_owned()));
                continue;
            }
            if !Filter::KEYS.contains(&&*key) {
                return Err(QueryError::unknown(&key, known()));
            }
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            filter.set(&key, value).map_err(|expected| QueryError {
                key: key.to_string(),
                message: format!("query key {key}: found {value:?}, expected {expected}"),
                known: known(),
            })?;
        }
        Ok((filter, rest))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let list = match key {
            "namespace" => &mut self.namespace,
            "kind" => &mut self.kind,
            "owner" => &mut self.owner,
            "job" => &mut self.job,
            "cause" => &mut self.cause,
            "category" => &mut self.category,
            "reason" => &mut self.reason,
            "outcome" => {
                if !OUTCOMES.contains(&value) {
                    return Err(OUTCOMES.join(", "));
                }
                &mut self.outcome
            }
            "event" => {
                let kind = EventKind::from_name(value);
                let names = || EventKind::ALL.map(EventKind::as_str).join(", ");
                self.event.push(kind.ok_or_else(names)?);
                return Ok(());
            }
            "since" => {
                self.since = Some(Since::parse(value)?);
                return Ok(());
            }
            _ => {
                value.clone_into(&mut self.q);
                return Ok(());
            }
        };
        list.push(value.to_owned());
        Ok(())
    }

    /// The query of a URL with this filter, without `?`; empty if it does not filter.
    pub fn query(&self) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (key, values) in self.lists() {
            for value in values {
                query.append_pair(key, value);
            }
        }
        for kind in &self.event {
            query.append_pair("event", kind.as_str());
        }
        if let Some(since) = &self.since {
            query.append_pair("since", &since.text);
        }
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        query.finish()
    }

    fn lists(&self) -> [(&'static str, &[String]); 8] {
        [
            ("namespace", &self.namespace),
            ("kind", &self.kind),
            ("owner", &self.owner),
            ("job", &self.job),
            ("cause", &self.cause),
            ("category", &self.category),
            ("reason", &self.reason),
            ("outcome", &self.outcome),
        ]
    }

    /// True if it matches every event.
    pub fn is_empty(&self) -> bool {
        *self == Filter::default()
    }

    /// True if the event matches.
    pub fn matches(&self, event: &Listed, now: Timestamp) -> bool {
        let is_any = |wanted: &[String], found: &str| wanted.is_empty() || wanted.iter().any(|value| value == found);
        is_any(&self.namespace, &event.namespace)
            && is_any(&self.kind, &event.owner.kind)
            && is_any(&self.owner, &event.owner.name)
            && is_any(&self.job, &event.name)
            && (self.cause.is_empty() || event.cause.split(',').any(|cause| is_any(&self.cause, cause)))
            && is_any(&self.category, &event.category)
            && is_any(&self.reason, &event.reason)
            && is_any(&self.outcome, &event.outcome)
            && (self.event.is_empty() || self.event.contains(&event.event))
            && self.earliest(now).is_none_or(|earliest| event.time >= earliest)
            && self.finds(event)
    }

    /// The earliest time that matches.
    pub fn earliest(&self, now: Timestamp) -> Option<Timestamp> {
        self.since.as_ref().map(|since| match since.bound {
            Bound::At(time) => time,
            Bound::Ago(ago) => now.saturating_sub(ago).unwrap_or(Timestamp::MIN),
        })
    }

    fn finds(&self, event: &Listed) -> bool {
        if self.q.is_empty() {
            return true;
        }
        let wanted = self.q.to_lowercase();
        [
            &event.name,
            &event.owner.name,
            &event.namespace,
            &event.cause,
            &event.reason,
            &event.uid,
            &event.summary,
        ]
        .into_iter()
        .any(|text| text.to_lowercase().contains(&wanted))
    }
}

impl Since {
    fn parse(text: &str) -> Result<Self, String> {
        let ago = text.parse::<Duration>().ok();
        let ago = ago
            .and_then(|ago| SignedDuration::try_from(ago.get()).ok())
            .map(Bound::Ago);
        let bound = ago.or_else(|| text.parse().ok().map(Bound::At));
        let expected = "a duration before now such as 6h or 30m, or a time such as 2026-11-28T10:00:00Z";
        Ok(Since {
            text: text.to_owned(),
            bound: bound.ok_or(expected)?,
        })
    }
}
