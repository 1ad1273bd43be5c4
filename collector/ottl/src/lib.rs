//! The OpenTelemetry Transformation Language (OTTL): conditions and statements about logs, metrics, data points, spans, scopes
//! and resources. A text is parsed and checked once, then it runs on OTLP messages. The subset is described in `docs/ottl.md`.

mod compare;
mod compile;
mod condition;
mod context;
mod convert;
mod enumerations;
mod error;
mod expression;
mod functions;
mod infer;
mod item;
mod paths;
mod patterns;
mod points;
mod program;
mod syntax;
mod text;
mod value;
mod view;

pub use context::Context;
pub use error::{EvalError, ParseError};
pub use infer::{ContextError, infer_context};
pub use item::{Item, Owners};
pub use points::{DataPoint, MetricFields, MetricPoints, points};
// Other crates define types with the name `Condition` already.
pub use program::{OttlCondition as Condition, Statement};
pub use view::{OwnersRef, PointRef, View};
