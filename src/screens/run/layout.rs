//! Where the panes stand. Plain numbers, so that scrolling knows how much of a text is seen.

use crate::app::place::Place;

/// From this width on a long list of tasks stands beside the text instead of above it.
const WIDE: u16 = 140;

/// Where everything stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// What the run is; one row.
    pub title: Place,
    /// The tasks, with a header row; none while the text has the whole screen.
    pub grid: Option<Place>,
    /// The names of the tabs; one row.
    pub tabs: Place,
    /// The text of the tab.
    pub text: Place,
}

/// Divides a screen of `columns` by `rows` cells on which `tasks` tasks are listed.
pub fn divide((columns, rows): (u16, u16), tasks: usize, zoomed: bool) -> Layout {
    let place = |x, y, width, height| Place { x, y, width, height };
    let title = place(0, 0, columns, rows.min(1));
    if zoomed {
        let tabs = place(0, 1, columns, 1);
        return Layout {
            title,
            grid: None,
            tabs,
            text: place(1, 2, columns.saturating_sub(1), rows.saturating_sub(2)),
        };
    }
    let tasks = u16::try_from(tasks).unwrap_or(u16::MAX).max(1);
    let most = (rows.saturating_sub(3) * 2 / 5).max(3);
    if columns >= WIDE && tasks > most {
        let left = columns / 2;
        let right = columns - left;
        return Layout {
            title,
            grid: Some(place(0, 1, left - 1, rows.saturating_sub(1))),
            tabs: place(left, 1, right, 1),
            text: place(left + 1, 2, right - 1, rows.saturating_sub(2)),
        };
    }
    let grid = place(0, 1, columns, 1 + tasks.min(most));
    // A row of space between the tasks and the text, where there is room for it.
    let below = 1 + grid.height + u16::from(rows >= 24);
    Layout {
        title,
        grid: Some(grid),
        tabs: place(0, below, columns, 1),
        text: place(1, below + 1, columns.saturating_sub(1), rows.saturating_sub(below + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn many_tasks_stand_beside_the_text_where_there_is_room() {
        assert_eq!(divide((160, 43), 4, false).grid.map(|grid| grid.width), Some(160));
        assert_eq!(divide((160, 43), 40, false).grid.map(|grid| grid.width), Some(79));
        assert_eq!(divide((80, 22), 40, false).grid.map(|grid| (grid.width, grid.height)), Some((80, 8)));
        assert_eq!(divide((80, 22), 4, true).grid, None);
    }

    proptest! {
        #[test]
        fn no_pane_leaves_the_screen(columns in 60_u16..250, rows in 14_u16..80, tasks in 0_usize..200, zoomed: bool) {
            let layout = divide((columns, rows), tasks, zoomed);
            let places = [Some(layout.title), layout.grid, Some(layout.tabs), Some(layout.text)];
            for place in places.into_iter().flatten() {
                prop_assert!(place.x + place.width <= columns, "{layout:?}");
                prop_assert!(place.y + place.height <= rows, "{layout:?}");
                prop_assert!(place.height > 0 && place.width > 0, "{layout:?}");
            }
            prop_assert!(layout.text.height >= 5, "{layout:?}");
        }
    }
}
