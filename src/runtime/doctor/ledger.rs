//! The checks on the ledger: its warehouse, our rights on it, its tables, its clock.

use std::collections::BTreeSet;

use crate::databricks::{Client, Error};
use crate::domain::authority::{Need, Verdict as Known};
use crate::domain::credential::Role;
use crate::domain::ids::WarehouseId;
use crate::domain::proof::{Check, Proof, Subject, Verdict};
use crate::domain::request::Lane;
use crate::domain::sql::Fault;
use crate::domain::warehouse::{Warehouse as Compute, WarehouseState};
use crate::ledger::book::Greeting;
use crate::ledger::lease::{self, LeaseRow};
use crate::ledger::{Ledger, Place, SqlTrouble, Table};
use crate::runtime::authority::judge_all;
use crate::runtime::ledger::{Warehouse, needs, open, place};

use super::workspace::skew;
use super::{Finding, Round};

/// The property that makes a table of facts one.
const APPEND_ONLY: &str = "delta.appendOnly";

/// The checks that are made here.
const OURS: [Check; 4] = [Check::Warehouse, Check::Permissions, Check::Clock, Check::LedgerTables];

/// Tries all checks on the ledger that only read.
pub(super) async fn examine(round: &Round<'_>, subject: &Subject) -> Vec<Proof> {
    let wanted: Vec<Check> = OURS.into_iter().filter(|check| round.wants(*check)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let ways = way(round);
    let (client, ledger, place) = match &ways {
        Ok(ways) => ways,
        Err(finding) => return wanted.iter().map(|check| round.proof(*check, subject, finding.clone())).collect(),
    };
    let mut proofs = Vec::new();
    let mut note = |check: Check, finding: Finding| {
        if wanted.contains(&check) {
            proofs.push(round.proof(check, subject, finding));
        }
    };
    let greeted = greet(round, client, ledger, subject).await;
    let answers = greeted.0.verdict == Verdict::Proven;
    note(Check::Warehouse, greeted.0);
    note(Check::Permissions, permissions(round, client, place).await);
    note(Check::Clock, greeted.1);
    let tables = if answers {
        tables(round, client, ledger).await
    } else {
        Finding::undecided("not tried: the warehouse does not answer")
    };
    note(Check::LedgerTables, tables);
    proofs
}

/// The ledger's client, the ledger, and where it is; what keeps us from it.
pub(super) fn way(round: &Round<'_>) -> Result<(Client, Ledger<Warehouse>, Place), Finding> {
    let failed = |error: &dyn std::fmt::Display| Finding::failed(error.to_string());
    let (entry, place) = place(round.config).map_err(|error| failed(&error))?;
    let link = round.links.iter().find(|link| link.workspace().name.as_str() == entry.workspace.as_str());
    let link = link.ok_or_else(|| Finding::undecided(format!("not tried: {} is not looked at", entry.workspace)))?;
    let client = link.client(Role::Ledger).map_err(|error| failed(&error))?;
    let ledger = open(round.config, round.links).map_err(|error| failed(&error))?;
    Ok((client.in_lane(Lane::Look).once(), ledger, place))
}

/// Whether the warehouse answers, and what time it is there.
async fn greet(
    round: &Round<'_>,
    client: &Client,
    ledger: &Ledger<Warehouse>,
    subject: &Subject,
) -> (Finding, Finding) {
    let not_asked = || Finding::undecided("not tried: the warehouse does not answer");
    let id = WarehouseId::new(round.config.fleet.ledger.as_ref().map_or("", |entry| entry.warehouse.as_str()));
    let compute = match client.warehouse(&id).await {
        Ok(compute) => Some(compute),
        Err(error) if error.is_not_found() => {
            let failed = Finding::failed(format!("there is no warehouse {id} in {}", subject.place));
            return (failed.fix("Correct `warehouse` of [ledger]."), not_asked());
        }
        // Whoever may use a warehouse may not always look at it: the statement tells.
        Err(_) => None,
    };
    if let Some(trouble) = compute.as_ref().and_then(gone) {
        return (Finding::failed(trouble), not_asked());
    }
    let begun = tokio::time::Instant::now();
    let asked_at = round.clock.now();
    match ledger.greet().await {
        Err(trouble) => (of_trouble(&trouble), not_asked()),
        Ok(Greeting { user, now_us }) => {
            let took = begun.elapsed();
            let took_ms = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
            let was = compute.map_or_else(String::new, |compute| told(&compute));
            let proven = Finding::proven(format!("{was}answers {user} in {took_ms} ms")).figure("took_ms", took_ms);
            // The server read its clock at some time between the question and its answer.
            let asked_us = asked_at.timestamp_micros();
            let answered_us = asked_us + i64::try_from(took.as_micros()).unwrap_or(i64::MAX);
            let apart_us = if now_us < asked_us { now_us - asked_us } else { (now_us - answered_us).max(0) };
            (proven, skew(apart_us / 1_000))
        }
    }
}

/// How a warehouse was found, in front of what it answered.
fn told(compute: &Compute) -> String {
    match compute.state {
        WarehouseState::Running => format!("{}, ", compute.size),
        WarehouseState::Stopped | WarehouseState::Stopping => format!("{}, was stopped, ", compute.size),
        _ => format!("{}, was starting, ", compute.size),
    }
}

fn gone(compute: &Compute) -> Option<String> {
    match &compute.state {
        WarehouseState::Deleted => Some(format!("warehouse {} is deleted", compute.name)),
        _ => compute.trouble.as_ref().map(|trouble| format!("warehouse {}: {trouble}", compute.name)),
    }
}

/// A statement that did not succeed, as a finding: what is missing by name, and whether it may pass by itself.
pub(super) fn of_trouble(trouble: &SqlTrouble) -> Finding {
    match &trouble.fault {
        Fault::PermissionDenied { privilege: Some(privilege), object: Some(object) } => {
            Finding::failed(format!("{privilege} on {object} is missing"))
                .fix(format!("Grant {privilege} on {object}."))
        }
        Fault::NotFound => Finding::failed(&trouble.message),
        Fault::Unavailable => {
            Finding::failed(&trouble.message).fix("Try again in a minute: the warehouse may be starting.")
        }
        _ => Finding::failed(&trouble.message),
    }
}

async fn permissions(round: &Round<'_>, client: &Client, place: &Place) -> Finding {
    let Some(entry) = &round.config.fleet.ledger else { return Finding::undecided("there is no ledger") };
    match client.me().await {
        Err(error) => Finding::undecided(format!("not tried: {}", error.brief())),
        Ok(identity) => {
            let judged = judge_all(client, &identity, &needs(entry, place)).await;
            let lacking = judged.iter().find(|(_, verdict)| *verdict == Known::Refused);
            match lacking {
                // Each of these is needed: some do not make up for others.
                Some((need, _)) => Finding::failed(format!("{} lacks {need}", identity.name())),
                None => held(identity.name(), &judged),
            }
        }
    }
}

/// What is held of the rights that are needed, none of which is known to be missing.
fn held(who: &str, judged: &[(Need, Known)]) -> Finding {
    let allowed = judged.iter().filter(|(_, verdict)| matches!(verdict, Known::Allowed { .. })).count();
    let needed = judged.len();
    let finding = match (allowed, needed - allowed) {
        (_, 0) => Finding::proven(format!("{who} holds all {needed} rights that writing the ledger needs")),
        (0, _) => Finding::undecided("the rights cannot be told before the ledger is written"),
        (_, rest) => {
            Finding::proven(format!("{who} holds {allowed} of {needed} rights; {rest} cannot be told before use"))
        }
    };
    let figure = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    finding.figure("allowed", figure(allowed)).figure("looked_at", figure(needed))
}

/// Whether every table is there, append-only where it must be, and every product has one lease.
async fn tables(round: &Round<'_>, client: &Client, ledger: &Ledger<Warehouse>) -> Finding {
    let schema = ledger.place().schema();
    let unreadable =
        |error: &Error| Finding::failed(format!("{schema} cannot be read: {}", error.brief())).fix_if(error.hint());
    let found = match client.tables(schema).await {
        Ok(found) => found,
        Err(error) if error.is_not_found() => return Finding::failed(format!("there is no schema {schema}")),
        Err(error) => return unreadable(&error),
    };
    let there: BTreeSet<&str> = found.iter().map(|table| table.name.leaf()).collect();
    let facts: Vec<&str> = Table::ALL.iter().map(|table| table.name()).collect();
    let all = facts.iter().copied().chain(["seal", "lease"]);
    let missing: Vec<&str> = all.filter(|name| !there.contains(name)).collect();
    if !missing.is_empty() {
        return Finding::failed(format!("missing in {schema}: {}", missing.join(", ")));
    }
    for name in facts.iter().copied().chain(["seal"]) {
        let Ok(full) = schema.child(name) else { continue };
        match client.table(&full).await {
            Err(error) => return unreadable(&error),
            Ok(table) if table.properties.get(APPEND_ONLY).is_none_or(|value| value != "true") => {
                return Finding::failed(format!("{name} takes UPDATE and DELETE: {APPEND_ONLY} is not set on it"))
                    .fix(format!(
                        "Find out who took it off (`lakeshift ledger verify`), then set it again: ALTER TABLE {full} SET \
                         TBLPROPERTIES ('{APPEND_ONLY}' = 'true')."
                    ));
            }
            Ok(_) => {}
        }
    }
    match lease::all(ledger).await {
        Err(trouble) => of_trouble(&trouble),
        Ok(leases) => of_leases(&leases, round.config.fleet.products.keys().map(String::as_str))
            .unwrap_or_else(|| Finding::proven(format!("{} tables, {} leases", facts.len() + 2, leases.len()))),
    }
}

/// What is wrong with the rows of leases, if anything is.
fn of_leases<'a>(leases: &[LeaseRow], products: impl Iterator<Item = &'a str>) -> Option<Finding> {
    let rows = |product: &str| leases.iter().filter(|lease| lease.product == product).count();
    let wrong: Vec<String> = products
        .chain(lease::OWN)
        .filter_map(|product| match rows(product) {
            1 => None,
            0 => Some(format!("{product} has no lease")),
            more => Some(format!("{product} has {more} leases, and so none that holds")),
        })
        .collect();
    (!wrong.is_empty()).then(|| Finding::failed(wrong.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(product: &str) -> LeaseRow {
        LeaseRow {
            product: product.to_owned(),
            holder: None,
            nonce: None,
            fence: 0,
            op_id: None,
            acquired_us: None,
            expires_us: None,
            now_us: 0,
        }
    }

    #[test]
    fn a_product_has_one_lease() {
        let leases = ["_fleet", "_ledger", "sales", "stock", "stock"].map(lease);
        assert_eq!(of_leases(&leases, ["sales"].into_iter()), None);
        let wrong = of_leases(&leases, ["sales", "stock", "till"].into_iter()).expect("wrong");
        assert_eq!(wrong.says, "stock has 2 leases, and so none that holds; till has no lease");
        let unsealable = of_leases(&leases[2..3], ["sales"].into_iter()).expect("wrong");
        assert_eq!(unsealable.says, "_fleet has no lease; _ledger has no lease");
    }
}
