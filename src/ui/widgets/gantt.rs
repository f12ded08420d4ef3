//! Bars on a time axis: what waited, what started up, what ran.

use ratatui::text::{Line, Span};

use crate::domain::Instant;
use crate::theme::Role;
use crate::ui::look::Look;
use crate::ui::text::width;

/// The span of time that the bars share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Left edge.
    pub from: Instant,
    /// Right edge, after `from`.
    pub to: Instant,
}

/// How a stretch of time was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waiting for a slot.
    Queued,
    /// Starting compute.
    Setup,
    /// Running.
    Running,
    /// Cleaning up.
    Cleanup,
}

/// A stretch of time spent in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When it began.
    pub from: Instant,
    /// When it ended.
    pub to: Instant,
    /// How it was spent.
    pub phase: Phase,
}

impl Axis {
    /// The cell of an instant on an axis of `cells` cells, rounded down; instants outside stick to the ends.
    fn cell(&self, at: Instant, cells: u16) -> u16 {
        let whole = self.to.signed_duration_since(self.from).num_milliseconds().max(1);
        let part = at.signed_duration_since(self.from).num_milliseconds().clamp(0, whole);
        u16::try_from(i128::from(part) * i128::from(cells) / i128::from(whole)).unwrap_or(cells)
    }
}

/// The bar of one row, `cells` wide. A segment shorter than a cell still shows unless a longer one fills that cell;
/// a `mark` stands behind the bar's end, or on its last cell where there is no room.
pub fn bar(
    axis: &Axis,
    cells: u16,
    segments: &[Segment],
    running: Role,
    mark: Option<Span<'static>>,
    look: &Look<'_>,
) -> Line<'static> {
    let mut phases: Vec<Option<Phase>> = vec![None; usize::from(cells)];
    for segment in segments.iter().filter(|segment| segment.to > segment.from) {
        let start = axis.cell(segment.from, cells).min(cells.saturating_sub(1));
        let end = axis.cell(segment.to, cells).max(start + 1).min(cells);
        for phase in phases.iter_mut().take(usize::from(end)).skip(usize::from(start)) {
            // What runs is painted over what waited, never the other way around.
            if *phase != Some(Phase::Running) || segment.phase == Phase::Running {
                *phase = Some(segment.phase);
            }
        }
    }
    if let (Some(mark), Some(last)) = (mark, phases.iter().rposition(Option::is_some)) {
        let at = (last + 1).min(phases.len() - 1);
        let mut spans = painted(&phases[..at], running, look);
        spans.push(mark);
        spans.extend(painted(&phases[at + 1..], running, look));
        return Line::from(spans);
    }
    Line::from(painted(&phases, running, look))
}

fn painted(phases: &[Option<Phase>], running: Role, look: &Look<'_>) -> Vec<Span<'static>> {
    let glyphs = look.glyphs();
    let mut spans: Vec<Span<'static>> = Vec::new();
    for stretch in phases.chunk_by(|a, b| a == b) {
        let (sign, role) = match stretch[0] {
            None => (" ", Role::Text),
            Some(Phase::Queued | Phase::Cleanup) => (glyphs.shade_light, Role::Muted),
            Some(Phase::Setup) => (glyphs.shade_medium, Role::Muted),
            Some(Phase::Running) => (glyphs.shade_full, running),
        };
        spans.push(look.span(role, sign.repeat(stretch.len())));
    }
    spans
}

/// Times of day along the axis, at round instants, as many as fit.
pub fn ticks(axis: &Axis, cells: u16, look: &Look<'_>) -> Line<'static> {
    const STEPS_S: [i64; 12] = [1, 5, 15, 60, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 86_400];
    let span_s = axis.to.signed_duration_since(axis.from).num_seconds().max(1);
    let label_of = |at: Instant, step_s: i64| {
        let format = if step_s < 60 {
            "%H:%M:%S"
        } else if step_s < 86_400 {
            "%H:%M"
        } else {
            "%m-%d"
        };
        at.with_timezone(&look.zone).format(format).to_string()
    };
    // A label and two spaces must fit into a step.
    let fits = |step_s: i64| {
        let label = if step_s < 60 { 8 } else { 5 };
        i64::from(cells) * step_s >= (label + 2) * span_s
    };
    let step_s = STEPS_S.into_iter().find(|step| fits(*step)).unwrap_or_else(|| {
        let days = span_s * 7 / (i64::from(cells.max(1)) * 86_400) + 1;
        days * 86_400
    });
    let mut text = String::new();
    let first = axis.from.timestamp().div_euclid(step_s) * step_s;
    let instants = (0..).map(|n| first + n * step_s).take_while(|at| *at <= axis.to.timestamp());
    for at in instants.filter_map(|at| Instant::from_timestamp(at, 0)).filter(|at| *at >= axis.from) {
        let label = label_of(at, step_s);
        let cell = usize::from(axis.cell(at, cells));
        if cell >= width(&text) && cell + width(&label) <= usize::from(cells) {
            text.push_str(&" ".repeat(cell - width(&text)));
            text.push_str(&label);
        }
    }
    Line::from(look.span(Role::Muted, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::drawn;

    fn at(minute: i64) -> Instant {
        Instant::from_timestamp(1_732_257_900 + minute * 60, 0).expect("in range")
    }

    fn with_look<T>(f: impl FnOnce(&Look<'_>) -> T) -> T {
        let theme = drawn::theme();
        f(&Look { theme: &theme, now: at(0), zone: chrono_tz::UTC })
    }

    fn bar_text(axis: &Axis, cells: u16, segments: &[Segment]) -> String {
        with_look(|look| bar(axis, cells, segments, Role::Running, None, look).to_string())
    }

    #[test]
    fn a_bar_is_split_by_how_its_time_was_spent() {
        let axis = Axis { from: at(0), to: at(40) };
        let segment = |from, to, phase| Segment { from: at(from), to: at(to), phase };
        let segments = [
            segment(4, 8, Phase::Queued),
            segment(8, 12, Phase::Setup),
            segment(12, 32, Phase::Running),
            segment(32, 36, Phase::Cleanup),
        ];
        assert_eq!(bar_text(&axis, 20, &segments), "  ░░▒▒██████████░░  ");
        assert_eq!(bar_text(&axis, 5, &segments), "░███░");
    }

    #[test]
    fn a_mark_stands_behind_the_bar_or_on_its_end() {
        let axis = Axis { from: at(0), to: at(40) };
        let marked = |to| {
            let ran = [Segment { from: at(0), to: at(to), phase: Phase::Running }];
            with_look(|look| bar(&axis, 8, &ran, Role::Danger, Some("✗".into()), look).to_string())
        };
        assert_eq!(marked(20), "████✗   ");
        assert_eq!(marked(40), "███████✗");
    }

    #[test]
    fn something_short_still_shows() {
        let axis = Axis { from: at(0), to: at(600) };
        assert_eq!(bar_text(&axis, 6, &[Segment { from: at(599), to: at(600), phase: Phase::Running }]), "     █");
        assert_eq!(bar_text(&axis, 0, &[Segment { from: at(0), to: at(1), phase: Phase::Running }]), "");
    }

    #[test]
    fn ticks_stand_at_round_times_and_never_touch() {
        let ticks = |minutes: i64, cells| {
            with_look(|look| ticks(&Axis { from: at(3), to: at(3 + minutes) }, cells, look).to_string())
        };
        // at(3) is 06:48.
        assert_eq!(ticks(40, 40), "  06:50     07:00     07:10     07:20");
        assert_eq!(ticks(40, 12), "   07:00");
        assert_eq!(ticks(4_320, 30), "       11-23     11-24");
        assert_eq!(ticks(1, 0), "");
    }
}
