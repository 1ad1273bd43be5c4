//! Processor reason_enrichment: judges why a Job failed.
