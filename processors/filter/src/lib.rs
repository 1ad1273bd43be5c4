//! Processor `filter`: drops log records, metrics, points and spans that match a condition.
