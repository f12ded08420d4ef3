//! Functions on dates, instants and intervals.

use super::{Checked, Routine, int_of, lenient, strict, takes, text_of};
use crate::sim::sql::datetime::{self, DAY_US, Unit};
use crate::sim::sql::decimal::Decimal;
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;

pub(super) const ROUTINES: &[Routine] = &[
    lenient(
        "date_trunc",
        (2, 2),
        |a| takes(a, &[T::String, instant(&a[1])], instant(&a[1])),
        |_, v| Ok(optional(v[0].text().zip(v[1].integer()).and_then(|(unit, at)| datetime::truncate(unit, at)))),
    ),
    lenient(
        "trunc",
        (2, 2),
        |a| takes(a, &[T::Date, T::String], T::Date),
        |_, v| Ok(optional(v[1].text().zip(v[0].integer()).and_then(|(unit, at)| datetime::truncate_date(unit, at)))),
    ),
    strict("date_add", (2, 3), add_types, |s, v| match s.args.len() {
        3 => shift(text_of(&v[0]), int_of(&v[1]), int_of(&v[2])),
        _ => Ok(Value::Integer(int_of(&v[0]) + int_of(&v[1]))),
    }),
    strict("timestampadd", (3, 3), add_types, |_, v| shift(text_of(&v[0]), int_of(&v[1]), int_of(&v[2]))),
    strict(
        "date_sub",
        (2, 2),
        |a| takes(a, &[T::Date, T::Int], T::Date),
        |_, v| Ok(Value::Integer(int_of(&v[0]) - int_of(&v[1]))),
    ),
    strict("datediff", (2, 3), diff_types, |s, v| match s.args.len() {
        3 => between(text_of(&v[0]), int_of(&v[1]), int_of(&v[2])),
        _ => Ok(Value::Integer(int_of(&v[0]) - int_of(&v[1]))),
    }),
    strict("timestampdiff", (3, 3), diff_types, |_, v| between(text_of(&v[0]), int_of(&v[1]), int_of(&v[2]))),
    strict(
        "add_months",
        (2, 2),
        |a| takes(a, &[T::Date, T::Int], T::Date),
        |_, v| datetime::add_months(int_of(&v[0]), int_of(&v[1])).map(Value::Integer).ok_or_else(out_of_range),
    ),
    strict(
        "last_day",
        (1, 1),
        |a| takes(a, &[T::Date], T::Date),
        |_, v| Ok(optional(datetime::last_day(int_of(&v[0])))),
    ),
    strict(
        "part",
        (2, 2),
        |a| takes(a, &[T::String, instant(&a[1])], T::Int),
        |_, v| part(text_of(&v[0]), int_of(&v[1])),
    ),
    strict(
        "part_second",
        (1, 1),
        |a| takes(a, &[instant(&a[0])], T::Decimal(8, 6)),
        |_, v| Ok(Value::Decimal(Decimal { unscaled: int_of(&v[0]).rem_euclid(60_000_000).into(), scale: 6 })),
    ),
    strict("year", (1, 1), of_instant, |_, v| part("YEAR", int_of(&v[0]))),
    strict("quarter", (1, 1), of_instant, |_, v| part("QUARTER", int_of(&v[0]))),
    strict("month", (1, 1), of_instant, |_, v| part("MONTH", int_of(&v[0]))),
    strict("weekofyear", (1, 1), of_instant, |_, v| part("WEEK", int_of(&v[0]))),
    strict("dayofmonth", (1, 1), of_instant, |_, v| part("DAY", int_of(&v[0]))),
    strict("dayofweek", (1, 1), of_instant, |_, v| part("DAYOFWEEK", int_of(&v[0]))),
    strict("weekday", (1, 1), of_instant, |_, v| part("WEEKDAY", int_of(&v[0]))),
    strict("dayofyear", (1, 1), of_instant, |_, v| part("DAYOFYEAR", int_of(&v[0]))),
    strict("dayname", (1, 1), |a| takes(a, &[T::Date], T::String), |_, v| write_by(int_of(&v[0]) * DAY_US, "EEE")),
    strict("monthname", (1, 1), |a| takes(a, &[T::Date], T::String), |_, v| write_by(int_of(&v[0]) * DAY_US, "MMM")),
    strict("date_from_unix_date", (1, 1), |a| takes(a, &[T::Int], T::Date), |_, v| Ok(v[0].clone())),
    strict("hour", (1, 1), of_instant, |_, v| part("HOUR", int_of(&v[0]))),
    strict("minute", (1, 1), of_instant, |_, v| part("MINUTE", int_of(&v[0]))),
    strict("second", (1, 1), of_instant, |_, v| part("SECOND", int_of(&v[0]))),
    strict("unix_timestamp", (1, 2), unix_types, |s, v| match s.args[0] {
        T::String => {
            parse_by(v, "yyyy-MM-dd HH:mm:ss").map(|at| at.integer().map_or(Value::Null, |us| seconds(us, 1_000_000)))
        }
        _ => Ok(seconds(int_of(&v[0]), 1_000_000)),
    }),
    strict(
        "unix_seconds",
        (1, 1),
        |a| takes(a, &[T::Timestamp], T::BigInt),
        |_, v| Ok(seconds(int_of(&v[0]), 1_000_000)),
    ),
    strict("unix_millis", (1, 1), |a| takes(a, &[T::Timestamp], T::BigInt), |_, v| Ok(seconds(int_of(&v[0]), 1_000))),
    strict("unix_micros", (1, 1), |a| takes(a, &[T::Timestamp], T::BigInt), |_, v| Ok(v[0].clone())),
    strict("unix_date", (1, 1), |a| takes(a, &[T::Date], T::Int), |_, v| Ok(v[0].clone())),
    strict("timestamp_seconds", (1, 1), |a| takes(a, &[T::BigInt], T::Timestamp), |_, v| scale(&v[0], 1_000_000)),
    strict("timestamp_millis", (1, 1), |a| takes(a, &[T::BigInt], T::Timestamp), |_, v| scale(&v[0], 1_000)),
    strict("timestamp_micros", (1, 1), |a| takes(a, &[T::BigInt], T::Timestamp), |_, v| Ok(v[0].clone())),
    strict(
        "from_unixtime",
        (1, 2),
        |a| takes(a, &[T::BigInt, T::String], T::String),
        |_, v| {
            let at = scale(&v[0], 1_000_000)?;
            write_by(int_of(&at), v.get(1).map_or("yyyy-MM-dd HH:mm:ss", text_of))
        },
    ),
    strict(
        "date_format",
        (2, 2),
        |a| takes(a, &[T::Timestamp, T::String], T::String),
        |_, v| write_by(int_of(&v[0]), text_of(&v[1])),
    ),
    strict(
        "to_timestamp",
        (1, 2),
        |a| takes(a, &[if a.len() == 2 { T::String } else { T::Timestamp }, T::String], T::Timestamp),
        |_, v| {
            if v.len() == 1 { Ok(v[0].clone()) } else { parse_by(v, "") }
        },
    ),
    strict(
        "to_date",
        (1, 2),
        |a| takes(a, &[if a.len() == 2 { T::String } else { T::Date }, T::String], T::Date),
        |_, v| {
            if v.len() == 1 {
                Ok(v[0].clone())
            } else {
                parse_by(v, "").map(|at| Value::Integer(int_of(&at).div_euclid(DAY_US)))
            }
        },
    ),
    strict(
        "make_date",
        (3, 3),
        |a| takes(a, &[T::Int, T::Int, T::Int], T::Date),
        |_, v| {
            datetime::parse_date(&format!("{:04}-{:02}-{:02}", int_of(&v[0]), int_of(&v[1]), int_of(&v[2])))
                .map(Value::Integer)
                .ok_or_else(out_of_range)
        },
    ),
    strict("moved", (2, 2), moved_types, |s, v| match (&s.args[0], &s.args[1]) {
        (T::Date, T::YearMonth) => {
            datetime::add_months(int_of(&v[0]), int_of(&v[1])).map(Value::Integer).ok_or_else(out_of_range)
        }
        (_, T::YearMonth) => datetime::shift(&Unit::Calendar(1), int_of(&v[1]), int_of(&v[0]))
            .map(Value::Integer)
            .ok_or_else(out_of_range),
        _ => int_of(&v[0]).checked_add(int_of(&v[1])).map(Value::Integer).ok_or_else(out_of_range),
    }),
    strict(
        "span",
        (2, 2),
        |a| takes(a, &[instant(&a[0]), instant(&a[1])], T::DayTime),
        |_, v| {
            int_of(&v[0]).checked_sub(int_of(&v[1])).map(Value::Integer).ok_or_else(|| SqlError::overflow("interval"))
        },
    ),
    strict(
        "stretched",
        (2, 2),
        |a| matches!(a[0], T::DayTime | T::YearMonth).then(|| (vec![a[0].clone(), T::BigInt], a[0].clone())),
        |_, v| {
            int_of(&v[0]).checked_mul(int_of(&v[1])).map(Value::Integer).ok_or_else(|| SqlError::overflow("interval"))
        },
    ),
];

/// The type in which an argument counts as an instant.
fn instant(ty: &T) -> T {
    if *ty == T::TimestampNtz { T::TimestampNtz } else { T::Timestamp }
}

fn of_instant(args: &[T]) -> Checked {
    takes(args, &[instant(&args[0])], T::Int)
}

/// `date_add(date, days)` or `timestampadd(unit, count, instant)`.
fn add_types(args: &[T]) -> Checked {
    if args.len() == 2 {
        return takes(args, &[T::Date, T::Int], T::Date);
    }
    takes(args, &[T::String, T::BigInt, instant(&args[2])], instant(&args[2]))
}

fn diff_types(args: &[T]) -> Checked {
    if args.len() == 2 {
        return takes(args, &[T::Date, T::Date], T::Int);
    }
    takes(args, &[T::String, instant(&args[1]), instant(&args[2])], T::BigInt)
}

fn unix_types(args: &[T]) -> Checked {
    let first = if args[0] == T::String { T::String } else { T::Timestamp };
    takes(args, &[first, T::String], T::BigInt)
}

/// A date plus days or hours: days keep it a date, anything finer makes it an instant (decided by the caller's cast).
fn moved_types(args: &[T]) -> Checked {
    let base = match (&args[0], &args[1]) {
        (T::Date, T::YearMonth) => T::Date,
        (ty, T::DayTime | T::YearMonth) if ty.is_temporal() || *ty == T::String => instant(ty),
        _ => return None,
    };
    Some((vec![base.clone(), args[1].clone()], base))
}

fn optional(value: Option<i64>) -> Value {
    value.map_or(Value::Null, Value::Integer)
}

fn seconds(us: i64, per: i64) -> Value {
    Value::Integer(us.div_euclid(per))
}

fn scale(value: &Value, by: i64) -> Result<Value> {
    int_of(value).checked_mul(by).map(Value::Integer).ok_or_else(|| SqlError::overflow("long"))
}

fn out_of_range() -> SqlError {
    SqlError::new("DATETIME_FIELD_OUT_OF_BOUNDS", "22023", "The date or timestamp is out of bounds.")
}

fn unknown_unit(name: &str) -> SqlError {
    SqlError::new(
        "INVALID_PARAMETER_VALUE.DATETIME_UNIT",
        "22023",
        format!("The value of parameter(s) `unit` is invalid: expects one of the units, but got '{name}'."),
    )
}

fn part(name: &str, us: i64) -> Result<Value> {
    datetime::part(name, us).map(Value::Integer).ok_or_else(|| unknown_unit(name))
}

fn shift(name: &str, count: i64, us: i64) -> Result<Value> {
    let unit = datetime::unit(name).ok_or_else(|| unknown_unit(name))?;
    datetime::shift(&unit, count, us).map(Value::Integer).ok_or_else(out_of_range)
}

fn between(name: &str, from: i64, to: i64) -> Result<Value> {
    let unit = datetime::unit(name).ok_or_else(|| unknown_unit(name))?;
    Ok(optional(datetime::between(&unit, from, to)))
}

fn unknown_pattern(pattern: &str) -> SqlError {
    SqlError::unsupported(format!("the datetime pattern '{pattern}'"))
}

fn write_by(us: i64, pattern: &str) -> Result<Value> {
    datetime::format(pattern, us).map(Value::from).ok_or_else(|| unknown_pattern(pattern))
}

fn parse_by(v: &[Value], default: &str) -> Result<Value> {
    let pattern = v.get(1).map_or(default, text_of);
    let text = text_of(&v[0]);
    let parsed = datetime::parse(pattern, text).ok_or_else(|| unknown_pattern(pattern))?;
    parsed.map(Value::Integer).ok_or_else(|| {
        SqlError::new("CANNOT_PARSE_TIMESTAMP", "22007", format!("Text '{text}' could not be parsed. Use `try_to_timestamp` to tolerate invalid input string and return NULL instead."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_checked() {
        assert_eq!(shift("fortnight", 1, 0).unwrap_err().class, "INVALID_PARAMETER_VALUE.DATETIME_UNIT");
        assert_eq!(shift("day", 2, 0).unwrap(), Value::Integer(2 * DAY_US));
    }
}
