//! One statement of the statement API: what was asked, where it stands, how it ended (databricks-api.md 5).

use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::sql::{Parameter, SqlError, StatementResult, TableName, Transaction};

use super::outcome::Output;

/// Where a result goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Disposition {
    /// Into the answer.
    Inline,
    /// Behind signed links.
    ExternalLinks,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Format {
    /// Rows of texts and nulls.
    JsonArray,
    /// Comma-separated, with a header.
    Csv,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Order {
    /// Where.
    pub(in crate::sim) workspace: Environment,
    /// On what.
    pub(in crate::sim) warehouse_id: String,
    /// Within which session; a session of its own without.
    pub(in crate::sim) session_id: Option<String>,
    /// Who.
    pub(in crate::sim) user: String,
    /// The SQL.
    pub(in crate::sim) text: String,
    /// Values of its markers.
    pub(in crate::sim) parameters: Vec<Parameter>,
    /// The default catalog, where it was said.
    pub(in crate::sim) catalog: Option<String>,
    /// The default schema, where it was said.
    pub(in crate::sim) schema: Option<String>,
    /// Rows at most.
    pub(in crate::sim) row_limit: Option<u64>,
    /// Bytes at most.
    pub(in crate::sim) byte_limit: Option<u64>,
    /// Where the result goes.
    pub(in crate::sim) disposition: Disposition,
    /// How it is written.
    pub(in crate::sim) format: Format,
    /// Keys and values for the query history.
    pub(in crate::sim) tags: Vec<(String, Option<String>)>,
}

/// A statement.
#[derive(Debug)]
pub(in crate::sim) struct Statement {
    /// Its id.
    pub(in crate::sim) id: String,
    /// What was asked.
    pub(in crate::sim) order: Order,
    /// When.
    pub(in crate::sim) submitted_at: Instant,
    /// When its warehouse takes it.
    pub(super) ready_at: Instant,
    /// When its warehouse takes it at the latest, by the other clock.
    pub(super) ready_ms: u64,
    /// When it read, once it is past that.
    pub(super) begun_at: Option<Instant>,
    /// Tables and views that it reads.
    pub(super) sources: Vec<TableName>,
    /// The table that it writes.
    pub(super) target: Option<TableName>,
    /// Where it stands.
    pub(in crate::sim) state: State,
}

/// Where a statement stands.
#[derive(Debug)]
pub(in crate::sim) enum State {
    /// It waits for its warehouse.
    Pending,
    /// It has read its snapshot and has not committed.
    Running {
        /// When it read, in world time.
        begun_at: Instant,
        /// When it read, by the other clock.
        begun_ms: u64,
        /// How long it takes.
        takes_ms: u64,
        /// What is left to do.
        work: Work,
    },
    /// It is over.
    Ended {
        /// When it ended.
        at: Instant,
        /// How.
        end: End,
    },
}

/// What a running statement does at its end.
#[derive(Debug)]
pub(in crate::sim) enum Work {
    /// It changes objects or its session, at one instant.
    Define,
    /// It commits what it read and computed.
    Commit(Box<Transaction>),
    /// It hands over what it read.
    Answer(StatementResult),
    /// It never gets there: too much for this warehouse.
    Endless,
}

/// How a statement ended.
#[derive(Debug)]
pub(in crate::sim) enum End {
    /// With a result.
    Succeeded(Output),
    /// With an error.
    Failed(Failure),
    /// Somebody canceled it, or its warehouse was stopped.
    Canceled,
    /// It succeeded, and its result is no longer there.
    Closed,
}

/// Why a statement failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Failure {
    /// The statement API's own code.
    pub(in crate::sim) code: &'static str,
    /// For people: begins with the error condition in brackets.
    pub(in crate::sim) message: String,
    /// The SQL standard's five characters.
    pub(in crate::sim) sqlstate: Option<String>,
}

impl From<SqlError> for Failure {
    fn from(error: SqlError) -> Self {
        let code = if error.class == "INTERNAL_ERROR" { "INTERNAL_ERROR" } else { "BAD_REQUEST" };
        Self { code, message: error.to_string(), sqlstate: Some(error.sqlstate) }
    }
}

impl Statement {
    /// The word of its state on the wire.
    pub(in crate::sim) fn word(&self) -> &'static str {
        match &self.state {
            State::Pending => "PENDING",
            State::Running { .. } => "RUNNING",
            State::Ended { end, .. } => match end {
                End::Succeeded(_) => "SUCCEEDED",
                End::Failed(_) => "FAILED",
                End::Canceled => "CANCELED",
                End::Closed => "CLOSED",
            },
        }
    }

    /// Whether it is over.
    pub(in crate::sim) fn is_over(&self) -> bool {
        matches!(self.state, State::Ended { .. })
    }

    /// Its result, as long as there is one.
    pub(in crate::sim) fn output(&self) -> Option<&Output> {
        match &self.state {
            State::Ended { end: End::Succeeded(output), .. } => Some(output),
            _ => None,
        }
    }

    /// The first word of its text, in capitals.
    pub(in crate::sim) fn verb(&self) -> String {
        verb(&self.order.text)
    }
}

/// The first word of a statement behind comments and parentheses, in capitals.
pub(super) fn verb(text: &str) -> String {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '(' || c == ';');
        if let Some(comment) = rest.strip_prefix("--") {
            rest = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            return rest.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_uppercase();
        }
    }
}

/// Whether a statement of this verb changes objects or a session, all at its end. Others read a snapshot first.
pub(super) fn defines(verb: &str) -> bool {
    const DEFINING: [&str; 15] = [
        "ALTER", "ANALYZE", "CALL", "COMMENT", "CREATE", "DROP", "GRANT", "OPTIMIZE", "REFRESH", "REPLACE", "REVOKE",
        "SET", "UNDROP", "USE", "VACUUM",
    ];
    DEFINING.contains(&verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verb_is_found_behind_comments() {
        assert_eq!(verb("/* rc:1 */ -- for the ledger\n (select 1)"), "SELECT");
        assert_eq!(verb("alter view v as select 1"), "ALTER");
        assert_eq!(verb("-- nothing"), "");
        assert!(defines("ALTER") && !defines("UPDATE"));
    }
}
