//! The three kinds of points with a temporality.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint,
};

use super::exponential;

const NO_RECORDED_VALUE: u32 = DataPointFlags::NoRecordedValueMask as u32;

/// A point that can be added to another.
pub(crate) trait DeltaPoint: Clone {
    fn attributes(&self) -> &[KeyValue];
    /// Start and end, nanoseconds since 1970; the start is 0 if unknown.
    fn interval(&self) -> (u64, u64);
    /// True if the point has a value.
    fn is_recorded(&self) -> bool;
    /// The values, without attributes and exemplars.
    fn bare(&self) -> Self;
    /// Adds a delta; false, without a change, if the two are incompatible.
    fn add(&mut self, delta: &Self) -> bool;
    /// Takes the values and times of the total.
    fn show(&mut self, total: &Self, start: u64, end: u64);
    /// A zero point of the same series.
    fn zero(&self, at: u64) -> Self;
    /// Moves the point to another series, without its exemplars.
    fn identify(&mut self, attributes: Vec<KeyValue>);
    /// Changes the interval, nanoseconds since 1970.
    fn place(&mut self, start: u64, end: u64);
}

impl DeltaPoint for NumberDataPoint {
    fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    fn interval(&self) -> (u64, u64) {
        (self.start_time_unix_nano, self.time_unix_nano)
    }

    fn is_recorded(&self) -> bool {
        self.flags & NO_RECORDED_VALUE == 0 && self.value.is_some()
    }

    fn bare(&self) -> Self {
        NumberDataPoint {
            value: self.value,
            ..Default::default()
        }
    }

    fn add(&mut self, delta: &Self) -> bool {
        let total = match (self.value, delta.value) {
            (Some(Value::AsInt(total)), Some(Value::AsInt(delta))) => total.checked_add(delta).map(Value::AsInt),
            // Integers and doubles of one series are one series (data model, "Timeseries Model").
            (Some(total), Some(delta)) => Some(Value::AsDouble(double(total) + double(delta))),
            _ => None,
        };
        let fits = total.is_some();
        self.value = total.or(self.value);
        fits
    }

    fn show(&mut self, total: &Self, start: u64, end: u64) {
        self.value = total.value;
        (self.start_time_unix_nano, self.time_unix_nano) = (start, end);
    }

    fn zero(&self, at: u64) -> Self {
        NumberDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: at,
            time_unix_nano: at,
            value: self.value.map(|value| match value {
                Value::AsInt(_) => Value::AsInt(0),
                Value::AsDouble(_) => Value::AsDouble(0.0),
            }),
            ..Default::default()
        }
    }

    fn identify(&mut self, attributes: Vec<KeyValue>) {
        self.attributes = attributes;
        self.exemplars.clear();
    }

    fn place(&mut self, start: u64, end: u64) {
        (self.start_time_unix_nano, self.time_unix_nano) = (start, end);
    }
}

pub(crate) fn double(value: Value) -> f64 {
    match value {
        Value::AsInt(value) => value as f64,
        Value::AsDouble(value) => value,
    }
}

impl DeltaPoint for HistogramDataPoint {
    fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    fn interval(&self) -> (u64, u64) {
        (self.start_time_unix_nano, self.time_unix_nano)
    }

    fn is_recorded(&self) -> bool {
        self.flags & NO_RECORDED_VALUE == 0
    }

    fn bare(&self) -> Self {
        HistogramDataPoint {
            attributes: Vec::new(),
            exemplars: Vec::new(),
            ..self.clone()
        }
    }

    fn add(&mut self, delta: &Self) -> bool {
        let same_buckets =
            self.explicit_bounds == delta.explicit_bounds && self.bucket_counts.len() == delta.bucket_counts.len();
        if !same_buckets {
            return false;
        }
        self.min = extreme(self.count, self.min, delta.count, delta.min, f64::min);
        self.max = extreme(self.count, self.max, delta.count, delta.max, f64::max);
        self.count = self.count.saturating_add(delta.count);
        for (total, more) in self.bucket_counts.iter_mut().zip(&delta.bucket_counts) {
            *total = total.saturating_add(*more);
        }
        self.sum = both(self.sum, delta.sum, |total, more| total + more);
        true
    }

    fn show(&mut self, total: &Self, start: u64, end: u64) {
        *self = HistogramDataPoint {
            attributes: std::mem::take(&mut self.attributes),
            exemplars: std::mem::take(&mut self.exemplars),
            start_time_unix_nano: start,
            time_unix_nano: end,
            flags: self.flags,
            ..total.clone()
        };
    }

    fn zero(&self, at: u64) -> Self {
        HistogramDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: at,
            time_unix_nano: at,
            sum: self.sum.map(|_| 0.0),
            bucket_counts: vec![0; self.bucket_counts.len()],
            explicit_bounds: self.explicit_bounds.clone(),
            ..Default::default()
        }
    }

    fn identify(&mut self, attributes: Vec<KeyValue>) {
        self.attributes = attributes;
        self.exemplars.clear();
    }

    fn place(&mut self, start: u64, end: u64) {
        (self.start_time_unix_nano, self.time_unix_nano) = (start, end);
    }
}

impl DeltaPoint for ExponentialHistogramDataPoint {
    fn attributes(&self) -> &[KeyValue] {
        &self.attributes
    }

    fn interval(&self) -> (u64, u64) {
        (self.start_time_unix_nano, self.time_unix_nano)
    }

    fn is_recorded(&self) -> bool {
        self.flags & NO_RECORDED_VALUE == 0
    }

    fn bare(&self) -> Self {
        ExponentialHistogramDataPoint {
            attributes: Vec::new(),
            exemplars: Vec::new(),
            ..self.clone()
        }
    }

    fn add(&mut self, delta: &Self) -> bool {
        exponential::add(self, delta);
        self.min = extreme(self.count, self.min, delta.count, delta.min, f64::min);
        self.max = extreme(self.count, self.max, delta.count, delta.max, f64::max);
        self.count = self.count.saturating_add(delta.count);
        self.sum = both(self.sum, delta.sum, |total, more| total + more);
        true
    }

    fn show(&mut self, total: &Self, start: u64, end: u64) {
        *self = ExponentialHistogramDataPoint {
            attributes: std::mem::take(&mut self.attributes),
            exemplars: std::mem::take(&mut self.exemplars),
            start_time_unix_nano: start,
            time_unix_nano: end,
            flags: self.flags,
            ..total.clone()
        };
    }

    fn zero(&self, at: u64) -> Self {
        ExponentialHistogramDataPoint {
            attributes: self.attributes.clone(),
            start_time_unix_nano: at,
            time_unix_nano: at,
            sum: self.sum.map(|_| 0.0),
            scale: self.scale,
            zero_threshold: self.zero_threshold,
            ..Default::default()
        }
    }

    fn identify(&mut self, attributes: Vec<KeyValue>) {
        self.attributes = attributes;
        self.exemplars.clear();
    }

    fn place(&mut self, start: u64, end: u64) {
        (self.start_time_unix_nano, self.time_unix_nano) = (start, end);
    }
}

fn both(a: Option<f64>, b: Option<f64>, join: fn(f64, f64) -> f64) -> Option<f64> {
    Some(join(a?, b?))
}

/// The minimum or maximum of two points; a point with count 0 has none.
fn extreme(count: u64, of: Option<f64>, other: u64, of_other: Option<f64>, join: fn(f64, f64) -> f64) -> Option<f64> {
    match (count, other) {
        (0, _) => of_other,
        (_, 0) => of,
        _ => both(of, of_other, join),
    }
}
