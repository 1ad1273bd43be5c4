//! Processor `attributes`: changes the attributes of log records, points and spans.
