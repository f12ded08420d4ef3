//! What was drawn, as text for snapshot tests: the characters, and the style of every run of cells that has one.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use crate::app::fixture::Console;
use crate::theme::{Choice, Depth, Theme};

/// The theme of tests: the default one, with UTF-8 signs.
pub(crate) fn theme() -> Theme {
    let choice = Choice { name: "terminal", folder: None, depth: Depth::Full, unicode: true };
    Theme::load(&choice).expect("the default theme loads")
}

/// Draws into a terminal of the given size and gives back its cells.
pub(crate) fn buffer(columns: u16, rows: u16, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).expect("a test terminal");
    terminal.draw(draw).expect("draws");
    terminal.backend().buffer().clone()
}

/// The characters alone, a line a row, without spaces at line ends.
pub(crate) fn text(buffer: &Buffer) -> String {
    super::printed::lines(buffer).join("\n")
}

/// The characters, then one line for every run of cells that differs from the plain style.
pub(crate) fn text_and_styles(buffer: &Buffer) -> String {
    let area = buffer.area;
    let mut out = text(buffer);
    out.push_str("\n---\n");
    for y in 0..area.height {
        let mut x = 0;
        let mut runs = Vec::new();
        while x < area.width {
            let style = describe(buffer, x, y);
            let start = x;
            while x < area.width && describe(buffer, x, y) == style {
                x += 1;
            }
            if !style.is_empty() {
                runs.push(format!("{start}-{} {style}", x - 1));
            }
        }
        if !runs.is_empty() {
            out.push_str(&format!("{y}: {}\n", runs.join(", ")));
        }
    }
    out
}

fn describe(buffer: &Buffer, x: u16, y: u16) -> String {
    let cell = &buffer[(x, y)];
    let mut parts = Vec::new();
    if cell.fg != Color::Reset {
        parts.push(cell.fg.to_string().to_lowercase());
    }
    if cell.bg != Color::Reset {
        parts.push(format!("on {}", cell.bg.to_string().to_lowercase()));
    }
    for (modifier, name) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::ITALIC, "italic"),
        (Modifier::UNDERLINED, "underlined"),
        (Modifier::REVERSED, "reversed"),
    ] {
        if cell.modifier.contains(modifier) {
            parts.push(name.to_owned());
        }
    }
    parts.join(" ")
}

/// The characters of the whole console.
pub(crate) fn screen(console: &Console) -> String {
    text(&cells(console))
}

fn cells(console: &Console) -> Buffer {
    let theme = theme();
    let (columns, rows) = (console.model.shared.columns, console.model.shared.rows);
    buffer(columns, rows, |frame| super::view(&console.model, &theme, frame))
}

/// Draws the console in every size, and compares each with its picture.
pub(crate) fn in_every_size(name: &str, console: impl Fn(u16, u16) -> Console) {
    for (columns, rows) in [(80, 24), (120, 40), (200, 50)] {
        picture(name, &console(columns, rows));
    }
}

/// Draws the console and compares it with its picture.
pub(crate) fn picture(name: &str, console: &Console) {
    let (columns, rows) = (console.model.shared.columns, console.model.shared.rows);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "snapshots" }, {
        insta::assert_snapshot!(format!("{name}-{columns}x{rows}"), text_and_styles(&cells(console)));
    });
}
