//! The whole text of an event. What comes from outside is made harmless here.

use super::State;
use crate::app::model::Shared;
use crate::app::prose::Prose;
use crate::domain::measure::pad_end;
use crate::domain::pipeline::{FlowProgress, Level};
use crate::domain::text::{line, lines};
use crate::domain::units::{bytes, instant, lag, thousands, time};

/// The word of a level.
pub(super) fn level(level: Level) -> &'static str {
    match level {
        Level::Metrics => "metrics",
        Level::Info => "info",
        Level::Warn => "warn",
        Level::Error => "error",
    }
}

/// The event under the cursor: what it says, what went wrong, what it measured.
pub(super) fn of(state: &State, shared: &Shared) -> Vec<Prose> {
    let Some(event) = state.event() else { return Vec::new() };
    let now = shared.fleet.world_now(&state.workspace, shared.now);
    let day = instant(event.at, now, shared.zone);
    let at = match day.split_once(' ') {
        Some((date, _)) => format!("{date} {}", time(event.at, shared.zone)),
        None => time(event.at, shared.zone),
    };
    let mut prose = vec![Prose::heading(format!("{at}  {}  {}", level(event.level), line(&event.kind)))];
    prose.push(Prose::blank());
    let said = lines(&event.message).into_iter();
    prose.extend(if event.level == Level::Error {
        said.map(Prose::danger).collect::<Vec<_>>()
    } else {
        said.map(Prose::plain).collect()
    });
    if let Some(error) = &event.error {
        prose.push(Prose::blank());
        prose.extend(lines(error).into_iter().map(Prose::plain));
    }
    prose.push(Prose::blank());
    prose.extend(event.flow.iter().map(|flow| fact("flow", &line(flow))));
    prose.extend(event.update.iter().map(|update| fact("update", &line(update.as_str()))));
    prose.push(fact("event", &line(&event.id)));
    prose.extend(event.progress.iter().flat_map(measured));
    prose
}

fn measured(progress: &FlowProgress) -> Vec<Prose> {
    let backlog = &progress.backlog;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "seconds as a source tells them; a negative lag is none"
    )]
    let behind = backlog.seconds.map(|s| lag(s.max(0.0) as u64));
    let facts = [
        ("status", (!progress.status.is_empty()).then(|| line(&progress.status))),
        ("rows", progress.output_rows.map(thousands)),
        ("backlog", backlog.records.map(|records| format!("{} records", thousands(records)))),
        ("", backlog.bytes.map(bytes)),
        ("", backlog.files.map(|files| format!("{} files", thousands(files)))),
        ("behind", behind),
        ("dropped", progress.dropped_records.map(|records| format!("{} records", thousands(records)))),
    ];
    let mut prose: Vec<Prose> =
        facts.into_iter().filter_map(|(name, value)| value.map(|value| fact(name, &value))).collect();
    prose.extend(progress.expectations.iter().map(|expectation| {
        let (passed, failed) = (thousands(expectation.passed), thousands(expectation.failed));
        fact(
            "expects",
            &format!("{} on {}: {passed} passed, {failed} failed", line(&expectation.name), line(&expectation.dataset)),
        )
    }));
    prose
}

fn fact(name: &str, value: &str) -> Prose {
    Prose::plain(format!("{} {value}", pad_end(name, 8)))
}
