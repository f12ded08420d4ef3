//! Where the panes stand. Plain numbers, so that scrolling knows how much of a text is seen.

use crate::app::place::Place;

/// From this width on events stand beside the flows instead of below them: then their messages have room there too.
const WIDE: u16 = 190;

/// From this height on a blank row sets the panes apart.
const TALL: u16 = 30;

/// Where everything stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What the pipeline is; one row.
    pub title: Place,
    /// Its updates and its last start; one row.
    pub updates: Place,
    /// Its flows, with a header row.
    pub flows: Place,
    /// Its expectations, with a header row; none if it has none.
    pub expectations: Option<Place>,
    /// What is shown of the events; one row.
    pub events_title: Place,
    /// Its events, with a header row.
    pub events: Place,
    /// The whole message of the event under the cursor.
    pub detail: Place,
}

/// Divides a screen of `columns` by `rows` cells.
pub fn divide((columns, rows): (u16, u16), flows: usize, expectations: usize) -> Layout {
    let place = |x, y, width, height| Place { x, y, width, height };
    let count = |rows: usize| u16::try_from(rows).unwrap_or(u16::MAX);
    let (title, updates) = (place(0, 0, columns, 1), place(0, 1, columns, 1));
    let body = rows.saturating_sub(2);
    let (flows, expectations) = (count(flows).max(1), count(expectations));
    if columns >= WIDE {
        let left = columns * 2 / 5;
        let right = columns - left;
        let guards = if expectations == 0 { 0 } else { (1 + expectations).min(body / 2) };
        let detail = 3;
        return Layout {
            title,
            updates,
            flows: place(0, 2, left - 1, (1 + flows).min(body.saturating_sub(guards + u16::from(guards > 0)))),
            expectations: (guards > 0).then(|| {
                let above = (1 + flows).min(body.saturating_sub(guards + 1));
                place(0, 2 + above + 1, left - 1, guards)
            }),
            events_title: place(left, 2, right, 1),
            events: place(left, 3, right, body.saturating_sub(1 + detail)),
            detail: place(left, 2 + body.saturating_sub(detail), right, detail),
        };
    }
    let gap = u16::from(rows >= TALL);
    let flow_rows = 1 + flows.min((body / 4).max(2));
    let guards = if expectations == 0 { 0 } else { 1 + expectations.min((body / 6).max(1)) };
    let detail = if rows >= TALL { 2 } else { 1 };
    let guards_at = 2 + flow_rows + gap;
    let events_at = if guards == 0 { guards_at } else { guards_at + guards + gap };
    let events = rows.saturating_sub(events_at + 1 + detail);
    Layout {
        title,
        updates,
        flows: place(0, 2, columns, flow_rows),
        expectations: (guards > 0).then(|| place(0, guards_at, columns, guards)),
        events_title: place(0, events_at, columns, 1),
        events: place(0, events_at + 1, columns, events),
        detail: place(0, rows.saturating_sub(detail), columns, detail),
    }
}

/// Where the text of an event stands when it has the whole screen.
pub fn text((columns, rows): (u16, u16)) -> Place {
    Place { x: 1, y: 2, width: columns.saturating_sub(1), height: rows.saturating_sub(2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_pane_leaves_the_screen_or_covers_another(
            columns in 60_u16..250, rows in 14_u16..80, flows in 0_usize..60, expectations in 0_usize..60
        ) {
            let layout = divide((columns, rows), flows, expectations);
            let Layout { title, updates, flows, expectations, events_title, events, detail } = layout;
            let places: Vec<Place> =
                [title, updates, flows, events_title, events, detail].into_iter().chain(expectations).collect();
            for (at, one) in places.iter().enumerate() {
                prop_assert!(one.x + one.width <= columns && one.y + one.height <= rows, "{layout:?}");
                prop_assert!(one.width > 0 && one.height > 0, "{layout:?}");
                for other in &places[at + 1..] {
                    let apart = one.x + one.width <= other.x || other.x + other.width <= one.x
                        || one.y + one.height <= other.y || other.y + other.height <= one.y;
                    prop_assert!(apart, "{one:?} covers {other:?}");
                }
            }
            prop_assert!(events.height >= 3, "{layout:?}");
        }
    }
}
