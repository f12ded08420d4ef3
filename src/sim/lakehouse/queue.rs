//! The way of a statement: it waits for its warehouse, reads its snapshot, takes its time, commits.
//!
//! Statements overlap as they do in reality: between one's reading and its commit others read and commit, and the
//! conflict rules of Delta decide who wins. Ends come in the order of world time; while the world stands still a
//! statement ends by the other clock, so that nobody waits forever.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::sim::sql::{Begun, Session};
use crate::sim::world::World;

use super::outcome::Output;
use super::session::place;
use super::statement::{End, Failure, Order, State, Statement, Work, defines, verb};
use super::system::Query;
use super::{Lakehouse, Moment};

/// How long a result is kept (databricks-api.md 5.4).
const RESULT_KEPT: TimeDelta = TimeDelta::hours(1);
/// How long a statement is known after its end.
const STATEMENT_KEPT: TimeDelta = TimeDelta::hours(12);
/// How long a statement may take: the vendor's default of `STATEMENT_TIMEOUT`.
const LONGEST: TimeDelta = TimeDelta::days(2);

/// After how long a warehouse has started in a world that stands still, by the other clock.
const COLD_START_MS: u64 = 30_000;

/// All statements that are known.
#[derive(Debug, Default)]
pub(super) struct Queue {
    statements: BTreeMap<String, Statement>,
    /// Those that are not over, by the order in which they came.
    active: BTreeMap<u64, String>,
    count: u64,
    /// Those that are over and still have a result, or are still known, by when that ends.
    results: BTreeSet<(Instant, String)>,
    known: BTreeSet<(Instant, String)>,
    /// Those that ended and are not noted in the log yet.
    over: Vec<Query>,
    /// How long each statement takes; a little, by chance, when nobody says.
    pub(super) takes_ms: Option<u64>,
}

impl Queue {
    fn end(&mut self, id: &str, at: Instant, end: End) {
        let Some(statement) = self.statements.get_mut(id) else { return };
        if matches!(end, End::Succeeded(_)) {
            self.results.insert((at + RESULT_KEPT, id.to_owned()));
        }
        self.known.insert((at + STATEMENT_KEPT, id.to_owned()));
        let begun_at = match statement.state {
            State::Running { begun_at, .. } => Some(begun_at),
            State::Pending | State::Ended { .. } => statement.begun_at,
        };
        let (status, error) = match &end {
            End::Succeeded(_) | End::Closed => ("FINISHED", None),
            End::Failed(failure) => ("FAILED", Some(failure.message.clone())),
            End::Canceled => ("CANCELED", None),
        };
        let order = &statement.order;
        self.over.push(Query {
            environment: order.workspace,
            statement_id: id.to_owned(),
            session_id: order.session_id.clone(),
            warehouse_id: order.warehouse_id.clone(),
            user: order.user.clone(),
            text: order.text.clone(),
            verb: statement.verb(),
            status,
            error,
            submitted_at: statement.submitted_at,
            begun_at,
            ended_at: at,
            produced_rows: if let End::Succeeded(output) = &end { output.rows.len() } else { 0 },
            tags: order.tags.clone(),
            sources: statement.sources.clone(),
            target: statement.target.clone(),
        });
        statement.state = State::Ended { at, end };
        self.active.retain(|_, active| active != id);
    }

    /// Ends what is not over and fits, as canceled.
    pub(super) fn cancel_where(&mut self, at: Instant, fits: impl Fn(&Order) -> bool) {
        let is_meant = |id: &&String| self.statements.get(*id).is_some_and(|statement| fits(&statement.order));
        let meant: Vec<String> = self.active.values().filter(is_meant).cloned().collect();
        for id in meant {
            self.end(&id, at, End::Canceled);
        }
    }

    /// The next statement that has something to do by now, and when it was to do it; not one of those that wait.
    fn next_due(&self, now: Moment, waiting: &BTreeSet<String>) -> Option<(Instant, String)> {
        let due = |id: &String| {
            let statement = self.statements.get(id)?;
            let at = match &statement.state {
                State::Pending if now.uptime_ms >= statement.ready_ms => statement.ready_at.min(now.at),
                State::Pending => statement.ready_at,
                State::Running { begun_at, begun_ms, takes_ms, work } => {
                    let takes = i64::try_from(*takes_ms).ok().and_then(TimeDelta::try_milliseconds)?;
                    let ends_at = match work {
                        Work::Endless => *begun_at + LONGEST,
                        _ => *begun_at + takes,
                    };
                    let is_over_elsewhere = now.uptime_ms >= begun_ms + takes_ms && !matches!(work, Work::Endless);
                    if is_over_elsewhere { ends_at.min(now.at) } else { ends_at }
                }
                State::Ended { .. } => return None,
            };
            (at <= now.at).then(|| (at, id.clone()))
        };
        // Of equal instants the first that came: `min_by_key` keeps it.
        self.active.values().filter(|id| !waiting.contains(*id)).filter_map(due).min_by_key(|(at, _)| *at)
    }

    /// Forgets results and statements whose time is over.
    fn forget(&mut self, now: Instant) {
        while let Some((_, id)) = self.results.first().filter(|(at, _)| *at <= now).cloned() {
            self.results.pop_first();
            if let Some(State::Ended { end, .. }) = self.statements.get_mut(&id).map(|statement| &mut statement.state) {
                *end = End::Closed;
            }
        }
        while let Some((_, id)) = self.known.first().filter(|(at, _)| *at <= now).cloned() {
            self.known.pop_first();
            self.statements.remove(&id);
        }
    }
}

impl Lakehouse {
    /// Takes a statement on; its warehouse takes it at `ready_at`.
    pub(in crate::sim) fn submit(&mut self, order: Order, now: Instant, ready_at: Instant) -> String {
        let id = self.next_id("statement");
        let ready_ms = self.uptime_ms.saturating_add(COLD_START_MS);
        let statement = Statement {
            id: id.clone(),
            order,
            submitted_at: now,
            ready_at,
            ready_ms,
            begun_at: None,
            sources: Vec::new(),
            target: None,
            state: State::Pending,
        };
        self.queue.count += 1;
        self.queue.active.insert(self.queue.count, id.clone());
        self.queue.statements.insert(id.clone(), statement);
        id
    }

    /// A statement that is still known.
    pub(in crate::sim) fn statement(&self, id: &str) -> Option<&Statement> {
        self.queue.statements.get(id)
    }

    /// Every statement that is still known, in no order.
    pub(in crate::sim) fn statements(&self) -> impl Iterator<Item = &Statement> {
        self.queue.statements.values()
    }

    /// Cancels a statement; nothing happens when it is over.
    pub(in crate::sim) fn cancel_statement(&mut self, id: &str, at: Instant) {
        if self.statement(id).is_some_and(|statement| !statement.is_over()) {
            self.queue.end(id, at, End::Canceled);
        }
    }

    /// Lets go of a statement: its result is not needed any more.
    pub(in crate::sim) fn close_statement(&mut self, id: &str, at: Instant) {
        self.cancel_statement(id, at);
        if let Some(State::Ended { end, .. }) = self.queue.statements.get_mut(id).map(|statement| &mut statement.state)
            && matches!(end, End::Succeeded(_))
        {
            *end = End::Closed;
        }
    }

    /// Does what statements have to do by now.
    pub(super) fn work(&mut self, now: Moment, world: &World) {
        self.uptime_ms = now.uptime_ms;
        self.note_queries();
        self.rest_system();
        // Those whose tables are not written yet: they wait for the next look.
        let mut waiting = BTreeSet::new();
        while let Some((at, id)) = self.queue.next_due(now, &waiting) {
            let Some(statement) = self.queue.statements.get(&id) else { return };
            let reads = !matches!(statement.state, State::Running { work: Work::Answer(_) | Work::Endless, .. });
            if reads && !self.look(&id, at, world) {
                waiting.insert(id);
                continue;
            }
            let Some(statement) = self.queue.statements.get_mut(&id) else { return };
            match std::mem::replace(&mut statement.state, State::Pending) {
                State::Pending => self.begin(&id, at, now),
                running @ State::Running { .. } => self.finish(&id, at, running),
                State::Ended { .. } => {}
            }
        }
        self.queue.forget(now.at);
        self.note_queries();
    }

    /// Puts what ended into the log.
    fn note_queries(&mut self) {
        for query in std::mem::take(&mut self.queue.over) {
            let action = match query.verb.as_str() {
                "GRANT" | "REVOKE" => Some("updatePermissions"),
                "ALTER" | "COMMENT" => Some("updateTables"),
                "CREATE" => Some("createTable"),
                "DROP" => Some("deleteTable"),
                _ => None,
            };
            if let Some(action) = action.filter(|_| query.status == "FINISHED") {
                self.note(&query.user, action, &query.text, query.statement_id.clone(), query.ended_at);
            }
            self.log.queries.push(query);
        }
    }

    /// Brings up what a statement names, in its text or in a value of a marker. Says whether all of it is there.
    fn look(&mut self, id: &str, at: Instant, world: &World) -> bool {
        let Some(statement) = self.queue.statements.get(id) else { return true };
        let values = statement.order.parameters.iter().filter_map(|parameter| parameter.value.as_deref());
        let text = std::iter::once(statement.order.text.as_str()).chain(values).collect::<Vec<_>>().join(" ");
        self.bring_up(&text, at, world)
    }

    fn session_of(&self, order: &Order) -> Session {
        let open = order.session_id.as_ref().and_then(|id| self.sessions.get(id));
        let mut session = open.map_or_else(|| Session::new(&order.user), |open| open.session.clone());
        place(&mut session, order.catalog.as_deref(), order.schema.as_deref());
        session.warehouse = Some(order.warehouse_id.clone());
        session
    }

    /// Reads the snapshot.
    fn begin(&mut self, id: &str, at: Instant, now: Moment) {
        let Some(statement) = self.queue.statements.get(id) else { return };
        let order = statement.order.clone();
        let work = if defines(&verb(&order.text)) {
            Ok(Work::Define)
        } else {
            let mut session = self.session_of(&order);
            let begun = self.engine.begin(&mut session, &order.text, &order.parameters, at);
            let sources = self.engine.last_sources();
            if let Some(statement) = self.queue.statements.get_mut(id) {
                statement.sources = sources;
                if let Ok(Begun::Pending(transaction)) = &begun {
                    statement.target = Some(transaction.table().clone());
                }
            }
            match begun {
                Ok(Begun::Pending(transaction)) => Ok(Work::Commit(transaction)),
                Ok(Begun::Done(result)) => Ok(Work::Answer(result)),
                Err(error) if error.is_endless() => Ok(Work::Endless),
                Err(error) => Err(error),
            }
        };
        // Up to 120 ms, spread by the id so that a seed repeats itself.
        let chance = id.bytes().fold(7_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let takes_ms = self.queue.takes_ms.unwrap_or(40 + chance % 80);
        match work {
            Ok(work) => {
                if let Some(statement) = self.queue.statements.get_mut(id) {
                    statement.state = State::Running { begun_at: at, begun_ms: now.uptime_ms, takes_ms, work };
                }
            }
            Err(error) => self.queue.end(id, at, End::Failed(error.into())),
        }
    }

    /// Commits, defines, or hands over what was read.
    fn finish(&mut self, id: &str, at: Instant, running: State) {
        let Some(statement) = self.queue.statements.get_mut(id) else { return };
        let order = statement.order.clone();
        let State::Running { work, begun_at, .. } = running else { return };
        statement.begun_at = Some(begun_at);
        let result = match work {
            Work::Answer(result) => Ok(result),
            Work::Commit(transaction) => self.engine.commit(*transaction, at).map_err(Failure::from),
            Work::Define => self.define(&order, at),
            Work::Endless => Err(Failure {
                code: "DEADLINE_EXCEEDED",
                message: "[STATEMENT_TIMEOUT] The statement ran longer than 172800 seconds. SQLSTATE: 57014".to_owned(),
                sqlstate: Some("57014".to_owned()),
            }),
        };
        let end = match result.and_then(|result| Output::new(result, &order)) {
            Ok(output) => End::Succeeded(output),
            Err(failure) => End::Failed(failure),
        };
        self.queue.end(id, at, end);
    }

    fn define(&mut self, order: &Order, at: Instant) -> Result<crate::sim::sql::StatementResult, Failure> {
        let mut session = self.session_of(order);
        let result = self.engine.execute(&mut session, &order.text, &order.parameters, at)?;
        if let Some(open) = order.session_id.as_ref().and_then(|id| self.sessions.get_mut(id)) {
            open.session = session;
        }
        Ok(result)
    }
}
