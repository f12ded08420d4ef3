//! Conversions between types, with ANSI's errors.

use super::datetime::{self, DAY_US};
use super::decimal::Decimal;
use super::error::{Result, SqlError};
use super::types::DataType;
use super::values::{Value, as_double};

/// Whether a value of one type is taken where the other is wanted, without a written cast.
pub(crate) fn implicit(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    match (from, to) {
        (a, b) if a == b => true,
        (T::Void, _) => true,
        (T::String, t) => t.is_numeric() || t.is_temporal() || matches!(t, T::Boolean | T::Binary),
        (a, T::String) => !matches!(a, T::Array(_) | T::Map(..) | T::Struct(_)),
        (a, b) if a.is_numeric() && b.is_numeric() => true,
        (a, b) if a.is_temporal() && b.is_temporal() => true,
        (T::Array(a), T::Array(b)) => implicit(a, b),
        (T::Map(ak, av), T::Map(bk, bv)) => implicit(ak, bk) && implicit(av, bv),
        (T::Struct(a), T::Struct(b)) => a.len() == b.len() && a.iter().zip(b).all(|((_, x), (_, y))| implicit(x, y)),
        _ => false,
    }
}

/// Whether a written cast exists between the types.
pub(crate) fn allowed(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    implicit(from, to)
        || matches!(
            (from, to),
            (_, T::String)
                | (T::Boolean, T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::Float | T::Double | T::Decimal(..))
        )
        || (from.is_numeric() && matches!(to, T::Boolean | T::Timestamp))
        || (matches!(from, T::Timestamp) && to.is_numeric())
        || matches!((from, to), (T::String, T::DayTime | T::YearMonth))
        || (from.is_integer() && matches!(to, T::Binary))
        || match (from, to) {
            (T::Array(a), T::Array(b)) => allowed(a, b),
            (T::Map(ak, av), T::Map(bk, bv)) => allowed(ak, bk) && allowed(av, bv),
            (T::Struct(a), T::Struct(b)) => a.len() == b.len() && a.iter().zip(b).all(|((_, x), (_, y))| allowed(x, y)),
            _ => false,
        }
}

/// Converts a value on its way into a table. Errors: as [`cast`], but an overflow is told as one of the insert.
pub(crate) fn into_column(value: &Value, from: &DataType, to: &DataType) -> Result<Value> {
    cast(value, from, to).map_err(|error| match error.class.as_str() {
        "CAST_OVERFLOW" => SqlError::new(
            "CAST_OVERFLOW_IN_TABLE_INSERT",
            "22003",
            format!(
                "Fail to assign a value of \"{from}\" type to the \"{to}\" type column or variable due to an overflow. Use `try_cast` on the input value to tolerate overflow and return NULL instead."
            ),
        ),
        _ => error,
    })
}

/// Converts a value. Errors: `CAST_INVALID_INPUT` for malformed text, `CAST_OVERFLOW` and `NUMERIC_VALUE_OUT_OF_RANGE` for lost digits.
pub(crate) fn cast(value: &Value, from: &DataType, to: &DataType) -> Result<Value> {
    use DataType as T;
    if value.is_null() || from == to {
        return Ok(value.clone());
    }
    let invalid = || SqlError::cast_invalid(&value.to_text(from), &from.to_string(), &to.to_string());
    let overflow = || SqlError::cast_overflow(&literal_text(value, from), &from.to_string(), &to.to_string());
    Ok(match (value, to) {
        (value, T::String) => Value::String(value.to_text(from)),
        (Value::String(text), T::Boolean) => match text.trim().to_lowercase().as_str() {
            "t" | "true" | "y" | "yes" | "1" => Value::Boolean(true),
            "f" | "false" | "n" | "no" | "0" => Value::Boolean(false),
            _ => return Err(invalid()),
        },
        (Value::String(text), T::Binary) => Value::Binary(text.clone().into_bytes()),
        (Value::String(text), T::Date) => Value::Integer(datetime::parse_date(text).ok_or_else(invalid)?),
        (Value::String(text), T::Timestamp | T::TimestampNtz) => {
            Value::Integer(datetime::parse_timestamp(text).ok_or_else(invalid)?.0)
        }
        (Value::String(text), T::Float | T::Double) => narrow(parse_double(text).ok_or_else(invalid)?, to),
        (Value::String(text), T::Decimal(p, s)) => {
            let number = Decimal::parse(text).ok_or_else(invalid)?;
            Value::Decimal(number.fit(*p, *s).ok_or_else(|| SqlError::decimal_out_of_range(text.trim(), *p, *s))?)
        }
        (Value::String(text), to) if to.is_integer() => {
            integer(whole(text).ok_or_else(invalid)?, to).ok_or_else(invalid)?
        }
        (Value::Boolean(b), T::Decimal(p, s)) => decimal(Decimal::from_integer((*b).into()), *p, *s)?,
        (Value::Boolean(b), T::Float | T::Double) => Value::Double(if *b { 1.0 } else { 0.0 }),
        (Value::Boolean(b), _) => Value::Integer((*b).into()),
        (Value::Integer(n), T::Boolean) => Value::Boolean(*n != 0),
        (Value::Integer(days), T::Timestamp | T::TimestampNtz) if *from == T::Date => {
            Value::Integer(days.checked_mul(DAY_US).ok_or_else(overflow)?)
        }
        (Value::Integer(n), T::Timestamp) if from.is_integer() => {
            Value::Integer(n.checked_mul(1_000_000).ok_or_else(overflow)?)
        }
        (Value::Integer(us), T::Date) => Value::Integer(us.div_euclid(DAY_US)),
        (Value::Integer(us), T::Timestamp | T::TimestampNtz) => Value::Integer(*us),
        (Value::Integer(us), T::Double | T::Float) if *from == T::Timestamp => Value::Double(as_double(*us) / 1e6),
        (Value::Integer(us), T::Decimal(p, s)) if *from == T::Timestamp => {
            decimal(Decimal { unscaled: (*us).into(), scale: 6 }, *p, *s)?
        }
        (Value::Integer(us), to) if *from == T::Timestamp => {
            integer(us.div_euclid(1_000_000).into(), to).ok_or_else(overflow)?
        }
        (Value::Integer(n), T::Double | T::Float) => narrow(as_double(*n), to),
        (Value::Integer(n), T::Decimal(p, s)) => decimal(Decimal::from_integer(*n), *p, *s)?,
        (Value::Integer(n), to) => integer((*n).into(), to).ok_or_else(overflow)?,
        (Value::Double(d), T::Boolean) => Value::Boolean(*d != 0.0),
        (Value::Double(d), T::Float | T::Double) => narrow(*d, to),
        (Value::Double(d), T::Decimal(p, s)) => {
            let number = Decimal::parse(&format!("{d:e}")).ok_or_else(overflow)?;
            decimal(number, *p, *s)?
        }
        (Value::Double(d), T::Timestamp) => Value::Integer(from_double(*d * 1e6).ok_or_else(overflow)?),
        (Value::Double(d), to) => integer(from_double(*d).ok_or_else(overflow)?.into(), to).ok_or_else(overflow)?,
        (Value::Decimal(d), T::Decimal(p, s)) => decimal(*d, *p, *s)?,
        (Value::Decimal(d), T::Double | T::Float) => narrow(d.to_f64(), to),
        (Value::Decimal(d), T::Boolean) => Value::Boolean(d.unscaled != 0),
        (Value::Decimal(d), T::Timestamp) => {
            let us = d.rescale(6).and_then(|us| i64::try_from(us.unscaled).ok());
            Value::Integer(us.ok_or_else(overflow)?)
        }
        (Value::Decimal(d), to) => integer(d.truncate(), to).ok_or_else(overflow)?,
        (Value::List(items), T::Array(target)) => {
            let T::Array(source) = from else { return Err(invalid()) };
            Value::List(items.iter().map(|item| cast(item, source, target)).collect::<Result<_>>()?)
        }
        (Value::List(items), T::Struct(targets)) => {
            let T::Struct(sources) = from else { return Err(invalid()) };
            let fields = items.iter().zip(sources.iter().zip(targets));
            Value::List(
                fields.map(|(item, ((_, source), (_, target)))| cast(item, source, target)).collect::<Result<_>>()?,
            )
        }
        (Value::Map(entries), T::Map(key, target)) => {
            let T::Map(source_key, source) = from else { return Err(invalid()) };
            let entry = |(k, v): &(Value, Value)| Ok((cast(k, source_key, key)?, cast(v, source, target)?));
            Value::Map(entries.iter().map(entry).collect::<Result<_>>()?)
        }
        _ => return Err(invalid()),
    })
}

/// The text of a value in an error, as a literal: `300`, `1.5D`, `300L`.
fn literal_text(value: &Value, ty: &DataType) -> String {
    let suffix = match ty {
        DataType::BigInt => "L",
        DataType::Double => "D",
        DataType::SmallInt => "S",
        DataType::Decimal(..) => "BD",
        _ => "",
    };
    format!("{}{suffix}", value.to_text(ty))
}

fn integer(value: i128, to: &DataType) -> Option<Value> {
    let (least, most) = to.integer_range()?;
    let value = i64::try_from(value).ok()?;
    (least..=most).contains(&value).then_some(Value::Integer(value))
}

fn decimal(value: Decimal, precision: u8, scale: u8) -> Result<Value> {
    value
        .fit(precision, scale)
        .map(Value::Decimal)
        .ok_or_else(|| SqlError::decimal_out_of_range(&value.to_string(), precision, scale))
}

/// Digits with an optional sign; a fraction is not taken, as ANSI wants.
fn whole(text: &str) -> Option<i128> {
    text.trim().parse().ok()
}

fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim();
    let lower = text.to_lowercase();
    match lower.as_str() {
        "infinity" | "+infinity" | "inf" | "+inf" => return Some(f64::INFINITY),
        "-infinity" | "-inf" => return Some(f64::NEG_INFINITY),
        _ => {}
    }
    let digits = lower.strip_suffix(['d', 'f']).unwrap_or(&lower);
    digits.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)).then(|| digits.parse().ok()).flatten()
}

/// Cuts a double to a whole number, if one holds it.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
pub(crate) fn from_double(value: f64) -> Option<i64> {
    let cut = value.trunc();
    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&cut).then_some(cut as i64)
}

/// Rounds to 32 bits where the target is FLOAT.
#[expect(clippy::cast_possible_truncation, reason = "the cast is the rounding that SQL asks for")]
fn narrow(value: f64, to: &DataType) -> Value {
    Value::Double(if *to == DataType::Float { f64::from(value as f32) } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(value: impl Into<Value>, from: &str, to: &str) -> Result<String> {
        let (from, to) = (DataType::parse(from).unwrap(), DataType::parse(to).unwrap());
        cast(&value.into(), &from, &to).map(|v| v.to_text(&to))
    }

    #[test]
    fn casts_keep_ansi() {
        assert_eq!(convert(" 12 ", "STRING", "INT").unwrap(), "12");
        assert_eq!(convert("1.2", "STRING", "INT").unwrap_err().class, "CAST_INVALID_INPUT");
        assert_eq!(convert(300, "INT", "TINYINT").unwrap_err().class, "CAST_OVERFLOW");
        assert_eq!(convert("12.345", "STRING", "DECIMAL(10,2)").unwrap(), "12.35");
        assert_eq!(
            convert("12345", "STRING", "DECIMAL(4,2)").unwrap_err().class,
            "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION"
        );
        assert_eq!(convert("2026-01-02T03:04:05Z", "STRING", "TIMESTAMP").unwrap(), "2026-01-02 03:04:05");
        assert_eq!(convert(-1_500_000, "TIMESTAMP", "BIGINT").unwrap(), "-2");
        assert_eq!(convert("yes", "STRING", "BOOLEAN").unwrap(), "true");
        assert_eq!(convert("1e3", "STRING", "DOUBLE").unwrap(), "1000.0");
        assert_eq!(convert("nan5", "STRING", "DOUBLE").unwrap_err().class, "CAST_INVALID_INPUT");
    }
}
