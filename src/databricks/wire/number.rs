//! Numbers as the gateways write them: bare, or as decimal text (databricks-api.md 0.1).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

/// A 64-bit integer that may come as a JSON number or as decimal text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Int(pub i64);

/// A number that may have a fraction and may come as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Real(pub f64);

impl Int {
    /// The value as an identifier; a negative number is none.
    pub fn id(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

impl Serialize for Int {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0)
    }
}

impl Serialize for Real {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntVisitor)
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RealVisitor)
    }
}

struct IntVisitor;

impl Visitor<'_> for IntVisitor {
    type Value = Int;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer, bare or as decimal text")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Int, E> {
        Ok(Int(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Int, E> {
        i64::try_from(value).map(Int).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))
    }

    /// Some gateways write `3.0`. A fraction is not an integer and is refused.
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Int, E> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if value.fract() == 0.0 && value.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "checked: whole and within the exact range of f64")]
            return Ok(Int(value as i64));
        }
        Err(E::invalid_value(de::Unexpected::Float(value), &self))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Int, E> {
        value.trim().parse().map(Int).map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

struct RealVisitor;

impl Visitor<'_> for RealVisitor {
    type Value = Real;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, bare or as text")
    }

    #[expect(clippy::cast_precision_loss, reason = "measurements: the nearest f64 is what is wanted")]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Real, E> {
        Ok(Real(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "measurements: the nearest f64 is what is wanted")]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Real, E> {
        Ok(Real(value as f64))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Real, E> {
        Ok(Real(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Real, E> {
        value.trim().parse().map(Real).map_err(|_| E::invalid_value(de::Unexpected::Str(value), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_integer_is_refused() {
        for bad in ["1.5", "\"1.5\"", "\"\"", "\"abc\"", "true", "[]", "18446744073709551615"] {
            assert!(serde_json::from_str::<Int>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_real_reads_every_spelling() {
        for spelled in ["2", "2.0", "\"2\"", "\"2.0\""] {
            assert_eq!(serde_json::from_str::<Real>(spelled).expect("decodes"), Real(2.0), "{spelled}");
        }
        assert!(serde_json::from_str::<Real>("\"fast\"").is_err());
    }

    proptest! {
        #[test]
        fn every_integer_reads_bare_and_as_text(value: i64) {
            prop_assert_eq!(serde_json::from_str::<Int>(&value.to_string()).expect("bare"), Int(value));
            prop_assert_eq!(serde_json::from_str::<Int>(&format!("\"{value}\"")).expect("text"), Int(value));
            prop_assert_eq!(serde_json::to_string(&Int(value)).expect("writes"), value.to_string());
        }
    }
}
