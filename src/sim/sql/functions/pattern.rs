//! Functions with regular expressions: Java's, as far as an automaton does them. What needs more (looking around, back references) is refused.

use super::{Checked, Routine, int_of, strict, takes, text_of};
use crate::sim::sql::error::{Result, SqlError};
use crate::sim::sql::types::DataType as T;
use crate::sim::sql::values::Value;
use regex::{Captures, Regex};
use std::cell::RefCell;

pub(super) const ROUTINES: &[Routine] = &[
    strict(
        "regexp_like",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::Boolean),
        |_, v| with("rlike", v, |pattern, text| Ok(pattern.is_match(text).into())),
    ),
    strict(
        "regexp_count",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::Int),
        |_, v| with("regexp_count", v, |pattern, text| Ok(count(pattern.find_iter(text).count()))),
    ),
    strict(
        "regexp_substr",
        (2, 2),
        |a| takes(a, &[T::String, T::String], T::String),
        |_, v| {
            with("regexp_substr", v, |pattern, text| {
                Ok(pattern.find(text).map_or(Value::Null, |found| found.as_str().into()))
            })
        },
    ),
    strict(
        "regexp_instr",
        (2, 3),
        |a| takes(a, &[T::String, T::String, T::Int], T::Int),
        |_, v| {
            with("regexp_instr", v, |pattern, text| {
                let before = pattern.find(text).and_then(|found| text.get(..found.start()));
                Ok(before.map_or(Value::Integer(0), |before| count(before.chars().count() + 1)))
            })
        },
    ),
    strict(
        "regexp_extract",
        (2, 3),
        |a| takes(a, &[T::String, T::String, T::Int], T::String),
        |_, v| {
            with("regexp_extract", v, |pattern, text| {
                let Some(found) = pattern.captures(text) else { return Ok("".into()) };
                Ok(part(&found, group_of("regexp_extract", pattern, v)?).into())
            })
        },
    ),
    strict("regexp_extract_all", (2, 3), extract_types, |_, v| {
        with("regexp_extract_all", v, |pattern, text| {
            if !pattern.is_match(text) {
                return Ok(Value::List(Vec::new()));
            }
            let group = group_of("regexp_extract_all", pattern, v)?;
            Ok(Value::List(pattern.captures_iter(text).map(|found| part(&found, group).into()).collect()))
        })
    }),
    strict(
        "regexp_replace",
        (3, 4),
        |a| takes(a, &[T::String, T::String, T::String, T::Int], T::String),
        |_, v| with("regexp_replace", v, |pattern, text| replace(pattern, text, text_of(&v[2]), v.get(3).map(int_of))),
    ),
    strict(
        "split",
        (2, 3),
        |a| takes(a, &[T::String, T::String, T::Int], T::Array(Box::new(T::String))),
        |_, v| with("split", v, |pattern, text| Ok(Value::List(split(pattern, text, v.get(2).map_or(-1, int_of))))),
    ),
];

fn extract_types(args: &[T]) -> Checked {
    takes(args, &[T::String, T::String, T::Int], T::Array(Box::new(T::String)))
}

fn count(n: usize) -> Value {
    Value::Integer(i64::try_from(n).unwrap_or(i64::MAX))
}

/// Runs on the text of the first argument with the pattern of the second; a query has few patterns, so the last one is kept.
fn with(name: &str, v: &[Value], run: impl FnOnce(&Regex, &str) -> Result<Value>) -> Result<Value> {
    thread_local! {
        static LAST: RefCell<Option<(String, Regex)>> = const { RefCell::new(None) };
    }
    let wanted = text_of(&v[1]);
    let kept = LAST.take().filter(|(text, _)| text == wanted);
    let (text, pattern) = match kept {
        Some(kept) => kept,
        None => (wanted.to_owned(), compile(name, wanted)?),
    };
    let result = run(&pattern, text_of(&v[0]));
    LAST.set(Some((text, pattern)));
    result
}

/// Java's classes `\d`, `\w` and `\s` are of ASCII.
fn compile(name: &str, pattern: &str) -> Result<Regex> {
    let mut plain = String::with_capacity(pattern.len());
    let (mut letters, mut class) = (pattern.chars(), 0_usize);
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                let next = letters.next();
                let members = match next {
                    Some('d' | 'D') => "0-9",
                    Some('w' | 'W') => "0-9A-Za-z_",
                    Some('s' | 'S') => r" \t\n\x0B\x0C\r",
                    _ => "",
                };
                match next {
                    Some('d' | 'w' | 's') if class > 0 => plain.push_str(members),
                    Some('d' | 'w' | 's') => plain.extend(["[", members, "]"]),
                    Some('D' | 'W' | 'S') => plain.extend(["[^", members, "]"]),
                    Some('b') => plain.push_str(r"(?-u:\b)"),
                    Some('Z') => plain.push_str(r"\z"),
                    other => plain.extend(std::iter::once('\\').chain(other)),
                }
            }
            '[' => {
                class += 1;
                plain.push('[');
            }
            ']' => {
                class = class.saturating_sub(1);
                plain.push(']');
            }
            other => plain.push(other),
        }
    }
    Regex::new(&plain).map_err(|_| {
        SqlError::new(
            "INVALID_PARAMETER_VALUE.PATTERN",
            "22023",
            format!("The value of parameter(s) `regexp` in `{name}` is invalid: '{pattern}'."),
        )
    })
}

/// The group that is asked for, of a match: the first unless another is.
fn group_of(name: &str, pattern: &Regex, v: &[Value]) -> Result<usize> {
    let (asked, most) = (v.get(2).map_or(1, int_of), pattern.captures_len() - 1);
    usize::try_from(asked).ok().filter(|group| *group <= most).ok_or_else(|| {
        SqlError::new(
            "INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX",
            "22023",
            format!("The value of parameter(s) `idx` in `{name}` is invalid: Expects group index between 0 and {most}, but got {asked}."),
        )
    })
}

fn part<'t>(found: &Captures<'t>, group: usize) -> &'t str {
    found.get(group).map_or("", |part| part.as_str())
}

/// Java's replacement: `$1` is a group, `\` takes the next letter as it is. From a position on, counted from 1.
fn replace(pattern: &Regex, text: &str, by: &str, from: Option<i64>) -> Result<Value> {
    let from = usize::try_from(from.unwrap_or(1)).ok().filter(|from| *from > 0).ok_or_else(|| {
        SqlError::new("DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE", "42K09", "The position must be between 1 and 2147483647.")
    })?;
    let at = text.char_indices().nth(from - 1).map_or(text.len(), |(at, _)| at);
    if at == text.len() && from > 1 {
        return Ok(text.into());
    }
    let (before, rest) = text.split_at(at);
    let replaced = pattern.replace_all(rest, |found: &Captures<'_>| {
        let (mut out, mut letters) = (String::new(), by.chars().peekable());
        while let Some(letter) = letters.next() {
            match (letter, letters.peek().and_then(|next| next.to_digit(10))) {
                ('\\', _) => out.extend(letters.next()),
                ('$', Some(mut group)) => {
                    letters.next();
                    // As many digits as still name a group.
                    while let Some(digit) = letters.peek().and_then(|next| next.to_digit(10)) {
                        let longer = group * 10 + digit;
                        if usize::try_from(longer).map_or(true, |longer| longer >= found.len()) {
                            break;
                        }
                        group = longer;
                        letters.next();
                    }
                    out.push_str(usize::try_from(group).map_or("", |group| part(found, group)));
                }
                _ => out.push(letter),
            }
        }
        out
    });
    Ok(format!("{before}{replaced}").into())
}

/// Java's split: what is empty at the end stays, an empty match at the beginning splits nothing off.
fn split(pattern: &Regex, text: &str, limit: i64) -> Vec<Value> {
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    if pattern.as_str().is_empty() {
        let mut rest = text;
        let mut parts = Vec::new();
        while let Some(letter) =
            rest.chars().next().filter(|letter| parts.len() + 1 < limit && rest.len() > letter.len_utf8())
        {
            let (head, tail) = rest.split_at(letter.len_utf8());
            parts.push(head.into());
            rest = tail;
        }
        parts.push(rest.into());
        return parts;
    }
    let (mut parts, mut from) = (Vec::new(), 0);
    for found in pattern.find_iter(text).filter(|found| found.end() > 0) {
        if parts.len() + 1 >= limit {
            break;
        }
        parts.push(text.get(from..found.start()).unwrap_or_default().into());
        from = found.end();
    }
    parts.push(text.get(from..).unwrap_or_default().into());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str, pattern: &str, limit: i64) -> Vec<String> {
        let pattern = compile("split", pattern).unwrap();
        split(&pattern, text, limit).iter().map(|part| text_of(part).to_owned()).collect()
    }

    #[test]
    fn split_is_as_in_java() {
        assert_eq!(parts("oneAtwoBthreeC", "[ABC]", -1), ["one", "two", "three", ""]);
        assert_eq!(parts("oneAtwoBthreeC", "[ABC]", 2), ["one", "twoBthreeC"]);
        assert_eq!(parts("abc", "", -1), ["a", "b", "c"]);
        assert_eq!(parts("abc", "", 2), ["a", "bc"]);
        assert_eq!(parts("", ",", -1), [""]);
    }

    #[test]
    fn classes_are_of_ascii() {
        assert!(!compile("rlike", r"^\d+$").unwrap().is_match("٣"));
        assert!(compile("rlike", r"^[\d\-]+$").unwrap().is_match("3-4"));
        assert!(!compile("rlike", r"^\w+$").unwrap().is_match("é"));
    }

    #[test]
    fn a_replacement_names_groups_and_escapes() {
        let pattern = compile("regexp_replace", r"(\w+)=(\w+)").unwrap();
        assert_eq!(replace(&pattern, "a=1, b=2", r"$2\$$1", None).unwrap(), Value::from("1$a, 2$b"));
        assert_eq!(replace(&pattern, "a=1, b=2", "$0!", Some(5)).unwrap(), Value::from("a=1, b=2!"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert_eq!(compile("rlike", "(").unwrap_err().class, "INVALID_PARAMETER_VALUE.PATTERN");
    }
}
