//! A list whose cursor holds on to what it stands on while rows come and go, with a filter and a close look at one row.

use crate::app::command::Motion;
use crate::app::list::moved;
use crate::app::model::Shared;
use crate::app::place::{self, Place};
use crate::app::prose::{Prose, furthest};

/// See the module's page.
#[derive(Clone, Debug)]
pub struct Browse<T> {
    rows: Vec<T>,
    /// What the cursor holds on to; none while it stays with the first row, whichever that is.
    held: Option<T>,
    index: usize,
    filter: String,
    zoomed: bool,
    scroll: usize,
}

impl<T> Default for Browse<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), held: None, index: 0, filter: String::new(), zoomed: false, scroll: 0 }
    }
}

impl<T: Clone + PartialEq> Browse<T> {
    /// A list that looks closely at one row as soon as it is there.
    pub fn on(row: T) -> Self {
        Self { held: Some(row), zoomed: true, ..Self::default() }
    }

    /// Looks closely at one row, whatever was filtered.
    pub fn show(&mut self, row: T) {
        (self.held, self.zoomed, self.scroll) = (Some(row), true, 0);
        self.filter.clear();
    }

    /// The rows that fit.
    pub fn rows(&self) -> &[T] {
        &self.rows
    }

    /// Where the cursor stands in the rows.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The row under the cursor.
    pub fn row(&self) -> Option<&T> {
        self.rows.get(self.index)
    }

    /// The filter.
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Filters by another text; the rows are arranged next.
    pub fn set_filter(&mut self, text: &str) {
        text.clone_into(&mut self.filter);
        self.zoomed = false;
    }

    /// Whether the row under the cursor has the whole screen.
    pub fn is_zoomed(&self) -> bool {
        self.zoomed
    }

    /// Looks closely at the row under the cursor, or no longer.
    pub fn zoom(&mut self) {
        self.hold(self.index);
        self.zoomed = !self.zoomed && self.row().is_some();
    }

    /// Ends the close look; whether there was one.
    pub fn leave(&mut self) -> bool {
        std::mem::take(&mut self.zoomed)
    }

    /// The first row of the close look's text that is seen.
    pub fn scroll(&self) -> usize {
        self.scroll
    }

    /// Shows these rows: the cursor stays on what it holds, or where it stood if that is gone.
    pub fn arrange(&mut self, rows: Vec<T>) {
        self.rows = rows;
        let found = self.held.as_ref().and_then(|held| self.rows.iter().position(|row| row == held));
        self.index = match (&self.held, found) {
            (_, Some(index)) => index,
            (None, None) => 0,
            (Some(_), None) => self.index.min(self.rows.len().saturating_sub(1)),
        };
    }

    /// Holds on to the row at an index, also to the first one.
    pub fn hold(&mut self, index: usize) {
        self.index = index.min(self.rows.len().saturating_sub(1));
        self.held = self.rows.get(self.index).cloned();
        self.scroll = 0;
    }

    /// Moves in the list, or in the text of the close look; left and right go to the neighbors there.
    pub fn go(&mut self, motion: Motion, text: &[Prose], shared: &Shared) {
        if !self.zoomed {
            return self.select(moved(self.index, self.rows.len(), motion, shared.page_rows()));
        }
        let (furthest, page) = reach(text, shared);
        match motion {
            Motion::Left => self.select(moved(self.index, self.rows.len(), Motion::Up, 1)),
            Motion::Right => self.select(moved(self.index, self.rows.len(), Motion::Down, 1)),
            _ => self.scroll = moved(self.scroll, furthest + 1, motion, page.saturating_sub(1)),
        }
    }

    /// Holds on to a row; on the first one the cursor stays with whichever is first, until somebody looks closely.
    fn select(&mut self, index: usize) {
        self.hold(index);
        if self.index == 0 && !self.zoomed {
            self.held = None;
        }
    }

    /// Keeps what is seen of a text within it.
    pub fn settle(&mut self, text: &[Prose], shared: &Shared) {
        self.scroll = self.scroll.min(reach(text, shared).0);
    }
}

/// Where the text of a close look stands.
pub fn text_place(shared: &Shared) -> Place {
    let (width, height) = place::screen(shared.columns, shared.rows);
    Place { x: 1, y: 1, width: width.saturating_sub(1), height: height.saturating_sub(1) }
}

/// The furthest that a text can be scrolled, and how much of it is seen, in rows.
fn reach(text: &[Prose], shared: &Shared) -> (usize, usize) {
    let place = text_place(shared);
    let (width, height) = (usize::from(place::text_width(place)), usize::from(place.height));
    (furthest(text, width, height), height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn browse(rows: &[u8]) -> Browse<u8> {
        let mut browse = Browse::default();
        browse.arrange(rows.to_vec());
        browse
    }

    #[test]
    fn the_cursor_stays_on_its_row_while_others_come() {
        let mut list = browse(&[3, 2, 1]);
        list.arrange(vec![4, 3, 2, 1]);
        assert_eq!(list.row(), Some(&4), "untouched, it stays with the newest");
        list.hold(1);
        list.arrange(vec![6, 5, 4, 3, 2, 1]);
        assert_eq!(list.row(), Some(&3));
        list.arrange(vec![6, 5]);
        assert_eq!(list.row(), Some(&5), "what it held is gone");
        list.arrange(Vec::new());
        assert_eq!((list.row(), list.index()), (None, 0));
    }

    #[test]
    fn looking_closely_holds_the_newest_row_too() {
        let mut list = browse(&[3, 2, 1]);
        list.zoom();
        list.arrange(vec![4, 3, 2, 1]);
        assert_eq!((list.row(), list.is_zoomed()), (Some(&3), true));
        assert!(list.leave() && !list.leave());
    }

    #[test]
    fn a_row_that_is_to_be_shown_is_waited_for() {
        let mut list = Browse::on(7);
        list.arrange(vec![9, 8]);
        list.arrange(vec![9, 8, 7]);
        assert_eq!((list.row(), list.is_zoomed()), (Some(&7), true));
    }
}
