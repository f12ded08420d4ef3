//! Functions on arrays, maps, structs and JSON texts.

use super::numeric::order;
use super::{Checked, MANY, Routine, Signature, int_of, lenient, strict, takes, text_of};
use crate::sim::sql::cast;
use crate::sim::sql::datetime;
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use serde_json::Value as Json;

pub(super) const ROUTINES: &[Routine] = &[
    lenient(
        "array",
        (0, MANY),
        |a| {
            let ty = common(a)?;
            Some((vec![ty.clone(); a.len()], T::Array(Box::new(ty))))
        },
        |_, v| Ok(Value::List(v.to_vec())),
    ),
    lenient("map", (0, MANY), map_types, |_, v| {
        Ok(Value::Map(v.chunks(2).map(|p| (p[0].clone(), p[1].clone())).collect()))
    }),
    // A key for counting distinct combinations: NULL when any part is.
    strict(
        "tuple",
        (1, MANY),
        |_| None,
        |s, v| {
            Ok(v.iter()
                .zip(&s.args)
                .map(|(value, ty)| format!("{}\u{1}", value.to_text(ty)))
                .collect::<String>()
                .into())
        },
    ),
    lenient("struct", (1, MANY), |_| None, |_, v| Ok(Value::List(v.to_vec()))),
    strict(
        "field",
        (2, 2),
        |_| None,
        |_, v| {
            Ok(match &v[0] {
                Value::List(fields) => {
                    fields.get(usize::try_from(int_of(&v[1])).unwrap_or(usize::MAX)).cloned().unwrap_or(Value::Null)
                }
                _ => Value::Null,
            })
        },
    ),
    strict("item", (2, 2), |a| element_types(a, T::Int), |_, v| element(&v[0], &v[1], 0)),
    strict("element_at", (2, 2), |a| element_types(a, T::Int), |_, v| element(&v[0], &v[1], 1)),
    strict(
        "get",
        (2, 2),
        |a| element_types(a, T::Int),
        |_, v| {
            Ok(match (&v[0], usize::try_from(int_of(&v[1]))) {
                (Value::List(items), Ok(at)) => items.get(at).cloned().unwrap_or(Value::Null),
                _ => Value::Null,
            })
        },
    ),
    strict(
        "size",
        (1, 1),
        |a| matches!(a[0], T::Array(_) | T::Map(..)).then(|| (a.to_vec(), T::Int)),
        |_, v| Ok(size(&v[0])),
    ),
    strict("array_size", (1, 1), |a| matches!(a[0], T::Array(_)).then(|| (a.to_vec(), T::Int)), |_, v| Ok(size(&v[0]))),
    strict(
        "array_contains",
        (2, 2),
        |a| {
            let T::Array(item) = &a[0] else { return None };
            let ty = T::common(item, &a[1])?;
            Some((vec![T::Array(Box::new(ty.clone())), ty], T::Boolean))
        },
        |_, v| match &v[0] {
            Value::List(items) if items.contains(&v[1]) => Ok(Value::Boolean(true)),
            Value::List(items) if items.iter().any(Value::is_null) => Ok(Value::Null),
            _ => Ok(Value::Boolean(false)),
        },
    ),
    strict(
        "array_join",
        (2, 3),
        |a| takes(a, &[T::Array(Box::new(T::String)), T::String, T::String], T::String),
        |_, v| {
            let Value::List(items) = &v[0] else { return Ok(Value::Null) };
            let instead = v.get(2).and_then(Value::text);
            let parts: Vec<&str> = items.iter().filter_map(|item| item.text().or(instead)).collect();
            Ok(parts.join(text_of(&v[1])).into())
        },
    ),
    strict(
        "sort_array",
        (1, 2),
        |a| match &a[0] {
            T::Array(_) => takes(a, &[a[0].clone(), T::Boolean], a[0].clone()),
            _ => None,
        },
        |_, v| {
            let Value::List(mut items) = v[0].clone() else { return Ok(Value::Null) };
            items.sort_by(order);
            if v.get(1) == Some(&Value::Boolean(false)) {
                items.reverse();
            }
            Ok(Value::List(items))
        },
    ),
    strict(
        "array_distinct",
        (1, 1),
        |a| matches!(a[0], T::Array(_)).then(|| (a.to_vec(), a[0].clone())),
        |_, v| {
            let Value::List(items) = &v[0] else { return Ok(Value::Null) };
            let mut kept: Vec<Value> = Vec::new();
            for item in items {
                if !kept.contains(item) {
                    kept.push(item.clone());
                }
            }
            Ok(Value::List(kept))
        },
    ),
    strict(
        "map_keys",
        (1, 1),
        |a| match &a[0] {
            T::Map(key, _) => Some((a.to_vec(), T::Array(key.clone()))),
            _ => None,
        },
        |_, v| {
            Ok(match &v[0] {
                Value::Map(entries) => Value::List(entries.iter().map(|(k, _)| k.clone()).collect()),
                _ => Value::Null,
            })
        },
    ),
    strict(
        "map_values",
        (1, 1),
        |a| match &a[0] {
            T::Map(_, value) => Some((a.to_vec(), T::Array(value.clone()))),
            _ => None,
        },
        |_, v| {
            Ok(match &v[0] {
                Value::Map(entries) => Value::List(entries.iter().map(|(_, v)| v.clone()).collect()),
                _ => Value::Null,
            })
        },
    ),
    strict("sequence", (2, 3), sequence_types, sequence),
    strict(
        "get_json_object",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::String),
        |_, v| Ok(json_path(text_of(&v[0]), text_of(&v[1])).map_or(Value::Null, Value::from)),
    ),
    strict(
        "from_json",
        (1, 1),
        |_| None,
        |s, v| Ok(serde_json::from_str(text_of(&v[0])).map_or(Value::Null, |json| from_json(&json, &s.result))),
    ),
    strict(
        "to_json",
        (1, 1),
        |a| matches!(a[0], T::Struct(_) | T::Map(..) | T::Array(_)).then(|| (a.to_vec(), T::String)),
        |s, v| Ok(to_json(&v[0], &s.args[0]).to_string().into()),
    ),
];

fn common(types: &[T]) -> Option<T> {
    types.iter().try_fold(T::Void, |ty, other| T::common(&ty, other))
}

fn map_types(args: &[T]) -> Checked {
    if !args.len().is_multiple_of(2) {
        return None;
    }
    let every = |from: usize| common(&args.iter().skip(from).step_by(2).cloned().collect::<Vec<_>>());
    let (key, value) = (every(0)?, every(1)?);
    let taken = args.iter().enumerate().map(|(at, _)| if at % 2 == 0 { key.clone() } else { value.clone() }).collect();
    Some((taken, T::Map(Box::new(key), Box::new(value))))
}

fn element_types(args: &[T], index: T) -> Checked {
    Some(match &args[0] {
        T::Array(item) => (vec![args[0].clone(), index], (**item).clone()),
        T::Map(key, value) => (vec![args[0].clone(), (**key).clone()], (**value).clone()),
        _ => return None,
    })
}

fn size(value: &Value) -> Value {
    let count = match value {
        Value::List(items) => items.len(),
        Value::Map(entries) => entries.len(),
        _ => 0,
    };
    Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

/// The value of a key, or the element at an index counted from `base` (negative from the end when counted from 1).
fn element(container: &Value, key: &Value, base: i64) -> Result<Value> {
    match container {
        Value::Map(entries) => Ok(entries.iter().find(|(k, _)| k == key).map_or(Value::Null, |(_, v)| v.clone())),
        Value::List(items) => {
            let index = int_of(key);
            let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let at = if index < 0 && base == 1 { size + index } else { index - base };
            let found = usize::try_from(at).ok().and_then(|at| items.get(at));
            found.cloned().ok_or_else(|| {
                let (class, hint) = if base == 1 { ("INVALID_ARRAY_INDEX_IN_ELEMENT_AT", "try_element_at()") } else { ("INVALID_ARRAY_INDEX", "get()") };
                let text = format!("The index {index} is out of bounds. The array has {size} elements. Use the SQL function `{hint}` to tolerate accessing element at invalid index and return NULL instead.");
                SqlError::new(class, "22003", text)
            })
        }
        _ => Ok(Value::Null),
    }
}

fn sequence_types(args: &[T]) -> Checked {
    let ty = T::common(&args[0], &args[1])?;
    let step = args.get(2).cloned().unwrap_or(if ty.is_temporal() { T::DayTime } else { ty.clone() });
    let wanted = [ty.clone(), ty.clone(), if ty.is_temporal() { step } else { ty.clone() }];
    (ty.is_integer() || ty.is_temporal()).then(|| (wanted[..args.len()].to_vec(), T::Array(Box::new(ty))))
}

fn sequence(s: &Signature, v: &[Value]) -> Result<Value> {
    let (start, stop) = (int_of(&v[0]), int_of(&v[1]));
    let date = s.args[0] == T::Date;
    let unit = if date { datetime::DAY_US } else { 1 };
    let by_month = s.args.get(2) == Some(&T::YearMonth);
    let default = if s.args[0].is_temporal() {
        datetime::DAY_US
    } else if start <= stop {
        1
    } else {
        -1
    };
    let step = v.get(2).map_or(default, int_of);
    let wrong = || {
        SqlError::new(
            "ILLEGAL_SEQUENCE_BOUNDARIES",
            "22000",
            format!("Illegal sequence boundaries: {start} to {stop} by {step}."),
        )
    };
    if step == 0 || (start < stop) != (step > 0) && start != stop {
        return Err(wrong());
    }
    let mut items = Vec::new();
    for n in 0_i64.. {
        let length = step.checked_mul(n).ok_or_else(wrong)?;
        let at = match (by_month, date) {
            (true, true) => datetime::add_months(start, length),
            (true, false) => datetime::shift(&datetime::Unit::Calendar(1), length, start),
            (false, _) => start.checked_add(length / unit),
        };
        let Some(at) = at.filter(|at| if step > 0 { *at <= stop } else { *at >= stop }) else { break };
        if items.len() == 1_000_000 {
            return Err(SqlError::new(
                "COLLECTION_SIZE_LIMIT_EXCEEDED.FUNCTION",
                "54000",
                "Can't create array with more elements than the array size limit. Unsuccessful try to create arrays in the function `sequence`.",
            ));
        }
        items.push(Value::Integer(at));
    }
    Ok(Value::List(items))
}

/// Follows `$.a.b[0]` into a JSON text: texts come without quotes, the rest as JSON.
fn json_path(text: &str, path: &str) -> Option<String> {
    let mut json: Json = serde_json::from_str(text).ok()?;
    let mut rest = path.strip_prefix('$')?;
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (key, tail) = after.split_at(end);
            json = json.get_mut(key)?.take();
            rest = tail;
        } else {
            let (inside, tail) = rest.strip_prefix('[')?.split_once(']')?;
            let key = inside.trim_matches(['\'', '"']);
            json = match key.parse::<usize>() {
                Ok(at) => json.get_mut(at)?.take(),
                Err(_) => json.get_mut(key)?.take(),
            };
            rest = tail;
        }
    }
    match json {
        Json::Null => None,
        Json::String(s) => Some(s),
        other => Some(other.to_string()),
    }
}

/// A JSON value as a typed one, permissively: what does not fit is NULL.
fn from_json(json: &Json, ty: &T) -> Value {
    match (json, ty) {
        (Json::Array(items), T::Array(item)) => Value::List(items.iter().map(|v| from_json(v, item)).collect()),
        (Json::Object(map), T::Struct(fields)) => {
            Value::List(fields.iter().map(|(name, t)| map.get(name).map_or(Value::Null, |v| from_json(v, t))).collect())
        }
        (Json::Object(map), T::Map(key, value)) => {
            let entry = |(k, v): (&String, &Json)| {
                (cast::cast(&k.as_str().into(), &T::String, key).unwrap_or(Value::Null), from_json(v, value))
            };
            Value::Map(map.iter().map(entry).collect())
        }
        (Json::Null, _) => Value::Null,
        (Json::Bool(b), T::Boolean) => Value::Boolean(*b),
        (Json::String(s), T::String) => Value::String(s.clone()),
        (other, T::String) => Value::String(other.to_string()),
        (Json::Number(n), t) if t.is_numeric() => {
            cast::cast(&n.to_string().as_str().into(), &T::String, t).unwrap_or(Value::Null)
        }
        (Json::String(s), t) if t.is_temporal() || matches!(t, T::Decimal(..)) => {
            cast::cast(&s.as_str().into(), &T::String, t).unwrap_or(Value::Null)
        }
        _ => Value::Null,
    }
}

fn to_json(value: &Value, ty: &T) -> Json {
    match (value, ty) {
        (Value::List(items), T::Array(item)) => items.iter().map(|v| to_json(v, item)).collect(),
        (Value::List(items), T::Struct(fields)) => {
            let kept = items.iter().zip(fields).filter(|(v, _)| !v.is_null());
            Json::Object(kept.map(|(v, (name, t))| (name.clone(), to_json(v, t))).collect())
        }
        (Value::Map(entries), T::Map(key, value)) => {
            Json::Object(entries.iter().map(|(k, v)| (k.to_text(key), to_json(v, value))).collect())
        }
        (Value::Null, _) => Json::Null,
        (Value::Boolean(b), _) => Json::Bool(*b),
        (Value::Integer(n), t) if t.is_integer() => Json::from(*n),
        (Value::Double(d), _) => Json::from(*d),
        (Value::Decimal(d), _) => serde_json::from_str(&d.to_string()).unwrap_or(Json::Null),
        (value, t) => value.render(t).map_or(Json::Null, Json::String),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_read_by_path_and_by_type() {
        let text = r#"{"a":{"b":[1,{"c":"x"}]},"n":null}"#;
        assert_eq!(json_path(text, "$.a.b[1].c").unwrap(), "x");
        assert_eq!(json_path(text, "$.a.b").unwrap(), r#"[1,{"c":"x"}]"#);
        assert_eq!(json_path(text, "$.n"), None);
        let ty = T::parse("array<struct<name:string,n:bigint>>").unwrap();
        let json = serde_json::from_str(r#"[{"n":3,"name":"e","other":1},{"name":5}]"#).unwrap();
        assert_eq!(from_json(&json, &ty).to_text(&ty), "[{e, 3}, {5, null}]");
    }
}
