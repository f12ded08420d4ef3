//! The vendor's JSON, spelled as it travels, and its conversion into domain types.
//!
//! Rules (databricks-api.md 0): every field may be absent or null, enumerations stay text so that a new value survives,
//! integers may come as text, unknown fields are ignored. A type says only what lakeshift reads; where a document must
//! come back whole (a pipeline's specification, a task), the remaining members ride along in `rest`.
#![allow(
    missing_docs,
    reason = "the vendor names these fields and documents them; repeating the names explains nothing"
)]

pub mod error;
pub mod events;
pub mod grants;
pub mod identity;
pub mod jobs;
pub mod permissions;
pub mod pipelines;
pub mod policies;
pub mod runs;
pub mod sql;
pub mod tables;
pub mod warehouses;

mod number;

pub use number::{Int, Real};

use chrono::DateTime;

use crate::domain::Instant;

/// Declares a JSON object all of whose members may be absent. An absent member stays absent when written.
macro_rules! object {
    ($($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $kind:ty,)* } $(+ $rest:ident)?)*) => {
        $(
            #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
            $(#[$meta])*
            pub struct $name {
                $(
                    $(#[$field_meta])*
                    #[serde(default, skip_serializing_if = "Option::is_none")]
                    pub $field: Option<$kind>,
                )*
                $(
                    #[serde(flatten)]
                    pub $rest: serde_json::Map<String, serde_json::Value>,
                )?
            }
        )*
    };
}
pub(crate) use object;

/// An instant from epoch milliseconds. 0 and absent both mean "not yet" (databricks-api.md 3.9).
pub(crate) fn instant(ms: Option<Int>) -> Option<Instant> {
    match ms {
        Some(Int(0)) | None => None,
        Some(Int(ms)) => DateTime::from_timestamp_millis(ms),
    }
}

/// An instant from RFC 3339 text, or from epoch milliseconds written as text.
pub(crate) fn instant_text(text: Option<&str>) -> Option<Instant> {
    let text = text?.trim();
    match DateTime::parse_from_rfc3339(text) {
        Ok(at) => Some(at.to_utc()),
        Err(_) => instant(text.parse().ok().map(Int)),
    }
}

/// Text that says something: empty and absent are the same to readers.
pub(crate) fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// A count that cannot be negative; absent is 0.
pub(crate) fn count(value: Option<Int>) -> u64 {
    value.and_then(|Int(value)| u64::try_from(value).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_no_instant() {
        assert_eq!(instant(Some(Int(0))), None);
        assert_eq!(instant(None), None);
        assert_eq!(instant(Some(Int(1_738_643_404_315))).map(|at| at.timestamp_millis()), Some(1_738_643_404_315));
    }

    #[test]
    fn an_instant_reads_both_spellings() {
        let expected = DateTime::from_timestamp_millis(1_738_643_404_315);
        assert_eq!(instant_text(Some("2025-02-04T04:30:04.315Z")), expected);
        assert_eq!(instant_text(Some("2025-02-04T06:30:04.315+02:00")), expected);
        assert_eq!(instant_text(Some("1738643404315")), expected);
        assert_eq!(instant_text(Some("soon")), None);
    }
}
