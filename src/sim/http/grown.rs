//! Answers that have grown: with members that no documentation names, as real ones gain from release to release
//! (databricks-api.md 11.15). A client that trips over one of them would fail on the day that the vendor ships it.

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// Members whose keys are the user's own: nobody but the user adds one there.
const OWN: [&str; 14] = [
    "tags",
    "custom_tags",
    "spark_conf",
    "spark_env_vars",
    "configuration",
    "properties",
    "options",
    "parameters",
    "job_parameters",
    "notebook_params",
    "base_parameters",
    "python_named_params",
    "sql_params",
    "expectations",
];

/// Names that a client might take for its own: words of the API with something behind them.
const NAMES: [&str; 6] = ["state_v2", "run_details", "effective_settings", "update_info", "is_serverless", "x"];

/// A JSON body with unknown members in about half of its objects; the same body grows in the same way. What is no JSON object stays as it is.
pub(super) fn grown(body: Vec<u8>, seed: u64) -> Vec<u8> {
    match serde_json::from_slice(&body) {
        Ok(Value::Object(mut members)) => {
            let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(body.len() as u64));
            grow(&mut members, &mut rng);
            serde_json::to_vec(&members).unwrap_or(body)
        }
        _ => body,
    }
}

fn grow(members: &mut Map<String, Value>, rng: &mut ChaCha8Rng) {
    for (name, member) in members.iter_mut() {
        if !OWN.contains(&name.as_str()) {
            grow_inside(member, rng);
        }
    }
    if rng.random_bool(0.5) {
        let name = NAMES.choose(rng).copied().unwrap_or("x");
        // Never one that is there already: a member twice is another fault.
        if !members.contains_key(name) {
            let place = rng.random_range(0..=members.len());
            members.shift_insert(place, name.to_owned(), anything(rng));
        }
    }
}

fn grow_inside(value: &mut Value, rng: &mut ChaCha8Rng) {
    match value {
        Value::Object(members) => grow(members, rng),
        Value::Array(items) => items.iter_mut().for_each(|item| grow_inside(item, rng)),
        _ => {}
    }
}

/// A value of any kind.
fn anything(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..6) {
        0 => Value::Null,
        1 => Value::from(rng.random_bool(0.5)),
        2 => Value::from(rng.random::<u64>()),
        3 => Value::from("SOMETHING_NEW"),
        4 => json!([{"kind": "NEW"}, null, 3]),
        _ => json!({"enabled": {"value": true, "source": null}}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Vec<u8> {
        let runs: Vec<Value> = (0..40).map(|id| json!({"run_id": id, "tags": {"team": "data"}})).collect();
        json!({"runs": runs, "has_more": false}).to_string().into_bytes()
    }

    #[test]
    fn what_was_there_stays_and_the_users_own_maps_are_left_alone() {
        let before: Value = serde_json::from_slice(&body()).expect("JSON");
        let after: Value = serde_json::from_slice(&grown(body(), 7)).expect("JSON");
        let runs = after["runs"].as_array().expect("runs");
        for (run, old) in runs.iter().zip(before["runs"].as_array().expect("runs")) {
            assert_eq!((&run["run_id"], &run["tags"]), (&old["run_id"], &old["tags"]));
        }
        assert!(runs.iter().any(|run| run.as_object().is_some_and(|run| run.len() > 2)), "nothing grew");
    }

    #[test]
    fn the_same_seed_grows_the_same() {
        assert_eq!(grown(body(), 7), grown(body(), 7));
        assert_ne!(grown(body(), 7), grown(body(), 8));
        assert_eq!(grown(b"<html>".to_vec(), 7), b"<html>");
    }
}
