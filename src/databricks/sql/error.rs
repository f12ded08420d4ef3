//! How a statement ends other than well.

use std::fmt;

use super::super::error::{Class, Error, Kind, Outcome};
use super::super::wire::sql as wire;
use crate::domain::ids::{StatementId, WorkspaceName};
use crate::domain::sql::{Fault, SqlFailure};

/// A statement that did not give its rows.
#[derive(Clone)]
pub struct StatementError(Box<Details>);

#[derive(Clone, Debug)]
struct Details {
    workspace: WorkspaceName,
    statement: &'static str,
    id: Option<StatementId>,
    cause: Cause,
    outcome: Outcome,
}

/// Why a statement gave no rows.
#[derive(Clone, Debug)]
pub enum Cause {
    /// Its text or parameters are not complete; nothing left.
    Unwritable(String),
    /// A request for it failed.
    Request(Error),
    /// The engine refused it or gave it up.
    Failed(SqlFailure),
    /// Somebody canceled it.
    Canceled,
    /// It did not end in time, and was told to cancel.
    OutOfTime,
    /// It has ended, and its result is no longer kept.
    Closed,
    /// Its result is larger than its reader takes.
    TooManyRows {
        /// Rows that it has.
        rows: u64,
        /// Rows that are taken.
        at_most: u64,
    },
    /// The result is not what was announced.
    Incomplete(String),
}

/// How an accepted statement ended.
pub(super) enum Ended {
    Well,
    Badly(SqlFailure),
    Canceled,
    Closed,
}

impl Ended {
    /// None while it runs. A state that this version does not know is no end.
    pub(super) fn of(status: Option<&wire::StatementStatus>) -> Option<Self> {
        let status = status?;
        match status.state.as_deref()? {
            "SUCCEEDED" => Some(Self::Well),
            "CANCELED" => Some(Self::Canceled),
            "CLOSED" => Some(Self::Closed),
            "FAILED" => {
                let error = status.error.clone().unwrap_or_default();
                let code = error.error_code.unwrap_or_default();
                let message = error.message.unwrap_or_default();
                Some(Self::Badly(SqlFailure::read(&code, &message, status.sql_state.as_deref())))
            }
            _ => None,
        }
    }
}

impl StatementError {
    pub(super) fn new(
        workspace: &WorkspaceName,
        statement: &'static str,
        id: Option<StatementId>,
        cause: Cause,
        outcome: Outcome,
    ) -> Self {
        Self(Box::new(Details { workspace: workspace.clone(), statement, id, cause, outcome }))
    }

    /// The workspace asked.
    pub fn workspace(&self) -> &WorkspaceName {
        &self.0.workspace
    }

    /// The name of the statement.
    pub fn statement(&self) -> &'static str {
        self.0.statement
    }

    /// Its id at the engine, if it was accepted.
    pub fn id(&self) -> Option<&StatementId> {
        self.0.id.as_ref()
    }

    /// Why it gave no rows.
    pub fn cause(&self) -> &Cause {
        &self.0.cause
    }

    /// Whether it may have changed something. A statement that only reads never has.
    pub fn outcome(&self) -> Outcome {
        self.0.outcome
    }

    /// What it means for who sent it.
    pub fn fault(&self) -> Fault {
        match &self.0.cause {
            Cause::Failed(failure) => failure.fault(),
            Cause::Request(error) => fault_of_request(error),
            Cause::Canceled => Fault::Canceled,
            Cause::OutOfTime => Fault::Unavailable,
            Cause::Unwritable(_) => Fault::Invalid,
            Cause::Closed | Cause::TooManyRows { .. } | Cause::Incomplete(_) => Fault::Other,
        }
    }

    /// Whether another writer committed first, so that nothing happened.
    pub fn is_conflict(&self) -> bool {
        self.fault() == Fault::Conflict
    }

    /// A few words for a header or a row.
    pub fn brief(&self) -> String {
        let words = match self.fault() {
            Fault::Conflict => "another writer was first",
            Fault::PermissionDenied { privilege: Some(privilege), object: Some(object) } => {
                return format!("lacks {privilege} on {object}");
            }
            Fault::PermissionDenied { .. } => "permission denied",
            Fault::NotFound => "not found",
            Fault::AlreadyExists => "exists already",
            Fault::Invalid => "statement refused",
            Fault::Data => "data refused",
            Fault::Canceled => "canceled",
            Fault::Unavailable | Fault::Other => match &self.0.cause {
                Cause::Request(error) => return error.brief(),
                Cause::OutOfTime => "timed out",
                Cause::TooManyRows { .. } => "result too large",
                Cause::Closed => "result expired",
                Cause::Incomplete(_) => "incomplete result",
                _ => "warehouse unavailable",
            },
        };
        words.to_owned()
    }
}

/// What a refused or broken request means for its statement.
fn fault_of_request(error: &Error) -> Fault {
    match error.kind() {
        Kind::Refused(Class::PermissionDenied | Class::Unauthenticated) | Kind::Auth(_) => {
            Fault::PermissionDenied { privilege: None, object: None }
        }
        Kind::Refused(Class::NotFound) => Fault::NotFound,
        Kind::Refused(Class::BadRequest | Class::InvalidParameterValue) => Fault::Invalid,
        Kind::Refused(
            Class::TooManyRequests
            | Class::RequestLimitExceeded
            | Class::ResourceExhausted
            | Class::TemporarilyUnavailable
            | Class::DeadlineExceeded
            | Class::InvalidState,
        )
        | Kind::NoTurn
        | Kind::Withheld
        | Kind::Connect
        | Kind::TimedOut
        | Kind::Interrupted => Fault::Unavailable,
        _ => Fault::Other,
    }
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = &*self.0;
        write!(f, "statement {} on {}: ", details.statement, details.workspace)?;
        match &details.cause {
            Cause::Unwritable(reason) => write!(f, "cannot be sent: {reason}")?,
            Cause::Request(error) => write!(f, "{error}")?,
            Cause::Failed(failure) => write!(f, "{failure}")?,
            Cause::Canceled => f.write_str("it was canceled")?,
            Cause::OutOfTime => f.write_str("it did not end in time and was told to cancel")?,
            Cause::Closed => f.write_str("it has ended, but its result is no longer kept")?,
            Cause::TooManyRows { rows, at_most } => write!(f, "its result has {rows} rows, more than {at_most}")?,
            Cause::Incomplete(what) => write!(f, "its result is not complete: {what}")?,
        }
        if let Some(id) = &details.id {
            write!(f, " (statement id {id})")?;
        }
        if details.outcome == Outcome::Unknown {
            f.write_str("; it may have changed something all the same")?;
        }
        Ok(())
    }
}

impl fmt::Debug for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for StatementError {}
