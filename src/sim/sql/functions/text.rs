//! Functions on strings.

use super::{Checked, MANY, Routine, Signature, int_of, lenient, strict, takes, text_of};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub(super) const ROUTINES: &[Routine] = &[
    strict("concat", (1, MANY), concat_types, concat),
    lenient("concat_ws", (1, MANY), concat_ws_types, concat_ws),
    strict("lower", (1, 1), texts, |_, v| Ok(text_of(&v[0]).to_lowercase().into())),
    strict("upper", (1, 1), texts, |_, v| Ok(text_of(&v[0]).to_uppercase().into())),
    strict(
        "length",
        (1, 1),
        |a| takes(a, &[if a[0] == T::Binary { T::Binary } else { T::String }], T::Int),
        |_, v| {
            Ok(match &v[0] {
                Value::Binary(bytes) => count(bytes.len()),
                other => count(text_of(other).chars().count()),
            })
        },
    ),
    strict(
        "substring",
        (2, 3),
        |a| takes(a, &[T::String, T::Int, T::Int], T::String),
        |_, v| Ok(substring(text_of(&v[0]), int_of(&v[1]), v.get(2).map(int_of)).into()),
    ),
    strict(
        "left",
        (2, 2),
        |a| takes(a, &[T::String, T::Int], T::String),
        |_, v| Ok(substring(text_of(&v[0]), 1, Some(int_of(&v[1]))).into()),
    ),
    strict(
        "right",
        (2, 2),
        |a| takes(a, &[T::String, T::Int], T::String),
        |_, v| {
            let wanted = int_of(&v[1]);
            Ok(if wanted <= 0 { "".into() } else { substring(text_of(&v[0]), -wanted, None).into() })
        },
    ),
    strict("trim", (1, 2), |a| takes(a, &[T::String, T::String], T::String), |_, v| Ok(trim(v, true, true))),
    strict("ltrim", (1, 2), |a| takes(a, &[T::String, T::String], T::String), |_, v| Ok(trim(v, true, false))),
    strict("rtrim", (1, 2), |a| takes(a, &[T::String, T::String], T::String), |_, v| Ok(trim(v, false, true))),
    strict(
        "replace",
        (2, 3),
        |a| takes(a, &[T::String, T::String, T::String], T::String),
        |_, v| {
            let search = text_of(&v[1]);
            let by = v.get(2).map(text_of).unwrap_or_default();
            Ok(if search.is_empty() { v[0].clone() } else { text_of(&v[0]).replace(search, by).into() })
        },
    ),
    strict(
        "instr",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::Int),
        |_, v| Ok(find_from(text_of(&v[0]), text_of(&v[1]), 1)),
    ),
    strict(
        "locate",
        (2, 3),
        |a| takes(a, &[T::String, T::String, T::Int], T::Int),
        |_, v| Ok(find_from(text_of(&v[1]), text_of(&v[0]), v.get(2).map_or(1, int_of))),
    ),
    strict("lpad", (2, 3), |a| takes(a, &[T::String, T::Int, T::String], T::String), |_, v| Ok(pad(v, true))),
    strict("rpad", (2, 3), |a| takes(a, &[T::String, T::Int, T::String], T::String), |_, v| Ok(pad(v, false))),
    strict(
        "repeat",
        (2, 2),
        |a| takes(a, &[T::String, T::Int], T::String),
        |_, v| Ok(text_of(&v[0]).repeat(usize::try_from(int_of(&v[1])).unwrap_or(0)).into()),
    ),
    strict("reverse", (1, 1), texts, |_, v| Ok(text_of(&v[0]).chars().rev().collect::<String>().into())),
    strict("initcap", (1, 1), texts, |_, v| {
        let mut start = true;
        let mut out = String::new();
        for letter in text_of(&v[0]).chars() {
            if start {
                out.extend(letter.to_uppercase());
            } else {
                out.extend(letter.to_lowercase());
            }
            start = letter == ' ';
        }
        Ok(out.into())
    }),
    strict(
        "ascii",
        (1, 1),
        |a| takes(a, &[T::String], T::Int),
        |_, v| Ok(Value::Integer(text_of(&v[0]).chars().next().map_or(0, |c| u32::from(c).into()))),
    ),
    strict(
        "chr",
        (1, 1),
        |a| takes(a, &[T::BigInt], T::String),
        |_, v| {
            let code = u32::try_from(int_of(&v[0]).rem_euclid(256)).ok().and_then(char::from_u32);
            Ok(code.filter(|_| int_of(&v[0]) >= 0).map(String::from).unwrap_or_default().into())
        },
    ),
    strict(
        "translate",
        (3, 3),
        |a| takes(a, &[T::String, T::String, T::String], T::String),
        |_, v| {
            let (from, to): (Vec<char>, Vec<char>) =
                (text_of(&v[1]).chars().collect(), text_of(&v[2]).chars().collect());
            let moved = text_of(&v[0]).chars().filter_map(|letter| match from.iter().position(|c| *c == letter) {
                Some(at) => to.get(at).copied(),
                None => Some(letter),
            });
            Ok(moved.collect::<String>().into())
        },
    ),
    strict(
        "substring_index",
        (3, 3),
        |a| takes(a, &[T::String, T::String, T::Int], T::String),
        |_, v| Ok(before_nth(text_of(&v[0]), text_of(&v[1]), int_of(&v[2])).into()),
    ),
    strict(
        "levenshtein",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::Int),
        |_, v| Ok(count(strsim::levenshtein(text_of(&v[0]), text_of(&v[1])))),
    ),
    strict(
        "space",
        (1, 1),
        |a| takes(a, &[T::Int], T::String),
        |_, v| Ok(" ".repeat(usize::try_from(int_of(&v[0])).unwrap_or(0)).into()),
    ),
    strict(
        "startswith",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::Boolean),
        |_, v| Ok(text_of(&v[0]).starts_with(text_of(&v[1])).into()),
    ),
    strict(
        "endswith",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::Boolean),
        |_, v| Ok(text_of(&v[0]).ends_with(text_of(&v[1])).into()),
    ),
    strict(
        "contains",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::Boolean),
        |_, v| Ok(text_of(&v[0]).contains(text_of(&v[1])).into()),
    ),
    strict(
        "like",
        (3, 3),
        |a| takes(a, &[T::String, T::String, T::String], T::Boolean),
        |_, v| Ok(like(text_of(&v[0]), text_of(&v[1]), text_of(&v[2]).chars().next())?.into()),
    ),
    strict(
        "ilike",
        (3, 3),
        |a| takes(a, &[T::String, T::String, T::String], T::Boolean),
        |_, v| {
            Ok(like(&text_of(&v[0]).to_lowercase(), &text_of(&v[1]).to_lowercase(), text_of(&v[2]).chars().next())?
                .into())
        },
    ),
    strict(
        "split_part",
        (3, 3),
        |a| takes(a, &[T::String, T::String, T::Int], T::String),
        |_, v| {
            let parts: Vec<&str> = text_of(&v[0]).split(text_of(&v[1])).collect();
            let at = int_of(&v[2]);
            let index = match at {
                0 => {
                    return Err(SqlError::new(
                        "INVALID_INDEX_OF_ZERO",
                        "22003",
                        "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
                    ));
                }
                n if n > 0 => usize::try_from(n - 1).ok(),
                n => usize::try_from(-n).ok().and_then(|back| parts.len().checked_sub(back)),
            };
            Ok(index.and_then(|i| parts.get(i)).copied().unwrap_or_default().into())
        },
    ),
    strict(
        "hex",
        (1, 1),
        |a| takes(a, &[if a[0].is_integer() { T::BigInt } else { T::Binary }], T::String),
        |_, v| {
            Ok(match &v[0] {
                Value::Binary(bytes) => bytes.iter().map(|b| format!("{b:02X}")).collect::<String>().into(),
                other => format!("{:X}", int_of(other)).into(),
            })
        },
    ),
    strict(
        "unhex",
        (1, 1),
        |a| takes(a, &[T::String], T::Binary),
        |_, v| {
            let text = text_of(&v[0]);
            let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
            let bytes: Option<Vec<u8>> = padded
                .as_bytes()
                .chunks(2)
                .map(|pair| std::str::from_utf8(pair).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok()))
                .collect();
            Ok(bytes.map_or(Value::Null, Value::Binary))
        },
    ),
    strict(
        "base64",
        (1, 1),
        |a| takes(a, &[T::Binary], T::String),
        |_, v| match &v[0] {
            Value::Binary(bytes) => Ok(STANDARD.encode(bytes).into()),
            _ => Ok(Value::Null),
        },
    ),
    strict(
        "unbase64",
        (1, 1),
        |a| takes(a, &[T::String], T::Binary),
        |_, v| {
            let text = text_of(&v[0]);
            STANDARD.decode(text).map(Value::Binary).map_err(|_| {
                SqlError::new(
                    "CONVERSION_INVALID_INPUT",
                    "22018",
                    format!(
                        "The value '{text}' (\"STRING\") cannot be converted to \"BINARY\" because it is malformed."
                    ),
                )
            })
        },
    ),
];

fn texts(args: &[T]) -> Checked {
    takes(args, &[T::String], T::String)
}

fn count(n: usize) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

fn concat_types(args: &[T]) -> Checked {
    if let Some(T::Array(_)) = args.first() {
        let mut ty = args[0].clone();
        for other in args {
            ty = T::common(&ty, other)?;
        }
        return Some((vec![ty.clone(); args.len()], ty));
    }
    let ty = if !args.is_empty() && args.iter().all(|t| *t == T::Binary) { T::Binary } else { T::String };
    Some((vec![ty.clone(); args.len()], ty))
}

fn concat(s: &Signature, v: &[Value]) -> Result<Value> {
    Ok(match s.result {
        T::Array(_) => Value::List(
            v.iter()
                .filter_map(|x| if let Value::List(items) = x { Some(items.clone()) } else { None })
                .flatten()
                .collect(),
        ),
        T::Binary => Value::Binary(
            v.iter().filter_map(|x| if let Value::Binary(b) = x { Some(b.clone()) } else { None }).flatten().collect(),
        ),
        _ => v.iter().map(text_of).collect::<String>().into(),
    })
}

fn concat_ws_types(args: &[T]) -> Checked {
    let keep = |t: &T| if let T::Array(_) = t { T::Array(Box::new(T::String)) } else { T::String };
    Some((args.iter().map(keep).collect(), T::String))
}

/// Joins what is not NULL; arrays give their elements.
fn concat_ws(_: &Signature, v: &[Value]) -> Result<Value> {
    let Some(separator) = v[0].text() else { return Ok(Value::Null) };
    let mut parts = Vec::new();
    for value in v.iter().skip(1) {
        match value {
            Value::String(s) => parts.push(s.as_str()),
            Value::List(items) => parts.extend(items.iter().filter_map(Value::text)),
            _ => {}
        }
    }
    Ok(parts.join(separator).into())
}

/// Spark's substring: from 1, 0 counts as 1, negative from the end.
fn substring(text: &str, from: i64, length: Option<i64>) -> String {
    let letters: Vec<char> = text.chars().collect();
    let size = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    let start = match from {
        n if n > 0 => n - 1,
        0 => 0,
        n => size + n,
    };
    let end = length.map_or(size, |n| start.saturating_add(n)).min(size);
    let start = start.max(0);
    let index = |n: i64| usize::try_from(n).unwrap_or(0);
    if end <= start {
        String::new()
    } else {
        letters.get(index(start)..index(end)).map(|part| part.iter().collect()).unwrap_or_default()
    }
}

fn trim(v: &[Value], start: bool, end: bool) -> Value {
    let text = text_of(&v[0]);
    let wanted: Vec<char> = v.get(1).map_or_else(|| vec![' '], |set| text_of(set).chars().collect());
    let text = if start { text.trim_start_matches(|c| wanted.contains(&c)) } else { text };
    let text = if end { text.trim_end_matches(|c| wanted.contains(&c)) } else { text };
    text.into()
}

fn find_from(text: &str, search: &str, from: i64) -> Value {
    let Ok(skip) = usize::try_from(from - 1) else { return Value::Integer(0) };
    let start = text.char_indices().nth(skip).map_or(text.len(), |(at, _)| at);
    let found = text.get(start..).and_then(|rest| rest.find(search)).and_then(|at| text.get(..start + at));
    found.map_or(Value::Integer(0), |before| count(before.chars().count() + 1))
}

fn pad(v: &[Value], left: bool) -> Value {
    let letters: Vec<char> = text_of(&v[0]).chars().collect();
    let width = usize::try_from(int_of(&v[1])).unwrap_or(0);
    let filling = v.get(2).map_or(" ", text_of);
    let missing = width.saturating_sub(letters.len());
    let fill: String = filling.chars().cycle().take(if filling.is_empty() { 0 } else { missing }).collect();
    let kept: String = letters.into_iter().take(width).collect();
    if left { format!("{fill}{kept}").into() } else { format!("{kept}{fill}").into() }
}

/// What lies before the n-th separator, or behind the n-th from the end when negative.
fn before_nth<'t>(text: &'t str, separator: &str, n: i64) -> &'t str {
    let nth = usize::try_from(n.unsigned_abs()).unwrap_or(usize::MAX);
    if separator.is_empty() || nth == 0 {
        return "";
    }
    if n > 0 {
        let at = text.match_indices(separator).nth(nth - 1).map_or(text.len(), |(at, _)| at);
        return text.get(..at).unwrap_or_default();
    }
    let at = text.rmatch_indices(separator).nth(nth - 1).map_or(0, |(at, found)| at + found.len());
    text.get(at..).unwrap_or_default()
}

/// LIKE: `%` any text, `_` any letter. Errors: an escape at the end or before an ordinary letter.
pub(crate) fn like(text: &str, pattern: &str, escape: Option<char>) -> Result<bool> {
    enum Part {
        Any,
        One,
        Letter(char),
    }
    let wrong = || {
        SqlError::new(
            "INVALID_FORMAT.ESC_IN_THE_MIDDLE",
            "42601",
            format!("The format is invalid: '{pattern}'. The escape character is not allowed to precede it."),
        )
    };
    let mut parts = Vec::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        parts.push(match letter {
            c if Some(c) == escape => match letters.next() {
                Some(next) if next == '%' || next == '_' || Some(next) == escape => Part::Letter(next),
                _ => return Err(wrong()),
            },
            '%' => Part::Any,
            '_' => Part::One,
            c => Part::Letter(c),
        });
    }
    let text: Vec<char> = text.chars().collect();
    let mut reached = vec![false; text.len() + 1];
    reached[0] = true;
    for part in parts {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = match &part {
                Part::Any => reached[at] || (at > 0 && next[at - 1]),
                Part::One => at > 0 && reached[at - 1],
                Part::Letter(c) => at > 0 && reached[at - 1] && text[at - 1] == *c,
            };
        }
        reached = next;
    }
    Ok(reached.last().copied().unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_matches_whole_texts() {
        for (text, pattern, expected) in [
            ("abc", "a%", true),
            ("abc", "a_c", true),
            ("abc", "b%", false),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("", "%", true),
            ("é", "_", true),
        ] {
            assert_eq!(like(text, pattern, Some('\\')).unwrap(), expected, "{text} {pattern}");
        }
        assert!(like("a", "\\a", Some('\\')).is_err());
    }

    #[test]
    fn substring_counts_from_one_or_from_the_end() {
        assert_eq!(substring("Spark SQL", 5, None), "k SQL");
        assert_eq!(substring("Spark SQL", -3, None), "SQL");
        assert_eq!(substring("Spark", -7, Some(3)), "S");
        assert_eq!(substring("Spark", 0, Some(2)), "Sp");
    }
}
