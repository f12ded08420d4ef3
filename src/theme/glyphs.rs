//! The signs that the console draws, in two sets: one for UTF-8 terminals and one that is plain ASCII.

/// A set of signs. Every sign is one cell wide, so that a set can be swapped without moving anything.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// Ended well.
    pub ok: &'static str,
    /// Ended badly.
    pub failed: &'static str,
    /// Runs.
    pub running: &'static str,
    /// Waits.
    pub queued: &'static str,
    /// Was stopped.
    pub canceled: &'static str,
    /// Never ran, on purpose.
    pub skipped: &'static str,
    /// Never started.
    pub never: &'static str,
    /// Not asked for yet.
    pub unread: &'static str,
    /// Waits for a retry.
    pub retrying: &'static str,
    /// Held by somebody.
    pub paused: &'static str,
    /// A state that this version does not know.
    pub unknown: &'static str,
    /// Nothing there: a task that a run did not have.
    pub absent: &'static str,
    /// Left edge of the selected row.
    pub marker: &'static str,
    /// Where text was cut.
    pub ellipsis: &'static str,
    /// Rising.
    pub up: &'static str,
    /// Falling.
    pub down: &'static str,
    /// Between facts of one line.
    pub dot: &'static str,
    /// From one value to the next.
    pub arrow: &'static str,
    /// Between panes.
    pub rule: &'static str,
    /// Under titles.
    pub line: &'static str,
    /// The track of a scroll bar.
    pub track: &'static str,
    /// The thumb of a scroll bar.
    pub thumb: &'static str,
    /// Eight rising levels of a sparkline.
    pub levels: [&'static str; 8],
    /// Time spent waiting for a slot or for cleaning up.
    pub shade_light: &'static str,
    /// Time spent starting compute.
    pub shade_medium: &'static str,
    /// Time spent running, and the full part of a gauge.
    pub shade_full: &'static str,
    /// The edges of a dialog: top left, top right, bottom left, bottom right, horizontal, vertical.
    pub frame: [&'static str; 6],
}

impl Glyphs {
    /// For UTF-8 terminals.
    pub const UNICODE: Self = Self {
        ok: "✓",
        failed: "✗",
        running: "●",
        queued: "◌",
        canceled: "⊘",
        skipped: "–",
        never: "∅",
        unread: "…",
        retrying: "↻",
        paused: "‖",
        unknown: "?",
        absent: "·",
        marker: "▌",
        ellipsis: "…",
        up: "▲",
        down: "▼",
        dot: "·",
        arrow: "→",
        rule: "│",
        line: "─",
        track: "│",
        thumb: "┃",
        levels: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
        shade_light: "░",
        shade_medium: "▒",
        shade_full: "█",
        frame: ["┌", "┐", "└", "┘", "─", "│"],
    };

    /// For every other terminal.
    pub const ASCII: Self = Self {
        ok: "+",
        failed: "x",
        running: "*",
        queued: "o",
        canceled: "/",
        skipped: "-",
        never: "0",
        unread: ":",
        retrying: "@",
        paused: "=",
        unknown: "?",
        absent: ".",
        marker: ">",
        ellipsis: "~",
        up: "^",
        down: "v",
        dot: "|",
        arrow: ">",
        rule: "|",
        line: "-",
        track: "|",
        thumb: "#",
        levels: ["_", ".", "-", ":", "=", "+", "*", "#"],
        shade_light: ".",
        shade_medium: ":",
        shade_full: "#",
        frame: ["+", "+", "+", "+", "-", "|"],
    };

    /// Every sign of the set.
    pub fn all(&self) -> Vec<&'static str> {
        let mut all = vec![
            self.ok,
            self.failed,
            self.running,
            self.queued,
            self.canceled,
            self.skipped,
            self.never,
            self.unread,
            self.retrying,
            self.paused,
            self.unknown,
            self.absent,
            self.marker,
            self.ellipsis,
            self.up,
            self.down,
            self.dot,
            self.arrow,
            self.rule,
            self.line,
            self.track,
            self.thumb,
            self.shade_light,
            self.shade_medium,
            self.shade_full,
        ];
        all.extend(self.levels);
        all.extend(self.frame);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn every_sign_is_one_cell_wide() {
        for sign in Glyphs::UNICODE.all().into_iter().chain(Glyphs::ASCII.all()) {
            assert_eq!(sign.width(), 1, "{sign:?}");
        }
    }

    #[test]
    fn the_plain_set_is_ascii() {
        assert!(Glyphs::ASCII.all().iter().all(|sign| sign.is_ascii()));
    }

    #[test]
    fn states_can_be_told_apart_by_their_sign() {
        for set in [&Glyphs::UNICODE, &Glyphs::ASCII] {
            let states = &set.all()[..11];
            let distinct: std::collections::BTreeSet<_> = states.iter().collect();
            assert_eq!(distinct.len(), states.len(), "{states:?}");
        }
    }
}
