//! What everything that is drawn needs to know, and how a state looks.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::domain::Instant;
use crate::domain::pipeline::{Level, PipelineState, UpdateState};
use crate::domain::run::{Outcome, RunState};
use crate::domain::workspace::Environment;
use crate::theme::{Glyphs, Role, Theme};

/// What a cell needs to be drawn, beside what it shows.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// Colors and signs.
    pub theme: &'a Theme,
    /// The present instant of the clock that the shown values follow.
    pub now: Instant,
    /// The zone in which instants are written.
    pub zone: chrono_tz::Tz,
}

impl Look<'_> {
    /// What a role looks like.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// The signs to draw with.
    pub fn glyphs(&self) -> &'static Glyphs {
        self.theme.glyphs()
    }

    /// Text in a role.
    pub fn span(&self, role: Role, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.style(role))
    }

    /// An environment's word.
    pub fn environment(&self, environment: Environment) -> Span<'static> {
        Span::styled(environment.label(), self.theme.environment(environment))
    }

    /// A state as glyph and word, with a detail after the word (`failed` and when).
    pub fn sign(&self, sign: Sign, detail: &str) -> Line<'static> {
        let space = if detail.is_empty() { "" } else { " " };
        let text = format!("{} {}{space}{detail}", sign.glyph(self.glyphs()), sign.word());
        Line::from(self.span(sign.role(), text))
    }

    /// A time of day, in the shown zone.
    pub fn time(&self, at: Instant) -> String {
        at.with_timezone(&self.zone).format("%H:%M:%S").to_string()
    }

    /// An instant, in the shown zone: the time alone if it is of the last half day, with the date otherwise.
    pub fn instant(&self, at: Instant) -> String {
        let near = self.now.signed_duration_since(at).num_hours().abs() < 12;
        at.with_timezone(&self.zone).format(if near { "%H:%M" } else { "%m-%d %H:%M" }).to_string()
    }

    /// The abbreviation of the shown zone, named once on a screen.
    pub fn zone_name(&self) -> String {
        self.now.with_timezone(&self.zone).format("%Z").to_string()
    }
}

/// How a state is told: a glyph and a word, never a color alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Ended well.
    Ok,
    /// Ended badly.
    Failed,
    /// Runs.
    Running,
    /// Waits for its turn or for compute.
    Queued,
    /// Was stopped.
    Canceled,
    /// Never ran, on purpose or because of its upstream.
    Skipped,
    /// Never started.
    Never,
    /// Waits for a retry, or restarts after a failure.
    Retrying,
    /// Held by somebody.
    Paused,
    /// A state that this version does not know.
    Unknown,
}

impl Sign {
    /// Every sign.
    pub const ALL: [Self; 10] = [
        Self::Ok,
        Self::Failed,
        Self::Running,
        Self::Queued,
        Self::Canceled,
        Self::Skipped,
        Self::Never,
        Self::Retrying,
        Self::Paused,
        Self::Unknown,
    ];

    /// How a run or a task stands.
    pub fn of_run(state: &RunState) -> Self {
        match state {
            RunState::Queued | RunState::Blocked | RunState::Pending => Self::Queued,
            RunState::Running | RunState::Terminating => Self::Running,
            RunState::Retrying => Self::Retrying,
            RunState::Ended(outcome) => match outcome {
                Outcome::Succeeded | Outcome::SucceededWithFailures => Self::Ok,
                Outcome::Failed | Outcome::TimedOut => Self::Failed,
                Outcome::Canceled => Self::Canceled,
                Outcome::Skipped | Outcome::UpstreamFailed => Self::Skipped,
                Outcome::Unknown(_) => Self::Unknown,
            },
            RunState::Unknown(_) => Self::Unknown,
        }
    }

    /// How an update stands.
    pub fn of_update(state: &UpdateState) -> Self {
        match state {
            UpdateState::Queued
            | UpdateState::Created
            | UpdateState::WaitingForResources
            | UpdateState::Initializing
            | UpdateState::Resetting
            | UpdateState::SettingUpTables => Self::Queued,
            UpdateState::Running | UpdateState::Stopping => Self::Running,
            UpdateState::Completed => Self::Ok,
            UpdateState::Failed => Self::Failed,
            UpdateState::Canceled => Self::Canceled,
            UpdateState::Unknown(_) => Self::Unknown,
        }
    }

    /// How a pipeline stands.
    pub fn of_pipeline(state: &PipelineState) -> Self {
        match state {
            PipelineState::Idle => Self::Paused,
            PipelineState::Deploying | PipelineState::Starting | PipelineState::Resetting => Self::Queued,
            PipelineState::Running | PipelineState::Stopping => Self::Running,
            PipelineState::Recovering => Self::Retrying,
            PipelineState::Failed => Self::Failed,
            PipelineState::Deleted => Self::Canceled,
            PipelineState::Unknown(_) => Self::Unknown,
        }
    }

    /// The sign in a set of glyphs.
    pub fn glyph(self, glyphs: &Glyphs) -> &'static str {
        match self {
            Self::Ok => glyphs.ok,
            Self::Failed => glyphs.failed,
            Self::Running => glyphs.running,
            Self::Queued => glyphs.queued,
            Self::Canceled => glyphs.canceled,
            Self::Skipped => glyphs.skipped,
            Self::Never => glyphs.never,
            Self::Retrying => glyphs.retrying,
            Self::Paused => glyphs.paused,
            Self::Unknown => glyphs.unknown,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Running => "running",
            Self::Queued => "queued",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Never => "never started",
            Self::Retrying => "retrying",
            Self::Paused => "paused",
            Self::Unknown => "unknown",
        }
    }

    /// What it looks like. What ended well is muted: color is for what wants action.
    pub fn role(self) -> Role {
        match self {
            Self::Ok | Self::Skipped | Self::Canceled | Self::Paused => Role::Muted,
            Self::Failed => Role::Danger,
            Self::Running => Role::Running,
            Self::Queued => Role::Queued,
            Self::Never | Self::Retrying | Self::Unknown => Role::Warning,
        }
    }
}

/// The word of a run's or task's state: that of its sign, or a more exact one where the API gives it.
pub fn run_word(state: &RunState) -> String {
    match state {
        RunState::Blocked => "waits for upstream".to_owned(),
        RunState::Pending => "starting".to_owned(),
        RunState::Terminating => "ending".to_owned(),
        RunState::Ended(Outcome::TimedOut) => "timed out".to_owned(),
        RunState::Ended(Outcome::UpstreamFailed) => "upstream failed".to_owned(),
        RunState::Ended(Outcome::SucceededWithFailures) => "ok with failures".to_owned(),
        RunState::Unknown(word) | RunState::Ended(Outcome::Unknown(word)) => crate::domain::text::line(word),
        _ => Sign::of_run(state).word().to_owned(),
    }
}

/// The word of an update's state.
pub fn update_word(state: &UpdateState) -> String {
    match state {
        UpdateState::Queued => "queued",
        UpdateState::Created => "created",
        UpdateState::WaitingForResources => "waits for compute",
        UpdateState::Initializing => "initializing",
        UpdateState::Resetting => "resetting",
        UpdateState::SettingUpTables => "setting up tables",
        UpdateState::Running => "running",
        UpdateState::Stopping => "stopping",
        UpdateState::Completed => "ok",
        UpdateState::Failed => "failed",
        UpdateState::Canceled => "canceled",
        UpdateState::Unknown(word) => return crate::domain::text::line(word),
    }
    .to_owned()
}

/// The word of a pipeline's state.
pub fn pipeline_word(state: &PipelineState) -> String {
    match state {
        PipelineState::Idle => "idle",
        PipelineState::Deploying => "deploying",
        PipelineState::Starting => "starting",
        PipelineState::Running => "running",
        PipelineState::Stopping => "stopping",
        PipelineState::Recovering => "recovering",
        PipelineState::Resetting => "resetting",
        PipelineState::Failed => "failed",
        PipelineState::Deleted => "deleted",
        PipelineState::Unknown(word) => return crate::domain::text::line(word),
    }
    .to_owned()
}

/// The word and role of an event's level.
pub fn level(level: Level) -> (&'static str, Role) {
    match level {
        Level::Metrics => ("metrics", Role::Muted),
        Level::Info => ("info", Role::Muted),
        Level::Warn => ("warn", Role::Warning),
        Level::Error => ("error", Role::Danger),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_signs_share_a_glyph_or_a_word() {
        for glyphs in [&Glyphs::UNICODE, &Glyphs::ASCII] {
            let glyphs: std::collections::BTreeSet<_> = Sign::ALL.iter().map(|sign| sign.glyph(glyphs)).collect();
            assert_eq!(glyphs.len(), Sign::ALL.len());
        }
        let words: std::collections::BTreeSet<_> = Sign::ALL.iter().map(|sign| sign.word()).collect();
        assert_eq!(words.len(), Sign::ALL.len());
    }

    #[test]
    fn an_unknown_state_is_shown_as_spelled_and_harmless() {
        let state = RunState::Unknown("\u{1b}[31mWARPING".to_owned());
        assert_eq!(run_word(&state), "WARPING");
        assert_eq!(Sign::of_run(&state), Sign::Unknown);
    }
}
