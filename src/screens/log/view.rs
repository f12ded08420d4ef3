//! How the Log screen is drawn: requests, newest first, and all that is known of the one under the cursor.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use super::State;
use super::state::{is_failure, lane};
use crate::app::model::{LOG_LENGTH, Logged, Shared};
use crate::domain::text as outside;
use crate::keymap::GLOBAL;
use crate::theme::Role;
use crate::ui::bar::{Bar, Part};
use crate::ui::look::Look;
use crate::ui::teach;
use crate::ui::text::{bytes, thousands};
use crate::ui::widgets::table::{Align, Column, Cut, Header, Rows, Table, Width, fit};

const COLUMNS: [Column<Arc<Logged>>; 9] = [
    column("TIME", Width::Exact(8), 0, Role::Muted, |logged, look, _| look.time(logged.record.at).into()),
    column("WORKSPACE", Width::Share { min: 9, max: 16 }, 1, Role::Text, |logged, _, _| {
        outside::line(logged.record.workspace.as_str()).into()
    }),
    column("METHOD", Width::Exact(6), 2, Role::Text, |logged, _, _| logged.record.method.clone().into()),
    Column {
        cut: Cut::Middle,
        ..column("ROUTE", Width::Share { min: 24, max: 60 }, 0, Role::Text, |logged, _, _| {
            outside::line(&logged.record.route).into()
        })
    },
    right("STATUS", 6, 0, status),
    right("MS", 6, 0, |logged, _, _| thousands(logged.record.ms).into()),
    right("BYTES", 8, 4, |logged, _, _| bytes(logged.record.bytes).into()),
    right("TRY", 3, 3, |logged, _, _| logged.record.attempt.to_string().into()),
    column("LANE", Width::Exact(8), 5, Role::Muted, |logged, _, _| lane(logged.record.lane).into()),
];

type Cell = fn(&Arc<Logged>, &Look<'_>, u16) -> Line<'static>;

const fn column(header: &'static str, width: Width, drop: u8, role: Role, cell: Cell) -> Column<Arc<Logged>> {
    Column { header: Header::Word(header), width, align: Align::Left, cut: Cut::End, role, sort: None, drop, cell }
}

const fn right(header: &'static str, width: u16, drop: u8, cell: Cell) -> Column<Arc<Logged>> {
    Column { align: Align::Right, ..column(header, Width::Exact(width), drop, Role::Text, cell) }
}

/// Draws the screen.
pub fn draw(state: &State, shared: &Shared, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    // Requests were stamped with our own clock, not the workspace's.
    let look = &Look { now: shared.now, ..*look };
    let details = details(state, look, usize::from(area.width));
    let [title, table, below] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(u16::try_from(details.len()).unwrap_or(0)),
    ])
    .areas(area);
    bar(state, shared, look).draw(look, frame, title);
    if state.rows().is_empty() {
        teach::draw(&nothing(state, shared), look, frame, table);
        return;
    }
    let rows = Rows {
        len: state.rows().len(),
        at: &|index| state.rows().get(index),
        selected: Some(state.index()),
        stale: |_| false,
    };
    Table { columns: &COLUMNS, sort: None, focused: true }.draw(frame, table, &rows, look);
    frame.render_widget(Text::from(details), below);
}

/// The title line: how many requests, and how fast each workspace is being asked.
fn bar(state: &State, shared: &Shared, look: &Look<'_>) -> Bar {
    let shown = state.rows().len();
    let all = shared.log.len();
    let failures = shared.log.iter().filter(|logged| is_failure(&logged.record)).count();
    let total = if shown == all { format!("{all} requests") } else { format!("{shown} of {all} requests") };
    let mut left = vec![Part::fixed([look.span(Role::Heading, "Log")]), Part::fixed([Span::raw(total)])];
    if all == LOG_LENGTH {
        left.push(Part::dropped(6, [look.span(Role::Muted, "log = \"debug\" keeps older ones in the log file")]));
    }
    if failures > 0 {
        left.push(Part::dropped(1, [look.span(Role::Danger, format!("{failures} failed"))]));
    }
    let mut right: Vec<Part> = shared
        .fleet
        .workspaces()
        .iter()
        .map(|watched| {
            let minute = format!(" {}/min", watched.snapshot.requests_last_minute);
            let word = look.environment(watched.snapshot.workspace.environment);
            Part::dropped(3, [word, look.span(Role::Muted, minute)])
        })
        .collect();
    if state.only_failures() {
        right.push(Part::dropped(2, [look.span(Role::Matched, "only failures")]));
    }
    if !state.filter.is_empty() {
        right.push(Part::fixed([
            look.span(Role::Muted, "filter "),
            look.span(Role::Matched, outside::line(&state.filter)),
        ]));
    }
    Bar { left, right }
}

/// Why there is no request to show.
fn nothing(state: &State, shared: &Shared) -> Vec<String> {
    if shared.log.is_empty() {
        vec!["No request has ended yet.".to_owned(), "Every request of this console appears here.".to_owned()]
    } else if state.only_failures() {
        vec![
            "No request failed.".to_owned(),
            format!("{} shows all requests again.", shared.key("log", "only-failures")),
        ]
    } else {
        vec![
            format!("No request holds \"{}\".", outside::line(&state.filter)),
            format!("{} shows everything again.", shared.key(GLOBAL, "back")),
        ]
    }
}

fn status(logged: &Arc<Logged>, look: &Look<'_>, _: u16) -> Line<'static> {
    let glyphs = look.glyphs();
    let record = &logged.record;
    match record.status {
        Some(status) if is_failure(record) => look.span(Role::Danger, format!("{} {status}", glyphs.failed)).into(),
        Some(status) => look.span(Role::Muted, status.to_string()).into(),
        None => look.span(Role::Danger, format!("{} none", glyphs.failed)).into(),
    }
}

/// All that is known of the request under the cursor: a rule, what was asked, what came of it.
fn details(state: &State, look: &Look<'_>, width: usize) -> Vec<Line<'static>> {
    let Some(logged) = state.row() else { return Vec::new() };
    let record = &logged.record;
    let mut asked = vec![look.span(Role::Heading, format!(" {} {}", record.method, outside::line(&record.route)))];
    if !record.query.is_empty() {
        asked.push(Span::raw(format!("?{}", outside::line(&record.query))));
    }
    let id = record
        .request_id
        .as_deref()
        .map_or_else(|| "the answer had no request id".to_owned(), |id| format!("request id {}", outside::line(id)));
    let mut came = vec![look.span(Role::Muted, format!(" {id}"))];
    if let Some(error) = &record.error {
        came.push(look.span(Role::Danger, format!("  {}", outside::line(error))));
    }
    let rule = Line::from(look.span(Role::Border, look.glyphs().line.repeat(width)));
    let ellipsis = look.glyphs().ellipsis;
    vec![rule, fit(asked, width, Cut::End, ellipsis).into(), fit(came, width, Cut::End, ellipsis).into()]
}
