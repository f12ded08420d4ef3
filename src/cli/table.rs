//! Aligned columns for people. Programs ask for JSON.

use std::io::Write;

use unicode_width::UnicodeWidthStr;

use super::failure::Failure;
use crate::domain::text;

/// On which side a column's cells are filled up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// How a cell is colored, where color is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paint {
    /// The terminal's own color.
    #[default]
    Plain,
    /// What is normal.
    Muted,
    /// What went well.
    Good,
    /// What wants action.
    Bad,
    /// What may want action.
    Warning,
    /// What is going on.
    Active,
    /// Production.
    Loud,
}

impl Paint {
    fn sgr(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Muted => "2",
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Warning => "33",
            Self::Active => "36",
            Self::Loud => "7",
        }
    }
}

/// A cell of text, from outside or ours.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// A cell with a color.
    pub fn painted(text: impl AsRef<str>, paint: Paint) -> Self {
        Self { text: text::line(text.as_ref()), paint }
    }

    /// How many columns it takes.
    pub fn width(&self) -> usize {
        self.text.width()
    }

    /// Its text, colored where color is on.
    pub fn shown(&self, color: bool) -> String {
        match self.paint.sgr() {
            sgr if color && !sgr.is_empty() => format!("\u{1b}[{sgr}m{}\u{1b}[0m", self.text),
            _ => self.text.clone(),
        }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text, Paint::Plain)
    }
}

/// Rows under a header, each column as wide as its widest cell.
pub struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without rows.
    pub fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. All text in it is made harmless.
    pub fn row<C: Into<Cell>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Prints the header and the rows. Nothing follows the last cell of a line.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn print(&self, out: &mut dyn Write, color: bool) -> Result<(), Failure> {
        self.write(true, out, color)
    }

    /// Prints the rows alone.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn print_rows(&self, out: &mut dyn Write, color: bool) -> Result<(), Failure> {
        self.write(false, out, color)
    }

    fn write(&self, with_header: bool, out: &mut dyn Write, color: bool) -> Result<(), Failure> {
        let widths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, (header, _))| {
                let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.width());
                cells.chain([header.width()]).max().unwrap_or_default()
            })
            .collect();
        let header: Vec<Cell> = self.columns.iter().map(|(header, _)| Cell::painted(header, Paint::Muted)).collect();
        for row in with_header.then_some(&header).into_iter().chain(&self.rows) {
            let last = row.iter().rposition(|cell| !cell.text.is_empty()).map_or(0, |at| at + 1);
            for (at, (cell, (_, align))) in row.iter().zip(&self.columns).take(last).enumerate() {
                let fill = " ".repeat(widths[at] - cell.width());
                let gap = if at == 0 { "" } else { "  " };
                let (before, after) = match align {
                    Align::Left if at + 1 == last => (String::new(), String::new()),
                    Align::Left => (String::new(), fill),
                    Align::Right => (fill, String::new()),
                };
                write!(out, "{gap}{before}{}{after}", cell.shown(color))?;
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: &Table, color: bool) -> String {
        let mut out = Vec::new();
        table.print(&mut out, color).expect("prints");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn columns_line_up_by_width_and_no_line_ends_in_spaces() {
        let mut table = Table::new(&[("NAME", Align::Left), ("MS", Align::Right), ("NOTE", Align::Left)]);
        table.row(["größe", "7", ""]);
        table.row(["表", "1200", "x"]);
        assert_eq!(printed(&table, false), "NAME     MS  NOTE\ngröße     7\n表     1200  x\n");
    }

    #[test]
    fn text_from_outside_steers_no_terminal() {
        let mut table = Table::new(&[("NAME", Align::Left)]);
        table.row(["a\u{1b}[31mb\nc"]);
        assert_eq!(printed(&table, false), "NAME\nab c\n");
    }

    #[test]
    fn color_wraps_the_text_and_not_the_fill() {
        let mut table = Table::new(&[("STATE", Align::Left), ("N", Align::Right)]);
        table.row([Cell::painted("ok", Paint::Good), Cell::from("1")]);
        assert!(printed(&table, true).contains("\u{1b}[32mok\u{1b}[0m     1\n"));
    }
}
