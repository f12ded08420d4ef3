//! Which part of something longer than the screen is shown, and the bar that tells so.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use crate::theme::Role;
use crate::ui::look::Look;

/// The rows to show so that `selected` is among them, in the middle where the ends allow it.
///
/// It follows from the selection alone, so that nothing about scrolling has to be remembered.
pub fn window(len: usize, selected: usize, height: usize) -> Range<usize> {
    let start = selected.saturating_sub(height / 2).min(len.saturating_sub(height));
    start..len.min(start + height)
}

/// Draws a scroll bar into a column of one cell; nothing when all of it is shown.
pub fn bar(frame: &mut Frame<'_>, area: Rect, len: usize, shown: &Range<usize>, look: &Look<'_>) {
    let height = usize::from(area.height);
    if height == 0 || shown.len() >= len {
        return;
    }
    let thumb = (height * shown.len() / len).clamp(1, height);
    let room = height - thumb;
    let top = (room * shown.start).checked_div(len - shown.len()).unwrap_or(0).min(room);
    let glyphs = look.glyphs();
    let rows = (0..height).map(|row| {
        if (top..top + thumb).contains(&row) {
            Line::from(look.span(Role::Accent, glyphs.thumb))
        } else {
            Line::from(look.span(Role::Border, glyphs.track))
        }
    });
    frame.render_widget(Text::from_iter(rows), area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_selected_row_is_always_shown(len in 1_usize..300, at in 0_usize..300, height in 1_usize..60) {
            let selected = at % len;
            let shown = window(len, selected, height);
            prop_assert!(shown.contains(&selected));
            prop_assert_eq!(shown.len(), len.min(height));
            prop_assert!(shown.end <= len);
        }
    }

    #[test]
    fn nothing_is_shown_of_nothing() {
        assert_eq!(window(0, 0, 10), 0..0);
    }
}
