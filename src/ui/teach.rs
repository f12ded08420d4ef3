//! Empty states teach: what would be here, why it is not, what changes it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use crate::theme::Role;
use crate::ui::look::Look;
use crate::ui::text::wrap;

/// Draws paragraphs where rows would be: the first says what is so, the others what to do.
pub fn draw(paragraphs: &[String], look: &Look<'_>, frame: &mut Frame<'_>, area: Rect) {
    let width = usize::from(area.width.saturating_sub(4).min(90));
    let mut lines = vec![Line::default()];
    for (index, paragraph) in paragraphs.iter().enumerate() {
        let role = if index == 0 { Role::Text } else { Role::Muted };
        lines.extend(wrap(paragraph, width).into_iter().map(|line| look.span(role, format!("  {line}")).into()));
    }
    frame.render_widget(Text::from(lines), area);
}
