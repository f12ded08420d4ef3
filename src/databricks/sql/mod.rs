//! Statements over the SQL statement execution API (databricks-api.md 5): sent, awaited, read to the last row.
//!
//! A failing statement is an answer with status 200, and a lost answer says nothing about what a statement has written:
//! the API has no token against doubles. So every end of a statement is one of [`Rows`] or a [`StatementError`] that
//! tells whether the statement may have changed something.

mod error;
#[cfg(test)]
mod tests;

pub use error::{Cause, StatementError};

use std::time::Duration;

use tokio::time::Instant;

use super::client::Client;
use super::error::Outcome;
use super::request::Request;
use super::wire::sql as wire;
use super::wire::{Int, count};
use crate::domain::ids::{StatementId, WarehouseId};
use crate::domain::sql::{Column, NamedStatement, Parts, Repeats, Rows, SqlFailure};
use error::Ended;

/// The route of one statement.
const STATEMENT: &str = "/api/2.0/sql/statements/{statement_id}";

/// The tag of a statement's name in query history.
const NAME_TAG: &str = "lakeshift_statement";

/// The first pause between two looks at a running statement; each further one is half as long again.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// The longest pause. The API's own answer may lag by as much.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long a canceled statement is watched: it may have ended before the cancel came.
const CANCEL_PATIENCE: Duration = Duration::from_secs(15);

/// The shortest wait that the API takes, but for none at all, in seconds.
const SHORTEST_WAIT_S: u64 = 5;

/// The longest wait that the API takes, in seconds.
const LONGEST_WAIT_S: u64 = 50;

/// More rows than this are not taken unless a statement asks for more.
const MOST_ROWS: u64 = 100_000;

/// What an attempt needs beside the wait that it asks for.
const ANSWER_TIME: Duration = Duration::from_secs(5);

/// A statement to execute.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Which one.
    pub named: &'static NamedStatement,
    /// The names that its text stands on.
    pub parts: Parts,
    /// Its parameters: name, SQL type, value (none is NULL).
    pub parameters: Vec<(String, String, Option<String>)>,
    /// Where it runs. A stopped warehouse is started by it.
    pub warehouse: WarehouseId,
    /// How long the first answer may hold the connection open for the result: fewer requests for short statements.
    /// The API takes 5 to 50 s; less is no wait at all. Never more than an attempt has time for.
    pub wait: Duration,
    /// How long it may run in all, the start of its warehouse included. Then it is canceled.
    pub patience: Duration,
    /// More rows than this are an error: an answer must fit in memory.
    pub at_most_rows: u64,
    /// Further tags for query history, such as the operation on whose behalf it runs.
    pub tags: Vec<(&'static str, String)>,
}

impl Statement {
    /// A statement without parameters yet, with 10 s of waiting, 5 min of patience and 100,000 rows at most.
    pub fn new(named: &'static NamedStatement, warehouse: WarehouseId) -> Self {
        Self {
            named,
            parts: Parts::new(),
            parameters: Vec::new(),
            warehouse,
            wait: Duration::from_secs(10),
            patience: Duration::from_secs(300),
            at_most_rows: MOST_ROWS,
            tags: Vec::new(),
        }
    }

    /// The same with what a marker of the text stands for.
    #[must_use]
    pub fn part(mut self, marker: &'static str, part: crate::domain::sql::Part) -> Self {
        self.parts.insert(marker, part);
        self
    }

    /// The same with the value of a parameter that the named statement declares, with its declared type.
    /// An undeclared one travels as `STRING`, and [`Client::execute`] refuses it.
    #[must_use]
    pub fn bind(mut self, name: &str, value: Option<String>) -> Self {
        let declared = self.named.parameters.iter().find(|(known, _)| *known == name);
        let kind = declared.map_or("STRING", |(_, kind)| kind);
        self.parameters.push((name.to_owned(), kind.to_owned(), value));
        self
    }

    /// The same with a parameter of a part's own, which the named statement cannot declare: the rows of a `VALUES` list.
    #[must_use]
    pub fn bind_typed(mut self, name: String, kind: &str, value: Option<String>) -> Self {
        self.parameters.push((name, kind.to_owned(), value));
        self
    }

    /// Declared parameters without a value, and values that neither the statement nor its parts know.
    fn unbound(&self, text: &str) -> Option<String> {
        let bound = |name: &str| self.parameters.iter().any(|(known, ..)| known == name);
        if let Some((name, _)) = self.named.parameters.iter().find(|(name, _)| !bound(name)) {
            return Some(format!("parameter :{name} has no value"));
        }
        let unknown = self.parameters.iter().find(|(name, ..)| !mentions(text, name));
        unknown.map(|(name, ..)| format!("the text has no parameter :{name}"))
    }

    fn body(&self, text: String, attempt: Duration) -> wire::StatementRequest {
        let parameter = |(name, kind, value): &(String, String, Option<String>)| wire::StatementParameter {
            name: Some(name.clone()),
            value: value.clone(),
            r#type: Some(kind.clone()),
        };
        let tag = |(key, value): (&str, String)| wire::QueryTag { key: Some(key.to_owned()), value: Some(value) };
        let tags = [(NAME_TAG, self.named.name.to_owned())].into_iter().chain(self.tags.iter().cloned());
        wire::StatementRequest {
            statement: Some(text),
            warehouse_id: Some(self.warehouse.to_string()),
            parameters: (!self.parameters.is_empty()).then(|| self.parameters.iter().map(parameter).collect()),
            wait_timeout: Some(wait_timeout(self.wait.min(self.patience), attempt)),
            on_wait_timeout: Some("CONTINUE".to_owned()),
            disposition: Some("INLINE".to_owned()),
            format: Some("JSON_ARRAY".to_owned()),
            query_tags: Some(tags.map(tag).collect()),
            ..wire::StatementRequest::default()
        }
    }
}

/// Whether `:name` stands in the text as a whole word.
fn mentions(text: &str, name: &str) -> bool {
    text.match_indices(':').any(|(at, _)| {
        let rest = &text[at + 1..];
        rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    })
}

/// The wait to ask for: what the API takes, and what leaves the attempt time for its answer.
fn wait_timeout(wanted: Duration, attempt: Duration) -> String {
    let seconds = wanted.min(attempt.saturating_sub(ANSWER_TIME)).as_secs().min(LONGEST_WAIT_S);
    format!("{}s", if seconds < SHORTEST_WAIT_S { 0 } else { seconds })
}

/// What is needed to go on with a statement that the engine has accepted.
struct Accepted {
    name: &'static str,
    reads: bool,
    /// What is known of earlier attempts to send it, whose answers were lost.
    earlier: Outcome,
    id: StatementId,
    at_most_rows: u64,
}

impl Client {
    /// Executes a statement and reads all of its rows.
    ///
    /// A statement that reads, or is declared idempotent, is sent again when its answer is lost; any other is not.
    /// When the future is dropped the statement goes on at its warehouse.
    ///
    /// # Errors
    /// When it cannot be written, is refused, fails, does not end in time, or its result is not complete. The error
    /// tells whether the statement may have changed something.
    pub async fn execute(&self, statement: &Statement) -> Result<Rows, StatementError> {
        let name = statement.named.name;
        let begun = Instant::now();
        let fail = |cause, outcome| StatementError::new(self.workspace(), name, None, cause, outcome);
        let unwritable = |reason| fail(Cause::Unwritable(reason), Outcome::DidNotHappen);
        let text = statement.named.sql(&statement.parts).map_err(|error| unwritable(error.to_string()))?;
        if let Some(reason) = statement.unbound(&text) {
            return Err(unwritable(reason));
        }
        let request = Request::post("/api/2.0/sql/statements").json(&statement.body(text, self.attempt_timeout()));
        let request = if statement.named.repeats == Repeats::Once { request } else { request.idempotent() };
        let reads = statement.named.repeats == Repeats::Read;
        let unless_read = |outcome| if reads { Outcome::DidNotHappen } else { outcome };
        let sent = self.fetch_knowing::<wire::StatementResponse>(&request).await;
        let (answer, earlier) = sent.map_err(|error| {
            let outcome = unless_read(error.outcome());
            fail(Cause::Request(error), outcome)
        })?;
        let Some(id) = answer.statement_id.as_deref().filter(|id| !id.is_empty()).map(StatementId::new) else {
            let cause = Cause::Incomplete("the answer names no statement".to_owned());
            return Err(fail(cause, unless_read(Outcome::Unknown)));
        };
        let at_most_rows = statement.at_most_rows;
        let accepted = Accepted { name, reads, earlier, id, at_most_rows };
        self.conclude(&accepted, answer, begun + statement.patience).await
    }

    /// Goes on with a statement whose end was not seen, by the id that its [`StatementError`] kept: waits for its end
    /// and reads its rows, as [`Client::execute`] would have. The API knows a statement for 12 hours, its rows for one.
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn await_statement(
        &self,
        named: &'static NamedStatement,
        id: &StatementId,
        patience: Duration,
    ) -> Result<Rows, StatementError> {
        let deadline = Instant::now() + patience;
        let accepted = Accepted {
            name: named.name,
            reads: named.repeats == Repeats::Read,
            earlier: Outcome::DidNotHappen,
            id: id.clone(),
            at_most_rows: MOST_ROWS,
        };
        let answer = self.look(&accepted).await?;
        self.conclude(&accepted, answer, deadline).await
    }

    /// From the first answer to the last row.
    async fn conclude(
        &self,
        accepted: &Accepted,
        mut answer: wire::StatementResponse,
        deadline: Instant,
    ) -> Result<Rows, StatementError> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(ended) = Ended::of(answer.status.as_ref()) {
                return self.result(accepted, ended, answer).await;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self.call_off(accepted).await;
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
            answer = self.look(accepted).await?;
        }
    }

    /// Cancels a statement out of its time, and sees what became of it: it may have ended all the same.
    async fn call_off(&self, accepted: &Accepted) -> Result<Rows, StatementError> {
        let cancel = Request::post("/api/2.0/sql/statements/{statement_id}/cancel").at(&accepted.id).idempotent();
        let deadline = Instant::now() + CANCEL_PATIENCE;
        self.order(&cancel).await.map_err(|error| self.gone_wrong(accepted, Cause::Request(error)))?;
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = self.look(accepted).await?;
            match Ended::of(answer.status.as_ref()) {
                Some(Ended::Canceled) => return Err(self.gone_wrong(accepted, Cause::OutOfTime)),
                Some(ended) => return self.result(accepted, ended, answer).await,
                None if Instant::now() >= deadline => return Err(self.gone_wrong(accepted, Cause::OutOfTime)),
                None => tokio::time::sleep(pause).await,
            }
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }

    async fn look(&self, accepted: &Accepted) -> Result<wire::StatementResponse, StatementError> {
        let request = Request::get(STATEMENT).at(&accepted.id);
        self.fetch(&request).await.map_err(|error| self.gone_wrong(accepted, Cause::Request(error)))
    }

    /// The rows of a statement that succeeded; the error of one that did not.
    async fn result(
        &self,
        accepted: &Accepted,
        ended: Ended,
        answer: wire::StatementResponse,
    ) -> Result<Rows, StatementError> {
        match ended {
            Ended::Well => {}
            Ended::Canceled => return Err(self.gone_wrong(accepted, Cause::Canceled)),
            Ended::Closed => return Err(self.gone_wrong(accepted, Cause::Closed)),
            Ended::Badly(failure) => return Err(self.failed(accepted, failure)),
        }
        let incomplete = |what: &str| self.gone_wrong(accepted, Cause::Incomplete(what.to_owned()));
        let manifest = answer.manifest.unwrap_or_default();
        let total = count(manifest.total_row_count);
        if total > accepted.at_most_rows {
            return Err(self.gone_wrong(accepted, Cause::TooManyRows { rows: total, at_most: accepted.at_most_rows }));
        }
        if manifest.truncated == Some(true) {
            return Err(incomplete("the engine cut the result"));
        }
        let columns: Vec<Column> = columns(manifest.schema.unwrap_or_default());
        let mut cells: Vec<Vec<Option<String>>> = Vec::new();
        let mut chunk = answer.result.unwrap_or_default();
        let mut index = 0;
        loop {
            if count(chunk.chunk_index) != index || chunk.row_offset.is_some_and(|Int(at)| at < 0) {
                return Err(incomplete("a chunk came out of turn"));
            }
            if chunk.row_offset.is_some() && count(chunk.row_offset) != cells.len() as u64 {
                return Err(incomplete("the chunks do not fit together"));
            }
            cells.extend(chunk.data_array.unwrap_or_default());
            if cells.len() as u64 > total {
                return Err(incomplete("more rows came than were announced"));
            }
            let Some(next) = chunk.next_chunk_index else { break };
            index += 1;
            if next != Int(i64::try_from(index).unwrap_or(i64::MAX)) {
                return Err(incomplete("a chunk is missing"));
            }
            let request = Request::get("/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}");
            let request = request.at(&accepted.id).at(index);
            chunk = self.fetch(&request).await.map_err(|error| self.gone_wrong(accepted, Cause::Request(error)))?;
        }
        if cells.len() as u64 != total {
            return Err(incomplete("fewer rows came than were announced"));
        }
        if cells.iter().any(|row| row.len() != columns.len()) {
            return Err(incomplete("a row has not as many cells as there are columns"));
        }
        Ok(Rows { statement: accepted.id.clone(), columns, cells })
    }

    /// An accepted statement that did not come to its end before our eyes.
    fn gone_wrong(&self, accepted: &Accepted, cause: Cause) -> StatementError {
        let outcome = if accepted.reads { Outcome::DidNotHappen } else { Outcome::Unknown };
        StatementError::new(self.workspace(), accepted.name, Some(accepted.id.clone()), cause, outcome)
    }

    /// A statement that the engine ended with an error.
    fn failed(&self, accepted: &Accepted, failure: SqlFailure) -> StatementError {
        let outcome = match (accepted.reads, failure.changed_nothing()) {
            (true, _) => Outcome::DidNotHappen,
            (false, true) => accepted.earlier,
            (false, false) => Outcome::Unknown,
        };
        let cause = Cause::Failed(failure);
        StatementError::new(self.workspace(), accepted.name, Some(accepted.id.clone()), cause, outcome)
    }
}

fn columns(schema: wire::ResultSchema) -> Vec<Column> {
    let mut columns = schema.columns.unwrap_or_default();
    columns.sort_by_key(|column| column.position);
    let column = |column: wire::ResultColumn| Column {
        name: column.name.unwrap_or_default(),
        type_text: column.type_text.or(column.type_name).unwrap_or_default(),
    };
    columns.into_iter().map(column).collect()
}
