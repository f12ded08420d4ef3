//! How the Audit screen is drawn: entries, newest first, whether the record is whole, and the entry under the cursor.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use super::State;
use crate::app::audit::{Known, flaw};
use crate::app::browse::text_place;
use crate::app::model::Shared;
use crate::app::operations::OwnerHealth;
use crate::domain::text as outside;
use crate::domain::units::{moment, time};
use crate::domain::workspace::Environment;
use crate::keymap::GLOBAL;
use crate::operations::journal::Event;
use crate::theme::Role;
use crate::ui::bar::{Bar, Part};
use crate::ui::look::Look;
use crate::ui::teach;
use crate::ui::text::thousands;
use crate::ui::widgets::table::{Align, Column, Cut, Header, Rows, Table, Width};
use crate::ui::widgets::{prose, scroll};

/// From this height of the screen on, more of the entry under the cursor is told below the list.
const TALL: u16 = 26;

/// Rows of the text below the list, where there is room and where there is little.
const DETAIL_ROWS: (u16, u16) = (9, 4);

/// A row as it is shown.
struct Row {
    time: String,
    environment: Option<Environment>,
    actor: String,
    event: String,
    role: Role,
    what: String,
    name: String,
    detail: String,
    /// Whether the ledger has it, where there is one.
    in_ledger: Option<bool>,
    /// Whether it is of another home.
    elsewhere: bool,
    altered: bool,
}

impl Row {
    fn of(known: &Known<'_>, shared: &Shared, look: &Look<'_>) -> Self {
        let plan = known.plan();
        let role = match known {
            Known::Journal { recorded, .. } => match &recorded.event {
                Event::Stuck { .. } | Event::Failed { .. } => Role::Danger,
                Event::Unknown { .. }
                | Event::Paused { .. }
                | Event::AbortAsked { .. }
                | Event::AbortRefused { .. }
                | Event::TakenUp { .. } => Role::Warning,
                _ => Role::Text,
            },
            Known::Row(..) => Role::Text,
        };
        let elsewhere = match known {
            Known::Journal { operation, .. } => {
                let owner = operation.record.owner.as_ref();
                owner.is_some_and(|owner| owner.health == OwnerHealth::Elsewhere)
            }
            Known::Row(..) => true,
        };
        Self {
            time: moment(known.at(), look.now, look.zone),
            environment: plan.map(|plan| plan.subject.environment),
            actor: outside::line(known.who()),
            event: outside::line(&known.event()),
            role,
            what: plan.map_or_else(String::new, |plan| plan.kind.words().to_owned()),
            name: outside::line(&known.name()),
            detail: outside::line(&known.detail()),
            in_ledger: shared.operations.ledger.configured.then(|| known.is_in_ledger()),
            elsewhere,
            altered: known.flaw().is_some(),
        }
    }
}

const COLUMNS: [Column<Row>; 8] = [
    column("TIME", Width::Exact(11), 0, |row, look, _| look.span(Role::Muted, row.time.clone()).into()),
    column("ENV", Width::Exact(4), 0, |row, look, _| {
        row.environment.map_or_else(Line::default, |environment| look.environment(environment).into())
    }),
    column("WHO", Width::Share { min: 10, max: 24 }, 3, |row, _, _| row.actor.clone().into()),
    column("EVENT", Width::Exact(13), 0, |row, look, _| look.span(row.role, row.event.clone()).into()),
    column("ACT", Width::Exact(14), 2, |row, _, _| row.what.clone().into()),
    Column {
        cut: Cut::Middle,
        ..column("OBJECT", Width::Share { min: 14, max: 40 }, 0, |row, _, _| row.name.clone().into())
    },
    column("DETAIL", Width::Share { min: 16, max: 80 }, 4, |row, look, _| {
        look.span(Role::Muted, row.detail.clone()).into()
    }),
    column("RECORD", Width::Exact(8), 0, record),
];

type Cell = fn(&Row, &Look<'_>, u16) -> Line<'static>;

const fn column(header: &'static str, width: Width, drop: u8, cell: Cell) -> Column<Row> {
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

/// Where the entry is written, and whether its operation's record is whole.
fn record(row: &Row, look: &Look<'_>, _: u16) -> Line<'static> {
    let glyphs = look.glyphs();
    let (role, words) = match (row.altered, row.in_ledger) {
        (false, _) if row.elsewhere => (Role::Muted, format!("{} others", glyphs.ok)),
        (true, _) => (Role::Danger, format!("{} altered", glyphs.failed)),
        (false, Some(true)) => (Role::Muted, format!("{} ledger", glyphs.ok)),
        (false, Some(false)) => (Role::Warning, format!("{} local", glyphs.queued)),
        (false, None) => (Role::Muted, format!("{} local", glyphs.ok)),
    };
    look.span(role, words).into()
}

/// Draws the screen.
pub fn draw(state: &State, shared: &Shared, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    // Journals are written by our clock, not a workspace's.
    let look = &Look { now: shared.now, ..*look };
    let [title, rest] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    bar(state, shared, look).draw(look, frame, title);
    if state.is_zoomed() && state.entry(shared).is_some() {
        let text = text_place(shared);
        let height = text.height.min(rest.height);
        let text = Rect { x: area.x + text.x, y: area.y + text.y, width: text.width, height };
        prose::draw(frame, text, &state.prose(shared), state.list().scroll(), look);
        return;
    }
    if state.list().rows().is_empty() {
        teach::draw(&nothing(state, shared), look, frame, rest);
        return;
    }
    let rows = if area.height >= TALL { DETAIL_ROWS.0 } else { DETAIL_ROWS.1 };
    let [table, rule, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(rows)]).areas(rest);
    let visible =
        scroll::window(state.list().rows().len(), state.list().index(), usize::from(table.height.saturating_sub(1)));
    let known = state.list().rows()[visible.clone()].iter().filter_map(|entry| entry.known(&shared.operations));
    let built: Vec<Row> = known.map(|known| Row::of(&known, shared, look)).collect();
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

/// The title line: how many entries, whether they are whole, what the ledger has.
fn bar(state: &State, shared: &Shared, look: &Look<'_>) -> Bar {
    let operations = &shared.operations;
    let all = state.total();
    let shown = state.list().rows().len();
    let total = |count: usize| thousands(u64::try_from(count).unwrap_or(u64::MAX));
    let total = if shown == all {
        format!("{} entries", total(all))
    } else {
        format!("{} of {} entries", total(shown), total(all))
    };
    let forged = operations.shared_record.page.iter().flat_map(|page| &page.rows).filter(|row| !row.holds).count();
    let altered = operations.newest_first().filter(|operation| flaw(&operation.record).is_some()).count() + forged;
    let glyphs = look.glyphs();
    let verdict = if altered > 0 {
        look.span(Role::Danger, format!("{} {altered} altered", glyphs.failed))
    } else {
        look.span(Role::Muted, format!("{} plans and journals whole", glyphs.ok))
    };
    let left = vec![
        Part::fixed([look.span(Role::Heading, "Audit")]),
        Part::fixed([Span::raw(total)]),
        Part::dropped(1, [verdict]),
    ];
    let mut right = vec![Part::dropped(3, [ledger(shared, look)])];
    right.extend(seal(shared, look));
    right.extend(proof(shared, look).map(|span| Part::dropped(2, [span])));
    if state.only_deeds() {
        right.push(Part::dropped(2, [look.span(Role::Matched, "only deeds")]));
    }
    if !state.list().filter().is_empty() {
        let filter = outside::line(state.list().filter());
        right.push(Part::fixed([look.span(Role::Muted, "filter "), look.span(Role::Matched, filter)]));
    }
    Bar { left, right }
}

/// How the ledger keeps up, and when it was read.
fn ledger(shared: &Shared, look: &Look<'_>) -> Span<'static> {
    let (ledger, record) = (&shared.operations.ledger, &shared.operations.shared_record);
    if !ledger.configured {
        return look.span(Role::Muted, "no ledger: this machine's journal");
    }
    if let Some(why) = record.trouble.as_ref().or(ledger.trouble.as_ref()) {
        return look.span(Role::Warning, format!("ledger: {}", outside::line(why)));
    }
    if ledger.waiting > 0 {
        return look.span(Role::Warning, format!("{} rows wait for the ledger", ledger.waiting));
    }
    match record.read_at {
        _ if record.reading => look.span(Role::Muted, "reading the ledger"),
        Some(at) => look.span(Role::Muted, format!("ledger read {}", time(at, look.zone))),
        None => look.span(Role::Muted, "the ledger has everything"),
    }
}

/// How far the ledger is sealed; a warning where rows wait for a seal for too long.
fn seal(shared: &Shared, look: &Look<'_>) -> Option<Part> {
    let page = shared.operations.shared_record.page.as_ref()?;
    if let Some(unsealed) = page.unsealed.as_ref().filter(|unsealed| unsealed.overdue) {
        let since = time(unsealed.oldest, look.zone);
        return Some(Part::fixed([look.span(Role::Warning, format!("unsealed since {since}"))]));
    }
    let sealed = page.sealed.as_ref()?;
    Some(Part::dropped(3, [look.span(Role::Muted, format!("sealed {}", time(sealed.upto, look.zone)))]))
}

/// What the last verification of the ledger found; none without one.
fn proof(shared: &Shared, look: &Look<'_>) -> Option<Span<'static>> {
    let page = shared.operations.shared_record.page.as_ref()?;
    let proof = page.proof.as_ref()?;
    if page.sealed.is_none() && proof.findings.is_empty() {
        return Some(look.span(Role::Muted, "nothing is sealed yet: nothing to verify"));
    }
    let (glyphs, at) = (look.glyphs(), time(proof.at, look.zone));
    Some(match proof.findings.len() {
        0 if proof.unseen_commits > 0 => {
            let unseen = thousands(proof.unseen_commits);
            look.span(Role::Ok, format!("{} verified {at} but {unseen} commits", glyphs.ok))
        }
        0 => look.span(Role::Ok, format!("{} verified {at}", glyphs.ok)),
        count => look.span(Role::Danger, format!("{} {count} findings {at}", glyphs.failed)),
    })
}

/// Why there is no entry to show.
fn nothing(state: &State, shared: &Shared) -> Vec<String> {
    if !state.list().filter().is_empty() {
        return vec![
            format!("No entry holds \"{}\".", outside::line(state.list().filter())),
            format!("{} shows everything again.", shared.key(GLOBAL, "back")),
            "Words are looked for everywhere; who:, what: and on: on one side; since: and until: take 2h, 3d or a day."
                .to_owned(),
        ];
    }
    if !shared.operations.read {
        return vec!["Reading the journal of this machine.".to_owned()];
    }
    vec![
        "Nothing was ever done from this machine.".to_owned(),
        "Every act leaves its plan, who confirmed it, each request and what came of it, in an order that tells whether \
         anything was taken out or changed."
            .to_owned(),
    ]
}
