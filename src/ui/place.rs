//! From places as numbers to areas of the terminal.

use ratatui::layout::Rect;

use crate::app::place::Place;

/// A place of a screen that is drawn into `area`, cut where the area ends.
pub fn within(area: Rect, place: Place) -> Rect {
    let Place { x, y, width, height } = place;
    Rect { x: area.x + x, y: area.y + y, width, height }.intersection(area)
}
