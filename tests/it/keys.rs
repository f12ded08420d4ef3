//! The keys as they are documented are the keys as they are.

use std::path::Path;

use lakeshift::app::reference::keys_page;
use lakeshift::app::{command, vocabulary};
use lakeshift::keymap::{Keymap, Table};
use lakeshift::screens::SPECS;

fn built_in() -> Keymap {
    Keymap::load(&vocabulary(), &Table::new()).expect("the built-in keys have no conflict")
}

#[test]
fn the_keys_page_is_what_the_program_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/keys.md");
    let page = keys_page(&built_in());
    let writes = std::env::var_os("LAKESHIFT_REGENERATE").is_some();
    if writes {
        std::fs::write(&path, page).expect("docs/keys.md can be written");
    } else {
        let written = std::fs::read_to_string(&path).expect("docs/keys.md is there");
        assert_eq!(written, page, "run LAKESHIFT_REGENERATE=1 cargo test --test it keys");
    }
}

#[test]
fn every_command_has_a_key() {
    let keymap = built_in();
    for (context, commands) in command::contexts() {
        for command in commands {
            assert!(keymap.keys(context, command.name).next().is_some(), "{context}.{} has no key", command.name);
        }
    }
}

#[test]
fn names_are_unique_and_footers_name_commands() {
    for (context, commands) in command::contexts() {
        for (index, one) in commands.iter().enumerate() {
            assert!(commands[..index].iter().all(|other| other.name != one.name), "{context}.{} twice", one.name);
        }
    }
    for spec in SPECS {
        for name in spec.footer {
            let known = command::find(spec.context, name).or_else(|| command::find("global", name));
            assert!(known.is_some(), "the footer of {} names {name}", spec.title);
        }
    }
}
