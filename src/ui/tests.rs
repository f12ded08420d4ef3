//! Every screen and dialog as it is drawn, in every state and size. `INSTA_UPDATE=always` writes the pictures anew.

use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::drawn::{in_every_size, picture};
use super::{drawn, view};
use crate::app::fixture::Console;
use crate::app::message::Fact;
use crate::domain::fixture::{failure, fleet, now, request, snapshot_of};
use crate::domain::workspace::Environment;
use crate::keymap::{Code, Key};

#[test]
fn fleet_normal() {
    in_every_size("fleet-normal", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        console.happens(Fact::SignedIn { workspace: "prod".into(), user: "ana@example.com".to_owned() });
        console
    });
}

#[test]
fn fleet_of_a_stream() {
    in_every_size("fleet-stream", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        console.press("n");
        console
    });
}

/// One lag was read a while ago, the other never: neither looks like a stream that is well.
#[test]
fn fleet_of_lags_that_cannot_be_read() {
    in_every_size("fleet-lag-unread", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let mut prod = fleet().remove(2);
        let mut streams = prod.pipelines.value.take().map(Arc::unwrap_or_clone).unwrap_or_default();
        for stream in &mut streams {
            stream.events.failure =
                Some(crate::domain::snapshot::FeedFailure { brief: "403 permission denied".to_owned(), ..failure(6) });
        }
        streams[0].events.read_at = Some(now() - TimeDelta::minutes(6));
        (streams[1].events.read_at, streams[1].flows, streams[1].lag) = (None, Vec::new(), Vec::new());
        prod.pipelines.value = Some(Arc::new(streams));
        console.observe(prod);
        console.press("n");
        console
    });
}

#[test]
fn fleet_loading() {
    in_every_size("fleet-loading", Console::new);
}

#[test]
fn fleet_empty() {
    in_every_size("fleet-empty", |columns, rows| {
        let mut console = Console::new(columns, rows);
        for environment in Environment::ALL {
            console.observe(snapshot_of(environment, Vec::new(), Vec::new()));
        }
        console
    });
}

#[test]
fn fleet_stale() {
    in_every_size("fleet-stale", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        console.wait(240);
        console
    });
}

#[test]
fn fleet_failed() {
    in_every_size("fleet-failed", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        let mut prod = fleet().remove(2);
        prod.jobs.failure = Some(failure(6));
        prod.jobs.observed_at = prod.jobs.observed_at.map(|at| at - TimeDelta::minutes(6));
        console.observe(prod);
        console
    });
}

#[test]
fn fleet_filtered() {
    in_every_size("fleet-filtered", |columns, rows| {
        let mut console = Console::with_fleet(columns, rows);
        console.press("/");
        console.type_text("stg");
        console
    });
}

#[test]
fn log_normal() {
    in_every_size("log-normal", |columns, rows| with_requests(Console::with_fleet(columns, rows)));
}

#[test]
fn log_empty() {
    in_every_size("log-empty", |columns, rows| {
        let mut console = Console::new(columns, rows);
        console.press("9");
        console
    });
}

#[test]
fn log_failures() {
    in_every_size("log-failures", |columns, rows| {
        let mut console = with_requests(Console::with_fleet(columns, rows));
        console.press("f j");
        console
    });
}

fn with_requests(mut console: Console) -> Console {
    console.press("9");
    for (seconds_ago, route, status) in [
        (9, "/api/2.2/jobs/list", Some(200)),
        (6, "/api/2.2/jobs/runs/list", Some(429)),
        (4, "/api/2.0/pipelines/{pipeline_id}/events", None),
        (1, "/api/2.2/jobs/runs/list", Some(200)),
    ] {
        console.happens(Fact::RequestEnded(request(seconds_ago, route, status)));
    }
    console
}

#[test]
fn dialogs() {
    for (name, keys) in [("help", "?"), ("palette", ":"), ("copy", "y")] {
        in_every_size(name, |columns, rows| {
            let mut console = Console::with_fleet(columns, rows);
            console.press(keys);
            console
        });
    }
}

#[test]
fn too_small() {
    for keys in ["1", "9"] {
        let mut console = Console::with_fleet(30, 8);
        console.press(keys);
        assert_eq!(drawn::screen(&console).trim_end(), "this terminal has 30x8\nlakeshift needs 60x16");
    }
}

#[test]
fn a_smallest_terminal_shows_rows_and_detail() {
    let console = Console::with_fleet(60, 16);
    picture("fleet-smallest", &console);
}

#[test]
fn text_from_outside_steers_no_terminal() {
    let mut console = Console::new(120, 40);
    let mut prod = fleet().remove(2);
    prod.jobs.failure = Some(crate::domain::snapshot::FeedFailure {
        kind: crate::domain::snapshot::FailureKind::Auth,
        brief: "\u{1b}[2J".to_owned(),
        message: "\u{1b}]0;owned\u{7}x\u{202e}".to_owned(),
        ..failure(1)
    });
    console.observe(prod);
    console.happens(Fact::SignedIn { workspace: "prod".into(), user: "\u{1b}[31mana".to_owned() });
    assert!(!drawn::screen(&console).chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'));
}

fn any_fact() -> impl Strategy<Value = Fact> {
    let codes = prop_oneof![
        4 => proptest::char::range(' ', '~').prop_map(Code::Char),
        1 => any::<char>().prop_map(Code::Char),
        4 => proptest::sample::select(vec![
            Code::Enter, Code::Esc, Code::Tab, Code::Up, Code::Down, Code::Left, Code::Right, Code::Home, Code::End,
            Code::PageUp, Code::PageDown, Code::Backspace, Code::Delete, Code::Insert, Code::F(1), Code::F(5),
        ]),
    ];
    let key = (codes, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(code, ctrl, alt, shift)| Fact::KeyPressed(Key { code, ctrl, alt, shift }));
    prop_oneof![
        12 => key,
        1 => "\\PC{0,12}".prop_map(Fact::Pasted),
        1 => "[\\x00-\\x7f]{0,12}".prop_map(Fact::Pasted),
        1 => (-3_i16..3).prop_map(|rows| Fact::Scrolled { rows }),
        1 => (0_u16..220, 0_u16..60).prop_map(|(columns, rows)| Fact::Resized { columns, rows }),
        1 => Just(Fact::RequestEnded(request(0, "/api/2.2/jobs/list", Some(429)))),
        1 => Just(Fact::Ticked),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_of_keys_and_pastes_panics_or_does_harm(facts in proptest::collection::vec(any_fact(), 1..80)) {
        let mut console = Console::with_fleet(120, 40);
        let theme = drawn::theme();
        for (index, fact) in facts.into_iter().enumerate() {
            for effect in console.happens(fact) {
                prop_assert!(!effect.is_dangerous(), "{effect:?}");
            }
            if index % 5 == 0 {
                let (columns, rows) = (console.model.shared.columns.max(1), console.model.shared.rows.max(1));
                drawn::buffer(columns, rows, |frame| view(&console.model, &theme, frame));
            }
        }
    }
}
