//! Constants: literals, typed strings, intervals, parameters.

use super::{Binder, Bound};
use crate::sim::sql::cast;
use crate::sim::sql::datetime::{self, Unit};
use crate::sim::sql::decimal::Decimal;
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::parse::SUFFIXES;
use crate::sim::sql::types::DataType;
use crate::sim::sql::values::Value;
use sqlparser::ast::{Expr, Interval, TypedString, Value as Literal};

impl Binder<'_> {
    pub(super) fn literal(&self, value: &Literal) -> Result<Bound> {
        Ok(match value {
            Literal::Number(text, long) => number(text, *long)?,
            Literal::SingleQuotedString(text) | Literal::DoubleQuotedString(text) => {
                Bound::literal(text.as_str().into(), DataType::String)
            }
            Literal::SingleQuotedRawStringLiteral(text) | Literal::DoubleQuotedRawStringLiteral(text) => {
                Bound::literal(text.as_str().into(), DataType::String)
            }
            Literal::HexStringLiteral(text) => {
                let bytes: Option<Vec<u8>> = (0..text.len())
                    .step_by(2)
                    .map(|at| text.get(at..at + 2).and_then(|b| u8::from_str_radix(b, 16).ok()))
                    .collect();
                let bytes = bytes.ok_or_else(|| SqlError::syntax(text, "not a hex string"))?;
                Bound::literal(Value::Binary(bytes), DataType::Binary)
            }
            Literal::Boolean(b) => Bound::literal(Value::Boolean(*b), DataType::Boolean),
            Literal::Null => Bound::literal(Value::Null, DataType::Void),
            Literal::Placeholder(marker) => self.parameter(marker.trim_start_matches(':'))?,
            other => return Err(SqlError::unsupported(format!("the literal {other}"))),
        })
    }

    /// The value of a named marker, cast from its text to its declared type.
    fn parameter(&self, name: &str) -> Result<Bound> {
        if self.in_view() {
            return Err(SqlError::new(
                "UNSUPPORTED_FEATURE.PARAMETER_MARKER_IN_UNEXPECTED_STATEMENT",
                "0A000",
                "The feature is not supported: Parameter markers are not allowed in the query of CREATE VIEW.",
            ));
        }
        let found = self.parameters.iter().find(|p| p.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
            let text = format!("Found the unbound parameter: {name}. Please, fix `args` and provide a mapping of the parameter to either a SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`.");
            SqlError::new("UNBOUND_SQL_PARAMETER", "42P02", text)
        })?;
        let value = found.value.as_deref().map_or(Value::Null, Value::from);
        Ok(Bound::literal(cast::cast(&value, &DataType::String, &found.ty)?, found.ty.clone()))
    }

    pub(super) fn typed_string(&self, typed: &TypedString) -> Result<Bound> {
        let ty = DataType::parse(&typed.data_type.to_string())?;
        let text = match &typed.value.value {
            Literal::SingleQuotedString(text) | Literal::DoubleQuotedString(text) => text.clone(),
            other => return Err(SqlError::syntax(&other.to_string(), "expected a string")),
        };
        let wrong = |_| {
            SqlError::new(
                "INVALID_TYPED_LITERAL",
                "42604",
                format!("The value of the typed literal \"{ty}\" is invalid: '{text}'."),
            )
        };
        Ok(Bound::literal(cast::cast(&text.as_str().into(), &DataType::String, &ty).map_err(wrong)?, ty.clone()))
    }

    /// `INTERVAL 15 MINUTES`, `INTERVAL '1 02:00' DAY TO MINUTE`, `INTERVAL '7 days'`.
    pub(super) fn interval(&self, interval: &Interval) -> Result<Bound> {
        let bound = self.constant(&interval.value)?;
        let text = bound.literal.as_ref().map(|v| v.to_text(&bound.ty)).unwrap_or_default();
        let wrong = || {
            SqlError::new(
                "INVALID_INTERVAL_FORMAT",
                "22006",
                format!(
                    "Error parsing '{text}' to interval. Please ensure that the value provided is in a valid format for defining an interval."
                ),
            )
        };
        let unit = match (&interval.leading_field, &interval.last_field) {
            (Some(first), last) => {
                datetime::interval(&text, &first.to_string(), last.as_ref().map(ToString::to_string).as_deref())
            }
            (None, _) => text.split_once(' ').and_then(|(count, unit)| datetime::interval(count, unit.trim(), None)),
        };
        Ok(match unit.ok_or_else(wrong)? {
            Unit::Fixed(us) => Bound::literal(Value::Integer(us), DataType::DayTime),
            Unit::Calendar(months) => Bound::literal(Value::Integer(months), DataType::YearMonth),
        })
    }

    /// An expression that must be a constant; simple operators over constants are computed.
    pub(crate) fn constant(&self, expr: &Expr) -> Result<Bound> {
        let scope = super::Scope::default();
        let bound = self.expr(expr, &scope)?;
        if bound.literal.is_some() {
            return Ok(bound);
        }
        let value = self.engine.scalar(&bound.sql, &bound.ty)?;
        Ok(Bound::literal(value, bound.ty))
    }
}

/// INT, BIGINT or DECIMAL by size; with an exponent DOUBLE; the suffixes `L`, `S`, `Y`, `D`, `F` and `BD` choose.
fn number(text: &str, long: bool) -> Result<Bound> {
    let wrong = || {
        SqlError::new(
            "INVALID_NUMERIC_LITERAL_RANGE",
            "22003",
            format!("Numeric literal {text} is outside the valid range."),
        )
    };
    let upper = text.to_uppercase();
    let suffix = SUFFIXES.into_iter().find(|suffix| upper.ends_with(suffix)).unwrap_or(if long { "L" } else { "" });
    let digits = upper.strip_suffix(suffix).unwrap_or(&upper);
    let whole = |least: i64, most: i64, ty| {
        let n = digits.parse::<i64>().ok().filter(|n| (least..=most).contains(n)).ok_or_else(wrong)?;
        Ok(Bound::literal(Value::Integer(n), ty))
    };
    let double = |ty| Ok(Bound::literal(Value::Double(digits.parse().map_err(|_| wrong())?), ty));
    match suffix {
        "L" => return whole(i64::MIN, i64::MAX, DataType::BigInt),
        "S" => return whole(i16::MIN.into(), i16::MAX.into(), DataType::SmallInt),
        "Y" => return whole(i8::MIN.into(), i8::MAX.into(), DataType::TinyInt),
        "D" => return double(DataType::Double),
        "F" => return double(DataType::Float),
        _ => {}
    }
    if suffix.is_empty() {
        if let Ok(n) = digits.parse::<i64>() {
            let ty = if i32::try_from(n).is_ok() { DataType::Int } else { DataType::BigInt };
            return Ok(Bound::literal(Value::Integer(n), ty));
        }
        if digits.contains('E') {
            return double(DataType::Double);
        }
    }
    let exact = Decimal::parse(digits).ok_or_else(wrong)?;
    let count = u8::try_from(exact.unscaled.unsigned_abs().to_string().len()).unwrap_or(38);
    Ok(Bound::literal(Value::Decimal(exact), DataType::Decimal(count.max(exact.scale).max(1), exact.scale)))
}
