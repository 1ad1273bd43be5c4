//! Exporter debug: writes what passes to standard error.
