//! Moving in lists, and lists that are narrowed by typing.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use crate::app::command::Motion;
use crate::app::text_input::TextInput;

/// Where a cursor stands after a motion in a list of `len` rows, of which a page shows `page`.
pub fn moved(index: usize, len: usize, motion: Motion, page: usize) -> usize {
    let last = len.saturating_sub(1);
    let target = match motion {
        Motion::Up => index.saturating_sub(1),
        Motion::Down => index.saturating_add(1),
        Motion::PageUp => index.saturating_sub(page.max(1)),
        Motion::PageDown => index.saturating_add(page.max(1)),
        Motion::Top => 0,
        Motion::Bottom => last,
        Motion::Left | Motion::Right | Motion::NextPane | Motion::PreviousPane => index,
    };
    target.min(last)
}

/// How typed words are compared with entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Narrowing {
    /// Letters in order, gaps allowed, the best first.
    Fuzzy,
    /// Every word literally, entries in their own order.
    Literal,
}

/// A list of entries that typing narrows.
#[derive(Clone, Debug)]
pub struct Finder<T> {
    /// What was typed.
    pub input: TextInput,
    /// Which entry is under the cursor, as an index of [`Finder::matches`].
    pub selected: usize,
    entries: Vec<(String, T)>,
    matches: Vec<usize>,
    narrowing: Narrowing,
}

impl<T> Finder<T> {
    /// A list of entries, each with the text by which it is found.
    pub fn new(entries: Vec<(String, T)>, narrowing: Narrowing) -> Self {
        let matches = (0..entries.len()).collect();
        Self { input: TextInput::default(), selected: 0, entries, matches, narrowing }
    }

    /// The entries that fit what was typed.
    pub fn matches(&self) -> impl ExactSizeIterator<Item = &T> {
        self.matches.iter().map(|index| &self.entries[*index].1)
    }

    /// How many entries there are, fitting or not.
    pub fn total(&self) -> usize {
        self.entries.len()
    }

    /// The entry under the cursor.
    pub fn chosen(&self) -> Option<&T> {
        self.matches.get(self.selected).map(|index| &self.entries[*index].1)
    }

    /// Moves the cursor.
    pub fn go(&mut self, motion: Motion, page: usize) {
        self.selected = moved(self.selected, self.matches.len(), motion, page);
    }

    /// Finds again, after the text changed.
    pub fn narrow(&mut self) {
        self.selected = 0;
        let kind = match self.narrowing {
            Narrowing::Fuzzy => AtomKind::Fuzzy,
            Narrowing::Literal => AtomKind::Substring,
        };
        let pattern = Pattern::new(self.input.text(), CaseMatching::Ignore, Normalization::Smart, kind);
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let mut scored: Vec<(u32, usize)> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(index, (text, _))| {
                pattern.score(Utf32Str::new(text, &mut buffer), &mut matcher).map(|score| (score, index))
            })
            .collect();
        if self.narrowing == Narrowing::Fuzzy {
            scored.sort_by_key(|(score, index)| (std::cmp::Reverse(*score), *index));
        }
        self.matches = scored.into_iter().map(|(_, index)| index).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder(narrowing: Narrowing, typed: &str) -> Vec<&'static str> {
        let entries = ["orders_blue", "finance_close_daily", "go to the log"];
        let mut finder = Finder::new(entries.map(|text| (text.to_owned(), text)).to_vec(), narrowing);
        finder.input.paste(typed);
        finder.narrow();
        finder.matches().copied().collect()
    }

    #[test]
    fn a_few_letters_find_an_object() {
        assert_eq!(finder(Narrowing::Fuzzy, "fcd"), ["finance_close_daily"]);
        assert_eq!(finder(Narrowing::Fuzzy, "").len(), 3);
    }

    #[test]
    fn help_is_found_by_words_not_by_scattered_letters() {
        assert_eq!(finder(Narrowing::Literal, "fcd"), [""; 0]);
        assert_eq!(finder(Narrowing::Literal, "log GO"), ["go to the log"]);
    }

    #[test]
    fn a_cursor_stays_in_its_list() {
        assert_eq!(moved(0, 0, Motion::Down, 10), 0);
        assert_eq!(moved(2, 3, Motion::Down, 10), 2);
        assert_eq!(moved(0, 3, Motion::Up, 10), 0);
        assert_eq!(moved(1, 30, Motion::PageDown, 10), 11);
        assert_eq!(moved(25, 30, Motion::PageDown, 10), 29);
        assert_eq!(moved(9, 3, Motion::Left, 10), 2, "a list that shrank");
    }
}
