//! The difference between two JSON values: what a feed answers hardly differs from its answer before, and a recording that
//! repeated it all would grow by megabytes a minute.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a value becomes the next one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Patch {
    /// It is another.
    #[serde(rename = "is")]
    Is(Value),
    /// An object of which some members changed, and these are gone.
    #[serde(rename = "members")]
    Members(Vec<(String, Self)>, Vec<String>),
    /// An array of the same length in which the items at some places changed.
    #[serde(rename = "items")]
    Items(Vec<(usize, Self)>),
    /// These items, of the former array those from the first place up to the second, then these.
    #[serde(rename = "around")]
    Around(Vec<Value>, usize, usize, Vec<Value>),
}

/// What leads from one value to the next; none where they are equal.
pub(super) fn diff(from: &Value, to: &Value) -> Option<Patch> {
    if from == to {
        return None;
    }
    Some(match (from, to) {
        (Value::Object(from), Value::Object(to)) => members(from, to),
        (Value::Array(from), Value::Array(to)) if !from.is_empty() && !to.is_empty() => items(from, to),
        _ => Patch::Is(to.clone()),
    })
}

fn members(from: &Map<String, Value>, to: &Map<String, Value>) -> Patch {
    let changed = to.iter().filter_map(|(name, value)| {
        let patch = match from.get(name) {
            Some(before) => diff(before, value)?,
            None => Patch::Is(value.clone()),
        };
        Some((name.clone(), patch))
    });
    let gone = from.keys().filter(|name| !to.contains_key(*name)).cloned();
    Patch::Members(changed.collect(), gone.collect())
}

/// Lists change in few ways: an item in its place, newer ones in front, newer ones behind while the oldest fall off.
fn items(from: &[Value], to: &[Value]) -> Patch {
    let in_place = |from: &[Value], to: &[Value]| -> Vec<(usize, Patch)> {
        from.iter().zip(to).enumerate().filter_map(|(at, (from, to))| Some((at, diff(from, to)?))).collect()
    };
    let (mut kept, mut at) = (0..0, 0);
    // The longest stretch of the former list, from its start or up to its end, that stands unbroken in the new one.
    for place in 0..to.len() {
        let starts = to[place..].iter().zip(from).take_while(|(to, from)| to == from).count();
        if starts > kept.len() {
            (kept, at) = (0..starts, place);
        }
        let ends = to[..=place].iter().rev().zip(from.iter().rev()).take_while(|(to, from)| to == from).count();
        if ends > kept.len() {
            (kept, at) = (from.len() - ends..from.len(), place + 1 - ends);
        }
    }
    if from.len() == to.len() && kept.len() * 2 < to.len() {
        return Patch::Items(in_place(from, to));
    }
    let behind = at + kept.len();
    Patch::Around(to[..at].to_vec(), kept.start, kept.end, to[behind..].to_vec())
}

/// The next value; none where the patch was made for another one.
pub(super) fn apply(from: &Value, patch: &Patch) -> Option<Value> {
    Some(match (from, patch) {
        (_, Patch::Is(value)) => value.clone(),
        (Value::Object(from), Patch::Members(changed, gone)) => {
            let mut to = from.clone();
            for name in gone {
                to.shift_remove(name)?;
            }
            for (name, patch) in changed {
                let before = to.get(name).unwrap_or(&Value::Null);
                let value = apply(before, patch)?;
                to.insert(name.clone(), value);
            }
            Value::Object(to)
        }
        (Value::Array(from), Patch::Items(changed)) => {
            let mut to = from.clone();
            for (at, patch) in changed {
                let item = to.get_mut(*at)?;
                *item = apply(item, patch)?;
            }
            Value::Array(to)
        }
        (Value::Array(from), Patch::Around(front, start, end, behind)) => {
            let kept = from.get(*start..*end)?;
            Value::Array(front.iter().chain(kept).chain(behind).cloned().collect())
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::from), (0..4).prop_map(Value::from)];
        leaf.prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn a_patch_leads_from_any_value_to_any_other(from in values(), to in values()) {
            let patch = diff(&from, &to);
            prop_assert_eq!(patch.is_none(), from == to);
            let Some(patch) = patch else { return Ok(()) };
            let written = serde_json::to_string(&patch).expect("writes");
            let read: Patch = serde_json::from_str(&written).expect("reads");
            prop_assert_eq!(apply(&from, &read), Some(to));
        }
    }

    #[test]
    fn a_list_that_moves_on_costs_what_is_new() {
        let (before, after) = (json!([1, 2, 3, 4, 5]), json!([2, 3, 4, 5, 6]));
        assert_eq!(diff(&before, &after), Some(Patch::Around(vec![], 1, 5, vec![json!(6)])));
        assert_eq!(diff(&after, &before), Some(Patch::Around(vec![json!(1)], 0, 4, vec![])));
        let item = diff(&json!([{"a": 1, "b": 2}, 7]), &json!([{"a": 1, "b": 3}, 8]));
        let inner = Patch::Members(vec![("b".to_owned(), Patch::Is(json!(3)))], vec![]);
        assert_eq!(item, Some(Patch::Items(vec![(0, inner), (1, Patch::Is(json!(8)))])));
    }

    #[test]
    fn a_patch_for_another_value_is_refused() {
        assert_eq!(apply(&json!([1]), &Patch::Around(vec![], 0, 2, vec![])), None);
        assert_eq!(apply(&json!(1), &Patch::Items(vec![])), None);
    }
}
