//! The dialog of an act at every stage.

use crate::app::act::{Answer, Declined, Rights};
use crate::app::fixture::{Console, plan, preview, record};
use crate::app::message::Fact;
use crate::domain::authority::Verdict;
use crate::domain::danger::Danger;
use crate::domain::ids::RunId;
use crate::operations::journal::{Certainty, Direction, Event, Evidence, Thing};
use crate::operations::refusal::Refusal;
use crate::ui::drawn::in_every_size;

fn asked(console: &mut Console, keys: &str) -> crate::app::act::Ask {
    Console::asked(&console.press(keys))
}

#[test]
fn asking_then_ready_then_begun() {
    in_every_size("sheet-asking", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        console.press("r");
        console
    });
    in_every_size("sheet-unread", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "r");
        console.plans(&ask, Danger::Costly);
        console
    });
    in_every_size("sheet-ready", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "r");
        let mut preview = preview(&ask, Danger::Costly);
        preview.effects = vec![
            "1 task that failed: reconcile_gl".to_owned(),
            "2 tasks that did not run, or follow: publish, notify".to_owned(),
            "5 tasks stay as they are".to_owned(),
        ];
        preview.warnings = vec![
            "Task publish waits for other tasks than in the run".to_owned(),
            "A repair uses the job's settings as they are now, not those of the run.".to_owned(),
        ];
        console.happens(Fact::Answered { number: ask.number, answer: Answer::Ready(Box::new(preview)) });
        console.read();
        console
    });
    in_every_size("sheet-begun", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "r");
        console.plans(&ask, Danger::Costly);
        console.read();
        console.press("y");
        let thing = Thing::Repair { run: RunId(501), repair: crate::domain::ids::RepairId(77) };
        let evidence = Evidence { thing, certainty: Certainty::Answered, says: "repair 77 of run 501".to_owned() };
        let (step, direction) = (0, Direction::Do);
        let events = [
            Event::Approved { how: "y".to_owned() },
            Event::Intended { step, direction, attempt: 1, world_at: crate::domain::fixture::now() },
            Event::Confirmed { step, direction, attempt: 1, evidence },
        ];
        console.advance(vec![record(&plan(&ask), &events)]);
        console
    });
}

#[test]
fn a_run_with_its_parameters() {
    in_every_size("sheet-run-now", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "G +");
        console.plans(&ask, Danger::Costly);
        console.read();
        console
    });
    in_every_size("sheet-parameters", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "G +");
        console.plans(&ask, Danger::Costly);
        console.press("p");
        console.type_text("2026-11-21");
        console.press("tab");
        console
    });
}

#[test]
fn a_locked_one_and_its_key() {
    let refused = |columns, rows, refusals: Vec<Refusal>| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "r");
        let rights = Rights {
            who: "ana@example.com".to_owned(),
            needed: "CAN_MANAGE_RUN on job 11".to_owned(),
            verdict: Verdict::Refused,
        };
        let answer = Answer::Refused(Declined { refusals, rights: Some(rights) });
        console.happens(Fact::Answered { number: ask.number, answer });
        console
    };
    let lock = || Refusal::ReadOnly { workspace: "prod".into(), unlockable: true };
    in_every_size("sheet-locked", |columns, rows| refused(columns, rows, vec![lock()]));
    in_every_size("sheet-refused", |columns, rows| {
        refused(columns, rows, vec![lock(), Refusal::NothingFailed { run: RunId(918_273_645) }])
    });
    in_every_size("sheet-unlocking", |columns, rows| {
        let mut console = refused(columns, rows, vec![lock()]);
        console.press("u");
        console.read();
        console
    });
}

#[test]
fn what_could_not_be_read_and_what_is_never_done() {
    in_every_size("sheet-failed", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "r");
        let answer = Answer::Unread("GET /api/2.2/jobs/runs/get: 401 token expired; sign in again".to_owned());
        console.happens(Fact::Answered { number: ask.number, answer });
        console
    });
    in_every_size("sheet-full-refresh", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        console.press("n enter F");
        console
    });
}

#[test]
fn the_lanes_of_production_and_of_loss() {
    in_every_size("sheet-production", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "r");
        console.plans(&ask, Danger::Production);
        console.read();
        console
    });
    in_every_size("sheet-loss", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let ask = asked(&mut console, "r");
        console.plans(&ask, Danger::Loss);
        console.read();
        console.type_text("finance_cl");
        console
    });
}
