//! What the dialog of an act says, line by line, and how much of it is seen.

use crate::app::act::{Declined, Preview, Steer, Wish};
use crate::app::model::Shared;
use crate::app::operations::Operation;
use crate::app::place::{self, Place};
use crate::app::prose::{Prose, furthest};
use crate::app::sheet::{Matter, Reread, Sheet, Stage, wants_approval};
use crate::domain::authority::Verdict;
use crate::domain::danger::Danger;
use crate::domain::text;
use crate::domain::units::{age, duration, time};
use crate::keymap::SHEET;
use crate::operations::engine::Phase;
use crate::operations::journal::{Direction, Event};
use crate::operations::kind::Kind;
use crate::operations::plan::Plan;

/// The widest that the dialog grows, in cells.
const WIDEST: u16 = 88;

/// Rows of the dialog beside its text: frame, what it is about, and the choice, with space around them.
const FIXED_ROWS: u16 = 7;

/// The dialog's text in a terminal of so many cells: its width and the most rows that it may take.
pub fn room(columns: u16, rows: u16) -> Place {
    let (width, height) = place::screen(columns, rows);
    let width = width.saturating_sub(4).min(WIDEST);
    Place { x: 0, y: 0, width: width.saturating_sub(4), height: height.saturating_sub(FIXED_ROWS + 1) }
}

/// The furthest that the text can be scrolled, in rows.
pub fn reach(sheet: &Sheet, shared: &Shared) -> usize {
    let room = room(shared.columns, shared.rows);
    furthest(&of(sheet, shared), usize::from(place::text_width(room)), usize::from(room.height))
}

/// All that the dialog says between what it is about and the choice.
pub fn of(sheet: &Sheet, shared: &Shared) -> Vec<Prose> {
    let mut said = match &sheet.stage {
        Stage::Asking => vec![Prose::muted("Reading the target, what else is in hand, and what you may do.")],
        Stage::Ready(preview) => ready(sheet, preview, shared),
        Stage::Steering => steering(sheet, shared),
        Stage::Refused(declined) => refused(sheet, declined, shared),
        Stage::Unlocking(_) => unlocking(sheet),
        Stage::Failed(why) => failed(sheet, why, shared),
        Stage::Begun { operation, steered } => match shared.operations.get(*operation) {
            Some(operation) => begun(operation, *steered, shared),
            None => vec![
                Prose::muted(format!("operation {operation}")),
                Prose::plain("Writing it down before the request."),
            ],
        },
    };
    if !sheet.reason.is_empty() && !matches!(sheet.stage, Stage::Begun { .. }) {
        said.push(Prose::plain(format!("because: {}", text::line(&sheet.reason))));
    }
    said
}

/// The tier in words.
fn tier(danger: Danger) -> String {
    format!("{} (tier {})", danger.meaning(), danger.tier())
}

fn ready(sheet: &Sheet, preview: &Preview, shared: &Shared) -> Vec<Prose> {
    let plan = &preview.plan;
    let mut said = vec![Prose::heading(capital(&text::line(&plan.sentence())))];
    said.extend(sheet.reread.iter().flat_map(|reread| news(reread, plan)));
    said.extend(preview.warnings.iter().map(|line| Prose::warning(text::line(line))));
    said.extend(preview.effects.iter().map(|line| Prose::plain(text::line(line))));
    if let Matter::Act(Wish::RunNow { parameters, .. }) = &sheet.matter {
        said.extend(preview.parameters.iter().map(|each| {
            let (name, default) = (text::line(&each.name), text::line(&each.default));
            match parameters.get(&each.name) {
                Some(value) => Prose::plain(format!("parameter {name} = {}  (default {default})", text::line(value))),
                None => Prose::muted(format!("parameter {name} = {default}  (default)")),
            }
        }));
    }
    if let Some(usual_ms) = sheet.about.usual_ms {
        let at = shared.now + chrono::TimeDelta::milliseconds(i64::try_from(usual_ms).unwrap_or(0));
        let until = if begins(preview) { format!(": until about {}", time(at, shared.zone)) } else { String::new() };
        said.push(Prose::plain(format!("usually takes {}{until}", duration(usual_ms))));
    }
    said.extend(preview.upcoming.iter().map(|upcoming| {
        let usual_ms = sheet.about.usual_ms.filter(|_| plan.kind == Kind::RunNow);
        let ends_at = usual_ms.and_then(|ms| i64::try_from(ms).ok());
        let ends_at = ends_at.map(|ms| shared.now + chrono::TimeDelta::milliseconds(ms));
        let words = text::line(&upcoming.words(shared.now, ends_at));
        if upcoming.is_in_danger(ends_at) { Prose::warning(words) } else { Prose::plain(words) }
    }));
    said.push(Prose::blank());
    let seen: Vec<String> = plan
        .observed
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(what, value)| format!("{what} {}", text::line(value)))
        .collect();
    let age_s = shared.now.signed_duration_since(plan.observed_at).num_seconds();
    let ago = match u64::try_from(age_s) {
        Ok(age_s @ 2..) => format!("{} ago", age(age_s)),
        _ => "just now".to_owned(),
    };
    said.push(Prose::muted(format!("seen {ago}: {}", seen.join(", "))));
    said.push(Prose::muted("It is read again before the request leaves, and not done if it moved."));
    said.push(rights(preview));
    said.push(Prose::muted(tier(plan.tier)));
    if wants_approval(preview) {
        said.push(Prose::danger("Nobody has approved exactly this plan: it cannot be confirmed."));
    } else if let Some(by) = &preview.approved_by {
        said.push(Prose::plain(format!("approved by {}: plan {}", text::line(by), digest(preview))));
    }
    said
}

/// What a person must know who confirmed a plan that was too old.
fn news(reread: &Reread, plan: &Plan) -> Vec<Prose> {
    let news = plan.news_since(&reread.before);
    let what = if news.is_empty() { "nothing of it has changed. Confirm it again." } else { "this has changed:" };
    let mut said =
        vec![Prose::warning(format!("Read again, since what was shown was {} old: {what}", age(reread.age_s)))];
    said.extend(news.iter().map(|line| Prose::warning(text::line(line))));
    said
}

/// Whether the act begins a run of the usual length.
fn begins(preview: &Preview) -> bool {
    matches!(preview.plan.kind, Kind::RunNow | Kind::StartPipeline)
}

fn digest(preview: &Preview) -> String {
    preview.plan.digest().map(|digest| digest.chars().take(12).collect()).unwrap_or_default()
}

fn rights(preview: &Preview) -> Prose {
    let words = text::line(&preview.rights.to_string());
    match preview.rights.verdict {
        Verdict::Refused => Prose::warning(format!("{words}: the platform will refuse it")),
        Verdict::Allowed { .. } | Verdict::Unknown { .. } => Prose::muted(words),
    }
}

fn refused(sheet: &Sheet, declined: &Declined, shared: &Shared) -> Vec<Prose> {
    let mut said = vec![Prose::heading("Not done:")];
    for refusal in &declined.refusals {
        said.push(Prose::danger(capital(&text::line(&refusal.to_string()))));
        said.extend(refusal.hint().map(Prose::plain));
    }
    said.extend(declined.rights.iter().map(|rights| Prose::muted(text::line(&rights.to_string()))));
    if sheet.is_unlockable() {
        let key = shared.key(SHEET, "unlock");
        said.push(Prose::blank());
        said.push(Prose::plain(format!(
            "{key} unlocks {} of this one object for five minutes; nothing else is unlocked by it.",
            sheet.verb()
        )));
    }
    said.push(Prose::muted(tier(sheet.danger())));
    said
}

fn unlocking(sheet: &Sheet) -> Vec<Prose> {
    vec![
        Prose::heading(format!("Unlock {} of {} for five minutes?", sheet.verb(), sheet.about.name)),
        Prose::plain("Nothing is done yet: the act is planned next, and wants its own confirmation."),
        Prose::muted("Every other object and every other verb stays locked."),
    ]
}

fn failed(sheet: &Sheet, why: &str, shared: &Shared) -> Vec<Prose> {
    let mut said = vec![Prose::heading("Not done:"), Prose::danger(text::line(why))];
    match &sheet.matter {
        Matter::Act(_) => {
            said.push(Prose::plain(format!("Nothing was begun. {} looks again.", shared.key(SHEET, "again"))));
        }
        Matter::Steer { .. } => said.push(Prose::plain("The operation is as it was.")),
        Matter::Never { .. } => {}
    }
    said.push(Prose::muted(tier(sheet.danger())));
    said
}

fn steering(sheet: &Sheet, shared: &Shared) -> Vec<Prose> {
    let Matter::Steer { operation, what, steer, takes_over, .. } = &sheet.matter else { return Vec::new() };
    let mut said = vec![
        Prose::heading(capital(&text::line(what))),
        Prose::plain(steer.sentence()),
        Prose::muted(format!("operation {operation}")),
    ];
    if let Some(operation) = shared.operations.get(*operation) {
        let word = operation.phase(shared.now).map_or("unknown", |phase| phase.word());
        let waits = text::line(&shared.operations.waits_for(operation, shared.now));
        let waits = if waits.is_empty() { String::new() } else { format!("; it waits for {waits}") };
        said.push(Prose::plain(format!("It is {word}{waits}.")));
        if *steer == Steer::Resume
            && let Some(owner) = &operation.record.owner
        {
            let health = owner.health.word();
            said.push(Prose::warning(text::line(&format!("{} has it in hand {health}", owner.who))));
        }
    }
    if *takes_over {
        said.push(Prose::plain(
            "It is of another home: the ledger is asked first, and who works on it is named and left alone.",
        ));
    }
    if sheet.wants_reason() {
        let what = if *steer == Steer::Close { "what you did by hand" } else { "why you take it over" };
        said.push(Prose::warning(format!("Say {what} first: {}", shared.key(SHEET, "reason"))));
    }
    said.push(Prose::muted(tier(sheet.danger())));
    said
}

/// The three words of an act, and what it waits for.
pub fn begun(operation: &Operation, steered: Option<Steer>, shared: &Shared) -> Vec<Prose> {
    let mut said = vec![Prose::muted(format!("operation {}", operation.record.id))];
    if let Some(steer) = steered {
        let refused = match operation.record.journal.last().map(|entry| &entry.event) {
            Some(Event::AbortRefused { why }) if steer == Steer::Abort => Some(text::line(why)),
            _ => None,
        };
        said.push(match refused {
            Some(why) => Prose::warning(format!("it is not taken back: {why}")),
            None => Prose::plain(format!("{} was asked for", steer.words())),
        });
    }
    said.extend(three_words(operation, shared));
    let phase = operation.phase(shared.now);
    let waits = text::line(&shared.operations.waits_for(operation, shared.now));
    if !waits.is_empty() {
        let line = format!("waits for {waits}");
        let urgent = phase.as_ref().is_some_and(Phase::wants_person);
        said.push(if urgent { Prose::warning(line) } else { Prose::muted(line) });
    }
    if let Some(state) = &operation.state {
        if let Some(stuck) = &state.stuck {
            said.extend(stuck.runbook.iter().map(|line| Prose::plain(text::line(line))));
        }
        if let Some(crate::operations::engine::End::Failed { why }) = &state.end {
            said.push(Prose::danger(format!("failed: {}", text::line(why))));
        }
        if let Some(crate::operations::engine::End::Aborted) = &state.end {
            said.push(Prose::plain("taken back: nothing of it is left"));
        }
    }
    said
}

/// Requested, done, verified: each with when, or what is still to come.
pub fn three_words(operation: &Operation, shared: &Shared) -> Vec<Prose> {
    let progress = operation.progress();
    let over = operation.record.is_over;
    let line = |word: &str, reached: Option<String>, to_come: &str| match reached {
        Some(how) => Prose::good(format!("{word:<10} {how}")),
        None if over => Prose::muted(format!("{word:<10} never")),
        None => Prose::muted(format!("{word:<10} {to_come}")),
    };
    let at = |at| time(at, shared.zone);
    let evidence = |verified: bool| {
        let said = operation.record.journal.iter().rev().find_map(|entry| match &entry.event {
            crate::operations::Event::Verified { direction: Direction::Do, evidence, .. } if verified => Some(evidence),
            crate::operations::Event::Confirmed { direction: Direction::Do, evidence, .. } if !verified => {
                Some(evidence)
            }
            _ => None,
        });
        said.map(|evidence| text::line(&evidence.says)).unwrap_or_default()
    };
    vec![
        line("requested", progress.requested_at.map(at), "not yet"),
        line(
            "done",
            progress.done_at.map(|done| format!("{}  {}", at(done), evidence(false))),
            "the platform has not said so yet",
        ),
        line("verified", progress.verified.then(|| evidence(true)), "not seen yet"),
    ]
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
