//! Trigonometry, roots, logarithms and bits.

use super::{Checked, Routine, Signature, int_of, strict, takes};
use crate::sim::sql::error::Result;
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;

/// Declares functions of one double.
macro_rules! of_double {
    ($($name:literal: $function:expr),* $(,)?) => {
        [$(strict($name, (1, 1), |a| takes(a, &[T::Double], T::Double), |_, v| number($function(real(&v[0]))))),*]
    };
}

pub(super) const DOUBLES: &[Routine] = &of_double! {
    "sin": f64::sin,
    "cos": f64::cos,
    "tan": f64::tan,
    "asin": f64::asin,
    "acos": f64::acos,
    "atan": f64::atan,
    "sinh": f64::sinh,
    "cosh": f64::cosh,
    "tanh": f64::tanh,
    "cbrt": f64::cbrt,
    "degrees": f64::to_degrees,
    "radians": f64::to_radians,
    "rint": f64::round_ties_even,
};

pub(super) const ROUTINES: &[Routine] = &[
    strict("atan2", (2, 2), two_doubles, |_, v| number(real(&v[0]).atan2(real(&v[1])))),
    strict("hypot", (2, 2), two_doubles, |_, v| number(real(&v[0]).hypot(real(&v[1])))),
    strict("log", (1, 2), |a| takes(a, &[T::Double, T::Double], T::Double), logarithm),
    strict(
        "factorial",
        (1, 1),
        |a| takes(a, &[T::Int], T::BigInt),
        |_, v| {
            Ok(match int_of(&v[0]) {
                n @ 0..=20 => Value::Integer((1..=n).product()),
                _ => Value::Null,
            })
        },
    ),
    strict(
        "bit_count",
        (1, 1),
        |a| takes(a, &[T::BigInt], T::Int),
        |_, v| Ok(Value::Integer(int_of(&v[0]).count_ones().into())),
    ),
    strict("shiftleft", (2, 2), shift_types, |s, v| Ok(shift(s, v, i32::wrapping_shl, i64::wrapping_shl))),
    strict("shiftright", (2, 2), shift_types, |s, v| Ok(shift(s, v, i32::wrapping_shr, i64::wrapping_shr))),
    strict("bin", (1, 1), |a| takes(a, &[T::BigInt], T::String), |_, v| Ok(format!("{:b}", int_of(&v[0])).into())),
    // A random number, from sixty-four random bits of the caller.
    strict(
        "rand",
        (1, 1),
        |_| None,
        |_, v| {
            #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double")]
            let share = (int_of(&v[0]).cast_unsigned() >> 11) as f64 / (1_u64 << 53) as f64;
            Ok(Value::Double(share))
        },
    ),
];

fn two_doubles(args: &[T]) -> Checked {
    takes(args, &[T::Double, T::Double], T::Double)
}

fn real(value: &Value) -> f64 {
    if let Value::Double(d) = value { *d } else { 0.0 }
}

/// SQLite has no NaN: it would become NULL silently.
fn number(value: f64) -> Result<Value> {
    if value.is_nan() {
        return Err(crate::sim::sql::error::SqlError::unsupported("a result that is not a number (NaN)"));
    }
    Ok(Value::Double(value))
}

/// `log(x)`, or `log(base, x)`; NULL where there is none.
fn logarithm(_: &Signature, v: &[Value]) -> Result<Value> {
    let (base, of) = if v.len() == 2 { (real(&v[0]), real(&v[1])) } else { (std::f64::consts::E, real(&v[0])) };
    if base <= 0.0 || of <= 0.0 {
        return Ok(Value::Null);
    }
    number(if v.len() == 2 { of.ln() / base.ln() } else { of.ln() })
}

fn shift_types(args: &[T]) -> Checked {
    let ty = if args[0] == T::BigInt { T::BigInt } else { T::Int };
    takes(args, &[ty.clone(), T::Int], ty)
}

fn shift(s: &Signature, v: &[Value], narrow: fn(i32, u32) -> i32, wide: fn(i64, u32) -> i64) -> Value {
    let by = u32::try_from(int_of(&v[1]).rem_euclid(64)).unwrap_or(0);
    Value::Integer(match s.result {
        T::BigInt => wide(int_of(&v[0]), by),
        _ => narrow(i32::try_from(int_of(&v[0])).unwrap_or_default(), by).into(),
    })
}
