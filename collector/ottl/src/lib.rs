//! The OpenTelemetry Transformation Language (OTTL): conditions and statements about logs, metrics, points and spans.
