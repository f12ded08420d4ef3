//! Text of many lines, wrapped to the width it gets, scrolled, with its position shown.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use super::scroll;
use crate::theme::Role;
use crate::ui::look::Look;
use crate::ui::text::wrap;

/// One line of prose: already harmless, in a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prose {
    /// The text, of any width.
    pub text: String,
    /// What it means.
    pub role: Role,
}

impl Prose {
    /// A line in a role.
    pub fn new(role: Role, text: impl Into<String>) -> Self {
        Self { text: text.into(), role }
    }
}

/// Draws prose from its row `offset` on, and a scroll bar if there is more than fits. An offset beyond the end shows
/// the end.
pub fn draw(frame: &mut Frame<'_>, area: Rect, prose: &[Prose], offset: usize, look: &Look<'_>) {
    let height = usize::from(area.height);
    let room = usize::from(area.width.saturating_sub(2));
    let rows: Vec<(Role, String)> =
        prose.iter().flat_map(|line| wrap(&line.text, room).into_iter().map(|row| (line.role, row))).collect();
    let start = offset.min(rows.len().saturating_sub(height));
    let shown = start..rows.len().min(start + height);
    let len = rows.len();
    let lines = rows[shown.clone()].iter().map(|(role, row)| Line::from(Span::styled(row.clone(), look.style(*role))));
    frame.render_widget(Text::from_iter(lines), Rect { width: area.width.saturating_sub(2), ..area });
    if area.width > 0 {
        scroll::bar(frame, Rect { x: area.right() - 1, width: 1, ..area }, len, &shown, look);
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
        let prose: Vec<_> = (1..9).map(|at| Prose::new(Role::Text, format!("line {at} of several words"))).collect();
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
