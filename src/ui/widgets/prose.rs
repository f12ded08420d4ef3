//! Text of many lines, wrapped to the width it gets, scrolled, with its position shown.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use super::scroll;
use crate::app::prose::{Emphasis, Prose, wrapped};
use crate::theme::Role;
use crate::ui::look::Look;

/// Cells at the right of the text: a space and the scroll bar.
pub const MARGIN: u16 = 2;

/// Draws prose from its row `offset` on, and a scroll bar if there is more than fits. An offset beyond the end shows
/// the end.
pub fn draw(frame: &mut Frame<'_>, area: Rect, prose: &[Prose], offset: usize, look: &Look<'_>) {
    let height = usize::from(area.height);
    let rows = wrapped(prose, usize::from(area.width.saturating_sub(MARGIN)));
    let start = offset.min(rows.len().saturating_sub(height));
    let shown = start..rows.len().min(start + height);
    let len = rows.len();
    let lines = rows[shown.clone()].iter().map(|(emphasis, row)| Line::from(look.span(role(*emphasis), row.clone())));
    frame.render_widget(Text::from_iter(lines), Rect { width: area.width.saturating_sub(MARGIN), ..area });
    if area.width > 0 {
        scroll::bar(frame, Rect { x: area.right() - 1, width: 1, ..area }, len, &shown, look);
    }
}

fn role(emphasis: Emphasis) -> Role {
    match emphasis {
        Emphasis::Plain => Role::Text,
        Emphasis::Muted => Role::Muted,
        Emphasis::Heading => Role::Heading,
        Emphasis::Warning => Role::Warning,
        Emphasis::Danger => Role::Danger,
        Emphasis::Good => Role::Ok,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::drawn;

    #[test]
    fn long_text_wraps_and_shows_where_it_is() {
        let theme = drawn::theme();
        let look = Look { theme: &theme, now: crate::domain::Instant::UNIX_EPOCH, zone: chrono_tz::UTC };
        let prose: Vec<_> = (1..9).map(|at| Prose::plain(format!("line {at} of several words"))).collect();
        let drawn_at = |offset| drawn::text(&drawn::buffer(16, 4, |f| draw(f, f.area(), &prose, offset, &look)));
        insta::assert_snapshot!(drawn_at(0), @r"
        line 1 of      ┃
        several words  │
        line 2 of      │
        several words  │
        ");
        assert_eq!(drawn_at(12), drawn_at(1_000), "the end is the end");
        drawn::buffer(1, 1, |f| draw(f, f.area(), &prose, 0, &look));
    }
}
