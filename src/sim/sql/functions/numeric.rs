//! Arithmetic with ANSI's overflow, and the usual numeric functions.

use super::{Checked, MANY, Routine, Signature, int_of, lenient, strict};
use crate::sim::sql::cast::from_double;
use crate::sim::sql::decimal::Decimal;
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::{DataType as T, decimal_adjusted};
use crate::sim::sql::values::{Value, as_double};

pub(super) const ROUTINES: &[Routine] = &[
    strict(
        "+",
        (2, 2),
        |a| arithmetic(a, |(p1, s1), (p2, s2)| (s1.max(s2) + (p1 - s1).max(p2 - s2) + 1, s1.max(s2))),
        add,
    ),
    strict(
        "-",
        (2, 2),
        |a| arithmetic(a, |(p1, s1), (p2, s2)| (s1.max(s2) + (p1 - s1).max(p2 - s2) + 1, s1.max(s2))),
        subtract,
    ),
    strict("*", (2, 2), |a| arithmetic(a, |(p1, s1), (p2, s2)| (p1 + p2 + 1, s1 + s2)), multiply),
    strict("/", (2, 2), quotient_types, |s, v| divide(s, v)?.ok_or_else(SqlError::divide_by_zero)),
    strict("try_divide", (2, 2), quotient_types, |s, v| Ok(divide(s, v)?.unwrap_or(Value::Null))),
    strict(
        "try_add",
        (2, 2),
        |a| arithmetic(a, |(p1, s1), (p2, s2)| (s1.max(s2) + (p1 - s1).max(p2 - s2) + 1, s1.max(s2))),
        |s, v| Ok(add(s, v).unwrap_or(Value::Null)),
    ),
    strict("%", (2, 2), remainder_types, |s, v| remainder(s, v)?.ok_or_else(SqlError::divide_by_zero)),
    strict("pmod", (2, 2), remainder_types, positive_remainder),
    strict(
        "div",
        (2, 2),
        |_| Some((vec![T::BigInt, T::BigInt], T::BigInt)),
        |_, v| {
            let divisor = int_of(&v[1]);
            if divisor == 0 {
                return Err(SqlError::divide_by_zero());
            }
            int_of(&v[0]).checked_div(divisor).map(Value::Integer).ok_or_else(|| SqlError::overflow("long"))
        },
    ),
    strict("-1", (1, 1), same_number, |s, v| match &v[0] {
        Value::Integer(n) => ranged(n.checked_neg(), &s.result),
        Value::Double(d) => Ok(Value::Double(-d)),
        Value::Decimal(d) => Ok(Value::Decimal(d.negate())),
        other => Ok(other.clone()),
    }),
    strict("abs", (1, 1), same_number, |s, v| match &v[0] {
        Value::Integer(n) => ranged(n.checked_abs(), &s.result),
        Value::Double(d) => Ok(Value::Double(d.abs())),
        Value::Decimal(d) if d.unscaled < 0 => Ok(Value::Decimal(d.negate())),
        other => Ok(other.clone()),
    }),
    strict("ceil", (1, 1), whole_types, |s, v| toward(s, &v[0], f64::ceil, |d| -d.negate().floor())),
    strict("floor", (1, 1), whole_types, |s, v| toward(s, &v[0], f64::floor, Decimal::floor)),
    strict("round", (1, 2), round_types, round),
    strict(
        "signum",
        (1, 1),
        |_| Some((vec![T::Double], T::Double)),
        |_, v| {
            Ok(match v[0] {
                Value::Double(d) if d != 0.0 => Value::Double(d.signum()),
                _ => Value::Double(0.0),
            })
        },
    ),
    strict(
        "power",
        (2, 2),
        |_| Some((vec![T::Double, T::Double], T::Double)),
        |_, v| real(&v[0]).powf(real(&v[1])).pipe(),
    ),
    strict("sqrt", (1, 1), one_double, |_, v| real(&v[0]).sqrt().pipe()),
    strict("exp", (1, 1), one_double, |_, v| real(&v[0]).exp().pipe()),
    strict("ln", (1, 1), one_double, |_, v| logarithm(real(&v[0]), f64::ln)),
    strict("log10", (1, 1), one_double, |_, v| logarithm(real(&v[0]), f64::log10)),
    strict("log2", (1, 1), one_double, |_, v| logarithm(real(&v[0]), f64::log2)),
    strict("&", (2, 2), integers, |_, v| Ok(Value::Integer(int_of(&v[0]) & int_of(&v[1])))),
    strict("|", (2, 2), integers, |_, v| Ok(Value::Integer(int_of(&v[0]) | int_of(&v[1])))),
    strict("^", (2, 2), integers, |_, v| Ok(Value::Integer(int_of(&v[0]) ^ int_of(&v[1])))),
    strict("~", (1, 1), integers, |_, v| Ok(Value::Integer(!int_of(&v[0])))),
    lenient("greatest", (2, MANY), alike, |_, v| Ok(extreme(v, std::cmp::Ordering::Greater))),
    lenient("least", (2, MANY), alike, |_, v| Ok(extreme(v, std::cmp::Ordering::Less))),
];

/// Ends a chain of float computation.
trait Pipe {
    fn pipe(self) -> Result<Value>;
}

impl Pipe for f64 {
    fn pipe(self) -> Result<Value> {
        // SQLite has no NaN: it would become NULL silently.
        if self.is_nan() {
            return Err(SqlError::unsupported("a result that is not a number (NaN)"));
        }
        Ok(Value::Double(self))
    }
}

fn logarithm(value: f64, function: fn(f64) -> f64) -> Result<Value> {
    if value <= 0.0 { Ok(Value::Null) } else { function(value).pipe() }
}

fn real(value: &Value) -> f64 {
    match value {
        Value::Double(d) => *d,
        Value::Integer(n) => as_double(*n),
        Value::Decimal(d) => d.to_f64(),
        _ => 0.0,
    }
}

fn one_double(_: &[T]) -> Checked {
    Some((vec![T::Double], T::Double))
}

fn same_number(args: &[T]) -> Checked {
    let ty = match &args[0] {
        T::String => T::Double,
        T::Void => T::Double,
        ty if ty.is_numeric() || matches!(ty, T::DayTime | T::YearMonth) => ty.clone(),
        _ => return None,
    };
    Some((vec![ty.clone()], ty))
}

fn integers(args: &[T]) -> Checked {
    let mut ty = args[0].clone();
    for other in args {
        ty = T::common(&ty, other)?;
    }
    ty.is_integer().then(|| (vec![ty.clone(); args.len()], ty))
}

fn alike(args: &[T]) -> Checked {
    let mut ty = T::Void;
    for other in args {
        ty = T::common(&ty, other)?;
    }
    Some((vec![ty.clone(); args.len()], ty))
}

type Digits = (u16, u16);

/// Operand and result types: decimals keep their own scales, all else meets in a common type.
fn arithmetic(args: &[T], rule: fn(Digits, Digits) -> Digits) -> Checked {
    let common = match (&args[0], &args[1]) {
        (T::Void, T::Void) => T::Double,
        // ANSI: a text operand becomes BIGINT beside integers, DOUBLE beside anything else.
        (T::String, T::String) => T::Double,
        (a, b) => T::common(a, b)?,
    };
    if !common.is_numeric() {
        return matches!(common, T::DayTime | T::YearMonth).then(|| (vec![common.clone(); 2], common));
    }
    if let T::Decimal(..) = common {
        let (a, b) = (digits(&args[0], &common)?, digits(&args[1], &common)?);
        let (precision, scale) = rule(a, b);
        return Some((vec![decimal(a), decimal(b)], decimal_adjusted(precision, scale)));
    }
    Some((vec![common.clone(), common.clone()], common))
}

fn digits(ty: &T, common: &T) -> Option<Digits> {
    let (p, s) = if *ty == T::Void { common.as_decimal()? } else { ty.as_decimal()? };
    Some((p.into(), s.into()))
}

fn decimal((precision, scale): Digits) -> T {
    decimal_adjusted(precision, scale)
}

fn quotient_types(args: &[T]) -> Checked {
    let exact = args.iter().any(|t| matches!(t, T::Decimal(..)));
    if exact && args.iter().all(|t| t.as_decimal().is_some() || *t == T::Void) {
        return arithmetic(args, |(p1, s1), (p2, s2)| {
            let scale = 6.max(s1 + p2 + 1);
            (p1 - s1 + s2 + scale, scale)
        });
    }
    let fits = args.iter().all(|t| t.is_numeric() || matches!(t, T::String | T::Void));
    fits.then(|| (vec![T::Double, T::Double], T::Double))
}

fn remainder_types(args: &[T]) -> Checked {
    arithmetic(args, |(p1, s1), (p2, s2)| ((p1 - s1).min(p2 - s2) + s1.max(s2), s1.max(s2)))
}

fn ranged(value: Option<i64>, ty: &T) -> Result<Value> {
    let kind = match ty {
        T::TinyInt => "byte",
        T::SmallInt => "short",
        T::Int => "integer",
        T::DayTime | T::YearMonth => "interval",
        _ => "long",
    };
    let (least, most) = ty.integer_range().unwrap_or((i64::MIN, i64::MAX));
    value.filter(|n| (least..=most).contains(n)).map(Value::Integer).ok_or_else(|| SqlError::overflow(kind))
}

fn fitted(value: Option<Decimal>, ty: &T) -> Result<Value> {
    let T::Decimal(precision, scale) = *ty else { return Ok(Value::Null) };
    let shown = value.map_or_else(|| "result".to_owned(), |v| v.to_string());
    value
        .and_then(|v| v.fit(precision, scale))
        .map(Value::Decimal)
        .ok_or_else(|| SqlError::decimal_out_of_range(&shown, precision, scale))
}

fn add(s: &Signature, v: &[Value]) -> Result<Value> {
    match (&v[0], &v[1]) {
        (Value::Integer(a), Value::Integer(b)) => ranged(a.checked_add(*b), &s.result),
        (Value::Decimal(a), Value::Decimal(b)) => fitted(a.plus(*b), &s.result),
        (a, b) => (real(a) + real(b)).pipe(),
    }
}

fn subtract(s: &Signature, v: &[Value]) -> Result<Value> {
    match (&v[0], &v[1]) {
        (Value::Integer(a), Value::Integer(b)) => ranged(a.checked_sub(*b), &s.result),
        (Value::Decimal(a), Value::Decimal(b)) => fitted(a.plus(b.negate()), &s.result),
        (a, b) => (real(a) - real(b)).pipe(),
    }
}

fn multiply(s: &Signature, v: &[Value]) -> Result<Value> {
    match (&v[0], &v[1]) {
        (Value::Integer(a), Value::Integer(b)) => ranged(a.checked_mul(*b), &s.result),
        (Value::Decimal(a), Value::Decimal(b)) => {
            let T::Decimal(_, scale) = s.result else { return Ok(Value::Null) };
            fitted(a.multiply(*b, scale), &s.result)
        }
        (a, b) => (real(a) * real(b)).pipe(),
    }
}

/// The quotient; none for a zero divisor.
fn divide(s: &Signature, v: &[Value]) -> Result<Option<Value>> {
    match (&v[0], &v[1]) {
        (Value::Decimal(a), Value::Decimal(b)) => {
            let T::Decimal(_, scale) = s.result else { return Ok(None) };
            if b.unscaled == 0 {
                return Ok(None);
            }
            fitted(a.divide(*b, scale), &s.result).map(Some)
        }
        (_, b) if real(b) == 0.0 => Ok(None),
        (a, b) => (real(a) / real(b)).pipe().map(Some),
    }
}

fn remainder(s: &Signature, v: &[Value]) -> Result<Option<Value>> {
    Ok(match (&v[0], &v[1]) {
        (Value::Integer(_), Value::Integer(0)) => None,
        (Value::Integer(a), Value::Integer(b)) => Some(Value::Integer(a.wrapping_rem(*b))),
        (Value::Decimal(_), Value::Decimal(b)) if b.unscaled == 0 => None,
        (Value::Decimal(a), Value::Decimal(b)) => Some(fitted(a.remainder(*b), &s.result)?),
        (_, b) if real(b) == 0.0 => None,
        (a, b) => Some((real(a) % real(b)).pipe()?),
    })
}

fn positive_remainder(s: &Signature, v: &[Value]) -> Result<Value> {
    let first = remainder(s, v)?.ok_or_else(SqlError::divide_by_zero)?;
    let negative = match &first {
        Value::Integer(n) => *n < 0,
        Value::Double(d) => *d < 0.0,
        Value::Decimal(d) => d.unscaled < 0,
        _ => false,
    };
    if !negative {
        return Ok(first);
    }
    let moved = match (&first, &v[1]) {
        // In 128 bits the sum cannot overflow; the remainder brings it back into the type.
        (Value::Integer(a), Value::Integer(b)) => {
            let (a, b) = (i128::from(*a), i128::from(*b));
            return Ok(Value::Integer(i64::try_from((a + b) % b).unwrap_or_default()));
        }
        (Value::Decimal(a), Value::Decimal(b)) => {
            Value::Decimal(a.plus(*b).ok_or_else(|| SqlError::overflow("decimal"))?)
        }
        (a, b) => Value::Double(real(a) + real(b)),
    };
    Ok(remainder(s, &[moved, v[1].clone()])?.unwrap_or(Value::Null))
}

fn whole_types(args: &[T]) -> Checked {
    Some(match &args[0] {
        T::Decimal(_, 0) => (vec![args[0].clone()], args[0].clone()),
        T::Decimal(p, s) => (vec![T::Decimal(*p, *s)], T::Decimal((p - s + 1).min(38), 0)),
        ty if ty.is_integer() => (vec![T::BigInt], T::BigInt),
        _ => (vec![T::Double], T::BigInt),
    })
}

fn toward(s: &Signature, value: &Value, double: fn(f64) -> f64, exact: fn(Decimal) -> i128) -> Result<Value> {
    match value {
        Value::Decimal(d) => fitted(Some(Decimal { unscaled: exact(*d), scale: 0 }), &s.result),
        Value::Double(d) => from_double(double(*d)).map(Value::Integer).ok_or_else(|| SqlError::overflow("long")),
        other => Ok(other.clone()),
    }
}

fn round_types(args: &[T]) -> Checked {
    let ty = match &args[0] {
        T::String => T::Double,
        T::Decimal(p, s) if args.len() == 1 => T::Decimal((p - s + 1).min(38), 0),
        // Wide enough for a carry; the caller, who knows how many places, narrows it.
        T::Decimal(p, s) => T::Decimal((p + 1).min(38), *s),
        ty if ty.is_numeric() => ty.clone(),
        _ => return None,
    };
    let taken = if let T::Decimal(..) = args[0] { args[0].clone() } else { ty.clone() };
    Some((if args.len() == 1 { vec![taken] } else { vec![taken, T::Int] }, ty))
}

fn round(s: &Signature, v: &[Value]) -> Result<Value> {
    let places = v.get(1).map_or(0, int_of);
    match &v[0] {
        Value::Decimal(d) => {
            let at = u8::try_from(places.clamp(0, i64::from(d.scale))).unwrap_or(0);
            let zeros = u8::try_from(-places.clamp(-38, 0)).unwrap_or(0);
            fitted(d.rounded_to(at, zeros), &s.result)
        }
        Value::Double(d) => {
            let digits = Decimal::parse(&format!("{d:e}"));
            let at = u8::try_from(places.clamp(0, 38)).unwrap_or(0);
            match digits.and_then(|exact| if exact.scale > at { exact.rescale(at) } else { None }) {
                Some(rounded) => Ok(Value::Double(rounded.to_f64())),
                None => Ok(Value::Double(*d)),
            }
        }
        Value::Integer(n) if places < 0 => {
            let step = 10_i64.checked_pow(u32::try_from(-places).unwrap_or(u32::MAX));
            let rounded = step.and_then(|step| {
                let rest = n % step;
                let base = n - rest;
                if rest.abs() * 2 >= step { base.checked_add(step * n.signum()) } else { Some(base) }
            });
            ranged(rounded.or(Some(0)), &s.result)
        }
        other => Ok(other.clone()),
    }
}

/// Orders two values of one type.
pub(super) fn order(a: &Value, b: &Value) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    match (a, b) {
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Double(a), Value::Double(b)) => a.total_cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => a.unscaled.cmp(&b.unscaled),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Binary(a), Value::Binary(b)) => a.cmp(b),
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::List(a), Value::List(b)) => {
            let first = a.iter().zip(b).map(|(a, b)| order(a, b)).find(|o| *o != Ordering::Equal);
            first.unwrap_or_else(|| a.len().cmp(&b.len()))
        }
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => Ordering::Equal,
    }
}

fn extreme(values: &[Value], wanted: std::cmp::Ordering) -> Value {
    let mut best = Value::Null;
    for value in values.iter().filter(|v| !v.is_null()) {
        if best.is_null() || order(value, &best) == wanted {
            best = value.clone();
        }
    }
    best
}
