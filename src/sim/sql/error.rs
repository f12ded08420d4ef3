//! Errors of the SQL engine, worded as Databricks words them: `[CLASS] text SQLSTATE: 12345`.

use std::fmt;

/// A failed statement. `Display` gives the message that the statement API shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    /// The error condition, with its sub-condition after a dot, such as `TABLE_OR_VIEW_NOT_FOUND`.
    pub class: String,
    /// The sentence for people, without class and state.
    pub message: String,
    /// The five characters of the SQL standard (or Databricks' own) state.
    pub sqlstate: String,
    /// Where in the text, when known: line (from 1) and position in it (from 0), as Spark counts.
    pub position: Option<(u64, u64)>,
}

/// The class of a statement that was given up as too much work.
const ENDLESS: &str = "QUERY_EXECUTION_TIMEOUT_EXCEEDED";

/// What every step of the engine answers.
pub type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    /// An error of a class, with its state and sentence.
    #[must_use]
    pub fn new(class: &str, sqlstate: &str, message: impl Into<String>) -> Self {
        Self { class: class.to_owned(), message: message.into(), sqlstate: sqlstate.to_owned(), position: None }
    }

    /// The same error with its place, unless it has one already.
    #[must_use]
    pub fn at(mut self, line: u64, column: u64) -> Self {
        if self.position.is_none() && line > 0 {
            self.position = Some((line, column.saturating_sub(1)));
        }
        self
    }

    /// A statement that would run for longer than anybody waits: it was given up, nothing was changed.
    pub(crate) fn endless() -> Self {
        Self::new(ENDLESS, "57014", "The statement does more work than this simulator does for one statement.")
    }

    /// Whether the statement was given up as too much work.
    #[must_use]
    pub fn is_endless(&self) -> bool {
        self.class == ENDLESS
    }

    /// Reads back an error that crossed SQLite as text; whatever else SQLite says is an internal error.
    pub(crate) fn from_text(text: &str) -> Self {
        let parsed = text.strip_prefix('[').and_then(|rest| {
            let (class, rest) = rest.split_once("] ")?;
            let (message, state) = rest.rsplit_once(" SQLSTATE: ")?;
            Some(Self::new(class, state.get(..5)?, message))
        });
        parsed.unwrap_or_else(|| Self::new("INTERNAL_ERROR", "XX000", format!("The engine failed: {text}.")))
    }

    /// A statement or clause that the grammar does not know.
    #[must_use]
    pub fn syntax(near: &str, hint: &str) -> Self {
        let hint = if hint.is_empty() { String::new() } else { format!(": {hint}") };
        Self::new("PARSE_SYNTAX_ERROR", "42601", format!("Syntax error at or near '{near}'{hint}."))
    }

    /// Known to Databricks, but not simulated: said loudly, never ignored.
    #[must_use]
    pub fn unsupported(what: impl fmt::Display) -> Self {
        Self::new("UNSUPPORTED_FEATURE.NOT_SIMULATED", "0A000", format!("The feature is not supported: {what}."))
    }

    /// A table or view that is not there (or not in sight).
    #[must_use]
    pub fn table_not_found(name: &str) -> Self {
        Self::new(
            "TABLE_OR_VIEW_NOT_FOUND",
            "42P01",
            format!(
                "The table or view {name} cannot be found. Verify the spelling and correctness of the schema and catalog. If you did not qualify the name with a schema, verify the \
                 current_schema() output, or qualify the name with the correct schema and catalog. To tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS."
            ),
        )
    }

    /// A schema that is not there.
    #[must_use]
    pub fn schema_not_found(name: &str) -> Self {
        Self::new(
            "SCHEMA_NOT_FOUND",
            "42704",
            format!(
                "The schema {name} cannot be found. Verify the spelling and correctness of the schema and catalog. If you did not qualify the name with a catalog, verify the \
                 current_schema() output, or qualify the name with the correct catalog. To tolerate the error on drop use DROP SCHEMA IF EXISTS."
            ),
        )
    }

    /// A catalog that is not there.
    #[must_use]
    pub fn catalog_not_found(name: &str) -> Self {
        Self::new(
            "NO_SUCH_CATALOG_EXCEPTION",
            "42704",
            format!("Catalog '{name}' was not found. Please verify if the catalog exists."),
        )
    }

    /// The principal lacks a privilege on a securable.
    #[must_use]
    pub fn lacks_privilege(privilege: &str, kind: &str, name: &str) -> Self {
        Self::new(
            "INSUFFICIENT_PERMISSIONS",
            "42501",
            format!("Insufficient privileges: User does not have {privilege} on {kind} '{name}'."),
        )
    }

    /// The principal does not own a securable.
    #[must_use]
    pub fn not_owner(kind: &str, name: &str) -> Self {
        Self::new(
            "INSUFFICIENT_PERMISSIONS",
            "42501",
            format!("Insufficient privileges: User is not an owner of {kind} '{name}'."),
        )
    }

    /// Arguments or operands whose types do not fit.
    #[must_use]
    pub fn type_mismatch(expression: &str, why: &str) -> Self {
        Self::new(
            "DATATYPE_MISMATCH",
            "42K09",
            format!("Cannot resolve \"{expression}\" due to data type mismatch: {why}."),
        )
    }

    /// A cast of a malformed text.
    #[must_use]
    pub fn cast_invalid(value: &str, from: &str, to: &str) -> Self {
        Self::new(
            "CAST_INVALID_INPUT",
            "22018",
            format!(
                "The value '{value}' of the type \"{from}\" cannot be cast to \"{to}\" because it is malformed. Correct the value as per the syntax, or change its target type. Use \
                 `try_cast` to tolerate malformed input and return NULL instead."
            ),
        )
    }

    /// A cast of a value that the target cannot hold.
    #[must_use]
    pub fn cast_overflow(value: &str, from: &str, to: &str) -> Self {
        Self::new(
            "CAST_OVERFLOW",
            "22003",
            format!(
                "The value {value} of the type \"{from}\" cannot be cast to \"{to}\" due to an overflow. Use `try_cast` to tolerate overflow and return NULL instead."
            ),
        )
    }

    /// A result outside its integer type.
    #[must_use]
    pub fn overflow(kind: &str) -> Self {
        Self::new(
            "ARITHMETIC_OVERFLOW",
            "22003",
            format!("{kind} overflow. If necessary set \"spark.sql.ansi.enabled\" to \"false\" to bypass this error."),
        )
    }

    /// Division by zero.
    #[must_use]
    pub fn divide_by_zero() -> Self {
        Self::new(
            "DIVIDE_BY_ZERO",
            "22012",
            "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If necessary set \"spark.sql.ansi.enabled\" to \"false\" to bypass this error.",
        )
    }

    /// A decimal result that does not fit its precision.
    #[must_use]
    pub fn decimal_out_of_range(value: &str, precision: u8, scale: u8) -> Self {
        Self::new(
            "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
            "22003",
            format!(
                "The {value} cannot be represented as Decimal({precision}, {scale}). If necessary set \"spark.sql.ansi.enabled\" to \"false\" to bypass this error, and return NULL instead."
            ),
        )
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {} SQLSTATE: {}", self.class, self.message, self.sqlstate)?;
        match self.position {
            Some((line, position)) => write!(f, "; line {line} pos {position}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for SqlError {}

impl From<rusqlite::Error> for SqlError {
    fn from(error: rusqlite::Error) -> Self {
        match error {
            rusqlite::Error::SqliteFailure(code, _) if code.code == rusqlite::ErrorCode::OperationInterrupted => {
                Self::endless()
            }
            rusqlite::Error::SqliteFailure(_, Some(text)) => Self::from_text(&text),
            rusqlite::Error::SqlInputError { msg, .. } => Self::from_text(&msg),
            other => Self::from_text(&other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_survives_the_way_through_sqlite() {
        let error = SqlError::divide_by_zero();
        assert_eq!(SqlError::from_text(&error.to_string()), error);
        assert!(error.clone().at(2, 5).to_string().ends_with("SQLSTATE: 22012; line 2 pos 4"));
        assert_eq!(SqlError::from_text("no such column").class, "INTERNAL_ERROR");
    }
}
