//! Operations of another home: what the shared ledger has of one becomes this journal's own.
//!
//! Where both go on from the same entry, the ledger's account counts: whoever took the operation up there had the right to
//! go on, and what stands here beyond that entry is dropped, its outbox with it.

use rusqlite::{Connection, OptionalExtension, params};

use super::codec::{ms, signed};
use super::journal::{Health, Journal, collision, elsewhere, health, insert, owner};
use super::outbox::{self, OutboxRow};
use super::{Error, failed};
use crate::domain::Instant;
use crate::operations::journal::Recorded;
use crate::operations::plan::{OperationId, Plan};

/// What adopting an operation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adopted {
    /// This journal had all that the ledger has, and perhaps more.
    Known,
    /// It was brought here, or this journal was brought to what the ledger has.
    Brought,
}

/// An operation that goes over to this home.
#[derive(Clone, Copy, Debug)]
pub struct Handover<'a> {
    /// Its plan.
    pub plan: &'a Plan,
    /// What the ledger has of it.
    pub entries: &'a [Recorded],
    /// What this home adds at once: written with the rest or not at all.
    pub added: &'a [Recorded],
    /// What the ledger is told of the handover.
    pub rows: &'a [OutboxRow],
    /// Whether it is over.
    pub is_over: bool,
    /// Who had it.
    pub from: &'a str,
}

impl Journal {
    /// Brings an operation to what the ledger has of it, unless it is here already. Afterwards it is in the hands of who had
    /// it, whose process is not of this machine: whoever takes it next is told that name. The rows tell the ledger so, and
    /// are written with it: an operation is not brought here without them.
    ///
    /// # Errors
    /// [`Error::Held`] while a process of this machine works on it, [`Error::Collides`] when another operation here excludes
    /// it.
    pub fn adopt(&mut self, handover: &Handover<'_>, now: Instant) -> Result<Adopted, Error> {
        let Handover { plan, entries, added, rows, is_over, from } = *handover;
        let attempt = failed("adopt the operation");
        let (text, digest) = (plan.canonical().map_err(Error::Plan)?, plan.digest().map_err(Error::Plan)?);
        let (us, sessions) = (self.session().id, self.sessions.clone());
        let id = plan.id.to_string();
        let transaction = self.write("adopt the operation")?;
        let known = known(&transaction, plan.id)?;
        let kept = known.iter().zip(entries).take_while(|(here, there)| **here == there.event_id.to_string()).count();
        if kept == entries.len() {
            return Ok(Adopted::Known);
        }
        if let Some(owner) = owner(&transaction, plan.id)?
            && matches!(health(&owner, us, &sessions, now), Health::Alive | Health::Us)
        {
            return Err(Error::Held { operation: plan.id, owner: owner.who, since: owner.taken_at });
        }
        if known.is_empty() {
            if !is_over {
                collision(&transaction, plan)?;
            }
            let sql = "INSERT INTO operations (op_id, plan, digest) VALUES (?1, ?2, ?3)";
            transaction.execute(sql, params![id, text, digest]).map_err(&attempt)?;
        }
        let beyond = signed(kept as u64);
        let dropped = "DELETE FROM journal WHERE op_id = ?1 AND seq > ?2";
        transaction.execute(dropped, params![id, beyond]).map_err(&attempt)?;
        // Told now, it would contradict what the ledger has.
        let kept_back =
            "UPDATE outbox SET acknowledged_at = ?3 WHERE op_id = ?1 AND seq > ?2 AND acknowledged_at IS NULL";
        transaction.execute(kept_back, params![id, beyond, ms(now)]).map_err(&attempt)?;
        insert(&transaction, &entries[kept..])?;
        insert(&transaction, added)?;
        outbox::put(&transaction, rows, now).map_err(&attempt)?;
        transaction
            .execute("UPDATE operations SET is_over = ?2 WHERE op_id = ?1", params![id, is_over])
            .map_err(&attempt)?;
        transaction.execute("DELETE FROM owners WHERE op_id = ?1", [&id]).map_err(&attempt)?;
        if !is_over {
            // No process of this machine: gone, as far as it is concerned.
            let nobody = elsewhere().to_string();
            let sql = "INSERT INTO owners (op_id, session, who, taken_at, beat_at) VALUES (?1, ?2, ?3, ?4, ?4)";
            transaction.execute(sql, params![id, nobody, from, ms(now)]).map_err(&attempt)?;
        }
        outbox::put(&transaction, rows, now).map_err(&attempt)?;
        transaction.commit().map_err(attempt)?;
        Ok(Adopted::Brought)
    }
}

/// The ids of the entries that are here, in order; none for an operation that is not.
fn known(connection: &Connection, operation: OperationId) -> Result<Vec<String>, Error> {
    let attempt = failed("read the journal");
    let there = "SELECT 1 FROM operations WHERE op_id = ?1";
    let there = connection.query_row(there, [operation.to_string()], |_| Ok(())).optional().map_err(&attempt)?;
    if there.is_none() {
        return Ok(Vec::new());
    }
    let sql = "SELECT event_id FROM journal WHERE op_id = ?1 ORDER BY seq";
    let mut statement = connection.prepare_cached(sql).map_err(&attempt)?;
    let rows = statement.query_map([operation.to_string()], |row| row.get(0));
    rows.and_then(Iterator::collect).map_err(attempt)
}
