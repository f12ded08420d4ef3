//! Functions that change and compare arrays and maps.

use super::numeric::order;
use super::{Checked, MANY, Routine, int_of, lenient, strict};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use std::cmp::Ordering;

pub(super) const ROUTINES: &[Routine] = &[
    strict("array_max", (1, 1), item_type, |_, v| Ok(extreme(items(&v[0]), Ordering::Greater))),
    strict("array_min", (1, 1), item_type, |_, v| Ok(extreme(items(&v[0]), Ordering::Less))),
    strict(
        "array_position",
        (2, 2),
        |a| with_item(a).map(|taken| (taken, T::BigInt)),
        |_, v| Ok(count(items(&v[0]).iter().position(|item| *item == v[1]).map_or(0, |at| at + 1))),
    ),
    lenient("array_append", (2, 2), adding, |_, v| Ok(added(&v[0], &v[1], false))),
    lenient("array_prepend", (2, 2), adding, |_, v| Ok(added(&v[0], &v[1], true))),
    strict("array_remove", (2, 2), adding, |_, v| {
        Ok(Value::List(items(&v[0]).iter().filter(|item| **item != v[1]).cloned().collect()))
    }),
    strict("array_compact", (1, 1), same_array, |_, v| {
        Ok(Value::List(items(&v[0]).iter().filter(|item| !item.is_null()).cloned().collect()))
    }),
    strict("array_union", (2, 2), alike, |_, v| Ok(once(items(&v[0]).iter().chain(items(&v[1]))))),
    strict("array_intersect", (2, 2), alike, |_, v| {
        Ok(once(items(&v[0]).iter().filter(|item| items(&v[1]).contains(item))))
    }),
    strict("array_except", (2, 2), alike, |_, v| {
        Ok(once(items(&v[0]).iter().filter(|item| !items(&v[1]).contains(item))))
    }),
    strict(
        "arrays_overlap",
        (2, 2),
        |a| alike(a).map(|(taken, _)| (taken, T::Boolean)),
        |_, v| {
            let (a, b) = (items(&v[0]), items(&v[1]));
            let unknown = !a.is_empty() && !b.is_empty() && a.iter().chain(b).any(Value::is_null);
            Ok(match a.iter().any(|item| !item.is_null() && b.contains(item)) {
                true => true.into(),
                false if unknown => Value::Null,
                false => false.into(),
            })
        },
    ),
    lenient(
        "array_repeat",
        (2, 2),
        |a| Some((vec![a[0].clone(), T::Int], T::Array(Box::new(a[0].clone())))),
        |_, v| {
            Ok(match v[1].integer() {
                None => Value::Null,
                Some(times) => Value::List(vec![v[0].clone(); usize::try_from(times).unwrap_or(0).min(1_000_000)]),
            })
        },
    ),
    strict(
        "slice",
        (3, 3),
        |a| matches!(a[0], T::Array(_)).then(|| (vec![a[0].clone(), T::Int, T::Int], a[0].clone())),
        |_, v| slice(items(&v[0]), int_of(&v[1]), int_of(&v[2])),
    ),
    strict(
        "flatten",
        (1, 1),
        |a| match &a[0] {
            T::Array(inner) if matches!(**inner, T::Array(_)) => Some((a.to_vec(), (**inner).clone())),
            _ => None,
        },
        |_, v| {
            let all = items(&v[0]);
            let whole = all.iter().all(|item| !item.is_null());
            let flat = || all.iter().flat_map(|item| items(item).iter().cloned()).collect();
            Ok(if whole { Value::List(flat()) } else { Value::Null })
        },
    ),
    strict(
        "try_element_at",
        (2, 2),
        |a| match &a[0] {
            T::Array(item) => Some((vec![a[0].clone(), T::Int], (**item).clone())),
            T::Map(key, value) => Some((vec![a[0].clone(), (**key).clone()], (**value).clone())),
            _ => None,
        },
        |_, v| match &v[0] {
            Value::Map(entries) => {
                Ok(entries.iter().find(|(key, _)| *key == v[1]).map_or(Value::Null, |(_, value)| value.clone()))
            }
            container => {
                let (all, index) = (items(container), int_of(&v[1]));
                if index == 0 {
                    return Err(SqlError::new(
                        "INVALID_INDEX_OF_ZERO",
                        "22003",
                        "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
                    ));
                }
                Ok(position(all, index).and_then(|at| all.get(at)).cloned().unwrap_or(Value::Null))
            }
        },
    ),
    strict(
        "map_contains_key",
        (2, 2),
        |a| match &a[0] {
            T::Map(key, _) => Some((vec![a[0].clone(), (**key).clone()], T::Boolean)),
            _ => None,
        },
        |_, v| Ok(matches!(&v[0], Value::Map(entries) if entries.iter().any(|(key, _)| *key == v[1])).into()),
    ),
    strict(
        "map_entries",
        (1, 1),
        |a| match &a[0] {
            T::Map(key, value) => {
                let entry = vec![("key".to_owned(), (**key).clone()), ("value".to_owned(), (**value).clone())];
                Some((a.to_vec(), T::Array(Box::new(T::Struct(entry)))))
            }
            _ => None,
        },
        |_, v| {
            let Value::Map(entries) = &v[0] else { return Ok(Value::Null) };
            let entry = |(key, value): &(Value, Value)| Value::List(vec![key.clone(), value.clone()]);
            Ok(Value::List(entries.iter().map(entry).collect()))
        },
    ),
    strict(
        "map_from_arrays",
        (2, 2),
        |a| match (&a[0], &a[1]) {
            (T::Array(key), T::Array(value)) => Some((a.to_vec(), T::Map(key.clone(), value.clone()))),
            _ => None,
        },
        |_, v| Ok(Value::Map(items(&v[0]).iter().cloned().zip(items(&v[1]).iter().cloned()).collect())),
    ),
    strict(
        "map_concat",
        (1, MANY),
        |a| matches!(a[0], T::Map(..)).then(|| (vec![a[0].clone(); a.len()], a[0].clone())),
        |_, v| {
            let maps = v.iter().filter_map(|map| if let Value::Map(entries) = map { Some(entries) } else { None });
            Ok(Value::Map(maps.flatten().cloned().collect()))
        },
    ),
];

fn items(value: &Value) -> &[Value] {
    if let Value::List(items) = value { items } else { &[] }
}

fn count(n: usize) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

fn item_type(args: &[T]) -> Checked {
    match &args[0] {
        T::Array(item) => Some((args.to_vec(), (**item).clone())),
        _ => None,
    }
}

fn same_array(args: &[T]) -> Checked {
    matches!(args[0], T::Array(_)).then(|| (args.to_vec(), args[0].clone()))
}

/// An array and a value, both of what is common to its elements and the value.
fn with_item(args: &[T]) -> Option<Vec<T>> {
    let T::Array(item) = &args[0] else { return None };
    let ty = T::common(item, &args[1])?;
    Some(vec![T::Array(Box::new(ty.clone())), ty])
}

fn adding(args: &[T]) -> Checked {
    let taken = with_item(args)?;
    let array = taken[0].clone();
    Some((taken, array))
}

/// Two arrays of one type.
fn alike(args: &[T]) -> Checked {
    let (T::Array(_), T::Array(_)) = (&args[0], &args[1]) else { return None };
    let ty = T::common(&args[0], &args[1])?;
    Some((vec![ty.clone(), ty.clone()], ty))
}

fn added(array: &Value, item: &Value, first: bool) -> Value {
    let Value::List(all) = array else { return Value::Null };
    let mut all = all.clone();
    all.insert(if first { 0 } else { all.len() }, item.clone());
    Value::List(all)
}

fn extreme(all: &[Value], wanted: Ordering) -> Value {
    let mut best = &Value::Null;
    for item in all.iter().filter(|item| !item.is_null()) {
        if best.is_null() || order(item, best) == wanted {
            best = item;
        }
    }
    best.clone()
}

/// Each value once, where it first came.
fn once<'v>(all: impl Iterator<Item = &'v Value>) -> Value {
    let mut kept: Vec<Value> = Vec::new();
    for item in all {
        if !kept.contains(item) {
            kept.push(item.clone());
        }
    }
    Value::List(kept)
}

/// Where an index counted from 1, or from the end when negative, lies.
fn position(all: &[Value], index: i64) -> Option<usize> {
    let size = i64::try_from(all.len()).ok()?;
    usize::try_from(if index < 0 { size + index } else { index - 1 }).ok()
}

fn slice(all: &[Value], from: i64, length: i64) -> Result<Value> {
    let invalid = |parameter: &str, kind: &str, text: &str| {
        SqlError::new(
            &format!("INVALID_PARAMETER_VALUE.{kind}"),
            "22023",
            format!("The value of parameter(s) `{parameter}` in `slice` is invalid: {text}"),
        )
    };
    if from == 0 {
        return Err(invalid("start", "START", "Expects a positive or a negative value for `start`, but got 0."));
    }
    let length = usize::try_from(length).map_err(|_| {
        invalid("length", "LENGTH", &format!("Expects `length` greater than or equal to 0, but got {length}."))
    })?;
    let part = position(all, from).and_then(|at| all.get(at..)).unwrap_or_default();
    Ok(Value::List(part.iter().take(length).cloned().collect()))
}
