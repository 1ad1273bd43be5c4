//! Processor `transform`: changes log records, metrics, points and spans with statements.
