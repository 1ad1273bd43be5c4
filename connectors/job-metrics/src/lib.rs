//! Connector job_metrics: delta metrics from the events of finished Jobs.
