//! What everything that is drawn needs to know, and how a state looks.

use ratatui::style::Style;
use ratatui::text::Span;

use crate::domain::Instant;
use crate::domain::pipeline::Level;
use crate::domain::status::{Status, Tone};
use crate::domain::units;
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

    /// A status as glyph and word, with a detail after the word (`lagging` and for how long).
    pub fn status(&self, status: Status, detail: &str) -> Span<'static> {
        let space = if detail.is_empty() { "" } else { " " };
        let text = format!("{} {}{space}{detail}", glyph(status, self.glyphs()), status.word());
        self.span(role(status), text)
    }

    /// A status as one cell of a strip.
    pub fn cell(&self, status: Status) -> Span<'static> {
        self.span(role(status), glyph(status, self.glyphs()))
    }

    /// A time of day, in the shown zone.
    pub fn time(&self, at: Instant) -> String {
        units::time(at, self.zone)
    }

    /// An instant, in the shown zone: the time alone within half a day, with the date otherwise.
    pub fn instant(&self, at: Instant) -> String {
        units::instant(at, self.now, self.zone)
    }

    /// The abbreviation of the shown zone, named once on a screen.
    pub fn zone_name(&self) -> String {
        self.now.with_timezone(&self.zone).format("%Z").to_string()
    }
}

/// What a status looks like. What ended well is muted: color is for what wants action.
pub fn role(status: Status) -> Role {
    role_of(status.tone())
}

/// The role that draws a tone.
pub fn role_of(tone: Tone) -> Role {
    match tone {
        Tone::Danger => Role::Danger,
        Tone::Warning => Role::Warning,
        Tone::Active => Role::Running,
        Tone::Waiting => Role::Queued,
        Tone::Good | Tone::Quiet => Role::Muted,
    }
}

/// The sign of a status. Some share one: the word beside it tells them apart.
pub fn glyph(status: Status, glyphs: &Glyphs) -> &'static str {
    match status {
        Status::Ok | Status::OkWithFailures => glyphs.ok,
        Status::Failed | Status::TimedOut => glyphs.failed,
        Status::Running | Status::Stopping | Status::Lagging => glyphs.running,
        Status::Queued | Status::Blocked | Status::Starting => glyphs.queued,
        Status::Canceled => glyphs.canceled,
        Status::Skipped | Status::UpstreamFailed => glyphs.skipped,
        Status::NeverStarted => glyphs.never,
        Status::Unread => glyphs.unread,
        Status::Retrying => glyphs.retrying,
        Status::Paused => glyphs.paused,
        Status::Unknown => glyphs.unknown,
    }
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
    fn statuses_of_different_tones_differ_in_more_than_color() {
        for glyphs in [&Glyphs::UNICODE, &Glyphs::ASCII] {
            for one in Status::ALL {
                for other in Status::ALL {
                    let same_sign = glyph(one, glyphs) == glyph(other, glyphs);
                    assert!(one == other || !same_sign || one.word() != other.word(), "{one:?} and {other:?}");
                }
            }
            // In a strip of cells there is no word: good and bad must not share a sign.
            for good in Status::ALL.into_iter().filter(|status| status.tone() == Tone::Good) {
                for bad in Status::ALL.into_iter().filter(|status| status.is_failure()) {
                    assert_ne!(glyph(good, glyphs), glyph(bad, glyphs));
                }
            }
        }
    }
}
