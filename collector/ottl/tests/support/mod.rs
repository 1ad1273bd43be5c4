//! Items for tests: a record, a metric and a span with their owners.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

use collector_ottl::{
    Condition, Context, DataPoint, EvalError, Item, Owners, OwnersRef, ParseError, PointRef, Statement, View, points,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, Sum};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};

pub fn text(text: &str) -> AnyValue {
    AnyValue {
        value: Some(Any::StringValue(text.to_owned())),
    }
}

pub fn int(value: i64) -> AnyValue {
    AnyValue {
        value: Some(Any::IntValue(value)),
    }
}

pub fn double(value: f64) -> AnyValue {
    AnyValue {
        value: Some(Any::DoubleValue(value)),
    }
}

pub fn bool(value: bool) -> AnyValue {
    AnyValue {
        value: Some(Any::BoolValue(value)),
    }
}

pub fn bytes(value: &[u8]) -> AnyValue {
    AnyValue {
        value: Some(Any::BytesValue(value.to_vec())),
    }
}

pub fn list(values: Vec<AnyValue>) -> AnyValue {
    AnyValue {
        value: Some(Any::ArrayValue(ArrayValue { values })),
    }
}

pub fn map(entries: Vec<(&str, AnyValue)>) -> AnyValue {
    AnyValue {
        value: Some(Any::KvlistValue(KeyValueList {
            values: attributes(entries),
        })),
    }
}

pub fn attributes(entries: Vec<(&str, AnyValue)>) -> Vec<KeyValue> {
    let entries = entries.into_iter();
    entries
        .map(|(key, value)| KeyValue {
            key: key.to_owned(),
            value: Some(value),
            ..KeyValue::default()
        })
        .collect()
}

/// A record, a metric with two points, and a span, all with the same scope and resource.
pub struct Items {
    pub record: LogRecord,
    pub metric: Metric,
    pub span: Span,
    pub scope: Option<InstrumentationScope>,
    pub scope_schema_url: String,
    pub resource: Option<Resource>,
    pub resource_schema_url: String,
}

pub fn items() -> Items {
    let point = |state: &str, value| NumberDataPoint {
        attributes: attributes(vec![("state", text(state))]),
        time_unix_nano: 2_000,
        start_time_unix_nano: 1_000,
        value: Some(Number::AsInt(value)),
        ..NumberDataPoint::default()
    };
    Items {
        record: LogRecord {
            time_unix_nano: 1_700_000_000_000_000_000,
            severity_number: 17,
            severity_text: "ERROR".to_owned(),
            body: Some(text("Job failed: exit code 137")),
            attributes: attributes(vec![
                ("s", text("text")),
                ("i", int(42)),
                ("d", double(1.5)),
                ("t", bool(true)),
                ("by", bytes(&[1, 255])),
                ("list", list(vec![text("a"), int(2)])),
                ("map", map(vec![("k", text("v")), ("n", map(vec![("deep", int(1))]))])),
                ("none", AnyValue::default()),
            ]),
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            event_name: "k8s.job.finished".to_owned(),
            ..LogRecord::default()
        },
        metric: Metric {
            name: "queue.size".to_owned(),
            unit: "1".to_owned(),
            data: Some(Data::Sum(Sum {
                data_points: vec![point("used", 3), point("free", 5)],
                aggregation_temporality: 1,
                is_monotonic: true,
            })),
            ..Metric::default()
        },
        span: Span {
            name: "GET /users/42".to_owned(),
            kind: 2,
            trace_id: vec![1; 16],
            span_id: vec![2; 8],
            trace_state: "a=1,b=2".to_owned(),
            status: Some(Status {
                message: "bad".to_owned(),
                code: 2,
            }),
            start_time_unix_nano: 1_000,
            end_time_unix_nano: 3_000,
            ..Span::default()
        },
        scope: Some(InstrumentationScope {
            name: "collector".to_owned(),
            ..InstrumentationScope::default()
        }),
        scope_schema_url: String::new(),
        resource: Some(Resource {
            attributes: attributes(vec![
                ("service.name", text("shop")),
                ("k8s.namespace.name", text("billing")),
            ]),
            ..Resource::default()
        }),
        resource_schema_url: "https://opentelemetry.io/schemas/1.37.0".to_owned(),
    }
}

impl Items {
    pub fn owners(&self) -> OwnersRef<'_> {
        OwnersRef {
            scope: self.scope.as_ref(),
            scope_schema_url: &self.scope_schema_url,
            resource: self.resource.as_ref(),
            resource_schema_url: &self.resource_schema_url,
        }
    }

    pub fn view(&self, context: Context) -> View<'_> {
        let owners = self.owners();
        match context {
            Context::Resource => View::resource(owners.resource, owners.resource_schema_url),
            Context::Scope => View::scope(owners),
            Context::Log => View::log(&self.record, owners),
            Context::Metric => View::metric(&self.metric, owners),
            Context::Span => View::span(&self.span, owners),
            Context::DataPoint => {
                let Some(Data::Sum(sum)) = &self.metric.data else {
                    panic!("the metric of the test is a sum")
                };
                View::data_point(PointRef::Number(&sum.data_points[0]), &self.metric, owners)
            }
        }
    }

    /// Evaluates a condition.
    pub fn test(&self, context: Context, condition: &str) -> Result<bool, EvalError> {
        let condition = Condition::parse(condition, context).unwrap_or_else(|error| panic!("{condition}: {error:?}"));
        condition.matches(&self.view(context))
    }

    /// Runs a statement; a data point is the first one.
    pub fn run(&mut self, context: Context, statement: &str) -> Result<bool, EvalError> {
        let statement = Statement::parse(statement, context).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        let owners = Owners {
            scope: &mut self.scope,
            scope_schema_url: &mut self.scope_schema_url,
            resource: &mut self.resource,
            resource_schema_url: &mut self.resource_schema_url,
        };
        match context {
            Context::Resource => statement.execute(&mut Item::resource(owners.resource, owners.resource_schema_url)),
            Context::Scope => statement.execute(&mut Item::scope(owners)),
            Context::Log => statement.execute(&mut Item::log(&mut self.record, owners)),
            Context::Metric => statement.execute(&mut Item::metric(&mut self.metric, owners)),
            Context::Span => statement.execute(&mut Item::span(&mut self.span, owners)),
            Context::DataPoint => {
                let (fields, points) = points(&mut self.metric);
                let collector_ottl::MetricPoints::Number(points) = points else {
                    panic!("the metric of the test is a sum")
                };
                let point = DataPoint::Number(&mut points[0]);
                statement.execute(&mut Item::data_point(point, fields, owners))
            }
        }
    }

    /// Runs a statement on the record and returns its attributes.
    pub fn edited(&mut self, statement: &str) -> &[KeyValue] {
        let result = self.run(Context::Log, statement);
        assert_eq!(result, Ok(true), "{statement}");
        &self.record.attributes
    }

    pub fn attribute(&self, key: &str) -> Option<AnyValue> {
        let entry = self.record.attributes.iter().find(|entry| entry.key == key)?;
        Some(entry.value.clone().unwrap_or_default())
    }
}

/// The error of a condition about log records.
pub fn condition_error(condition: &str) -> ParseError {
    Condition::parse(condition, Context::Log).expect_err(condition)
}

/// The error of a statement about log records.
pub fn statement_error(statement: &str) -> ParseError {
    Statement::parse(statement, Context::Log).expect_err(statement)
}
