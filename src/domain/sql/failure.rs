//! Failed statements: the engine's own words, and what they mean for who sent it.

use crate::domain::text;

/// The longest message that is kept, in characters.
const MAX_MESSAGE: usize = 2_000;

/// A statement that its engine refused or gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlFailure {
    /// The vendor's coarse code: `BAD_REQUEST`, `ABORTED`, ...; empty if it gave none.
    pub code: String,
    /// The error condition with its sub-conditions: `TABLE_OR_VIEW_NOT_FOUND`, `DELTA_CONCURRENT_APPEND.WHOLE_TABLE_READ`.
    pub condition: Option<String>,
    /// The five characters of the SQL state.
    pub sql_state: Option<String>,
    /// The sentence for people, without condition and state. From outside, made harmless for a terminal.
    pub message: String,
}

/// What a failure means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another writer committed first. Nothing was changed; the statement as a whole may be tried again after a look.
    Conflict,
    /// The principal lacks a right.
    PermissionDenied {
        /// `SELECT`, `USE SCHEMA`, `ownership`; none if the engine does not say.
        privilege: Option<String>,
        /// The kind and name of the object, such as `Table 'main.a.b'`; none if the engine does not say.
        object: Option<String>,
    },
    /// A table, view, schema, catalog, function or column is not there, or not in sight.
    NotFound,
    /// It is there already.
    AlreadyExists,
    /// The text or its types are wrong: a defect of the statement, or an engine that does not know it.
    Invalid,
    /// The data did not allow it: overflow, division by zero, a violated constraint, a malformed value.
    Data,
    /// The warehouse or the platform cannot serve it now.
    Unavailable,
    /// It was canceled, by whomever.
    Canceled,
    /// Anything else.
    Other,
}

/// Vendor codes by which the warehouse or the platform says that it cannot serve now.
const UNAVAILABLE: [&str; 4] =
    ["TEMPORARILY_UNAVAILABLE", "WORKSPACE_TEMPORARILY_UNAVAILABLE", "SERVICE_UNDER_MAINTENANCE", "RESOURCE_EXHAUSTED"];

/// Conditions of Delta's optimistic concurrency (databricks-api.md 10.5).
const CONFLICTS: [&str; 4] =
    ["DELTA_CONCURRENT_", "DELTA_METADATA_CHANGED", "DELTA_PROTOCOL_CHANGED", "CONCURRENT_MODIFICATION"];

/// What the conditions are called where the engine gives the class name of Delta's exception only.
const CONFLICT_EXCEPTIONS: [&str; 8] = [
    "ConcurrentAppendException",
    "ConcurrentDeleteReadException",
    "ConcurrentDeleteDeleteException",
    "ConcurrentTransactionException",
    "ConcurrentWriteException",
    "MetadataChangedException",
    "ProtocolChangedException",
    "ConcurrentModificationException",
];

impl SqlFailure {
    /// Reads what the statement API says: `[CONDITION] sentence SQLSTATE: 42P01`, with either end missing.
    pub fn read(code: &str, message: &str, sql_state: Option<&str>) -> Self {
        let message: String = text::line(message).chars().take(MAX_MESSAGE).collect();
        let (condition, rest) = split_condition(&message);
        let (sentence, told_state) = split_state(rest);
        let state = sql_state.filter(|state| is_state(state)).or(told_state);
        Self {
            code: text::line(code),
            condition: condition.map(str::to_owned),
            sql_state: state.map(str::to_owned),
            message: sentence.trim().to_owned(),
        }
    }

    /// What it means.
    pub fn fault(&self) -> Fault {
        let condition = self.condition.as_deref().unwrap_or_default();
        let state = self.sql_state.as_deref().unwrap_or_default();
        if state == "2D521"
            || CONFLICTS.iter().any(|known| condition.starts_with(known))
            || CONFLICT_EXCEPTIONS.iter().any(|known| self.message.contains(known))
        {
            return Fault::Conflict;
        }
        if state == "42501"
            || condition.starts_with("INSUFFICIENT_PERMISSIONS")
            || condition.starts_with("PERMISSION_DENIED")
            || condition.starts_with("UNAUTHORIZED_ACCESS")
            || self.message.starts_with("PERMISSION_DENIED")
        {
            return self.permission_denied();
        }
        if condition.ends_with("ALREADY_EXISTS") || self.code == "ALREADY_EXISTS" {
            return Fault::AlreadyExists;
        }
        if condition.contains("NOT_FOUND")
            || condition.starts_with("NO_SUCH_CATALOG")
            || condition.starts_with("UNRESOLVED_COLUMN")
            || condition.starts_with("UNRESOLVED_ROUTINE")
            || self.code == "NOT_FOUND"
        {
            return Fault::NotFound;
        }
        if self.code == "CANCELLED" || state == "HY008" {
            return Fault::Canceled;
        }
        if UNAVAILABLE.contains(&self.code.as_str()) {
            return Fault::Unavailable;
        }
        match state.get(..2) {
            Some("22" | "23") => Fault::Data,
            Some("42" | "07" | "0A" | "54") => Fault::Invalid,
            _ => Fault::Other,
        }
    }

    /// Whether the engine certainly changed nothing. A statement is one commit, and one that ends in an error of its own
    /// has none; but an internal error, a time-out or a cancel may come after the commit.
    pub fn changed_nothing(&self) -> bool {
        match self.fault() {
            Fault::Conflict
            | Fault::PermissionDenied { .. }
            | Fault::NotFound
            | Fault::AlreadyExists
            | Fault::Invalid
            | Fault::Data => true,
            Fault::Unavailable => self.code == "RESOURCE_EXHAUSTED",
            Fault::Canceled | Fault::Other => false,
        }
    }

    /// The sentence that says which right is missing, taken apart.
    fn permission_denied(&self) -> Fault {
        let sentence = self.message.trim_end_matches('.');
        let lacking = after(sentence, "does not have ").and_then(|rest| rest.split_once(" on "));
        let (privilege, object) = match lacking {
            Some((privilege, object)) => (Some(privilege.trim_start_matches("permission ")), Some(object)),
            None => match after(sentence, "is not an owner of ").or_else(|| after(sentence, "is not the owner of ")) {
                Some(object) => (Some("ownership"), Some(object)),
                None => (None, None),
            },
        };
        let kept = |text: Option<&str>| text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        Fault::PermissionDenied { privilege: kept(privilege), object: kept(object) }
    }
}

/// What follows the first `mark`, to the end of its sentence.
fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let rest = text.split_once(mark)?.1;
    Some(rest.split_once(". ").map_or(rest, |(sentence, _)| sentence))
}

/// Splits `[CONDITION.SUB] rest`.
fn split_condition(message: &str) -> (Option<&str>, &str) {
    let split = message.trim_start().strip_prefix('[').and_then(|rest| rest.split_once(']'));
    match split {
        Some((condition, rest)) if is_condition(condition) => (Some(condition), rest),
        _ => (None, message),
    }
}

fn is_condition(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.'))
}

/// Splits `sentence SQLSTATE: 42P01; line 1 pos 14`.
fn split_state(text: &str) -> (&str, Option<&str>) {
    let Some((sentence, rest)) = text.rsplit_once("SQLSTATE: ") else { return (text, None) };
    match rest.get(..5).filter(|state| is_state(state)) {
        Some(state) => (sentence, Some(state)),
        None => (text, None),
    }
}

fn is_state(text: &str) -> bool {
    text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

impl std::fmt::Display for SqlFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.condition, self.code.is_empty()) {
            (Some(condition), _) => write!(f, "[{condition}] {}", self.message),
            (None, false) => write!(f, "{}: {}", self.code, self.message),
            (None, true) => f.write_str(&self.message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(code: &str, message: &str) -> SqlFailure {
        SqlFailure::read(code, message, None)
    }

    #[test]
    fn the_engines_words_are_taken_apart() {
        let failure = read(
            "BAD_REQUEST",
            "[TABLE_OR_VIEW_NOT_FOUND] The table or view `a`.`b` cannot be found. SQLSTATE: 42P01; line 1 pos 14",
        );
        assert_eq!(failure.condition.as_deref(), Some("TABLE_OR_VIEW_NOT_FOUND"));
        assert_eq!(failure.sql_state.as_deref(), Some("42P01"));
        assert_eq!(failure.message, "The table or view `a`.`b` cannot be found.");
        assert_eq!(failure.to_string(), "[TABLE_OR_VIEW_NOT_FOUND] The table or view `a`.`b` cannot be found.");
        let bare = SqlFailure::read("INTERNAL_ERROR", "[not one] it broke\u{1b}[31m", Some("XX000"));
        assert_eq!((bare.condition.clone(), bare.sql_state.as_deref()), (None, Some("XX000")));
        assert_eq!(bare.to_string(), "INTERNAL_ERROR: [not one] it broke");
    }

    /// One row a case: what the engine says, what it means, and whether it certainly changed nothing.
    #[test]
    fn every_failure_has_its_meaning() {
        let denied = |privilege: &str, object: &str| Fault::PermissionDenied {
            privilege: (!privilege.is_empty()).then(|| privilege.to_owned()),
            object: (!object.is_empty()).then(|| object.to_owned()),
        };
        let bad = "BAD_REQUEST";
        let cases = [
            (bad, "[DELTA_CONCURRENT_APPEND.WHOLE_TABLE_READ] x SQLSTATE: 2D521", Fault::Conflict, true),
            (bad, "[DELTA_METADATA_CHANGED] x", Fault::Conflict, true),
            ("ABORTED", "ConcurrentDeleteReadException: x", Fault::Conflict, true),
            (
                bad,
                "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User does not have USE SCHEMA on Schema 'main.s'. SQLSTATE: 42501",
                denied("USE SCHEMA", "Schema 'main.s'"),
                true,
            ),
            (
                bad,
                "PERMISSION_DENIED: User does not have permission SELECT on Table 'a.b.c'. Ask its owner.",
                denied("SELECT", "Table 'a.b.c'"),
                true,
            ),
            (
                bad,
                "[INSUFFICIENT_PERMISSIONS] Insufficient privileges: User is not an owner of View 'a.b.v'.",
                denied("ownership", "View 'a.b.v'"),
                true,
            ),
            (bad, "[PERMISSION_DENIED] no SQLSTATE: 42501", denied("", ""), true),
            (bad, "[TABLE_OR_VIEW_NOT_FOUND] x", Fault::NotFound, true),
            (bad, "[SCHEMA_NOT_FOUND] x", Fault::NotFound, true),
            (bad, "[UNRESOLVED_COLUMN.WITH_SUGGESTION] x", Fault::NotFound, true),
            (bad, "[TABLE_OR_VIEW_ALREADY_EXISTS] x", Fault::AlreadyExists, true),
            (bad, "[PARSE_SYNTAX_ERROR] x SQLSTATE: 42601", Fault::Invalid, true),
            (bad, "[UNBOUND_SQL_PARAMETER] x SQLSTATE: 42P02", Fault::Invalid, true),
            (bad, "[DIVIDE_BY_ZERO] x SQLSTATE: 22012", Fault::Data, true),
            (bad, "[DELTA_NOT_NULL_CONSTRAINT_VIOLATED] x SQLSTATE: 23502", Fault::Data, true),
            ("TEMPORARILY_UNAVAILABLE", "no", Fault::Unavailable, false),
            ("RESOURCE_EXHAUSTED", "queue is full", Fault::Unavailable, true),
            ("CANCELLED", "by a person", Fault::Canceled, false),
            ("INTERNAL_ERROR", "x", Fault::Other, false),
            ("DEADLINE_EXCEEDED", "x", Fault::Other, false),
            (bad, "[INTERNAL_ERROR] x SQLSTATE: XX000", Fault::Other, false),
        ];
        for (code, message, fault, nothing) in cases {
            let failure = read(code, message);
            assert_eq!(failure.fault(), fault, "{message}");
            assert_eq!(failure.changed_nothing(), nothing, "{message}");
        }
    }
}
