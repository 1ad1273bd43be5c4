//! Properties of OTTL, for any text.

use collector_ottl::{Condition, Context, Item, Owners, Statement, infer_context};
use opentelemetry_proto::tonic::logs::v1::LogRecord;

/// Panics if something does not hold.
pub(super) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    for context in Context::ALL {
        let condition = Condition::parse(text, context);
        let statement = Statement::parse(text, context);
        for error in [condition.as_ref().err(), statement.as_ref().err()].into_iter().flatten() {
            assert!(text.get(error.range.clone()).is_some(), "the error points outside of the text: {error:?}");
            assert!(!error.message.is_empty());
        }
        if context != Context::Log {
            continue;
        }
        let (mut record, mut scope, mut resource) = (LogRecord::default(), None, None);
        let (mut scope_schema_url, mut resource_schema_url) = (String::new(), String::new());
        let owners = Owners {
            scope: &mut scope,
            scope_schema_url: &mut scope_schema_url,
            resource: &mut resource,
            resource_schema_url: &mut resource_schema_url,
        };
        let mut item = Item::log(&mut record, owners);
        if let Ok(condition) = condition {
            assert_eq!(condition.matches(&item.view()), condition.matches(&item.view()));
        }
        if let Ok(statement) = statement {
            drop(statement.execute(&mut item));
        }
    }
    drop(infer_context(&Context::ALL, &[text], &[]));
}
