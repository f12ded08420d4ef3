//! How the Operations screen is drawn: the list, what the one under the cursor waits for, and one of them closely.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use super::State;
use crate::app::browse::text_place;
use crate::app::model::Shared;
use crate::app::operations::Operation;
use crate::domain::text as outside;
use crate::domain::units::time;
use crate::keymap::GLOBAL;
use crate::operations::engine::Phase;
use crate::theme::{Glyphs, Role};
use crate::ui::bar::{Bar, Part};
use crate::ui::look::Look;
use crate::ui::teach;
use crate::ui::text::{age, duration};
use crate::ui::widgets::table::{Align, Column, Cut, Header, Rows, Table, Width};
use crate::ui::widgets::{prose, scroll};

/// From this height of the screen on, more of the operation under the cursor is told below the list.
const TALL: u16 = 26;

/// The lease of whoever seals the ledger: it leads no product.
const SEALING: &str = "_ledger";

/// Rows of the text below the list, where there is room and where there is little.
const DETAIL_ROWS: (u16, u16) = (12, 5);

/// A row with what follows from it now.
struct Shown {
    phase: Option<Phase>,
    environment: Option<crate::domain::workspace::Environment>,
    what: String,
    name: String,
    step: String,
    waits: String,
    owner: String,
    lacks: u64,
    age_ms: u64,
    orphaned: bool,
}

impl Shown {
    fn new(operation: &Operation, shared: &Shared) -> Self {
        let plan = operation.plan();
        let entries = operation.record.journal.last().map_or(0, |entry| entry.seq);
        let lacks =
            if shared.operations.ledger.configured { entries - entries.min(operation.record.acknowledged) } else { 0 };
        let since = if operation.record.is_over { operation.newest_at() } else { operation.planned_at() };
        let age_ms = since.map_or(0, |since| shared.now.signed_duration_since(since).num_milliseconds());
        let owner = operation.record.owner.as_ref();
        Self {
            phase: operation.phase(shared.now),
            environment: plan.map(|plan| plan.subject.environment),
            what: plan.map_or_else(|| "unknown".to_owned(), |plan| plan.kind.words().to_owned()),
            name: plan.map_or_else(|| operation.record.id.to_string(), |plan| outside::line(&plan.subject.name)),
            step: operation.step().map(|(at, of)| format!("{at}/{of}")).unwrap_or_default(),
            waits: outside::line(&shared.operations.waits_for(operation, shared.now)),
            owner: owner.map_or_else(String::new, |owner| {
                let health = owner.health.word();
                outside::line(if health.is_empty() { &owner.who } else { health })
            }),
            lacks,
            age_ms: u64::try_from(age_ms).unwrap_or(0),
            orphaned: operation.is_orphaned(shared.now),
        }
    }
}

const COLUMNS: [Column<Shown>; 9] = [
    column("STATE", Width::Exact(17), 0, state),
    column("ENV", Width::Exact(4), 0, |shown, look, _| {
        shown.environment.map_or_else(Line::default, |environment| look.environment(environment).into())
    }),
    column("WHAT", Width::Exact(14), 0, |shown, _, _| shown.what.clone().into()),
    Column {
        cut: Cut::Middle,
        ..column("OBJECT", Width::Share { min: 14, max: 40 }, 0, |shown, _, _| shown.name.clone().into())
    },
    right("STEP", 4, 4, |shown, _, _| shown.step.clone().into()),
    right("AGE", 6, 0, |shown, look, _| look.span(Role::Muted, duration(shown.age_ms)).into()),
    column("WAITS FOR", Width::Share { min: 18, max: 60 }, 2, |shown, look, _| {
        let wants = shown.phase.as_ref().is_none_or(Phase::wants_person);
        look.span(if wants { Role::Warning } else { Role::Muted }, shown.waits.clone()).into()
    }),
    column("IN HAND", Width::Share { min: 12, max: 28 }, 3, |shown, look, _| {
        look.span(if shown.orphaned { Role::Warning } else { Role::Muted }, shown.owner.clone()).into()
    }),
    right("LEDGER", 7, 5, |shown, look, _| match shown.lacks {
        0 => Line::default(),
        lacks => look.span(Role::Warning, format!("-{lacks}")).into(),
    }),
];

type Cell = fn(&Shown, &Look<'_>, u16) -> Line<'static>;

const fn column(header: &'static str, width: Width, drop: u8, cell: Cell) -> Column<Shown> {
    Column {
        header: Header::Word(header),
        width,
        align: Align::Left,
        cut: Cut::End,
        role: Role::Text,
        sort: None,
        drop,
        cell,
    }
}

const fn right(header: &'static str, width: u16, drop: u8, cell: Cell) -> Column<Shown> {
    Column { align: Align::Right, ..column(header, Width::Exact(width), drop, cell) }
}

/// The sign and role of a phase.
pub(crate) fn sign(phase: Option<&Phase>, glyphs: &Glyphs) -> (&'static str, Role) {
    match phase {
        None => (glyphs.unknown, Role::Warning),
        Some(Phase::Planned | Phase::Paused) => (glyphs.paused, Role::Warning),
        Some(Phase::AwaitingLedger | Phase::Settling { .. } | Phase::Waiting { .. }) => (glyphs.queued, Role::Queued),
        Some(Phase::Running) => (glyphs.running, Role::Running),
        Some(Phase::Probing) => (glyphs.unknown, Role::Warning),
        Some(Phase::Undoing) => (glyphs.retrying, Role::Warning),
        Some(Phase::Stuck) => (glyphs.failed, Role::Danger),
        Some(Phase::Completed) => (glyphs.ok, Role::Muted),
        Some(Phase::Aborted) => (glyphs.canceled, Role::Muted),
        Some(Phase::Failed) => (glyphs.failed, Role::Danger),
    }
}

fn state(shown: &Shown, look: &Look<'_>, _: u16) -> Line<'static> {
    let (glyph, role) = sign(shown.phase.as_ref(), look.glyphs());
    let word = shown.phase.as_ref().map_or("unknown", Phase::word);
    look.span(role, format!("{glyph} {word}")).into()
}

/// Draws the screen.
pub fn draw(state: &State, shared: &Shared, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    // Journals are written by our clock, not a workspace's.
    let look = &Look { now: shared.now, ..*look };
    let [title, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    if state.is_zoomed()
        && let Some(operation) = state.operation(shared)
    {
        closely(operation, look).draw(look, frame, title);
        let text = text_place(shared);
        let text =
            Rect { x: area.x + text.x, y: area.y + text.y, width: text.width, height: text.height.min(rest.height) };
        prose::draw(frame, text, &state.prose(shared), state.list().scroll(), look);
        return;
    }
    bar(state, shared, look).draw(look, frame, title);
    if state.list().rows().is_empty() {
        teach::draw(&nothing(state, shared), look, frame, rest);
        return;
    }
    let rows = if area.height >= TALL { DETAIL_ROWS.0 } else { DETAIL_ROWS.1 };
    let [table, rule, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(rows)]).areas(rest);
    let visible =
        scroll::window(state.list().rows().len(), state.list().index(), usize::from(table.height.saturating_sub(1)));
    let built: Vec<Shown> = state.list().rows()[visible.clone()]
        .iter()
        .filter_map(|id| shared.operations.get(*id).map(|operation| Shown::new(operation, shared)))
        .collect();
    let rows = Rows {
        len: state.list().rows().len(),
        at: &|index| built.get(index.checked_sub(visible.start)?),
        selected: Some(state.list().index()),
        stale: |_| false,
    };
    Table { columns: &COLUMNS, sort: None, focused: true }.draw(frame, table, &rows, look);
    let line = look.glyphs().line.repeat(usize::from(rule.width));
    frame.render_widget(Text::from(look.span(Role::Border, line)), rule);
    let below = Rect { x: below.x + 1, width: below.width.saturating_sub(1), ..below };
    prose::draw(frame, below, &state.prose(shared), 0, look);
}

fn closely(operation: &Operation, look: &Look<'_>) -> Bar {
    let mut left = Vec::new();
    if let Some(plan) = operation.plan() {
        left.push(Part::fixed([look.span(Role::Heading, plan.kind.words())]));
        left.push(Part::fixed([look.environment(plan.subject.environment)]));
        left.push(Part::fixed([Span::raw(outside::line(&plan.subject.name))]));
    }
    let phase = operation.phase(look.now);
    let (glyph, role) = sign(phase.as_ref(), look.glyphs());
    left.push(Part::fixed([look.span(role, format!("{glyph} {}", phase.as_ref().map_or("unknown", Phase::word)))]));
    Bar { left, right: Vec::new() }
}

/// The title line: how many there are, how many want somebody, how the ledger keeps up.
fn bar(state: &State, shared: &Shared, look: &Look<'_>) -> Bar {
    let operations = &shared.operations;
    let in_flight = operations.in_flight();
    let mut left = vec![
        Part::fixed([look.span(Role::Heading, "Operations")]),
        Part::fixed([Span::raw(format!("{in_flight} in flight"))]),
    ];
    let wanting = operations.wanting(shared.now);
    if wanting > 0 {
        left.push(Part::fixed([look.span(Role::Warning, format!("{wanting} wait for a person"))]));
    }
    let mut right: Vec<Part> = leases(shared, look).map(|leases| Part::dropped(1, [leases])).into_iter().collect();
    right.push(Part::dropped(1, [ledger(shared, look)]));
    if state.only_open() {
        right.push(Part::dropped(2, [look.span(Role::Matched, "only open")]));
    }
    if !state.list().filter().is_empty() {
        let filter = outside::line(state.list().filter());
        right.push(Part::fixed([look.span(Role::Muted, "filter "), look.span(Role::Matched, filter)]));
    }
    Bar { left, right }
}

/// Who holds which lease of a product, as the ledger said when it was read; none while all are free.
fn leases(shared: &Shared, look: &Look<'_>) -> Option<Span<'static>> {
    let page = shared.operations.shared_record.page.as_ref()?;
    let mut held = page.leases.iter().filter(|lease| !lease.is_over && lease.product != SEALING);
    let lease = held.next()?;
    let more = match held.count() {
        0 => String::new(),
        more => format!(", {more} more"),
    };
    let until = time(lease.until, look.zone);
    let words = format!("{} leads {} until {until}{more}", outside::line(&lease.holder), outside::line(&lease.product));
    Some(look.span(Role::Warning, words))
}

/// How the ledger keeps up, in words.
fn ledger(shared: &Shared, look: &Look<'_>) -> Span<'static> {
    let ledger = &shared.operations.ledger;
    if let Some(off) = shared.operations.off.iter().find(|off| off.feature.carries_production()) {
        let (words, check) = (off.feature.words(), off.failed.check);
        return look.span(Role::Danger, format!("off: {words}: {check} failed"));
    }
    if !ledger.configured {
        return look.span(Role::Muted, "no ledger: tiers 3 and 4 are off");
    }
    if ledger.waiting == 0 {
        return look.span(Role::Muted, "the ledger has everything");
    }
    let since = ledger.oldest_at.map_or_else(String::new, |at| {
        let s = shared.now.signed_duration_since(at).num_seconds();
        format!(" for {}", age(u64::try_from(s).unwrap_or(0)))
    });
    let why = ledger.trouble.as_deref().map_or_else(String::new, |why| format!(": {}", outside::line(why)));
    look.span(Role::Warning, format!("{} rows wait for the ledger{since}{why}", ledger.waiting))
}

/// Why there is no operation to show.
fn nothing(state: &State, shared: &Shared) -> Vec<String> {
    let back = shared.key(GLOBAL, "back");
    if !state.list().filter().is_empty() {
        return vec![
            format!("No operation holds \"{}\".", outside::line(state.list().filter())),
            format!("{back} shows everything again."),
        ];
    }
    if !shared.operations.read {
        return vec!["Reading the journal of this machine.".to_owned()];
    }
    if state.only_open() {
        let key = shared.key("operations", "only-open");
        return vec!["Nothing is in flight.".to_owned(), format!("{key} shows what is over, too.")];
    }
    let key = |name| shared.key("fleet", name);
    vec![
        "Nothing was ever begun on this machine.".to_owned(),
        "Every act appears here with its plan, its journal and how far it is: those of this console, of other consoles and \
         of the command line."
            .to_owned(),
        format!(
            "On the fleet, {} runs a job or starts a pipeline, {} repairs, {} cancels or stops.",
            key("start"),
            key("repair"),
            key("stop")
        ),
    ]
}
