//! How the Run screen is drawn: what the run is, its tasks against the last runs and on a time axis, and one text.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use super::grid::{RUNS, TaskRow};
use super::{Asked, Pane, State, Tab};
use super::{layout, prose as words};
use crate::app::model::Shared;
use crate::domain::run::{Outcome, Run, RunState, TaskRun};
use crate::domain::snapshot::Freshness;
use crate::domain::status::Status;
use crate::domain::text as outside;
use crate::theme::Role;
use crate::ui::age;
use crate::ui::bar::{Bar, Part};
use crate::ui::look::Look;
use crate::ui::place::within;
use crate::ui::teach;
use crate::ui::text::duration;
use crate::ui::widgets::gantt::{self, Axis, Phase, Segment};
use crate::ui::widgets::table::{Align, Column, Cut, Header, Rows, Table, Width};
use crate::ui::widgets::{prose, tabs};

const RUNS_WIDTH: u16 = 12;
const _: () = assert!(RUNS_WIDTH as usize == RUNS, "a cell for each run");

const COLUMNS: [Column<TaskRow>; 5] = [
    Column {
        header: Header::Word("TASK"),
        width: Width::Share { min: 14, max: 40 },
        align: Align::Left,
        cut: Cut::Middle,
        role: Role::Text,
        sort: None,
        drop: 0,
        cell: |row, look, _| {
            let role = if row.current { Role::Heading } else { Role::Text };
            look.span(role, outside::line(&row.key)).into()
        },
    },
    Column {
        header: Header::Drawn(past_header),
        width: Width::Exact(RUNS_WIDTH),
        align: Align::Left,
        cut: Cut::End,
        role: Role::Text,
        sort: None,
        drop: 0,
        cell: past,
    },
    Column {
        header: Header::Word("STATE"),
        width: Width::Exact(17),
        align: Align::Left,
        cut: Cut::End,
        role: Role::Text,
        sort: None,
        drop: 2,
        cell: status,
    },
    Column {
        header: Header::Word("TOOK"),
        width: Width::Exact(6),
        align: Align::Right,
        cut: Cut::End,
        role: Role::Muted,
        sort: None,
        drop: 0,
        cell: |row, look, _| {
            // What was left out took no time at all, whatever its two instants are.
            let ran =
                |task: &&TaskRun| !matches!(task.state, RunState::Ended(Outcome::UpstreamFailed | Outcome::Skipped));
            let took_ms = row.task.as_ref().filter(ran).and_then(|task| task.took_ms(look.now));
            took_ms.map_or_else(|| "–".to_owned(), duration).into()
        },
    },
    Column {
        header: Header::Drawn(axis_header),
        width: Width::Share { min: 20, max: 240 },
        align: Align::Left,
        cut: Cut::End,
        role: Role::Text,
        sort: None,
        drop: 1,
        cell: bar,
    },
];

/// Draws the screen.
pub fn draw(state: &State, shared: &Shared, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    // Times here are the workspace's own, which a simulated one may run ahead of ours.
    let look = &Look { now: shared.fleet.world_now(&state.workspace, shared.now), ..*look };
    let layout = layout::divide((area.width, area.height), state.grid().rows.len(), state.is_zoomed());
    title(state, shared, look).draw(look, frame, within(area, layout.title));
    let Some(run) = state.run() else {
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        teach::draw(&nothing(state, shared, look), look, frame, below);
        return;
    };
    if let Some(place) = layout.grid {
        grid(state, run, &state.freshness(shared.now), look, frame, within(area, place));
    }
    let text_focused = state.pane() == Pane::Text;
    let titles = Tab::ALL.map(Tab::title);
    let line = tabs::line(titles, state.tab().position(), text_focused, look);
    let right =
        if layout.grid.is_some() { vec![Part::dropped(1, [look.span(Role::Muted, legend(look))])] } else { Vec::new() };
    Bar { left: vec![Part::fixed(line.spans)], right }.draw(look, frame, within(area, layout.tabs));
    prose::draw(frame, within(area, layout.text), &state.prose(shared), state.scroll(), look);
}

/// What the shades of the bars mean.
fn legend(look: &Look<'_>) -> String {
    let glyphs = look.glyphs();
    format!("{} queued  {} set-up  {} running", glyphs.shade_light, glyphs.shade_medium, glyphs.shade_full)
}

fn grid(state: &State, run: &Run, freshness: &Freshness, look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let rows = &state.grid().rows;
    if rows.is_empty() {
        let text = if run.state.is_active() { "No task has started yet." } else { "This run has no tasks." };
        frame.render_widget(Text::from(look.span(Role::Muted, format!(" {text}"))), area);
        return;
    }
    let stale = age::is_old(freshness);
    let rows = Rows { len: rows.len(), at: &|at| rows.get(at), selected: Some(state.row()), stale };
    Table { columns: &COLUMNS, sort: None, focused: state.pane() == Pane::Tasks }.draw(frame, area, &rows, look);
}

/// What the run is: name, where, which, how it stands, what started it, how old this is.
fn title(state: &State, shared: &Shared, look: &Look<'_>) -> Bar {
    let row = state.fleet_row(shared);
    let run = state.run();
    let name = row.map(|row| row.name.clone()).or_else(|| run.map(|run| outside::line(&run.name)));
    let mut left = vec![Part::fixed([look.span(Role::Heading, name.unwrap_or_else(|| "Run".to_owned()))])];
    if let Some(watched) = shared.fleet.workspace(&state.workspace) {
        left.push(Part::fixed([look.environment(watched.snapshot.workspace.environment)]));
    }
    let mut right = Vec::new();
    if let Some(run) = run {
        left.push(Part::dropped(4, [Span::raw(format!("run {}", run.id))]));
        let mut standing = vec![look.status(Status::from(&run.state), "")];
        standing.extend(run.ended_at.map(|at| Span::raw(format!(" {} {}", look.instant(at), look.zone_name()))));
        left.push(Part::fixed(standing));
        if let Some(took_ms) = run.took_ms(look.now) {
            let joint = if run.state.is_active() { "for" } else { "after" };
            left.push(Part::dropped(1, [Span::raw(format!("{joint} {}", duration(took_ms)))]));
        }
        if let Some(usual_ms) = row.and_then(|row| row.timing.usual_ms) {
            left.push(Part::dropped(2, [look.span(Role::Muted, format!("usual {}", duration(usual_ms)))]));
        }
        if run.attempt > 0 {
            left.push(Part::dropped(5, [Span::raw(format!("attempt {}", run.attempt + 1))]));
        }
        match run.repairs.len() {
            0 => {}
            1 => left.push(Part::dropped(5, [Span::raw("repaired once")])),
            times => left.push(Part::dropped(5, [Span::raw(format!("repaired {times} times"))])),
        }
        let trigger = words::trigger(state, run);
        right.extend((!trigger.is_empty()).then(|| Part::dropped(6, [look.span(Role::Muted, trigger)])));
    }
    if let Some(newer) = state.newer() {
        let word = format!("newer run {}", look.glyphs().arrow);
        let status = Status::from(&newer.state);
        right.push(Part::dropped(3, [look.status(status, ""), look.span(Role::Muted, format!(" {word}"))]));
    }
    right.extend(age::part(&state.freshness(shared.now), look));
    Bar { left, right }
}

/// Why there is no run to show, and what to do about it.
fn nothing(state: &State, shared: &Shared, look: &Look<'_>) -> Vec<String> {
    let what = match state.asked() {
        Asked::Newest(job) => format!("newest run of job {job}"),
        Asked::Run(run) => format!("run {run}"),
    };
    match state.freshness(shared.now) {
        Freshness::Failed { failure, .. } => {
            let mut said = vec![format!("The {what} cannot be shown."), outside::line(&failure.message)];
            said.extend(failure.request_id.iter().map(|id| format!("request {}", outside::line(id))));
            said.push("It is asked again by itself; Esc goes back.".to_owned());
            said
        }
        _ => vec![format!("Asking for the {what}{}", look.glyphs().ellipsis)],
    }
}

/// `LAST 12`, with a mark above the run that is looked at.
fn past_header(row: &TaskRow, look: &Look<'_>, width: u16) -> Line<'static> {
    let width = usize::from(width);
    let mut cells: Vec<String> = format!("{:width$}", "LAST 12").chars().map(String::from).collect();
    if let Some(cell) = row.column.and_then(|column| cells.get_mut(column)) {
        look.glyphs().down.clone_into(cell);
    }
    look.span(Role::Muted, cells.concat()).into()
}

fn past(row: &TaskRow, look: &Look<'_>, _: u16) -> Line<'static> {
    let cells = row.cells.iter().enumerate().map(|(at, status)| {
        let mut span = match status {
            Some(status) => look.cell(*status),
            None => look.span(Role::Muted, look.glyphs().absent),
        };
        if row.current && row.column == Some(at) {
            span.style = span.style.patch(look.style(Role::Cursor));
        }
        span
    });
    Line::from_iter(cells)
}

fn status(row: &TaskRow, look: &Look<'_>, _: u16) -> Line<'static> {
    let Some(task) = &row.task else { return Line::default() };
    let tries = if row.attempts > 1 { format!("try {}", row.attempts) } else { String::new() };
    look.status(Status::from(&task.state), &tries).into()
}

/// The time axis that all rows share; none before anything has started.
fn axis(row: &TaskRow, look: &Look<'_>) -> Option<Axis> {
    let from = row.span.0?;
    // A run of no length still needs an axis.
    let to = row.span.1.unwrap_or(look.now).max(from + chrono::TimeDelta::seconds(1));
    Some(Axis { from, to })
}

fn axis_header(row: &TaskRow, look: &Look<'_>, width: u16) -> Line<'static> {
    axis(row, look).map_or_else(Line::default, |axis| gantt::ticks(&axis, width, look))
}

fn bar(row: &TaskRow, look: &Look<'_>, width: u16) -> Line<'static> {
    let (Some(axis), Some(task)) = (axis(row, look), &row.task) else { return Line::default() };
    let status = Status::from(&task.state);
    let role = if status.is_failure() { Role::Danger } else { Role::Running };
    let mark = status.is_failure().then(|| look.cell(status));
    gantt::bar(&axis, width, &segments(task, look), role, mark, look)
}

/// How a task's time was spent. What the platform has not told yet is the phase that it is in.
fn segments(task: &TaskRun, look: &Look<'_>) -> Vec<Segment> {
    let Some(started) = task.started_at else { return Vec::new() };
    let end = task.ended_at.unwrap_or(look.now).max(started);
    let spent = &task.spent;
    let span = |ms: u64| chrono::TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(i64::MAX / 4));
    let queued_until = (started + span(spent.queued_ms)).min(end);
    let set_up_until = (queued_until + span(spent.setup_ms)).min(end);
    let cleaning_ms = if task.state.is_active() { 0 } else { spent.cleanup_ms };
    let ran_until = (end - span(cleaning_ms)).max(set_up_until);
    let segment = |from, to, phase| Segment { from, to, phase };
    match task.state {
        RunState::Queued | RunState::Blocked => vec![segment(started, end, Phase::Queued)],
        RunState::Pending => {
            vec![segment(started, queued_until, Phase::Queued), segment(queued_until, end, Phase::Setup)]
        }
        _ => vec![
            segment(started, queued_until, Phase::Queued),
            segment(queued_until, set_up_until, Phase::Setup),
            segment(set_up_until, ran_until, Phase::Running),
            segment(ran_until, end, Phase::Cleanup),
        ],
    }
}
