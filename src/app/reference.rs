//! The reference page `docs/keys.md`, generated from the commands and the built-in keys.
//!
//! `LAKESHIFT_REGENERATE=1 cargo test --test it keys` writes it; without the variable the test compares.

use std::fmt::Write as _;

use crate::app::command::{self, Danger};
use crate::keymap::{Key, Keymap};

/// `docs/keys.md`.
pub fn keys_page(keymap: &Keymap) -> String {
    let mut page = String::from(
        "# Keys\n\nGenerated from the program: `LAKESHIFT_REGENERATE=1 cargo test --test it keys`. On screen, `?` shows \
         the keys that hold there.\n\nThe configuration's `[keys.<context>]` gives a command other keys, such as \
         `quit = [\"Q\"]`; an empty list takes its keys away. One key with two meanings, an unknown name, and a command \
         that changes the world on ctrl-a, b, d, k or w are refused when the program starts.\n",
    );
    for (context, commands) in command::contexts() {
        // Writing to a string cannot fail.
        let _ = write!(page, "\n## {context}\n\n| command | keys | what it does |\n|---|---|---|\n");
        for command in commands {
            let keys: Vec<String> = keymap.keys(context, command.name).map(code).collect();
            let danger = if command.danger == Danger::Read { "" } else { " Changes the world." };
            let _ = writeln!(page, "| {} | {} | {}{danger} |", command.name, keys.join(" "), command.sentence);
        }
    }
    page
}

/// A key as the page spells it: the same as in the configuration.
fn code(key: Key) -> String {
    if key == Key::char('|') { "`\\|`".to_owned() } else { format!("`{key}`") }
}
