//! The lease on the engine: two sessions at once, lost answers, sleeping machines, jumping clocks.

use chrono::{DateTime, TimeDelta, Utc};
use lakeshift::ledger::lease::{self, Lost, Order, Standing, Tenure, Tick};
use lakeshift::ledger::sql::Ask;
use lakeshift::ledger::{SqlTrouble, statements};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Desk, Running, block_on, place};

/// A machine's clocks: both follow the server's time unless something happens to them.
struct Machine {
    started: DateTime<Utc>,
    slept: TimeDelta,
    set_by: TimeDelta,
}

impl Machine {
    fn at(desk: &Desk) -> Self {
        Self { started: desk.now(), slept: TimeDelta::zero(), set_by: TimeDelta::zero() }
    }

    fn tick(&self, desk: &Desk) -> Tick {
        let awake = desk.now() - self.started - self.slept;
        Tick { monotonic_ms: u64::try_from(awake.num_milliseconds()).unwrap(), at: desk.now() + self.set_by }
    }
}

/// Steps a tenure until it has nothing more to ask now.
fn settle(tenure: &mut Tenure, desk: &Desk, machine: &Machine) -> Standing {
    let ledger = desk.ledger();
    while block_on(lease::step(tenure, &ledger, &|| machine.tick(desk))) {}
    tenure.standing(machine.tick(desk))
}

fn holds(standing: &Standing) -> bool {
    matches!(standing, Standing::Holding { .. })
}

#[test]
fn the_first_takes_it_and_the_second_is_told_who_has_it() {
    let desk = Desk::installed();
    let (ana, bob) = (desk.of("ana"), desk.of("bob"));
    let machine = Machine::at(&desk);
    let mut first = Tenure::new("sales", "op-1", "n1");
    assert_eq!(settle(&mut first, &ana, &machine), Standing::Holding { fence: 1, left_ms: 100_000 });
    let mut second = Tenure::new("sales", "op-2", "n2");
    let Standing::HeldBy { holder, op_id, fence, .. } = settle(&mut second, &bob, &machine) else { panic!("held") };
    assert_eq!((holder.as_str(), op_id.as_deref(), fence), ("ana", Some("op-1"), 1));
    // Another product is free.
    assert!(holds(&settle(&mut Tenure::new("stock", "op-2", "n3"), &bob, &machine)));
    // Given back, it is free at once: nothing of the first holder can be in flight.
    first.release();
    assert_eq!(settle(&mut first, &ana, &machine), Standing::Released);
    desk.pass(6);
    assert!(holds(&settle(&mut second, &bob, &machine)));
}

#[test]
fn two_sessions_at_once_have_one_winner() {
    let desk = Desk::installed();
    let take = |nonce: &str| -> Ask {
        place()
            .ask(&statements::LEASE_ACQUIRE)
            .with("seen", &0)
            .with("nonce", nonce)
            .with("op_id", "op")
            .with("product", "sales")
    };
    let (ana, bob) = (desk.of("ana"), desk.of("bob"));
    let (first, second) = (ana.begin(&take("n1")).unwrap(), bob.begin(&take("n2")).unwrap());
    assert_eq!(ana.commit(first).unwrap().affected(), Ok(1));
    let conflict = bob.commit(second).expect_err("both read the same row");
    assert_eq!(conflict.fault, lakeshift::domain::sql::Fault::Conflict);
    assert_eq!(bob.run(&take("n2")).unwrap().affected(), Ok(0), "and one after the other it finds another fence");
}

#[test]
fn a_lost_answer_is_looked_up_not_believed() {
    let desk = Desk::installed();
    let ana = desk.of("ana");
    let machine = Machine::at(&desk);
    let mut tenure = Tenure::new("sales", "op-1", "n1");
    let ledger = ana.ledger();
    assert!(block_on(lease::step(&mut tenure, &ledger, &|| machine.tick(&desk))), "the first look");
    *ana.losses.lock().unwrap() = 1;
    assert!(block_on(lease::step(&mut tenure, &ledger, &|| machine.tick(&desk))), "the taking, its answer lost");
    assert_eq!(tenure.may_act(machine.tick(&desk)), None);
    assert!(holds(&settle(&mut tenure, &ana, &machine)));
}

#[test]
fn it_is_renewed_and_without_renewal_the_holder_stops_in_time() {
    let desk = Desk::installed();
    let ana = desk.of("ana");
    let machine = Machine::at(&desk);
    let mut tenure = Tenure::new("sales", "op-1", "n1");
    settle(&mut tenure, &ana, &machine);
    for _ in 0..10 {
        desk.pass(35);
        assert!(holds(&settle(&mut tenure, &ana, &machine)));
    }
    // The ledger does not answer any more.
    desk.pass(99);
    assert!(holds(&tenure.standing(machine.tick(&desk))));
    desk.pass(1);
    assert_eq!(tenure.standing(machine.tick(&desk)), Standing::Lost(Lost::RanOut), "20 s before the end");
    let row = block_on(lease::look(&ana.ledger(), "sales")).unwrap();
    assert_eq!(row.left_ms(), Some(20_000));
    assert_eq!(settle(&mut tenure, &ana, &machine), Standing::Lost(Lost::RanOut), "and it is never held again");
}

#[test]
fn who_takes_what_was_not_given_back_only_observes_at_first() {
    let desk = Desk::installed();
    let (ana, bob) = (desk.of("ana"), desk.of("bob"));
    let machine = Machine::at(&desk);
    settle(&mut Tenure::new("sales", "op-1", "n1"), &ana, &machine);
    let mut second = Tenure::new("sales", "op-2", "n2");
    settle(&mut second, &bob, &machine);
    desk.pass(121);
    assert_eq!(settle(&mut second, &bob, &machine), Standing::Observing { left_ms: 30_000 });
    assert_eq!(second.may_act(machine.tick(&desk)), None);
    desk.pass(30);
    settle(&mut second, &bob, &machine);
    assert_eq!(second.may_act(machine.tick(&desk)), Some(2));
}

#[test]
fn it_is_taken_from_its_holder_with_a_reason_only_and_the_holder_stops() {
    let desk = Desk::installed();
    let (ana, bob) = (desk.of("ana"), desk.of("bob"));
    let machine = Machine::at(&desk);
    let mut first = Tenure::new("sales", "op-1", "n1");
    settle(&mut first, &ana, &machine);
    let mut second = Tenure::new("sales", "op-2", "n2");
    assert!(second.steal("ana is asleep").is_err(), "nothing was seen yet");
    settle(&mut second, &bob, &machine);
    assert!(second.steal("  now ").is_err(), "no reason");
    second.steal("ana cannot be reached").unwrap();
    assert_eq!(settle(&mut second, &bob, &machine), Standing::Observing { left_ms: 10_000 });
    let from = second.last_seen().unwrap().clone();
    assert_eq!((from.holder.as_deref(), from.fence), (Some("bob"), 2));
    desk.pass(31);
    assert_eq!(settle(&mut first, &ana, &machine), Standing::Lost(Lost::Taken { by: Some("bob".into()) }));
    assert!(holds(&settle(&mut second, &bob, &machine)));
}

#[test]
fn a_theft_takes_what_was_seen_and_nothing_newer() {
    let desk = Desk::installed();
    let machine = Machine::at(&desk);
    let (ana, bob, eve) = (desk.of("ana"), desk.of("bob"), desk.of("root"));
    let mut first = Tenure::new("sales", "op-1", "n1");
    settle(&mut first, &ana, &machine);
    let (mut second, mut third) = (Tenure::new("sales", "op-2", "n2"), Tenure::new("sales", "op-3", "n3"));
    settle(&mut second, &bob, &machine);
    settle(&mut third, &eve, &machine);
    second.steal("ana cannot be reached").unwrap();
    third.steal("ana cannot be reached").unwrap();
    settle(&mut second, &bob, &machine);
    let Standing::HeldBy { holder, .. } = settle(&mut third, &eve, &machine) else { panic!("bob was faster") };
    assert_eq!(holder, "bob");
    desk.pass(20);
    assert!(matches!(settle(&mut third, &eve, &machine), Standing::HeldBy { .. }), "and it does not steal from bob");
}

#[test]
fn a_machine_that_slept_or_whose_clock_was_set_holds_nothing() {
    for (slept, set_by) in [(300, 0), (0, 3_600), (300, -7_200)] {
        let desk = Desk::installed();
        let ana = desk.of("ana");
        let mut machine = Machine::at(&desk);
        let mut tenure = Tenure::new("sales", "op-1", "n1");
        settle(&mut tenure, &ana, &machine);
        if slept > 0 {
            desk.pass(slept);
            machine.slept = TimeDelta::seconds(slept);
        }
        machine.set_by = TimeDelta::seconds(set_by);
        let known = tenure.may_act(machine.tick(&desk));
        if (slept, set_by) == (300, -7_200) {
            // Both clocks are wrong: only the ledger can tell, and it is asked before the next renewal is believed.
            desk.pass(31);
            assert!(!holds(&settle(&mut tenure, &ana, &machine)));
        } else {
            assert_eq!(known, None, "slept {slept} s, set by {set_by} s");
        }
    }
}

#[test]
fn a_product_without_its_one_row_has_no_lock() {
    let desk = Desk::installed();
    let machine = Machine::at(&desk);
    let mut tenure = Tenure::new("costs", "op-1", "n1");
    let ledger = desk.ledger();
    block_on(lease::step(&mut tenure, &ledger, &|| machine.tick(&desk)));
    let Standing::Unknown { trouble: Some(trouble) } = tenure.standing(machine.tick(&desk)) else { panic!("no row") };
    let hint = "`lakeshift ledger init --run` adds it, once the fleet's file has [products.costs]";
    assert_eq!(trouble, format!("the table of leases has 0 rows for costs, not one: {hint}"));
    desk.by_hand("INSERT INTO ops.release.lease VALUES ('sales', NULL, NULL, 0, NULL, NULL, NULL)");
    assert!(block_on(lease::look(&ledger, "sales")).unwrap_err().message.contains("2 rows for sales"));
}

/// What a captain has in flight.
enum Flight {
    Nothing,
    /// A question or change that has read its snapshot.
    Under(Tick, Order, Result<Running, SqlTrouble>),
}

struct Captain {
    desk: Desk,
    machine: Machine,
    tenure: Tenure,
    tenures: u32,
    flight: Flight,
}

fn ask(order: &Order) -> Ask {
    let place = place();
    let ask = match order {
        Order::Look => place.ask(&statements::LEASE),
        Order::Acquire { seen, nonce, op_id } => {
            place.ask(&statements::LEASE_ACQUIRE).with("seen", seen).with("nonce", nonce).with("op_id", op_id)
        }
        Order::Steal { seen, nonce, op_id } => {
            place.ask(&statements::LEASE_STEAL).with("seen", seen).with("nonce", nonce).with("op_id", op_id)
        }
        Order::Renew { nonce, fence } => place.ask(&statements::LEASE_RENEW).with("nonce", nonce).with("fence", fence),
        Order::Release { nonce, fence } => {
            place.ask(&statements::LEASE_RELEASE).with("nonce", nonce).with("fence", fence)
        }
    };
    ask.with("product", "sales")
}

/// Three captains, every statement in two halves, answers lost, statements that commit late, machines that sleep. After
/// each half at most one may act, and whoever may has the ledger's word for it.
#[test]
fn there_are_never_two_holders() {
    let (holdings, conflicts) = contest(0.0);
    assert!(holdings > 500 && conflicts > 10, "the test saw {holdings} holdings and {conflicts} conflicts");
}

/// Where leases are taken from their holders too, the last holder cannot know it at once: then two believe, but only one
/// of them has the fence that the ledger has, and its fence tells a statement of the other apart.
#[test]
fn of_those_who_believe_only_one_has_the_ledgers_fence() {
    let (holdings, conflicts) = contest(0.02);
    assert!(holdings > 500 && conflicts > 10, "the test saw {holdings} holdings and {conflicts} conflicts");
}

/// Runs the contest over many seeds; tells how often somebody held the lease, and how many statements met a conflict.
fn contest(thefts: f64) -> (u32, u32) {
    let mut taken = 0;
    let mut contended = 0;
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let desk = Desk::installed();
        let mut captains: Vec<Captain> = ["ana", "bob", "root"]
            .into_iter()
            .enumerate()
            .map(|(at, user)| Captain {
                desk: desk.of(user),
                machine: Machine::at(&desk),
                tenure: Tenure::new("sales", format!("op-{user}"), format!("{at}-0")),
                tenures: 0,
                flight: Flight::Nothing,
            })
            .collect();
        for _ in 0..300 {
            let at = rng.random_range(0..captains.len());
            contended += u32::from(act(&mut captains[at], at, thefts, &mut rng));
            if rng.random_bool(0.3) {
                desk.server.lock().unwrap().now += TimeDelta::milliseconds(rng.random_range(0..15_000));
            }
            if rng.random_bool(0.01) {
                // The machine sleeps: its monotonic clock stands still, its time of day does not.
                desk.pass(60);
                captains[at].machine.slept += TimeDelta::seconds(60);
            }
            let acting: Vec<usize> = (0..captains.len())
                .filter(|at| captains[*at].tenure.may_act(captains[*at].machine.tick(&desk)).is_some())
                .collect();
            taken += u32::try_from(acting.len()).unwrap();
            assert!(acting.len() <= 1 || thefts > 0.0, "seed {seed}: {acting:?} both hold the lease");
            if acting.is_empty() {
                continue;
            }
            let row = block_on(lease::look(&desk.ledger(), "sales")).unwrap();
            let fences: Vec<i64> = acting
                .iter()
                .filter_map(|at| captains[*at].tenure.may_act(captains[*at].machine.tick(&desk)))
                .collect();
            assert!(fences.iter().filter(|fence| **fence == row.fence).count() <= 1, "seed {seed}: one fence twice");
            assert!(fences.iter().all(|fence| *fence <= row.fence), "seed {seed}: a fence that nobody gave");
            if thefts == 0.0
                && let [one] = acting[..]
            {
                assert_eq!(row.holder.as_deref(), Some(captains[one].desk.user), "seed {seed}");
                assert_eq!(fences, [row.fence], "seed {seed}");
            }
        }
    }
    (taken, contended)
}

/// One half of a statement; tells whether it met a conflict.
fn act(captain: &mut Captain, at: usize, thefts: f64, rng: &mut impl Rng) -> bool {
    let now = captain.machine.tick(&captain.desk);
    match std::mem::replace(&mut captain.flight, Flight::Nothing) {
        Flight::Nothing => {
            match captain.tenure.standing(now) {
                Standing::Released | Standing::Lost(_) => {
                    captain.tenures += 1;
                    let nonce = format!("{at}-{}", captain.tenures);
                    captain.tenure = Tenure::new("sales", format!("op-{at}"), nonce);
                }
                Standing::Holding { .. } if rng.random_bool(0.05) => captain.tenure.release(),
                Standing::HeldBy { .. } if rng.random_bool(thefts) => {
                    captain.tenure.steal("the holder cannot be reached").unwrap();
                }
                _ => {}
            }
            if let Some(order) = captain.tenure.due(now) {
                captain.tenure.sent(&order, now);
                let running = captain.desk.begin(&ask(&order));
                captain.flight = Flight::Under(now, order, running);
            }
            false
        }
        Flight::Under(sent, order, running) => {
            let refused = SqlTrouble {
                message: "nothing came".to_owned(),
                fault: lakeshift::domain::sql::Fault::Other,
                happened: lakeshift::ledger::Happened::Unknown,
            };
            let never_arrives = rng.random_bool(0.05);
            let result =
                if never_arrives { Err(refused.clone()) } else { running.and_then(|r| captain.desk.commit(r)) };
            let conflict = matches!(&result, Err(trouble) if trouble.fault == lakeshift::domain::sql::Fault::Conflict);
            let result = if rng.random_bool(0.1) { Err(refused) } else { result };
            let now = captain.machine.tick(&captain.desk);
            if order == Order::Look {
                let row = result.and_then(|rows| lease::LeaseRow::read(rows.first().expect("a row")));
                captain.tenure.seen(sent, row, now);
            } else {
                captain.tenure.answered(result.err(), now);
            }
            conflict
        }
    }
}
