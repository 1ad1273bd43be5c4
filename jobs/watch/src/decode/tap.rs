//! Reads selected labels and annotations while `metadata` is decoded, so that the object is read once.
//!
//! A [`Tap`] wraps the serde value of each layer on the path `metadata`, `labels`, value; everything else passes unwrapped.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::typed::Key;
use crate::extract::{Found, MetadataField};

/// Where in an object a value is.
#[derive(Clone, Copy)]
enum Layer {
    /// The object.
    Object,
    /// `metadata` itself.
    Metadata,
    /// `labels` or `annotations`.
    Field(MetadataField),
    /// The value of a selected key.
    Value,
}

/// A serde value whose selected labels and annotations go to `found`.
struct Tap<'a, 'w, X> {
    inner: X,
    layer: Layer,
    found: &'a mut Found<'w>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Tap<'_, '_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let Tap { inner, layer, found } = self;
        let inner_deserializer = Tap {
            inner: deserializer,
            layer,
            found,
        };
        inner.deserialize(inner_deserializer)
    }
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Tap<'_, '_, D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let Tap { inner, layer, found } = self;
        inner.deserialize_any(Tap {
            inner: visitor,
            layer,
            found,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Tap<'_, '_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if let Layer::Value = self.layer {
            self.found.value(text);
        }
        self.inner.visit_str(text)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        self.inner.visit_i64(number)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        self.inner.visit_u64(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        self.inner.visit_f64(number)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.inner.visit_bool(value)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        self.inner.visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let Tap { inner, layer, found } = self;
        inner.visit_map(TapMap {
            map,
            layer,
            found,
            next: None,
        })
    }
}

/// An object, or a map in its `metadata`.
pub(super) struct TapMap<'a, 'w, A> {
    map: A,
    layer: Layer,
    found: &'a mut Found<'w>,
    /// The layer of the next value, if it is to be read.
    next: Option<Layer>,
}

impl<'a, 'w, A> TapMap<'a, 'w, A> {
    /// An object whose selected labels and annotations go to `found`.
    pub(super) fn of_object(map: A, found: &'a mut Found<'w>) -> Self {
        TapMap {
            map,
            layer: Layer::Object,
            found,
            next: None,
        }
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for TapMap<'_, '_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        let Some(Key(key)) = self.map.next_key()? else {
            return Ok(None);
        };
        let field = |field| self.found.wanted.reads(field).then_some(Layer::Field(field));
        self.next = match (self.layer, &*key) {
            (Layer::Object, "metadata") => Some(Layer::Metadata),
            (Layer::Metadata, "labels") => field(MetadataField::Labels),
            (Layer::Metadata, "annotations") => field(MetadataField::Annotations),
            (Layer::Field(field), key) => self.found.key(field, key).then_some(Layer::Value),
            _ => None,
        };
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        match self.next {
            Some(layer) => self.map.next_value_seed(Tap {
                inner: seed,
                layer,
                found: &mut *self.found,
            }),
            None => self.map.next_value_seed(seed),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use crate::Kind;
    use crate::decode::{WatchEvent, list_page, watch_line, watch_line_with};
    use crate::extract::MetadataField::{self, Annotations, Labels};
    use crate::extract::{Extracted, Extraction, LabelSource, MAX_ATTRIBUTES, MAX_VALUE, Rule, Wanted};
    use crate::model::{Job, Watched};

    fn exact(field: MetadataField, key: &str, name: &str) -> Rule {
        Rule::exact(LabelSource::Job, field, key, name)
    }

    fn pattern(field: MetadataField, key: &str, name: &str) -> Rule {
        Rule::pattern(LabelSource::Job, field, key, name).unwrap()
    }

    fn wanted(rules: Vec<Rule>) -> Wanted {
        let mut extraction = Extraction::default();
        extraction.keep_label(LabelSource::Job, "app");
        rules.into_iter().for_each(|rule| extraction.add(rule));
        Wanted::clone(extraction.of(Kind::Jobs).unwrap())
    }

    fn line(metadata: &Value) -> Vec<u8> {
        let line =
            json!({"type": "MODIFIED", "object": {"kind": "Job", "metadata": metadata, "status": {"failed": 3}}});
        line.to_string().into_bytes()
    }

    fn decode(metadata: &Value, wanted: &Wanted) -> Job {
        match watch_line_with(&line(metadata), Some(wanted)).unwrap() {
            WatchEvent::Modified(job) => job,
            other => panic!("{other:?}"),
        }
    }

    fn extracted(metadata: &Value, rules: Vec<Rule>) -> Extracted {
        decode(metadata, &wanted(rules))
            .metadata
            .extracted
            .map_or_else(Extracted::default, |found| *found)
    }

    fn attributes(metadata: &Value, rules: Vec<Rule>) -> Vec<(String, String)> {
        let found = extracted(metadata, rules).attributes.into_iter();
        found
            .map(|found| (found.name.to_string(), found.value.into()))
            .collect()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected
            .iter()
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn reads_selected_labels_and_annotations() {
        let metadata = json!({"uid": "u", "labels": {"team": "payments", "app": "shop", "x/env": "prod", "empty": ""},
            "annotations": {"team": "a", "owner": "Zoë \"Z\""}});
        let rules = vec![
            exact(Labels, "team", ""),
            exact(Annotations, "owner", "contact"),
            pattern(Labels, "x/(.*)", "$1"),
            exact(Labels, "missing", ""),
        ];
        let expected = [
            ("contact", "Zoë \"Z\""),
            ("env", "prod"),
            ("k8s.job.label.team", "payments"),
        ];
        assert_eq!(attributes(&metadata, rules), pairs(&expected));
        let found = extracted(&metadata, vec![]);
        assert_eq!((found.label("app"), found.label("team")), (Some("shop"), None));
        assert_eq!(found.attributes, []);
        // As in the Collector: a key of its own may have an empty value, a pattern skips it.
        assert_eq!(
            attributes(&metadata, vec![exact(Labels, "empty", "e")]),
            pairs(&[("e", "")])
        );
        assert_eq!(attributes(&metadata, vec![pattern(Labels, "empty", "")]), []);
    }

    #[test]
    fn the_last_rule_of_a_name_wins() {
        let metadata = json!({"uid": "u", "labels": {"b": "1", "a": "2"}, "annotations": {"c": "3"}});
        let rule = |field, key| exact(field, key, "n");
        let found = |rules| attributes(&metadata, rules);
        assert_eq!(found(vec![rule(Labels, "a"), rule(Labels, "b")]), pairs(&[("n", "1")]));
        assert_eq!(found(vec![rule(Labels, "b"), rule(Labels, "a")]), pairs(&[("n", "2")]));
        assert_eq!(
            found(vec![rule(Annotations, "c"), rule(Labels, "a")]),
            pairs(&[("n", "2")])
        );
        assert_eq!(
            found(vec![rule(Labels, "a"), rule(Annotations, "c")]),
            pairs(&[("n", "3")])
        );
    }

    #[test]
    fn size_and_number_are_bounded() {
        let long = "é".repeat(MAX_VALUE);
        let key = "k".repeat(400);
        let mut labels: Value = json!({"app": long, "long": long, key: "v"});
        for n in 0..1000 {
            labels[format!("l{n}")] = "v".into();
        }
        let found = extracted(&json!({"uid": "u", "labels": labels}), vec![pattern(Labels, ".*", "")]);
        assert_eq!(found.attributes.len(), MAX_ATTRIBUTES);
        assert!(
            found
                .attributes
                .iter()
                .all(|found| found.value.len() <= MAX_VALUE && found.name.len() < 400)
        );
        assert_eq!(found.label("app").map(str::len), Some(MAX_VALUE));
    }

    #[test]
    fn values_of_other_types_are_skipped() {
        for odd in [
            json!(7),
            json!(1.5),
            json!(true),
            json!(null),
            json!({"a": "b"}),
            json!(["a"]),
        ] {
            let metadata = json!({"uid": "u", "labels": {"app": odd, "team": "t", "x": odd}, "annotations": odd});
            let found = attributes(
                &metadata,
                vec![pattern(Labels, ".*", ""), pattern(Annotations, ".*", "")],
            );
            let inside = odd.is_object().then_some(("k8s.job.annotation.a", "b"));
            let expected: Vec<_> = inside.into_iter().chain([("k8s.job.label.team", "t")]).collect();
            assert_eq!(found, pairs(&expected), "{odd}");
        }
        let metadata = json!({"uid": "u", "labels": ["team"]});
        assert_eq!(attributes(&metadata, vec![pattern(Labels, ".*", "")]), []);
    }

    #[test]
    fn a_listed_object_has_them_as_well() {
        let body = json!({"kind": "JobList", "apiVersion": "batch/v1", "metadata": {"resourceVersion": "9"},
            "items": [{"metadata": {"labels": {"team": "t"}, "uid": "u"}}, {"metadata": {"uid": "v"}}]});
        let body = body.to_string();
        let page = list_page(&body, Job::TYPE).unwrap();
        let wanted = wanted(vec![exact(Labels, "team", "")]);
        let found: Vec<_> = page
            .objects_with::<Job>(Some(&wanted))
            .map(|job| job.unwrap().metadata.extracted)
            .collect();
        assert_eq!(found[0].as_ref().unwrap().attributes.len(), 1);
        assert_eq!(found[1], None);
        assert!(
            page.objects::<Job>()
                .all(|job| job.unwrap().metadata.extracted.is_none())
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("team".to_owned()),
            Just("kueue.x-k8s.io/queue-name".to_owned()),
            Just("tags.datadoghq.com/env".to_owned()),
            Just("labels".to_owned()),
            "[a-z]{1,3}",
        ];
        leaf.prop_recursive(3, 24, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key.clone(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn rules_do_not_change_the_rest_of_an_object(labels in any_value(), annotations in any_value(), name in any_value()) {
            let metadata = json!({"uid": "u", "name": name, "labels": labels, "annotations": annotations});
            let mut with = decode(&metadata, &wanted(vec![pattern(Labels, ".*", ""), pattern(Annotations, ".*", "")]));
            let texts = |map: &Value| map.as_object().map_or(0, |map| {
                map.values().filter(|value| value.as_str().is_some_and(|text| !text.is_empty())).count()
            });
            let found = with.metadata.extracted.take().map_or(0, |found| found.attributes.len());
            prop_assert_eq!(found, texts(&metadata["labels"]) + texts(&metadata["annotations"]));
            prop_assert_eq!(WatchEvent::Modified(with), watch_line::<Job>(&line(&metadata)).unwrap());
        }
    }
}
