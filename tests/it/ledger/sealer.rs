//! Sealing beside everything else: when, by whom, and that nothing waits for it.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use lakeshift::ledger::lease::{self, SEALER};
use lakeshift::ledger::seal;
use lakeshift::runtime::ledger::Ticks;
use lakeshift::runtime::sealer::Sealer;

use super::takeover::OfServer;
use super::{Desk, event};

fn start() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn sealer(desk: &Desk) -> Sealer<Desk> {
    Sealer::new(desk.ledger(), Arc::new(Ticks::new(Arc::new(OfServer(desk.clone())))))
}

async fn tell(desk: &Desk, id: &str) {
    assert_eq!(desk.ledger().append(&[event(id, "planned")]).await.acknowledged.len(), 1);
}

async fn seals(desk: &Desk) -> u64 {
    seal::ends(&desk.ledger()).await.unwrap().map_or(0, |ends| ends.count)
}

#[tokio::test(start_paused = true)]
async fn what_a_process_has_told_is_sealed_within_a_quarter_of_an_hour() {
    let desk = Desk::installed();
    let mut sealer = sealer(&desk.of("ana"));
    let later = start() + TimeDelta::minutes(15);
    sealer.start(later);
    assert!(!sealer.is_sealing(), "it has told nothing");
    tell(&desk, "a1").await;
    sealer.told(start());
    sealer.told(start() + TimeDelta::minutes(14));
    assert_eq!(sealer.wakes_at(), Some(later), "counted from the first row");
    sealer.start(later - TimeDelta::seconds(1));
    assert!(!sealer.is_sealing());
    sealer.start(later);
    assert!(sealer.is_sealing());
    let sealed = sealer.next().await;
    assert_eq!(sealed.as_ref().unwrap().rows, Some(1));
    sealer.landed(sealed, later);
    assert_eq!((sealer.wakes_at(), seals(&desk).await), (None, 1));
    assert!(lease::look(&desk.ledger(), SEALER).await.unwrap().is_clean(), "its lease is given back");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_an_operation_on_production_state_is_sealed_at_once_and_once() {
    let desk = Desk::installed();
    let mut sealer = sealer(&desk.of("ana"));
    tell(&desk, "a1").await;
    sealer.told(start());
    sealer.leaves(true, start());
    sealer.start(start());
    let sealed = sealer.next().await;
    sealer.landed(sealed, start());
    for leaving in [true, false] {
        sealer.leaves(leaving, start());
        sealer.start(start());
        assert!(!sealer.is_sealing(), "the same end");
    }
    assert_eq!(seals(&desk).await, 1);
    sealer.leaves(true, start());
    sealer.start(start());
    assert!(sealer.is_sealing(), "another one");
}

#[tokio::test(start_paused = true)]
async fn while_somebody_else_seals_it_is_tried_again_a_minute_later() {
    let desk = Desk::installed();
    desk.by_hand(
        "UPDATE ops.release.lease SET holder = 'bob', nonce = 'n', fence = fence + 1, op_id = 'seal', \
         expires_at = timestamp'2026-11-22 13:00:00' WHERE product = '_ledger'",
    );
    let mut sealer = sealer(&desk.of("ana"));
    tell(&desk, "a1").await;
    sealer.leaves(true, start());
    sealer.start(start());
    let refused = sealer.next().await;
    assert_eq!(refused.as_ref().unwrap_err(), "_ledger is held by bob");
    sealer.landed(refused, start());
    let again = start() + TimeDelta::seconds(60);
    assert_eq!((sealer.wakes_at(), seals(&desk).await), (Some(again), 0));
    desk.by_hand("UPDATE ops.release.lease SET holder = NULL, nonce = NULL, op_id = NULL, expires_at = NULL");
    sealer.start(again);
    let sealed = sealer.next().await;
    assert_eq!(sealed.unwrap().rows, Some(1));
}
