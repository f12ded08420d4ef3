//! Aggregate functions, in groups and in windows.

use super::numeric::order;
use super::{Signature, user_error};
use crate::sim::sql::decimal::Decimal;
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::{DataType as T, decimal_bounded};
use crate::sim::sql::values::{Value, as_double};
use rusqlite::Connection;
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};

/// The kinds of aggregation that SQLite does not do as Spark does. `count`, `min` and `max` are SQLite's own.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Sum,
    Average,
    BitXor,
    BitAnd,
    BitOr,
    MaxBy,
    MinBy,
    Collect,
    CollectSet,
    Percentile,
    Slope,
    Spread { sample: bool, root: bool },
    Any,
    Every,
    Mode,
    First,
    Last,
    Joined,
    SumDistinct,
    AverageDistinct,
}

/// What an aggregate call takes and gives.
pub(crate) struct Aggregation {
    /// Types of the arguments after conversion.
    pub(crate) args: Vec<T>,
    /// Type of the result.
    pub(crate) result: T,
}

fn kind(name: &str) -> Option<Kind> {
    Some(match name {
        "sum" => Kind::Sum,
        "avg" | "mean" => Kind::Average,
        "bit_xor" => Kind::BitXor,
        "bit_and" => Kind::BitAnd,
        "bit_or" => Kind::BitOr,
        "max_by" => Kind::MaxBy,
        "min_by" => Kind::MinBy,
        "collect_list" | "array_agg" => Kind::Collect,
        "collect_set" => Kind::CollectSet,
        "percentile" | "median" => Kind::Percentile,
        "regr_slope" => Kind::Slope,
        "stddev" | "std" | "stddev_samp" => Kind::Spread { sample: true, root: true },
        "stddev_pop" => Kind::Spread { sample: false, root: true },
        "variance" | "var_samp" => Kind::Spread { sample: true, root: false },
        "var_pop" => Kind::Spread { sample: false, root: false },
        "bool_or" | "any" | "some" => Kind::Any,
        "bool_and" | "every" => Kind::Every,
        "mode" => Kind::Mode,
        "first" => Kind::First,
        "last" | "last_value" => Kind::Last,
        "string_agg" | "listagg" => Kind::Joined,
        "sum_distinct" => Kind::SumDistinct,
        "avg_distinct" => Kind::AverageDistinct,
        _ => return None,
    })
}

/// Whether a name is an aggregate that runs through `aggregate`.
pub(crate) fn known(name: &str) -> bool {
    kind(name).is_some()
}

/// Resolves an aggregate's types; none when the arguments do not fit.
pub(crate) fn check(name: &str, args: &[T]) -> Option<Aggregation> {
    let first = args.first()?.clone();
    let (args, result) = match (kind(name)?, args.len()) {
        (Kind::Sum, 1) => match first {
            T::Decimal(p, s) => (vec![first], T::Decimal((p + 10).min(38), s)),
            T::DayTime | T::YearMonth => (vec![first.clone()], first),
            ty if ty.is_integer() => (vec![T::BigInt], T::BigInt),
            ty if ty.is_numeric() || matches!(ty, T::String | T::Void) => (vec![T::Double], T::Double),
            _ => return None,
        },
        (Kind::Average, 1) => match first {
            T::Decimal(p, s) => (vec![first], decimal_bounded(p + 4, s + 4)),
            ty if ty.is_numeric() || matches!(ty, T::String | T::Void) => (vec![T::Double], T::Double),
            _ => return None,
        },
        (Kind::BitXor | Kind::BitAnd | Kind::BitOr, 1) if first.is_integer() => (vec![first.clone()], first),
        (Kind::MaxBy | Kind::MinBy, 2) => (args.to_vec(), first),
        (Kind::Collect | Kind::CollectSet, 1) => (vec![first.clone()], T::Array(Box::new(first))),
        (Kind::Percentile, 1) => (vec![T::Double], T::Double),
        (Kind::Percentile, 2) => match &args[1] {
            T::Array(_) => (vec![T::Double, T::Array(Box::new(T::Double))], T::Array(Box::new(T::Double))),
            _ => (vec![T::Double, T::Double], T::Double),
        },
        (Kind::Slope, 2) => (vec![T::Double, T::Double], T::Double),
        (Kind::Spread { .. }, 1) => (vec![T::Double], T::Double),
        (Kind::Any | Kind::Every, 1) => (vec![T::Boolean], T::Boolean),
        (Kind::Mode | Kind::Last, 1) => (vec![first.clone()], first),
        (Kind::Joined, 1) => (vec![T::String], T::String),
        (Kind::Joined, 2) => (vec![T::String, T::String], T::String),
        _ => return None,
    };
    Some(Aggregation { args, result })
}

/// Values of one group, kept in order of arrival so that a window can drop its oldest.
pub(super) struct Group {
    kind: Kind,
    args: Vec<T>,
    result: T,
    rows: std::collections::VecDeque<Vec<Value>>,
}

struct Door;

/// The one value of a scalar subquery.
struct OnlyRow;

impl Aggregate<Option<rusqlite::types::Value>, rusqlite::types::Value> for OnlyRow {
    fn init(&self, _: &mut Context<'_>) -> rusqlite::Result<Option<rusqlite::types::Value>> {
        Ok(None)
    }

    fn step(&self, context: &mut Context<'_>, seen: &mut Option<rusqlite::types::Value>) -> rusqlite::Result<()> {
        if seen.is_some() {
            let text = "More than one row returned by a subquery used as an expression.";
            return Err(user_error(SqlError::new("SCALAR_SUBQUERY_TOO_MANY_ROWS", "21000", text)));
        }
        *seen = Some(context.get(0)?);
        Ok(())
    }

    fn finalize(
        &self,
        _: &mut Context<'_>,
        seen: Option<Option<rusqlite::types::Value>>,
    ) -> rusqlite::Result<rusqlite::types::Value> {
        Ok(seen.flatten().unwrap_or(rusqlite::types::Value::Null))
    }
}

pub(super) fn register(connection: &Connection) -> rusqlite::Result<()> {
    connection.create_aggregate_function("only_row", 1, FunctionFlags::SQLITE_UTF8, OnlyRow)?;
    connection.create_window_function(
        "aggregate",
        -1,
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC,
        Door,
    )
}

fn read(context: &Context<'_>, group: &Group) -> Result<Vec<Value>> {
    group.args.iter().enumerate().map(|(at, ty)| Value::from_stored(context.get_raw(at + 1), ty)).collect()
}

impl Aggregate<Group, rusqlite::types::Value> for Door {
    fn init(&self, context: &mut Context<'_>) -> rusqlite::Result<Group> {
        let text: String = context.get(0)?;
        let mut parts = text.split(super::PART);
        let broken = || user_error(SqlError::from_text("an aggregate without kind"));
        let kind = parts.next().and_then(kind).ok_or_else(broken)?;
        let result = parts.next().map(T::parse).ok_or_else(broken)?.map_err(user_error)?;
        let args = parts.map(T::parse).collect::<Result<_>>().map_err(user_error)?;
        Ok(Group { kind, args, result, rows: std::collections::VecDeque::new() })
    }

    fn step(&self, context: &mut Context<'_>, group: &mut Group) -> rusqlite::Result<()> {
        let row = read(context, group).map_err(user_error)?;
        group.rows.push_back(row);
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, group: Option<Group>) -> rusqlite::Result<rusqlite::types::Value> {
        finish(group.as_ref())
    }
}

impl WindowAggregate<Group, rusqlite::types::Value> for Door {
    fn value(&self, group: Option<&mut Group>) -> rusqlite::Result<rusqlite::types::Value> {
        finish(group.map(|g| &*g))
    }

    fn inverse(&self, _: &mut Context<'_>, group: &mut Group) -> rusqlite::Result<()> {
        group.rows.pop_front();
        Ok(())
    }
}

fn finish(group: Option<&Group>) -> rusqlite::Result<rusqlite::types::Value> {
    let Some(group) = group else { return Ok(rusqlite::types::Value::Null) };
    group.compute().map(|value| value.to_stored(&group.result)).map_err(user_error)
}

/// The name's signature as first argument of `aggregate`.
pub(crate) fn encode(name: &str, aggregation: &Aggregation) -> String {
    Signature::encode(name, &aggregation.args, &aggregation.result)
}

impl Group {
    /// First arguments that are not NULL.
    fn values(&self) -> impl Iterator<Item = &Value> {
        self.rows.iter().map(|row| &row[0]).filter(|value| !value.is_null())
    }

    /// The same group with each value once.
    fn distinct(&self) -> Self {
        let mut rows: std::collections::VecDeque<Vec<Value>> = std::collections::VecDeque::new();
        for row in &self.rows {
            if !rows.contains(row) {
                rows.push_back(row.clone());
            }
        }
        Self { kind: self.kind, args: self.args.clone(), result: self.result.clone(), rows }
    }

    fn doubles(&self) -> Vec<f64> {
        self.values().filter_map(|v| if let Value::Double(d) = v { Some(*d) } else { None }).collect()
    }

    fn compute(&self) -> Result<Value> {
        let empty = self.values().next().is_none();
        Ok(match self.kind {
            Kind::Collect => Value::List(self.values().cloned().collect()),
            Kind::CollectSet => {
                let mut kept: Vec<Value> = Vec::new();
                for value in self.values() {
                    if !kept.contains(value) {
                        kept.push(value.clone());
                    }
                }
                Value::List(kept)
            }
            Kind::MaxBy => self.by(std::cmp::Ordering::Greater),
            Kind::MinBy => self.by(std::cmp::Ordering::Less),
            Kind::First => self.rows.front().map_or(Value::Null, |row| row[0].clone()),
            Kind::Last => self.rows.back().map_or(Value::Null, |row| row[0].clone()),
            _ if empty => Value::Null,
            Kind::Joined => {
                let separator = self.rows[0].get(1).and_then(Value::text).unwrap_or_default();
                self.values().filter_map(Value::text).collect::<Vec<_>>().join(separator).into()
            }
            Kind::SumDistinct => self.distinct().sum()?,
            Kind::AverageDistinct => self.distinct().average()?,
            Kind::Sum => self.sum()?,
            Kind::Average => self.average()?,
            Kind::BitXor => Value::Integer(self.values().filter_map(Value::integer).fold(0, |a, b| a ^ b)),
            Kind::BitAnd => Value::Integer(self.values().filter_map(Value::integer).fold(-1, |a, b| a & b)),
            Kind::BitOr => Value::Integer(self.values().filter_map(Value::integer).fold(0, |a, b| a | b)),
            Kind::Percentile => self.percentile()?,
            Kind::Slope => self.slope(),
            Kind::Spread { sample, root } => spread(&self.doubles(), sample, root),
            Kind::Any => Value::Boolean(self.values().any(|v| *v == Value::Boolean(true))),
            Kind::Every => Value::Boolean(self.values().all(|v| *v == Value::Boolean(true))),
            Kind::Mode => self.mode(),
        })
    }

    fn sum(&self) -> Result<Value> {
        match &self.result {
            T::Decimal(precision, scale) => {
                let zero = Decimal { unscaled: 0, scale: *scale };
                let total = self.exact().try_fold(zero, Decimal::plus).and_then(|total| total.fit(*precision, *scale));
                total.map(Value::Decimal).ok_or_else(|| SqlError::decimal_out_of_range("sum", *precision, *scale))
            }
            T::Double => Ok(Value::Double(self.doubles().iter().sum())),
            _ => {
                let total = self.values().filter_map(Value::integer).try_fold(0_i64, i64::checked_add);
                total.map(Value::Integer).ok_or_else(|| SqlError::overflow("long"))
            }
        }
    }

    fn exact(&self) -> impl Iterator<Item = Decimal> {
        self.values().filter_map(|v| if let Value::Decimal(d) = v { Some(*d) } else { None })
    }

    fn average(&self) -> Result<Value> {
        let count = i64::try_from(self.values().count()).unwrap_or(i64::MAX);
        let T::Decimal(precision, scale) = self.result else {
            return Ok(Value::Double(self.doubles().iter().sum::<f64>() / as_double(count)));
        };
        let total = self.exact().try_fold(Decimal::from_integer(0), Decimal::plus);
        let mean = total
            .and_then(|t| t.divide(Decimal::from_integer(count), scale))
            .and_then(|mean| mean.fit(precision, scale));
        mean.map(Value::Decimal).ok_or_else(|| SqlError::decimal_out_of_range("average", precision, scale))
    }

    /// The first argument where the second is extreme; rows whose second is NULL do not count.
    fn by(&self, wanted: std::cmp::Ordering) -> Value {
        let mut best: Option<&Vec<Value>> = None;
        for row in self.rows.iter().filter(|row| !row[1].is_null()) {
            // At a tie Spark's hash aggregate keeps the later row.
            if best.is_none_or(|b| matches!(order(&row[1], &b[1]), o if o == wanted || o == std::cmp::Ordering::Equal))
            {
                best = Some(row);
            }
        }
        best.map_or(Value::Null, |row| row[0].clone())
    }

    /// Exact percentiles with linear interpolation.
    fn percentile(&self) -> Result<Value> {
        let mut sorted = self.doubles();
        sorted.sort_by(f64::total_cmp);
        let at = |share: &Value| match share {
            Value::Double(share) if (0.0..=1.0).contains(share) => {
                let position = share * as_double(i64::try_from(sorted.len() - 1).unwrap_or(0));
                let lower = super::super::cast::from_double(position.floor())
                    .and_then(|n| usize::try_from(n).ok())
                    .unwrap_or(0);
                let below = sorted[lower];
                let above = sorted.get(lower + 1).copied().unwrap_or(below);
                let part = position - position.floor();
                Ok(Value::Double(if part == 0.0 { below } else { (1.0 - part) * below + part * above }))
            }
            _ => Err(SqlError::new(
                "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
                "42K09",
                "The percentage must be between 0.0 and 1.0.",
            )),
        };
        match self.rows[0].get(1) {
            None => at(&Value::Double(0.5)),
            Some(Value::List(shares)) => shares.iter().map(at).collect::<Result<_>>().map(Value::List),
            Some(share) => at(share),
        }
    }

    /// Slope of the least-squares line of the first argument (y) over the second (x).
    fn slope(&self) -> Value {
        let pairs: Vec<(f64, f64)> = self
            .rows
            .iter()
            .filter_map(
                |row| if let [Value::Double(y), Value::Double(x)] = row.as_slice() { Some((*x, *y)) } else { None },
            )
            .collect();
        let count = as_double(i64::try_from(pairs.len()).unwrap_or(0));
        let (mx, my) = (pairs.iter().map(|p| p.0).sum::<f64>() / count, pairs.iter().map(|p| p.1).sum::<f64>() / count);
        let sxx: f64 = pairs.iter().map(|(x, _)| (x - mx) * (x - mx)).sum();
        let sxy: f64 = pairs.iter().map(|(x, y)| (x - mx) * (y - my)).sum();
        if pairs.is_empty() || sxx == 0.0 { Value::Null } else { Value::Double(sxy / sxx) }
    }

    fn mode(&self) -> Value {
        let count = |value: &Value| self.values().filter(|v| *v == value).count();
        self.values().max_by_key(|v| count(v)).cloned().unwrap_or(Value::Null)
    }
}

fn spread(values: &[f64], sample: bool, root: bool) -> Value {
    let count = as_double(i64::try_from(values.len()).unwrap_or(0));
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    let divisor = if sample { count - 1.0 } else { count };
    if divisor <= 0.0 {
        return Value::Null;
    }
    let variance = squares / divisor;
    Value::Double(if root { variance.sqrt() } else { variance })
}
