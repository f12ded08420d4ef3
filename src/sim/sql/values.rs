//! Typed values, how they lie in SQLite, and how they are written in results.
//!
//! Numbers, dates and instants are SQLite integers or reals; decimals are 16-byte blobs whose byte order is the numeric order (so that
//! comparison, grouping and sorting need no help from us); nested values are JSON text.

use super::datetime;
use super::decimal::Decimal;
use super::error::{Result, SqlError};
use super::types::DataType;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::{Value as Stored, ValueRef};
use serde_json::Value as Json;

/// A value of some [`DataType`].
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL of any type.
    Null,
    /// BOOLEAN.
    Boolean(bool),
    /// Every integer type, dates (days), instants (microseconds), intervals.
    Integer(i64),
    /// FLOAT and DOUBLE.
    Double(f64),
    /// DECIMAL.
    Decimal(Decimal),
    /// STRING.
    String(String),
    /// BINARY.
    Binary(Vec<u8>),
    /// ARRAY elements, or STRUCT fields in order.
    List(Vec<Value>),
    /// MAP entries in order of insertion.
    Map(Vec<(Value, Value)>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::String(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl Value {
    /// Whether this is NULL.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The integer inside, if any.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(n) => Some(*n),
            Self::Boolean(b) => Some((*b).into()),
            _ => None,
        }
    }

    /// The text inside, if any.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::String(s) => Some(s),
            _ => None,
        }
    }

    pub(crate) fn to_stored(&self, ty: &DataType) -> Stored {
        match self {
            Self::Null => Stored::Null,
            Self::Boolean(b) => Stored::Integer((*b).into()),
            Self::Integer(n) => Stored::Integer(*n),
            Self::Double(d) => Stored::Real(*d),
            Self::Decimal(d) => Stored::Blob(sortable(d.unscaled).to_vec()),
            Self::String(s) => Stored::Text(s.clone()),
            Self::Binary(b) => Stored::Blob(b.clone()),
            Self::List(_) | Self::Map(_) => Stored::Text(self.to_json(ty).to_string()),
        }
    }

    pub(crate) fn from_stored(stored: ValueRef<'_>, ty: &DataType) -> Result<Self> {
        Ok(match (stored, ty) {
            (ValueRef::Null, _) => Self::Null,
            (ValueRef::Integer(n), DataType::Boolean) => Self::Boolean(n != 0),
            (ValueRef::Integer(n), DataType::Float | DataType::Double) => Self::Double(as_double(n)),
            (ValueRef::Integer(n), _) => Self::Integer(n),
            (ValueRef::Real(d), _) => Self::Double(d),
            (ValueRef::Blob(bytes), DataType::Decimal(_, scale)) => {
                let bytes: [u8; 16] = bytes.try_into().map_err(|_| corrupt(ty))?;
                Self::Decimal(Decimal { unscaled: unsortable(bytes), scale: *scale })
            }
            (ValueRef::Blob(bytes), _) => Self::Binary(bytes.to_vec()),
            (ValueRef::Text(bytes), ty) => {
                let text = std::str::from_utf8(bytes).map_err(|_| corrupt(ty))?;
                match ty {
                    DataType::Array(_) | DataType::Map(..) | DataType::Struct(_) => {
                        Self::from_json(&serde_json::from_str(text).map_err(|_| corrupt(ty))?, ty)?
                    }
                    _ => Self::String(text.to_owned()),
                }
            }
        })
    }

    fn to_json(&self, ty: &DataType) -> Json {
        match (self, ty) {
            (Self::Null, _) => Json::Null,
            (Self::Boolean(b), _) => Json::Bool(*b),
            (Self::Integer(n), _) => Json::from(*n),
            (Self::Double(d), _) => Json::String(d.to_string()),
            (Self::Decimal(d), _) => Json::String(d.unscaled.to_string()),
            (Self::String(s), _) => Json::String(s.clone()),
            (Self::Binary(b), _) => Json::String(STANDARD.encode(b)),
            (Self::List(items), DataType::Array(item)) => items.iter().map(|v| v.to_json(item)).collect(),
            (Self::List(items), DataType::Struct(fields)) => {
                items.iter().zip(fields).map(|(v, (_, t))| v.to_json(t)).collect()
            }
            (Self::Map(entries), DataType::Map(key, value)) => {
                entries.iter().map(|(k, v)| Json::Array(vec![k.to_json(key), v.to_json(value)])).collect()
            }
            _ => Json::Null,
        }
    }

    fn from_json(json: &Json, ty: &DataType) -> Result<Self> {
        Ok(match (json, ty) {
            (Json::Null, _) => Self::Null,
            (Json::Bool(b), _) => Self::Boolean(*b),
            (Json::Number(n), _) => Self::Integer(n.as_i64().ok_or_else(|| corrupt(ty))?),
            (Json::String(s), DataType::Float | DataType::Double) => Self::Double(s.parse().map_err(|_| corrupt(ty))?),
            (Json::String(s), DataType::Decimal(_, scale)) => {
                Self::Decimal(Decimal { unscaled: s.parse().map_err(|_| corrupt(ty))?, scale: *scale })
            }
            (Json::String(s), DataType::Binary) => Self::Binary(STANDARD.decode(s).map_err(|_| corrupt(ty))?),
            (Json::String(s), _) => Self::String(s.clone()),
            (Json::Array(items), DataType::Array(item)) => {
                Self::List(items.iter().map(|v| Self::from_json(v, item)).collect::<Result<_>>()?)
            }
            (Json::Array(items), DataType::Struct(fields)) => {
                Self::List(items.iter().zip(fields).map(|(v, (_, t))| Self::from_json(v, t)).collect::<Result<_>>()?)
            }
            (Json::Array(items), DataType::Map(key, value)) => {
                let entry = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
                    Some([k, v]) => Ok((Self::from_json(k, key)?, Self::from_json(v, value)?)),
                    _ => Err(corrupt(ty)),
                };
                Self::Map(items.iter().map(entry).collect::<Result<_>>()?)
            }
            _ => return Err(corrupt(ty)),
        })
    }

    /// The text of the value in `data_array` of a statement's result; none for NULL.
    #[must_use]
    pub fn render(&self, ty: &DataType) -> Option<String> {
        Some(match (self, ty) {
            (Self::Null, _) => return None,
            (Self::Integer(n), DataType::Timestamp) => datetime::timestamp_iso(*n),
            (Self::Integer(n), DataType::TimestampNtz) => datetime::timestamp_iso(*n).trim_end_matches('Z').to_owned(),
            (Self::Binary(b), _) => STANDARD.encode(b),
            (Self::List(_) | Self::Map(_), ty) => self.render_json(ty),
            (value, ty) => value.to_text(ty),
        })
    }

    fn render_json(&self, ty: &DataType) -> String {
        let quote = |text: String| Json::String(text).to_string();
        match (self, ty) {
            (Self::List(items), DataType::Array(item)) => {
                format!("[{}]", items.iter().map(|v| v.render_json(item)).collect::<Vec<_>>().join(","))
            }
            (Self::List(items), DataType::Struct(fields)) => {
                let fields = items
                    .iter()
                    .zip(fields)
                    .map(|(v, (name, t))| format!("{}:{}", quote(name.clone()), v.render_json(t)));
                format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
            (Self::Map(entries), DataType::Map(key, value)) => {
                let entries =
                    entries.iter().map(|(k, v)| format!("{}:{}", quote(k.to_text(key)), v.render_json(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
            }
            (Self::Null, _) => "null".to_owned(),
            (value, _) => value.render(ty).map_or_else(|| "null".to_owned(), quote),
        }
    }

    /// The text that `CAST(value AS STRING)` gives. NULL gives `null`, as inside Spark's nested texts.
    #[must_use]
    pub fn to_text(&self, ty: &DataType) -> String {
        match (self, ty) {
            (Self::Null, _) => "null".to_owned(),
            (Self::Boolean(b), _) => b.to_string(),
            (Self::Integer(n), DataType::Date) => datetime::date_text(*n),
            (Self::Integer(n), DataType::Timestamp | DataType::TimestampNtz) => datetime::timestamp_text(*n),
            (Self::Integer(n), DataType::DayTime) => datetime::interval_text(*n),
            (Self::Integer(n), DataType::YearMonth) => {
                let sign = if *n < 0 { "-" } else { "" };
                format!("INTERVAL '{sign}{}-{}' YEAR TO MONTH", n.abs() / 12, n.abs() % 12)
            }
            (Self::Integer(n), _) => n.to_string(),
            (Self::Double(d), DataType::Float) => float_text(*d),
            (Self::Double(d), _) => double_text(*d),
            (Self::Decimal(d), _) => d.to_string(),
            (Self::String(s), _) => s.clone(),
            (Self::Binary(b), _) => String::from_utf8_lossy(b).into_owned(),
            (Self::List(items), DataType::Array(item)) => {
                format!("[{}]", items.iter().map(|v| v.to_text(item)).collect::<Vec<_>>().join(", "))
            }
            (Self::List(items), DataType::Struct(fields)) => {
                format!(
                    "{{{}}}",
                    items.iter().zip(fields).map(|(v, (_, t))| v.to_text(t)).collect::<Vec<_>>().join(", ")
                )
            }
            (Self::Map(entries), DataType::Map(key, value)) => {
                let entries = entries.iter().map(|(k, v)| format!("{} -> {}", k.to_text(key), v.to_text(value)));
                format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
            }
            _ => String::new(),
        }
    }
}

fn corrupt(ty: &DataType) -> SqlError {
    SqlError::new("INTERNAL_ERROR", "XX000", format!("A stored value is not a {ty}."))
}

/// Two's complement with the sign bit turned: byte order is numeric order.
fn sortable(value: i128) -> [u8; 16] {
    (value ^ i128::MIN).to_be_bytes()
}

fn unsortable(bytes: [u8; 16]) -> i128 {
    i128::from_be_bytes(bytes) ^ i128::MIN
}

/// The nearest double of a whole number.
#[expect(clippy::cast_precision_loss, reason = "the cast is the rounding that SQL asks for")]
pub(crate) fn as_double(n: i64) -> f64 {
    n as f64
}

/// Java's `Double.toString`: plain between 10^-3 and 10^7, otherwise `1.0E10`.
pub(crate) fn double_text(value: f64) -> String {
    java_text(value, &format!("{:e}", value.abs()))
}

/// Java's `Float.toString`.
fn float_text(value: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "a FLOAT holds what fits 32 bits")]
    let narrow = value as f32;
    java_text(value, &format!("{:e}", narrow.abs()))
}

fn java_text(value: f64, scientific: &str) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    let sign = if value.is_sign_negative() { "-" } else { "" };
    if value.is_infinite() {
        return format!("{sign}Infinity");
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    if value == 0.0 {
        return format!("{sign}0.0");
    }
    let width = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let plain = match exponent {
        -3..=-1 => format!("0.{}{digits}", "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0))),
        0..=6 if width <= exponent + 1 => {
            format!("{digits}{}.0", "0".repeat(usize::try_from(exponent + 1 - width).unwrap_or(0)))
        }
        0..=6 => {
            let (whole, fraction) = digits.split_at(usize::try_from(exponent + 1).unwrap_or(0));
            format!("{whole}.{fraction}")
        }
        _ => {
            let (first, rest) = digits.split_at(1);
            format!("{first}.{}E{exponent}", if rest.is_empty() { "0" } else { rest })
        }
    };
    format!("{sign}{plain}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (value, text) in [
            (1.0, "1.0"),
            (1e7, "1.0E7"),
            (1_234_567.0, "1234567.0"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (-0.0, "-0.0"),
            (1.5e-9, "1.5E-9"),
            (100.25, "100.25"),
        ] {
            assert_eq!(double_text(value), text);
        }
        assert_eq!(float_text(f64::from(0.1_f32)), "0.1");
    }

    #[test]
    fn nested_values_come_back() {
        let ty = DataType::parse("STRUCT<a: ARRAY<DECIMAL(5,2)>, m: MAP<STRING, DOUBLE>, t: TIMESTAMP>").unwrap();
        let value = Value::List(vec![
            Value::List(vec![Value::Decimal(Decimal::parse("1.25").unwrap()), Value::Null]),
            Value::Map(vec![("k".into(), Value::Double(0.5))]),
            Value::Integer(0),
        ]);
        let stored = value.to_stored(&ty);
        assert_eq!(Value::from_stored((&stored).into(), &ty).unwrap(), value);
        assert_eq!(value.render(&ty).unwrap(), r#"{"a":["1.25",null],"m":{"k":"0.5"},"t":"1970-01-01T00:00:00.000Z"}"#);
        assert_eq!(value.to_text(&ty), "{[1.25, null], {k -> 0.5}, 1970-01-01 00:00:00}");
    }

    proptest! {
        #[test]
        fn decimal_blobs_sort_as_numbers(a in any::<i128>(), b in any::<i128>()) {
            prop_assert_eq!(sortable(a).cmp(&sortable(b)), a.cmp(&b));
            prop_assert_eq!(unsortable(sortable(a)), a);
        }
    }
}
