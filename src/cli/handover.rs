//! What a subcommand that acts does with the ledger: it delivers before it ends, and goes on with what another home began.

use std::io::Write;
use std::time::Duration;

use super::failure::{Failure, Kind};
use super::operate::{Desk, of_operator, of_store};
use crate::domain::text;
use crate::operations::plan::OperationId;
use crate::runtime::captain::Course;
use crate::runtime::entropy::SystemIds;
use crate::runtime::operator::Happened;
use crate::runtime::takeover::{self, NotTaken};

/// How long a process waits at its end for the ledger to take what it has done.
const FAREWELL: Duration = Duration::from_secs(10);

impl Desk {
    /// Brings what waits to the ledger and gives leases back before this process ends, but not for long; tells what is left.
    pub(super) async fn farewell(&mut self) {
        self.courier.hurry();
        let give_up = tokio::time::Instant::now() + FAREWELL;
        loop {
            let now = self.clock.now();
            self.courier.start(&self.operator, now);
            if !self.courier.is_sending() && !self.courier.is_leaving() && !self.courier.is_sealing() {
                break;
            }
            let Ok(came) = tokio::time::timeout_at(give_up, self.courier.next(now)).await else { break };
            self.courier.take(came, &mut self.operator, self.clock.now());
        }
        let waiting = self.journal().waiting().map_or(0, |waiting| waiting.rows);
        if waiting > 0 && self.config.fleet.ledger.is_some() {
            let trouble = self.courier.delivery().and_then(|state| state.trouble.clone());
            let why = trouble.or_else(|| self.no_ledger.as_ref().map(ToString::to_string));
            let why = why.unwrap_or_else(|| "it did not take them in time".to_owned());
            let mut err = std::io::stderr().lock();
            // Were standard error closed, `ledger status` still tells it.
            let _ = writeln!(
                err,
                "lakeshift: {waiting} rows wait here for the ledger: {}\n  The next act or `lakeshift ledger deliver` brings them.",
                text::line(&why)
            );
        }
    }

    /// Takes an operation up: one of this home, or one of another that the ledger knows.
    pub(super) async fn take_up(
        &mut self,
        operation: OperationId,
        course: Course,
        reason: Option<&str>,
    ) -> Result<Vec<Happened>, Failure> {
        self.catch_up(operation, course, reason).await?;
        let taken = self.operator.take_up(operation);
        if taken.is_err() {
            // The lease, if one was taken for it, is of no use here.
            self.farewell().await;
        }
        taken.map_err(|error| of_operator(&error))
    }

    /// Learns from the ledger what another home has done with an operation, where that may be, and takes its lease.
    /// Whatever is known here alone needs neither.
    async fn catch_up(&mut self, operation: OperationId, course: Course, reason: Option<&str>) -> Result<(), Failure> {
        let known = takeover::known_here(self.journal(), operation, self.clock.now());
        let Some(here) = known.map_err(|error| of_store(&error))? else { return Ok(()) };
        let (is_known, is_ours) = (here.plan.is_some(), here.is_ours);
        if !is_known && self.courier.ledger().is_some() && reason.is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Failure::new(Kind::Refused, format!("operation {operation} is not of this home"))
                .hint("To go on with one of another home, say why with --reason; it is told to the ledger."));
        }
        let Some(asked) = self.courier.inquire(operation, here, course) else {
            return match (is_known, &self.no_ledger) {
                // Nobody knows it: told when it is taken up.
                (false, None) => Ok(()),
                // Taking back never waits.
                _ if is_ours && course == Course::Back => Ok(()),
                _ => Err(self.without_ledger("another home may have gone on with it")),
            };
        };
        let mut inquiry = asked.await.map_err(|error| of_takeover(&error))?;
        self.courier.holds(operation, &mut inquiry).map_err(|error| of_takeover(&error))?;
        let now = self.clock.now();
        let journal = self.operator.journal_mut();
        let settled = takeover::settle(journal, &inquiry, &self.actor, reason, &mut SystemIds::default(), now);
        settled.map(drop).map_err(|error| of_takeover(&error))
    }

    pub(super) fn without_ledger(&self, why: &str) -> Failure {
        match &self.no_ledger {
            Some(error) => Failure::new(Kind::Remote, format!("{error}; {why}"))
                .hint("`lakeshift ledger status` tells whether it answers."),
            None => Failure::new(Kind::Refused, format!("no ledger is configured, and {why}"))
                .hint("Add [ledger] to the fleet's file; config.example.toml shows it."),
        }
    }
}

/// Why an operation is not gone on with, and what to do.
pub(super) fn of_takeover(error: &NotTaken) -> Failure {
    let (kind, hint) = match error {
        NotTaken::Ledger(_) => (Kind::Remote, "`lakeshift ledger status` tells whether it answers."),
        NotTaken::Journal(_) => (Kind::User, "`lakeshift operations list --ledger` lists those that the ledger has."),
        NotTaken::Foreign(_) => (Kind::Refused, "Go on with it in the version that planned it."),
        NotTaken::Led { .. } | NotTaken::Heard { .. } => {
            (Kind::Refused, "Ask them, or wait: once nothing is heard of its owner it can be gone on with.")
        }
        NotTaken::Blind { .. } => (Kind::Refused, "Resume it where it was begun, or see to it by hand."),
        NotTaken::Lease(_) => (Kind::Refused, "`lakeshift ledger status` tells who holds which lease."),
        NotTaken::Store(error) => return of_store(error),
    };
    Failure::new(kind, error.to_string()).hint(hint)
}
