//! The one table: columns as data, rows built only where they are seen.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::scroll;
use crate::theme::Role;
use crate::ui::look::Look;
use crate::ui::text::{cut_end, cut_middle, width};

/// Cells between two columns.
const GAP: u16 = 2;

/// One column of a table over rows of type `R`.
pub struct Column<R: 'static> {
    /// What stands above it.
    pub header: Header<R>,
    /// How wide it is.
    pub width: Width,
    /// Where its cells stand.
    pub align: Align,
    /// What gives when a cell is too wide.
    pub cut: Cut,
    /// The role of cells that name no other.
    pub role: Role,
    /// The name of the order that sorts by this column, for the mark at its header.
    pub sort: Option<&'static str>,
    /// 0 stays at any width; of the others the highest is dropped first.
    pub drop: u8,
    /// Draws a cell, given the column's width in cells.
    pub cell: fn(&R, &Look<'_>, u16) -> Line<'static>,
}

/// What stands above a column.
pub enum Header<R: 'static> {
    /// A word.
    Word(&'static str),
    /// Something that depends on what the rows show, such as a time axis; drawn from the first row.
    Drawn(fn(&R, &Look<'_>, u16) -> Line<'static>),
}

/// How wide a column is, in cells.
#[derive(Clone, Copy, Debug)]
pub enum Width {
    /// Always the same.
    Exact(u16),
    /// A share of what is left over.
    Share {
        /// At least.
        min: u16,
        /// At most.
        max: u16,
    },
}

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// What gives when a cell is too wide. Cells of several styles always lose their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Names: their end often tells `_v2` from `_v3`.
    Middle,
    /// Sentences.
    End,
}

/// Rows to draw, by position: a table asks only for those that are seen.
pub struct Rows<'a, R> {
    /// How many there are.
    pub len: usize,
    /// The row at a position below `len`.
    pub at: &'a dyn Fn(usize) -> Option<&'a R>,
    /// The row under the cursor.
    pub selected: Option<usize>,
    /// Whether a row's values are older than they should be.
    pub stale: fn(&R) -> bool,
}

/// A table's columns and how its header tells the order.
pub struct Table<'a, R: 'static> {
    /// From left to right.
    pub columns: &'a [Column<R>],
    /// The name of the present order.
    pub sort: Option<&'a str>,
    /// Whether the table has the keys: its selection is shown strong only then.
    pub focused: bool,
}

impl<R> Table<'_, R> {
    /// Draws the header and as many rows as fit, the selected one among them, and a scroll bar if there are more.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, rows: &Rows<'_, R>, look: &Look<'_>) {
        let [header, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
        let shown = scroll::window(rows.len, rows.selected.unwrap_or(0), usize::from(body.height));
        let scrolls = shown.len() < rows.len;
        let widths = self.widths(area.width.saturating_sub(1 + u16::from(scrolls)));
        let first = (rows.at)(shown.start).filter(|_| rows.len > 0);
        frame.render_widget(self.header(&widths, first, look), header);
        for (position, y) in shown.clone().zip(body.y..body.bottom()) {
            let Some(row) = (rows.at)(position) else { continue };
            let selected = rows.selected == Some(position);
            let mut line = self.row(row, &widths, selected, (rows.stale)(row), look);
            let place = Rect { y, height: 1, width: body.width - u16::from(scrolls), ..body };
            if selected {
                let style = look.style(if self.focused { Role::Selection } else { Role::Heading });
                let right_of_marker = Rect { x: place.x + 1, width: place.width.saturating_sub(1), ..place };
                frame.buffer_mut().set_style(right_of_marker, style);
                let muted = look.style(Role::Muted);
                line.spans.iter_mut().skip(1).for_each(|span| span.style = over(style, muted, span));
            }
            frame.render_widget(line, place);
        }
        if scrolls {
            scroll::bar(frame, Rect { x: body.right() - 1, width: 1, ..body }, rows.len, &shown, look);
        }
    }

    /// The width of each column; none for those that were dropped.
    fn widths(&self, room: u16) -> Vec<Option<u16>> {
        let least = |column: &Column<R>| match column.width {
            Width::Exact(width) => width,
            Width::Share { min, .. } => min,
        };
        let mut kept: Vec<bool> = vec![true; self.columns.len()];
        let needed = |kept: &[bool]| -> u16 {
            let each = self.columns.iter().zip(kept).filter(|(_, kept)| **kept).map(|(column, _)| least(column) + GAP);
            each.sum::<u16>().saturating_sub(GAP)
        };
        while needed(&kept) > room {
            let droppable = self.columns.iter().enumerate().filter(|(at, column)| kept[*at] && column.drop > 0);
            match droppable.max_by_key(|(_, column)| column.drop) {
                Some((at, _)) => kept[at] = false,
                None => break,
            }
        }
        let mut widths: Vec<Option<u16>> =
            self.columns.iter().zip(&kept).map(|(column, kept)| kept.then(|| least(column))).collect();
        // What is left over goes to the columns that take it, cell by cell, so that they grow evenly.
        let mut left = room.saturating_sub(needed(&kept));
        loop {
            let before = left;
            for (column, width) in self.columns.iter().zip(&mut widths) {
                if let (Width::Share { max, .. }, Some(width)) = (column.width, width)
                    && *width < max
                    && left > 0
                {
                    *width += 1;
                    left -= 1;
                }
            }
            if left == before {
                return widths;
            }
        }
    }

    fn header(&self, widths: &[Option<u16>], first: Option<&R>, look: &Look<'_>) -> Line<'static> {
        let style = look.style(Role::Muted);
        self.line(Span::raw(" "), widths, look, |column, width| match (&column.header, first) {
            (Header::Word(word), _) => {
                let sorted = column.sort.is_some() && column.sort == self.sort;
                let mark = if sorted { look.glyphs().down } else { "" };
                Line::from(Span::styled(format!("{word}{mark}"), style))
            }
            (Header::Drawn(draw), Some(row)) => draw(row, look, width),
            (Header::Drawn(_), None) => Line::default(),
        })
    }

    fn row(&self, row: &R, widths: &[Option<u16>], selected: bool, stale: bool, look: &Look<'_>) -> Line<'static> {
        let marker = if selected { look.span(Role::Focus, look.glyphs().marker) } else { Span::raw(" ") };
        self.line(marker, widths, look, |column, width| {
            let mut cell = (column.cell)(row, look, width);
            for span in &mut cell.spans {
                span.style = look.style(column.role).patch(cell.style).patch(span.style);
                if stale {
                    span.style = span.style.patch(look.style(Role::Stale));
                }
            }
            cell
        })
    }

    /// Puts cells side by side, each cut and filled to its column's width.
    fn line(
        &self,
        marker: Span<'static>,
        widths: &[Option<u16>],
        look: &Look<'_>,
        mut cell: impl FnMut(&Column<R>, u16) -> Line<'static>,
    ) -> Line<'static> {
        let mut spans = vec![marker];
        for (column, column_width) in self.columns.iter().zip(widths) {
            let Some(column_width) = *column_width else { continue };
            if spans.len() > 1 {
                spans.push(Span::raw(" ".repeat(usize::from(GAP))));
            }
            let content =
                fit(cell(column, column_width).spans, usize::from(column_width), column.cut, look.glyphs().ellipsis);
            let used: usize = content.iter().map(|span| width(&span.content)).sum();
            let fill = Span::raw(" ".repeat(usize::from(column_width).saturating_sub(used)));
            match column.align {
                Align::Left => {
                    spans.extend(content);
                    spans.push(fill);
                }
                Align::Right => {
                    spans.push(fill);
                    spans.extend(content);
                }
            }
        }
        Line::from(spans)
    }
}

/// A cell's style over its row's. What both reverse is plain again, so that it stays apart from its row; a drawing is not
/// reversed, or a low bar would read as a high one; muted text takes the row's color rather than making a patch of its own.
fn over(row: Style, muted: Style, cell: &Span<'_>) -> Style {
    if !row.add_modifier.contains(Modifier::REVERSED) {
        return cell.style;
    }
    if cell.style.add_modifier.contains(Modifier::REVERSED) || cell.content.contains(is_block) {
        return cell.style.remove_modifier(Modifier::REVERSED);
    }
    if cell.style.fg.is_some() && cell.style.fg == muted.fg { Style { fg: None, ..cell.style } } else { cell.style }
}

/// Block elements: what bars and sparklines are drawn with.
fn is_block(c: char) -> bool {
    matches!(c, '\u{2580}'..='\u{259f}')
}

/// Cuts a cell to a width.
pub(crate) fn fit(spans: Vec<Span<'static>>, limit: usize, cut: Cut, ellipsis: &str) -> Vec<Span<'static>> {
    if spans.iter().map(|span| width(&span.content)).sum::<usize>() <= limit {
        return spans;
    }
    if let (Cut::Middle, [only]) = (cut, spans.as_slice()) {
        return vec![Span::styled(cut_middle(&only.content, limit, ellipsis), only.style)];
    }
    let mut left = limit;
    let mut kept = Vec::new();
    for span in spans {
        let taken = width(&span.content);
        if taken < left {
            left -= taken;
            kept.push(span);
            continue;
        }
        // What follows is not empty, so this span gives room to the sign of the cut.
        let whole = format!("{}{ellipsis}", span.content);
        kept.push(Span::styled(cut_end(&whole, left, ellipsis), span.style));
        break;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::drawn;

    const COLUMNS: [Column<(&str, u32)>; 3] = [
        Column {
            header: Header::Word("NAME"),
            width: Width::Share { min: 8, max: 20 },
            align: Align::Left,
            cut: Cut::Middle,
            role: Role::Text,
            sort: Some("name"),
            drop: 0,
            cell: |row, _, _| Line::from(row.0),
        },
        Column {
            header: Header::Word("COUNT"),
            width: Width::Exact(5),
            align: Align::Right,
            cut: Cut::End,
            role: Role::Muted,
            sort: None,
            drop: 1,
            cell: |row, _, _| Line::from(row.1.to_string()),
        },
        Column {
            header: Header::Drawn(|row, _, width| Line::from(format!("{}@{width}", row.1))),
            width: Width::Exact(6),
            align: Align::Left,
            cut: Cut::End,
            role: Role::Text,
            sort: None,
            drop: 2,
            cell: |_, look, _| Line::from(vec![look.span(Role::Prod, "PROD"), look.span(Role::Ok, "and more")]),
        },
    ];

    fn draw(columns: u16, height: u16, len: usize, selected: Option<usize>) -> ratatui::buffer::Buffer {
        let theme = drawn::theme();
        let look = Look { theme: &theme, now: crate::domain::Instant::UNIX_EPOCH, zone: chrono_tz::UTC };
        let all: Vec<_> = (0..len).map(|at| ("finance_close_daily_v3", u32::try_from(at).expect("small"))).collect();
        let rows = Rows { len, at: &|at| all.get(at), selected, stale: |row| row.1 == 1 };
        let table = Table { columns: &COLUMNS, sort: Some("name"), focused: true };
        drawn::buffer(columns, height, |frame| table.draw(frame, frame.area(), &rows, &look))
    }

    #[test]
    fn columns_fill_the_width_and_cells_are_cut() {
        insta::assert_snapshot!(drawn::text(&draw(40, 4, 3, Some(1))), @r"
         NAME▼                 COUNT  0@6
         finance_cl…_daily_v3      0  PRODa…
        ▌finance_cl…_daily_v3      1  PRODa…
         finance_cl…_daily_v3      2  PRODa…
        ");
    }

    #[test]
    fn narrow_tables_drop_columns_in_their_order() {
        insta::assert_snapshot!(drawn::text(&draw(20, 2, 1, None)), @r"
        NAME▼         COUNT
        financ…ly_v3      0
        ");
        insta::assert_snapshot!(drawn::text(&draw(11, 2, 1, None)), @r"
        NAME▼
        finan…y_v3
        ");
        draw(1, 1, 1, Some(0));
        draw(3, 3, 5, Some(4));
    }

    #[test]
    fn the_selection_is_reversed_and_keeps_what_was_reversed_apart() {
        insta::assert_snapshot!(drawn::text_and_styles(&draw(40, 4, 3, Some(0))), @r"
         NAME▼                 COUNT  0@6
        ▌finance_cl…_daily_v3      0  PRODa…
         finance_cl…_daily_v3      1  PRODa…
         finance_cl…_daily_v3      2  PRODa…
        ---
        0: 1-5 dim, 23-27 dim
        1: 0-0 cyan bold, 1-26 reversed, 27-27 dim reversed, 28-29 reversed, 30-33 bold, 34-35 green reversed, 36-39 reversed
        2: 1-20 dim, 27-27 dim, 30-33 bold dim reversed, 34-35 green dim
        3: 27-27 dim, 30-33 bold reversed, 34-35 green
        ");
    }

    #[test]
    fn a_long_table_shows_the_selection_and_where_it_is() {
        insta::assert_snapshot!(drawn::text(&draw(20, 6, 50, Some(25))), @r"
         NAME▼        COUNT
         finan…ly_v3     23│
         finan…ly_v3     24│
        ▌finan…ly_v3     25┃
         finan…ly_v3     26│
         finan…ly_v3     27│
        ");
    }

    #[test]
    fn only_rows_that_are_seen_are_built() {
        use std::cell::Cell;
        let theme = drawn::theme();
        let look = Look { theme: &theme, now: crate::domain::Instant::UNIX_EPOCH, zone: chrono_tz::UTC };
        let asked = Cell::new(0);
        let row = ("a", 1);
        let at = |_| {
            asked.set(asked.get() + 1);
            Some(&row)
        };
        let rows = Rows { len: 10_000, at: &at, selected: Some(5_000), stale: |_| false };
        let table = Table { columns: &COLUMNS, sort: None, focused: true };
        drawn::buffer(40, 11, |frame| table.draw(frame, frame.area(), &rows, &look));
        assert_eq!(asked.get(), 11, "ten rows, and the first again for the header");
    }
}
