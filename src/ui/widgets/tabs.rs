//! One line of tabs.

use ratatui::text::{Line, Span};

use crate::theme::Role;
use crate::ui::look::Look;

/// The titles side by side, the active one apart: in brackets where color and attributes would not show it.
pub fn line<'t>(
    titles: impl IntoIterator<Item = &'t str>,
    active: usize,
    focused: bool,
    look: &Look<'_>,
) -> Line<'static> {
    let mut spans = Vec::new();
    for (at, title) in titles.into_iter().enumerate() {
        let (text, role) = if at == active {
            (format!("[{title}]"), if focused { Role::Focus } else { Role::Heading })
        } else {
            (format!(" {title} "), Role::Muted)
        };
        spans.extend([look.span(role, text), Span::raw(" ")]);
    }
    Line::from(spans)
}
