//! SQL types: their texts, how they widen, and which type two operands share.

use super::error::{Result, SqlError};
use std::fmt;

/// A type of a column or an expression.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DataType {
    /// The type of a bare NULL.
    Void,
    /// BOOLEAN.
    Boolean,
    /// TINYINT, 8 bits.
    TinyInt,
    /// SMALLINT, 16 bits.
    SmallInt,
    /// INT, 32 bits.
    Int,
    /// BIGINT, 64 bits.
    BigInt,
    /// FLOAT, 32 bits.
    Float,
    /// DOUBLE, 64 bits.
    Double,
    /// DECIMAL(precision, scale), precision up to 38.
    Decimal(u8, u8),
    /// STRING, compared by bytes.
    String,
    /// BINARY.
    Binary,
    /// DATE: days since 1970-01-01.
    Date,
    /// TIMESTAMP: microseconds since the epoch; the session's zone is UTC.
    Timestamp,
    /// TIMESTAMP_NTZ: microseconds of a wall clock without zone.
    TimestampNtz,
    /// INTERVAL DAY TO SECOND: microseconds.
    DayTime,
    /// INTERVAL YEAR TO MONTH: months.
    YearMonth,
    /// ARRAY of elements.
    Array(Box<DataType>),
    /// MAP from keys to values.
    Map(Box<DataType>, Box<DataType>),
    /// STRUCT of named fields, in order.
    Struct(Vec<(String, DataType)>),
}

impl DataType {
    /// Reads the text of a type, in any case. Errors: `UNSUPPORTED_DATATYPE` names what is not a type.
    pub fn parse(text: &str) -> Result<Self> {
        let mut reader = TypeReader { rest: text.trim() };
        let ty = reader.read().ok_or_else(|| unknown(text))?;
        if reader.rest.trim().is_empty() { Ok(ty) } else { Err(unknown(text)) }
    }

    /// TINYINT, SMALLINT, INT or BIGINT.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        matches!(self, Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// Any number.
    #[must_use]
    pub fn is_numeric(&self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double | Self::Decimal(..))
    }

    /// A date or a timestamp of either kind.
    #[must_use]
    pub fn is_temporal(&self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampNtz)
    }

    /// Smallest and greatest value of an integer type.
    #[must_use]
    pub fn integer_range(&self) -> Option<(i64, i64)> {
        Some(match self {
            Self::TinyInt => (i8::MIN.into(), i8::MAX.into()),
            Self::SmallInt => (i16::MIN.into(), i16::MAX.into()),
            Self::Int => (i32::MIN.into(), i32::MAX.into()),
            Self::BigInt => (i64::MIN, i64::MAX),
            _ => return None,
        })
    }

    /// The decimal that holds every value of an exact number type.
    #[must_use]
    pub fn as_decimal(&self) -> Option<(u8, u8)> {
        Some(match self {
            Self::TinyInt => (3, 0),
            Self::SmallInt => (5, 0),
            Self::Int => (10, 0),
            Self::BigInt => (20, 0),
            Self::Decimal(p, s) => (*p, *s),
            _ => return None,
        })
    }

    /// The name in `type_name` of the statement API and of Unity Catalog, such as `LONG`.
    #[must_use]
    pub fn wire_name(&self) -> &'static str {
        match self {
            Self::Void => "NULL",
            Self::Boolean => "BOOLEAN",
            Self::TinyInt => "BYTE",
            Self::SmallInt => "SHORT",
            Self::Int => "INT",
            Self::BigInt => "LONG",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Decimal(..) => "DECIMAL",
            Self::String => "STRING",
            Self::Binary => "BINARY",
            Self::Date => "DATE",
            Self::Timestamp => "TIMESTAMP",
            Self::TimestampNtz => "TIMESTAMP_NTZ",
            Self::DayTime | Self::YearMonth => "INTERVAL",
            Self::Array(_) => "ARRAY",
            Self::Map(..) => "MAP",
            Self::Struct(_) => "STRUCT",
        }
    }

    /// The lower-case text of DESCRIBE, `typeof` and `full_data_type`, such as `struct<a:int>`.
    #[must_use]
    pub fn simple(&self) -> String {
        match self {
            Self::Array(item) => format!("array<{}>", item.simple()),
            Self::Map(key, value) => format!("map<{},{}>", key.simple(), value.simple()),
            Self::Struct(fields) => {
                let fields: Vec<_> = fields.iter().map(|(n, t)| format!("{n}:{}", t.simple())).collect();
                format!("struct<{}>", fields.join(","))
            }
            other => other.to_string().to_lowercase(),
        }
    }

    /// The type that both can be converted to without asking (ANSI rules), or none.
    #[must_use]
    pub fn common(a: &Self, b: &Self) -> Option<Self> {
        use DataType as T;
        if a == b {
            return Some(a.clone());
        }
        Some(match (a, b) {
            (T::Void, other) | (other, T::Void) => other.clone(),
            (T::String, other) | (other, T::String) => match other {
                t if t.is_integer() => T::BigInt,
                t if t.is_numeric() => T::Double,
                T::Boolean | T::Date | T::Timestamp | T::TimestampNtz | T::Binary => other.clone(),
                _ => return None,
            },
            (T::Date, T::Timestamp) | (T::Timestamp, T::Date | T::TimestampNtz) | (T::TimestampNtz, T::Timestamp) => {
                T::Timestamp
            }
            (T::Date, T::TimestampNtz) | (T::TimestampNtz, T::Date) => T::TimestampNtz,
            (a, b) if a.is_numeric() && b.is_numeric() => match (a, b) {
                (T::Double, _) | (_, T::Double) => T::Double,
                (T::Float, T::Decimal(..)) | (T::Decimal(..), T::Float) => T::Double,
                (T::Float, _) | (_, T::Float) => {
                    if a.rank() > 2 || b.rank() > 2 {
                        T::Double
                    } else {
                        T::Float
                    }
                }
                (T::Decimal(..), _) | (_, T::Decimal(..)) => {
                    let ((p1, s1), (p2, s2)) = (a.as_decimal()?, b.as_decimal()?);
                    let scale = s1.max(s2);
                    let precision = (p1 - s1).max(p2 - s2) + scale;
                    // Digits before the point come first.
                    T::Decimal(precision.min(38), scale.saturating_sub(precision.saturating_sub(38)))
                }
                _ => {
                    if a.rank() >= b.rank() {
                        a.clone()
                    } else {
                        b.clone()
                    }
                }
            },
            (T::Array(a), T::Array(b)) => T::Array(Box::new(T::common(a, b)?)),
            (T::Map(ak, av), T::Map(bk, bv)) => T::Map(Box::new(T::common(ak, bk)?), Box::new(T::common(av, bv)?)),
            (T::Struct(a), T::Struct(b)) if a.len() == b.len() => {
                let fields: Option<Vec<_>> =
                    a.iter().zip(b).map(|((n, x), (_, y))| Some((n.clone(), T::common(x, y)?))).collect();
                T::Struct(fields?)
            }
            _ => return None,
        })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::TinyInt => 0,
            Self::SmallInt => 1,
            Self::Int => 2,
            Self::BigInt => 3,
            _ => 2,
        }
    }
}

/// DECIMAL with precision and scale cut at 38.
#[must_use]
pub(crate) fn decimal_bounded(precision: u8, scale: u8) -> DataType {
    DataType::Decimal(precision.min(38), scale.min(38))
}

/// Spark's rule for results of arithmetic: over 38 digits the scale gives way, but not below six.
#[must_use]
pub(crate) fn decimal_adjusted(precision: u16, scale: u16) -> DataType {
    let narrow = |n: u16| u8::try_from(n.min(38)).unwrap_or(38);
    if precision <= 38 {
        return DataType::Decimal(narrow(precision), narrow(scale));
    }
    let whole = precision - scale;
    let kept = scale.min(6).max(38_u16.saturating_sub(whole));
    DataType::Decimal(38, narrow(kept))
}

fn unknown(text: &str) -> SqlError {
    SqlError::new("UNSUPPORTED_DATATYPE", "0A000", format!("Unsupported data type \"{}\".", text.trim().to_uppercase()))
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::TinyInt => "TINYINT",
            Self::SmallInt => "SMALLINT",
            Self::BigInt => "BIGINT",
            Self::Void => "VOID",
            Self::DayTime => "INTERVAL DAY TO SECOND",
            Self::YearMonth => "INTERVAL YEAR TO MONTH",
            Self::Decimal(p, s) => return write!(f, "DECIMAL({p},{s})"),
            Self::Array(item) => return write!(f, "ARRAY<{item}>"),
            Self::Map(key, value) => return write!(f, "MAP<{key}, {value}>"),
            Self::Struct(fields) => {
                let fields: Vec<_> = fields.iter().map(|(n, t)| format!("{n}: {t}")).collect();
                return write!(f, "STRUCT<{}>", fields.join(", "));
            }
            other => other.wire_name(),
        };
        f.write_str(name)
    }
}

/// A recursive reader of type texts.
struct TypeReader<'a> {
    rest: &'a str,
}

impl TypeReader<'_> {
    fn word(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        if let Some(quoted) = self.rest.strip_prefix('`') {
            let (name, rest) = quoted.split_once('`')?;
            self.rest = rest;
            return Some(name.to_owned());
        }
        let end = self.rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn eat(&mut self, sign: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn number(&mut self) -> Option<u8> {
        self.word()?.parse().ok()
    }

    fn read(&mut self) -> Option<DataType> {
        use DataType as T;
        let name = self.word()?.to_uppercase();
        Some(match name.as_str() {
            "BOOLEAN" => T::Boolean,
            "TINYINT" | "BYTE" => T::TinyInt,
            "SMALLINT" | "SHORT" => T::SmallInt,
            "INT" | "INTEGER" => T::Int,
            "BIGINT" | "LONG" => T::BigInt,
            "FLOAT" | "REAL" => T::Float,
            "DOUBLE" => T::Double,
            "STRING" => T::String,
            "VARCHAR" | "CHAR" => (self.eat('(') && self.number().is_some() && self.eat(')')).then_some(T::String)?,
            "BINARY" => T::Binary,
            "DATE" => T::Date,
            "TIMESTAMP" | "TIMESTAMP_LTZ" => T::Timestamp,
            "TIMESTAMP_NTZ" => T::TimestampNtz,
            "VOID" => T::Void,
            "DECIMAL" | "DEC" | "NUMERIC" => {
                if !self.eat('(') {
                    return Some(T::Decimal(10, 0));
                }
                let precision = self.number()?;
                let scale = if self.eat(',') { self.number()? } else { 0 };
                (self.eat(')') && (1..=38).contains(&precision) && scale <= precision)
                    .then_some(T::Decimal(precision, scale))?
            }
            "INTERVAL" => {
                let mut year = false;
                while let Some(unit) = self.word() {
                    year |= matches!(unit.to_uppercase().as_str(), "YEAR" | "MONTH");
                }
                if year { T::YearMonth } else { T::DayTime }
            }
            "ARRAY" => {
                let item = if self.eat('<') { self.read()? } else { return None };
                self.eat('>').then(|| T::Array(Box::new(item)))?
            }
            "MAP" => {
                let key = if self.eat('<') { self.read()? } else { return None };
                let value = if self.eat(',') { self.read()? } else { return None };
                self.eat('>').then(|| T::Map(Box::new(key), Box::new(value)))?
            }
            "STRUCT" => {
                if !self.eat('<') {
                    return None;
                }
                let mut fields = Vec::new();
                while !self.eat('>') {
                    let name = self.word()?;
                    self.eat(':');
                    fields.push((name, self.read()?));
                    self.eat(',');
                }
                T::Struct(fields)
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back() {
        for text in [
            "BIGINT",
            "DECIMAL(38,18)",
            "ARRAY<STRING>",
            "MAP<STRING, ARRAY<INT>>",
            "STRUCT<a: INT, b: STRUCT<c: TIMESTAMP_NTZ>>",
            "INTERVAL DAY TO SECOND",
        ] {
            assert_eq!(DataType::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(DataType::parse("decimal").unwrap(), DataType::Decimal(10, 0));
        assert_eq!(DataType::parse("struct<`a b`:int>").unwrap().simple(), "struct<a b:int>");
        for bad in ["NOPE", "DECIMAL(39,0)", "ARRAY<", "INT INT", "ARRAY"] {
            assert_eq!(DataType::parse(bad).unwrap_err().class, "UNSUPPORTED_DATATYPE", "{bad}");
        }
    }

    #[test]
    fn common_types_follow_ansi() {
        use DataType as T;
        assert_eq!(T::common(&T::Int, &T::BigInt), Some(T::BigInt));
        assert_eq!(T::common(&T::Int, &T::Decimal(5, 2)), Some(T::Decimal(12, 2)));
        assert_eq!(T::common(&T::String, &T::Int), Some(T::BigInt));
        assert_eq!(T::common(&T::Date, &T::Timestamp), Some(T::Timestamp));
        assert_eq!(T::common(&T::Boolean, &T::Int), None);
        assert_eq!(decimal_adjusted(77, 36), T::Decimal(38, 6));
    }
}
