//! Cells of system tables.

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::sim::sql::{Decimal, Value};

/// The account of all workspaces.
pub(super) const ACCOUNT: &str = "7d3f0a52-1c7e-4b52-9a64-6d2f1e0c9b11";

/// An instant.
pub(super) fn at(instant: Instant) -> Value {
    Value::Integer(instant.timestamp_micros())
}

/// The day of an instant.
pub(super) fn date(instant: Instant) -> Value {
    Value::Integer(instant.timestamp().div_euclid(86_400))
}

/// A text.
pub(super) fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

/// A text, or nothing where it is empty.
pub(super) fn maybe(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) }
}

/// Whole seconds of milliseconds.
pub(super) fn seconds(ms: u64) -> Value {
    Value::Integer(i64::try_from(ms / 1_000).unwrap_or(i64::MAX))
}

/// A list of texts.
pub(super) fn texts<'a>(all: impl IntoIterator<Item = &'a str>) -> Value {
    Value::List(all.into_iter().map(Value::from).collect())
}

/// A map of texts.
pub(super) fn map<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Value {
    Value::Map(pairs.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
}

/// A decimal(38,18) of a number of millionths.
pub(super) fn decimal(millionths: i128) -> Value {
    Value::Decimal(Decimal { unscaled: millionths * 1_000_000_000_000, scale: 18 })
}

/// An id in the form of a UUID that follows from what it names.
pub(super) fn id(parts: &[&str]) -> String {
    let (high, low) = (mixed(11, parts), mixed(12, parts));
    uuid::Builder::from_random_bytes((u128::from(high) << 64 | u128::from(low)).to_be_bytes()).into_uuid().to_string()
}

/// A number below `bound` that follows from what it is drawn for.
pub(super) fn below(bound: u64, parts: &[&str]) -> u64 {
    mixed(13, parts) % bound.max(1)
}

/// Sixty-four bits that follow from some words: FNV-1a, and a finish that spreads them. There are many rows.
fn mixed(salt: u64, parts: &[&str]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ salt.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for byte in parts.iter().flat_map(|part| part.bytes().chain([0])) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

/// The hour in which an instant lies.
pub(super) fn hour_of(instant: Instant) -> Instant {
    Instant::from_timestamp(instant.timestamp().div_euclid(3_600) * 3_600, 0).unwrap_or(instant)
}

/// Cuts a span at clock hours: `(from, to)` of each part. A span of nothing is one part.
pub(super) fn hours(from: Instant, to: Instant) -> Vec<(Instant, Instant)> {
    let mut parts = Vec::new();
    let mut begins = from;
    loop {
        let ends = (hour_of(begins) + TimeDelta::hours(1)).min(to);
        parts.push((begins, ends));
        if ends >= to {
            return parts;
        }
        begins = ends;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_cut_at_clock_hours_without_gaps() {
        let minute = |minute: i64| Instant::from_timestamp(minute * 60, 0).expect("in range");
        assert_eq!(
            hours(minute(30), minute(150)),
            [(minute(30), minute(60)), (minute(60), minute(120)), (minute(120), minute(150))]
        );
        assert_eq!(hours(minute(30), minute(30)), [(minute(30), minute(30))]);
        assert_eq!(hours(minute(60), minute(120)), [(minute(60), minute(120))]);
    }
}
