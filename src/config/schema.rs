//! The JSON schema of the configuration's files, generated from the dialect's types.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use super::dialect::fleet::Fleet;
use super::dialect::personal::Personal;

/// The dialect's version, as the schema's `$id` names it. It rises when a file that was right becomes wrong.
const ID: &str = "lakeshift.config/1";

/// The schema of the fleet's file: what a team shares.
pub fn fleet() -> Value {
    of::<Fleet>()
}

/// The schema of the personal settings.
pub fn personal() -> Value {
    of::<Personal>()
}

/// The schema of a file that holds both, which is also right for either.
pub fn both() -> Value {
    let mut merged = personal();
    let fleet_schema = fleet();
    for group in ["properties", "$defs"] {
        let more = fleet_schema.get(group).and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(into) = merged.get_mut(group).and_then(Value::as_object_mut) {
            // A personal `fleet` names the fleet's file; no key of the fleet has a name of the personal ones.
            into.extend(more);
        }
    }
    merged["$id"] = json!(ID);
    merged["title"] = json!("lakeshift's configuration");
    merged["description"] = json!(
        "Personal settings, and the fleet's tables unless `fleet` names a file of their own. Personal settings can \
         tighten the fleet's policies, never loosen them."
    );
    merged
}

/// The names of the tables and values that belong to the fleet.
pub(super) fn fleet_keys() -> Vec<String> {
    fleet()["properties"].as_object().map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
}

fn of<T: JsonSchema>() -> Value {
    let schema: Schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    simplify(&mut schema);
    schema
}

/// TOML has no null, and Rust's widths of integers are nobody's business: both are taken out.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Object(map) => {
            map.values_mut().for_each(simplify);
            drop_null(map);
            if map.get("type") == Some(&json!("integer")) {
                map.remove("format");
            }
            if map.get("default") == Some(&Value::Null) {
                map.remove("default");
            }
        }
        _ => {}
    }
}

fn drop_null(map: &mut Map<String, Value>) {
    let null = json!("null");
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| *name != null);
        if let [only] = &types[..] {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(forms)) = map.get_mut("anyOf") {
        forms.retain(|form| form.get("type") != Some(&null));
        if let [Value::Object(only)] = &forms[..] {
            let only = only.clone();
            map.remove("anyOf");
            for (key, value) in only {
                map.entry(key).or_insert(value);
            }
        }
    }
}

/// What a `$ref` of the schema points to, or the schema itself.
pub fn resolve<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#"));
    target.and_then(|at| root.pointer(at)).unwrap_or(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_share_no_key() {
        let personal = personal();
        let personal = personal["properties"].as_object().expect("properties");
        let shared: Vec<String> = fleet_keys().into_iter().filter(|key| personal.contains_key(key)).collect();
        assert_eq!(shared, Vec::<String>::new());
    }

    #[test]
    fn nothing_of_null_is_left() {
        let text = serde_json::to_string_pretty(&both()).expect("prints");
        let left: Vec<&str> = text.lines().filter(|line| line.contains("null")).collect();
        assert_eq!(left, Vec::<&str>::new());
    }

    #[test]
    fn every_key_is_described() {
        fn walk(path: &str, schema: &Value, missing: &mut Vec<String>) {
            if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
                for (key, value) in properties {
                    if value.get("description").is_none() {
                        missing.push(format!("{path}.{key}"));
                    }
                }
            }
        }
        let schema = both();
        let mut missing = Vec::new();
        walk("", &schema, &mut missing);
        for (name, definition) in schema["$defs"].as_object().expect("definitions") {
            walk(name, definition, &mut missing);
        }
        assert_eq!(missing, Vec::<String>::new());
    }
}
