//! The one spelling of a value that is hashed: JSON with sorted keys, without white space, without floats.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A value has no canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unhashable {
    /// It is not JSON, such as a map whose keys are no text.
    #[error("the value is not JSON: {0}")]
    NotJson(String),
    /// A float has many spellings.
    #[error("the value holds the float {0}, which has no one spelling")]
    Float(String),
}

/// The canonical JSON of a value.
///
/// # Errors
/// When it holds a float, or is not JSON at all.
pub fn canonical(value: &impl Serialize) -> Result<String, Unhashable> {
    let value = serde_json::to_value(value).map_err(|error| Unhashable::NotJson(error.to_string()))?;
    let mut text = String::new();
    write(&value, &mut text)?;
    Ok(text)
}

/// SHA-256 of the canonical JSON, as `sha256sum` prints it.
///
/// # Errors
/// As [`canonical`].
pub fn digest(value: &impl Serialize) -> Result<String, Unhashable> {
    canonical(value).map(|text| digest_of_text(&text))
}

/// SHA-256 of a text, as `sha256sum` prints it.
pub fn digest_of_text(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn write(value: &Value, text: &mut String) -> Result<(), Unhashable> {
    match value {
        Value::Number(number) if number.is_f64() => return Err(Unhashable::Float(number.to_string())),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text)?;
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, member)) in members.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(name.clone()).to_string());
                text.push(':');
                write(member, text)?;
            }
            text.push('}');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_keys_does_not_matter_and_white_space_is_left_out() {
        let one = json!({"b": [1, {"z": null, "y": "ü\n"}], "a": true});
        let other = json!({"a": true, "b": [1, {"y": "ü\n", "z": null}]});
        assert_eq!(canonical(&one).expect("hashable"), r#"{"a":true,"b":[1,{"y":"ü\n","z":null}]}"#);
        assert_eq!(digest(&one), digest(&other));
        assert_ne!(digest(&one), digest(&json!({"a": true, "b": [{"y": "ü\n", "z": null}, 1]})), "lists have an order");
    }

    #[test]
    fn the_digest_is_what_sha256sum_prints() {
        assert_eq!(digest_of_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn floats_are_refused_wherever_they_stand() {
        assert_eq!(canonical(&json!({"a": [1.5]})), Err(Unhashable::Float("1.5".into())));
    }
}
