//! Checks a file's tree against the schema: unknown keys, wrong types, impossible values, all of them at once.
//!
//! The schema is generated from the types that read the file, so what this check lets through can be read.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::dialect::scalar::{Seconds, check_form, form_in_words};
use super::nearest::nearest;
use super::schema::resolve;

/// Something that is wrong, and where.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// Keys under which people put secrets, and the keys that they should use instead.
const INLINE_SECRETS: [(&str, &str); 4] = [
    ("token", "`token_env` or `token_file`"),
    ("client_secret", "`client_secret_env` or `client_secret_file`"),
    ("secret", "`client_secret_env` or `client_secret_file`"),
    ("password", "`token_env` or `token_file`"),
];

/// What else is known about a key that the schema does not know at the root of this file.
pub(super) type Foreign<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Every finding in a file whose root has this schema. `foreign` explains root keys that belong to another file.
pub(super) fn check(schema: &Value, root: &DeTable<'_>, end: Range<usize>, foreign: Foreign<'_>) -> Vec<Finding> {
    let mut check = Check { root: schema, findings: Vec::new() };
    check.table(schema, root, &end, "", foreign);
    check.findings.sort_by_key(|finding| finding.span.start);
    check.findings
}

struct Check<'a> {
    root: &'a Value,
    findings: Vec<Finding>,
}

impl Check<'_> {
    fn find(&mut self, span: Range<usize>, message: String) {
        self.findings.push(Finding { span, message, hint: None });
    }

    fn value(&mut self, schema: &Value, value: &Spanned<DeValue<'_>>, path: &str) {
        let schema = resolve(self.root, schema);
        if let Some(choices) = choices(schema) {
            return self.choice(&choices, value, path);
        }
        match (schema.get("type").and_then(Value::as_str), value.get_ref()) {
            (Some("object"), DeValue::Table(table)) => self.table(schema, table, &value.span(), path, &|_| None),
            (Some("array"), DeValue::Array(items)) => {
                let item_schema = schema.get("items").unwrap_or(&Value::Null);
                for (index, item) in items.iter().enumerate() {
                    self.value(item_schema, item, &format!("{path}[{index}]"));
                }
            }
            (Some("string"), DeValue::String(text)) => self.text(schema, text, value.span(), path),
            (Some("integer"), DeValue::Integer(number)) => {
                self.integer(schema, i64::from_str_radix(number.as_str(), number.radix()).ok(), value.span(), path);
            }
            (Some("boolean"), DeValue::Boolean(_)) | (None, _) => {}
            (Some(_), found) => {
                self.find(value.span(), format!("`{path}`: expected {}, found {}", expected(schema), in_words(found)));
            }
        }
    }

    fn choice(&mut self, choices: &[&str], value: &Spanned<DeValue<'_>>, path: &str) {
        let all = list(choices);
        match value.get_ref() {
            DeValue::String(text) if choices.contains(&text.as_ref()) => {}
            DeValue::String(text) => {
                let near = suggestion(text, choices.iter().copied());
                self.find(value.span(), format!("`{path}`: expected {all}, found `{text}`{near}"));
            }
            other => self.find(value.span(), format!("`{path}`: expected {all}, found {}", in_words(other))),
        }
    }

    fn text(&mut self, schema: &Value, text: &str, span: Range<usize>, path: &str) {
        let shortest = schema.get("minLength").and_then(Value::as_u64).unwrap_or(0);
        if (text.chars().count() as u64) < shortest {
            let found = if text.is_empty() { "nothing".to_owned() } else { format!("`{text}`") };
            return self.find(span, format!("`{path}`: expected at least {shortest} character(s), found {found}"));
        }
        let form = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        if let Err(error) = check_form(form, text) {
            let words = form_in_words(form).unwrap_or(form);
            return self.find(span, format!("`{path}`: not a {words}: {error}"));
        }
        let bound = |name: &str| schema.get(name)?.as_str()?.parse::<Seconds>().ok();
        if let (Some(min), Some(max), Ok(found)) = (bound("x-min"), bound("x-max"), text.parse::<Seconds>())
            && !(min..=max).contains(&found)
        {
            self.find(span, format!("`{path}`: expected {min} to {max}, found {found}"));
        }
    }

    fn integer(&mut self, schema: &Value, found: Option<i64>, span: Range<usize>, path: &str) {
        let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
        let (min, max) = (bound("minimum").unwrap_or(i64::MIN), bound("maximum").unwrap_or(i64::MAX));
        if !found.is_some_and(|found| (min..=max).contains(&found)) {
            let found = found.map_or_else(|| "a number out of all bounds".to_owned(), |found| found.to_string());
            self.find(span, format!("`{path}`: expected {min} to {max}, found {found}"));
        }
    }

    fn table(&mut self, schema: &Value, table: &DeTable<'_>, whole: &Range<usize>, path: &str, foreign: Foreign<'_>) {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        for (key, value) in table {
            let name: &str = key.get_ref();
            if let Some(known) = properties.and_then(|known| known.get(name)) {
                self.value(known, value, &below(name));
            } else if let Some(others) = others {
                self.value(others, value, &below(name));
            } else {
                let names: Vec<&str> =
                    properties.into_iter().flat_map(|known| known.keys().map(String::as_str)).collect();
                self.unknown_key(name, key.span(), &names, path, foreign(name));
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
        for name in required.filter_map(Value::as_str).filter(|name| !table.contains_key(*name)) {
            self.find(whole.clone(), format!("`{}` is missing", below(name)));
        }
    }

    fn unknown_key(&mut self, name: &str, span: Range<usize>, names: &[&str], path: &str, foreign: Option<String>) {
        let place = if path.is_empty() { "at the top".to_owned() } else { format!("in `{path}`") };
        // Secrets have their own word, so that nobody looks for the right spelling of a wrong idea.
        let secret = INLINE_SECRETS
            .iter()
            .find(|(key, instead)| *key == name && names.iter().any(|valid| instead.contains(&format!("`{valid}`"))));
        let (message, hint) = if let Some(foreign) = foreign {
            (foreign, None)
        } else if let Some((_, instead)) = secret {
            (
                format!("`{name}` {place}: a secret never stands in a configuration file"),
                Some(format!(
                    "name the variable or the file that holds it with {instead}; if this one was shared, revoke it"
                )),
            )
        } else {
            let near = suggestion(name, names.iter().copied());
            let near = if near.is_empty() { format!("; valid: {}", list(names)) } else { near };
            // In TOML, what follows a [table] belongs to it: the trap of whoever appends a setting to the file.
            let at_top = !path.is_empty() && self.root.pointer(&format!("/properties/{name}")).is_some();
            let hint = at_top.then(|| format!("`{name}` stands at the top, above the first [table]"));
            (format!("unknown key `{name}` {place}{near}"), hint)
        };
        self.findings.push(Finding { span, message, hint });
    }
}

/// The values of an enumeration; none if the schema is none.
fn choices(schema: &Value) -> Option<Vec<&str>> {
    let list = schema.get("enum").or_else(|| schema.get("oneOf"))?.as_array()?;
    list.iter().map(|choice| choice.as_str().or_else(|| choice.get("const")?.as_str())).collect()
}

fn expected(schema: &Value) -> String {
    let form = schema.get("format").and_then(Value::as_str).and_then(form_in_words);
    match (form, schema.get("type").and_then(Value::as_str)) {
        (Some(form), _) => format!("a {form}"),
        (None, Some("string")) => "text in quotes".to_owned(),
        (None, Some("integer")) => "a whole number".to_owned(),
        (None, Some("boolean")) => "true or false".to_owned(),
        (None, Some("array")) => "a list".to_owned(),
        (None, Some("object")) => "a table".to_owned(),
        (None, other) => other.unwrap_or("something else").to_owned(),
    }
}

fn in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn suggestion<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    nearest(wrong, names).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
