//! Text of many lines that is read in a pane: what it means line by line, and how far it can be scrolled.

use crate::domain::measure::wrap;

/// One line of text, harmless already, with how it is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prose {
    /// The text, of any width.
    pub text: String,
    /// How it is meant.
    pub emphasis: Emphasis,
}

/// How a line is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    /// Ordinary.
    Plain,
    /// Beside the point.
    Muted,
    /// A title.
    Heading,
    /// What a person should stop at.
    Warning,
    /// What went wrong.
    Danger,
    /// What is well, or reached.
    Good,
}

impl Prose {
    /// An ordinary line.
    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), emphasis: Emphasis::Plain }
    }

    /// A line beside the point.
    pub fn muted(text: impl Into<String>) -> Self {
        Self { text: text.into(), emphasis: Emphasis::Muted }
    }

    /// A title.
    pub fn heading(text: impl Into<String>) -> Self {
        Self { text: text.into(), emphasis: Emphasis::Heading }
    }

    /// A line that says what went wrong.
    pub fn danger(text: impl Into<String>) -> Self {
        Self { text: text.into(), emphasis: Emphasis::Danger }
    }

    /// A line that a person should stop at.
    pub fn warning(text: impl Into<String>) -> Self {
        Self { text: text.into(), emphasis: Emphasis::Warning }
    }

    /// A line that says that something is well.
    pub fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), emphasis: Emphasis::Good }
    }

    /// Nothing.
    pub fn blank() -> Self {
        Self::plain("")
    }
}

/// Rows of at most `width` cells.
pub fn wrapped(prose: &[Prose], width: usize) -> Vec<(Emphasis, String)> {
    prose.iter().flat_map(|line| wrap(&line.text, width).into_iter().map(|row| (line.emphasis, row))).collect()
}

/// The furthest row that may be the first in a pane of `height` rows.
pub fn furthest(prose: &[Prose], width: usize, height: usize) -> usize {
    wrapped(prose, width).len().saturating_sub(height)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrolling_ends_where_the_last_row_is_seen() {
        let prose = [Prose::plain("one two three"), Prose::danger("four")];
        assert_eq!(wrapped(&prose, 7).len(), 3);
        assert_eq!(wrapped(&prose, 7)[2], (Emphasis::Danger, "four".to_owned()));
        assert_eq!(furthest(&prose, 7, 2), 1);
        assert_eq!(furthest(&prose, 7, 5), 0);
    }
}
