//! The frame of a dialog: a thin box in the middle, over what was there.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::widgets::{Block, Borders, Clear};

use crate::theme::Role;
use crate::ui::look::Look;

/// Clears a box of at most `columns` by `rows` cells (frame included) in the middle of `area`, draws its frame and
/// gives back the inside.
pub fn frame(frame: &mut Frame<'_>, area: Rect, title: &str, columns: u16, rows: u16, look: &Look<'_>) -> Rect {
    let (columns, rows) = (columns.min(area.width), rows.min(area.height));
    let outer = Rect {
        x: area.x + (area.width - columns) / 2,
        y: area.y + (area.height - rows) / 2,
        width: columns,
        height: rows,
    };
    let [top_left, top_right, bottom_left, bottom_right, horizontal, vertical] = look.glyphs().frame;
    let block = Block::new()
        .borders(Borders::ALL)
        .border_set(border::Set {
            top_left,
            top_right,
            bottom_left,
            bottom_right,
            vertical_left: vertical,
            vertical_right: vertical,
            horizontal_top: horizontal,
            horizontal_bottom: horizontal,
        })
        .border_style(look.style(Role::Focus))
        .style(look.style(Role::Text))
        .title(format!(" {title} "))
        .title_style(look.style(Role::Heading));
    let inside = block.inner(outer);
    frame.render_widget(Clear, outer);
    frame.render_widget(block, outer);
    inside
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::drawn;
    use ratatui::text::Text;

    #[test]
    fn a_dialog_covers_what_was_there_and_fits_any_terminal() {
        let theme = drawn::theme();
        let look = Look { theme: &theme, now: crate::domain::Instant::UNIX_EPOCH, zone: chrono_tz::UTC };
        let draw = |columns, rows| {
            drawn::buffer(columns, rows, |area| {
                area.render_widget(Text::from("x".repeat(20) + "\n").patch_style(look.style(Role::Text)), area.area());
                let inside = frame(area, area.area(), "copy", 12, 3, &look);
                area.render_widget("inside", inside);
            })
        };
        insta::assert_snapshot!(drawn::text(&draw(20, 5)), @r"
        xxxxxxxxxxxxxxxxxxxx
            ┌ copy ────┐
            │inside    │
            └──────────┘
        ");
        draw(2, 2);
        draw(1, 1);
    }
}
