//! References in the settings of tasks, such as `{{job.parameters.day}}`: what a run can know before its tasks run.

use std::collections::BTreeMap;

use serde_json::Value;

use super::job::ConditionTask;

/// What a run's references stand for, by the text between the braces.
pub(super) type Known = BTreeMap<String, String>;

/// The text with every reference replaced; none if one stands for something that is not known.
pub(super) fn resolved(text: &str, known: &Known) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, after) = after.split_once("}}")?;
        out.push_str(before);
        out.push_str(known.get(name.trim())?);
        rest = after;
    }
    Some(out + rest)
}

/// What a condition finds; none if it speaks of something that is not known.
pub(super) fn outcome(condition: &ConditionTask, known: &Known) -> Option<bool> {
    let (left, right) = (resolved(&condition.left, known)?, resolved(&condition.right, known)?);
    let numbers = || Some((left.trim().parse::<f64>().ok()?, right.trim().parse::<f64>().ok()?));
    // Equality compares texts, the others numbers (databricks-api.md 3.8).
    match condition.op.as_str() {
        "EQUAL_TO" => Some(left == right),
        "NOT_EQUAL" => Some(left != right),
        "GREATER_THAN" => numbers().map(|(left, right)| left > right),
        "GREATER_THAN_OR_EQUAL" => numbers().map(|(left, right)| left >= right),
        "LESS_THAN" => numbers().map(|(left, right)| left < right),
        "LESS_THAN_OR_EQUAL" => numbers().map(|(left, right)| left <= right),
        _ => None,
    }
}

/// How many iterations inputs ask for: the elements of a JSON array, one where nobody knows it yet.
pub(super) fn iterations(inputs: &str, known: &Known) -> u64 {
    let text = resolved(inputs, known);
    let array = text.and_then(|text| serde_json::from_str::<Vec<Value>>(&text).ok());
    array.map_or(1, |inputs| inputs.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        [("job.parameters.mode", "full"), ("job.parameters.n", "12"), ("job.parameters.list", "[1, 2, 3]")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    fn found(op: &str, left: &str, right: &str) -> Option<bool> {
        let [op, left, right] = [op, left, right].map(str::to_owned);
        outcome(&ConditionTask { op, left, right, extra: serde_json::Map::new() }, &known())
    }

    #[test]
    fn texts_are_equal_as_texts_and_numbers_compare_as_numbers() {
        assert_eq!(found("EQUAL_TO", "{{job.parameters.mode}}", "full"), Some(true));
        assert_eq!(found("EQUAL_TO", "12.0", "{{ job.parameters.n }}"), Some(false));
        assert_eq!(found("NOT_EQUAL", "a{{job.parameters.mode}}b", "afullb"), Some(false));
        assert_eq!(found("GREATER_THAN", "{{job.parameters.n}}", "9"), Some(true));
        assert_eq!(found("LESS_THAN_OR_EQUAL", "{{job.parameters.n}}", "12.0"), Some(true));
        assert_eq!(found("GREATER_THAN", "many", "9"), None);
        assert_eq!(found("EQUAL_TO", "{{tasks.a.values.b}}", "1"), None, "a task says that when it runs");
    }

    #[test]
    fn inputs_are_counted_through_parameters() {
        let known = known();
        assert_eq!(iterations("{{job.parameters.list}}", &known), 3);
        assert_eq!(iterations("[]", &known), 0);
        assert_eq!(iterations("{{tasks.list.values.all}}", &known), 1);
    }
}
