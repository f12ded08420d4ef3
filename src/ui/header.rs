//! The first line: who, where, how fresh, what burns.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::app::fleet::Watched;
use crate::app::model::{Model, Shared};
use crate::domain::snapshot::Freshness;
use crate::domain::text;
use crate::keymap::GLOBAL;
use crate::theme::Role;
use crate::ui::bar::{Bar, Part};
use crate::ui::look::Look;
use crate::ui::text::age;

/// Draws the header.
pub(super) fn draw(model: &Model, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let shared = &model.shared;
    let mut left = vec![Part::dropped(9, [look.span(Role::Heading, "lakeshift")])];
    for watched in shared.fleet.workspaces() {
        left.extend(workspace(watched, shared, look));
    }
    let counts = shared.fleet.counts();
    for (drop, count, word, role) in [
        (0, counts.failing, "failing", Role::Danger),
        (1, counts.lagging, "lagging", Role::Warning),
        (3, counts.long, "long", Role::Warning),
        (4, counts.running, "running", Role::Muted),
    ] {
        if count > 0 {
            left.push(Part::dropped(drop, [look.span(role, format!("{count} {word}"))]));
        }
    }
    left.extend(operations(shared, look));
    let mut right = Vec::new();
    if let Some((_, user)) = shared.users.last_key_value() {
        right.push(Part::dropped(8, [look.span(Role::Muted, user.clone())]));
    }
    if let Some(words) = unlocked(shared) {
        right.push(Part::dropped(6, [look.span(Role::Warning, words)]));
    }
    if let Some(words) = read_only(shared) {
        right.push(Part::dropped(5, [look.span(Role::Muted, words)]));
    }
    let clock = format!("{} {}", look.time(look.now), look.zone_name());
    right.push(Part::fixed([Span::raw(clock)]));
    Bar { left, right }.draw(look, frame, area);
}

/// How many operations are in flight, how many of them want a person, and what waits for the ledger.
fn operations(shared: &Shared, look: &Look<'_>) -> Vec<Part> {
    let operations = &shared.operations;
    let mut parts = Vec::new();
    let wanting = operations.wanting(shared.now);
    if wanting > 0 {
        let key = shared.key(GLOBAL, "go-operations");
        parts.push(Part::fixed([look.span(Role::Warning, format!("{wanting} waits for you ({key})"))]));
    }
    let in_flight = operations.in_flight() - wanting.min(operations.in_flight());
    if in_flight > 0 {
        parts.push(Part::dropped(2, [look.span(Role::Running, format!("{in_flight} in flight"))]));
    }
    let ledger = &operations.ledger;
    if ledger.configured && ledger.waiting > 0 {
        parts.push(Part::dropped(3, [look.span(Role::Warning, format!("ledger lacks {}", ledger.waiting))]));
    }
    parts
}

/// A workspace's word, sign and age; why its feed fails, if it does.
fn workspace(watched: &Watched, shared: &Shared, look: &Look<'_>) -> Vec<Part> {
    let name = label(watched, shared, look);
    let glyphs = look.glyphs();
    match watched.freshness(shared.now) {
        Freshness::Loading => vec![Part::fixed([name, look.span(Role::Muted, format!(" {} asking", glyphs.queued))])],
        Freshness::Fresh { age_s } => {
            vec![Part::fixed([name, look.span(Role::Muted, format!(" {} {}", glyphs.ok, age(age_s)))])]
        }
        Freshness::Stale { age_s } => {
            vec![Part::fixed([name, look.span(Role::Warning, format!(" {} {} old", glyphs.unknown, age(age_s)))])]
        }
        Freshness::Failed { failure, .. } => {
            let for_s = shared.now.signed_duration_since(failure.since).num_seconds();
            let lasting = age(u64::try_from(for_s).unwrap_or(0));
            let sign = look.span(Role::Danger, format!(" {}", glyphs.failed));
            let why = look.span(Role::Danger, format!("{} {lasting}", text::line(&failure.brief)));
            vec![Part::fixed([name, sign]), Part::dropped(2, [why]).glued()]
        }
    }
}

/// The environment's word, or the workspace's name where several serve one environment.
fn label(watched: &Watched, shared: &Shared, look: &Look<'_>) -> Span<'static> {
    let workspace = &watched.snapshot.workspace;
    let sharing = shared
        .fleet
        .workspaces()
        .iter()
        .filter(|other| other.snapshot.workspace.environment == workspace.environment)
        .count();
    if sharing == 1 {
        look.environment(workspace.environment)
    } else {
        Span::styled(text::line(workspace.name.as_str()), look.theme.environment(workspace.environment))
    }
}

/// What is unlocked, and for how long yet.
fn unlocked(shared: &Shared) -> Option<String> {
    let open: Vec<_> = shared.unlocks.at(shared.now).collect();
    let last = open.iter().map(|open| open.until).max()?;
    let left_s = last.signed_duration_since(shared.now).num_seconds();
    let verbs: Vec<&str> = open.iter().map(|open| open.kind.words()).collect();
    let what = if let [verb] = verbs.as_slice() { (*verb).to_owned() } else { format!("{} acts", verbs.len()) };
    Some(format!("{what} unlocked {}", age(u64::try_from(left_s).unwrap_or(0))))
}

/// Where nothing may be changed, in words.
fn read_only(shared: &Shared) -> Option<String> {
    let all = shared.fleet.workspaces();
    let closed: Vec<&str> = all
        .iter()
        .filter(|watched| shared.read_only.contains(&watched.snapshot.workspace.name))
        .map(|watched| watched.snapshot.workspace.environment.label())
        .collect();
    match closed.len() {
        0 => None,
        closed if closed == all.len() => Some("read-only".to_owned()),
        _ => Some(format!("{} read-only", closed.join(" "))),
    }
}
