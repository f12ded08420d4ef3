//! The merged configuration as a list of values with their origins, for `config show`.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::Config;

/// One value that is in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ShownValue {
    /// The dotted path: `polling.runs`, `workspaces[0].host`.
    pub path: String,
    /// The value.
    pub value: Value,
    /// Where it came from, in words.
    pub origin: String,
}

impl Config {
    /// Every value that is in force: personal settings first, then the fleet's. Secrets are not among them, since none
    /// is ever part of a configuration; what is shown is where they are read from.
    pub fn values(&self) -> Vec<ShownValue> {
        let mut values = Vec::new();
        for part in [serde_json::to_value(&self.personal), serde_json::to_value(&self.fleet)] {
            // Only a map whose keys are no text cannot be told as JSON, and there is none.
            flatten("", &part.unwrap_or_default(), &mut |path, value| {
                let origin = self.origin(&path).to_string();
                values.push(ShownValue { path, value: value.clone(), origin });
            });
        }
        values
    }
}

fn flatten(path: &str, value: &Value, found: &mut dyn FnMut(String, &Value)) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, found);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, item) in items.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), item, found);
            }
        }
        Value::Array(items) if items.is_empty() && !path.ends_with(']') && !path.contains('.') => {}
        other => found(path.to_owned(), other),
    }
}
