//! Moving in lists, and lists that are narrowed by typing.

use std::cmp::Reverse;

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

/// By what an entry is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Its name: a few letters of it in order are enough.
    pub name: String,
    /// What else is said of it: found by whole words alone, since scattered letters are in every sentence.
    pub about: String,
}

impl Words {
    /// How well what was typed fits, the smaller the better; none if it does not.
    fn rank(&self, typed: &Typed, matcher: &mut Matcher, buffer: &mut Vec<char>) -> Option<(u8, Reverse<u32>)> {
        let name = self.name.to_lowercase();
        let score = typed.letters.score(Utf32Str::new(&self.name, buffer), matcher);
        let band = match score {
            _ if typed.text.is_empty() || name == typed.text => 0,
            _ if name.starts_with(&typed.text) => 1,
            _ if name.contains(&typed.text) => 2,
            Some(_) => 3,
            None => 4,
        };
        if band < 4 {
            return Some((band, Reverse(score.unwrap_or(0))));
        }
        let about = self.about.to_lowercase();
        let found = typed.text.split_whitespace().all(|word| name.contains(word) || about.contains(word));
        found.then_some((band, Reverse(0)))
    }
}

/// What was typed, made ready.
struct Typed {
    text: String,
    letters: Pattern,
}

/// A list of entries that typing narrows. The best come first, and of equals those that stood first.
#[derive(Clone, Debug)]
pub struct Finder<T> {
    /// What was typed.
    pub input: TextInput,
    /// Which entry is under the cursor, as an index of [`Finder::matches`].
    pub selected: usize,
    entries: Vec<(Words, T)>,
    matches: Vec<usize>,
}

impl<T> Finder<T> {
    /// A list of entries, each with the words by which it is found.
    pub fn new(entries: Vec<(Words, T)>) -> Self {
        let matches = (0..entries.len()).collect();
        Self { input: TextInput::default(), selected: 0, entries, matches }
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
        let text = self.input.text().trim().to_lowercase();
        let letters = Pattern::new(&text, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
        let typed = Typed { text, letters };
        let mut matcher = Matcher::new(Config::DEFAULT);
        let mut buffer = Vec::new();
        let entries = self.entries.iter().enumerate();
        let mut found: Vec<_> = entries
            .filter_map(|(index, (words, _))| Some((words.rank(&typed, &mut matcher, &mut buffer)?, index)))
            .collect();
        found.sort_unstable();
        self.matches = found.into_iter().map(|(_, index)| index).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finder(typed: &str) -> Vec<&'static str> {
        let entries = [
            ("sort", "Sort the rows in the next order of errors and all others."),
            ("go log", "Go to the log of every request."),
            ("finance_close_daily", "prod failed tier1"),
            ("late_orders", "prod ok"),
            ("orders_blue", "prod lagging stream"),
        ];
        let words = |name: &str, about: &str| Words { name: name.to_owned(), about: about.to_owned() };
        let mut finder = Finder::new(entries.map(|(name, about)| (words(name, about), name)).to_vec());
        finder.input.paste(typed);
        finder.narrow();
        finder.matches().copied().collect()
    }

    #[test]
    fn a_few_letters_of_a_name_find_it() {
        assert_eq!(finder("fcd"), ["finance_close_daily"]);
        assert_eq!(finder("").len(), 5);
        assert_eq!(finder("")[0], "sort", "in their own order until something is typed");
    }

    #[test]
    fn what_is_called_so_comes_before_what_only_speaks_of_it() {
        assert_eq!(finder("order"), ["orders_blue", "late_orders", "sort"]);
        assert_eq!(finder("orders_blue"), ["orders_blue"]);
        assert_eq!(finder("Log"), ["go log"]);
    }

    #[test]
    fn a_sentence_is_found_by_words_not_by_scattered_letters() {
        assert_eq!(finder("otstri"), [""; 0]);
        assert_eq!(finder("prod stream"), ["orders_blue"]);
        assert_eq!(finder("failed finance"), ["finance_close_daily"]);
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
