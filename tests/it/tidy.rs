//! Holds the house rules of `docs/architecture.md` that no compiler holds: who imports whom, size and shape of files, doors.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The longest that a source file may be, in lines. The aim is 300.
const MAX_LINES: usize = 600;

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "util", "helpers", "common", "manager"];

/// Every module at the top of the crate.
const MODULES: [&str; 16] = [
    "app",
    "cli",
    "config",
    "databricks",
    "domain",
    "keymap",
    "ledger",
    "operations",
    "runtime",
    "screens",
    "sim",
    "store",
    "telemetry",
    "theme",
    "ui",
    "main",
];

/// One rule of the import table: files whose path begins with `room` (and ends with `file`, if given) may name only
/// these modules of the crate and must not name those crates.
struct Rule {
    room: &'static str,
    file: Option<&'static str>,
    may: &'static [&'static str],
    never: &'static [&'static str],
}

/// The table of `docs/architecture.md`, section 2. The first rule that fits a file counts.
const RULES: &[Rule] = &[
    Rule {
        room: "domain",
        file: None,
        may: &["domain"],
        never: &[
            "tokio",
            "reqwest",
            "rusqlite",
            "ratatui",
            "crossterm",
            "axum",
            "std::fs",
            "std::net",
            "std::thread",
            "std::env",
        ],
    },
    Rule {
        room: "operations",
        file: None,
        may: &["domain", "operations"],
        never: &["tokio", "reqwest", "rusqlite", "ratatui", "crossterm", "axum", "rand"],
    },
    Rule { room: "keymap", file: None, may: &["domain", "keymap"], never: &["ratatui", "crossterm", "tokio"] },
    Rule { room: "theme", file: None, may: &["domain", "theme"], never: &["tokio", "reqwest", "rusqlite"] },
    Rule {
        room: "config",
        file: None,
        may: &["domain", "config"],
        never: &["ratatui", "crossterm", "tokio", "reqwest"],
    },
    Rule {
        room: "app/text_input.rs",
        file: None,
        may: &["domain", "operations", "keymap", "config", "app"],
        never: &["crossterm", "tokio"],
    },
    Rule {
        room: "app",
        file: None,
        may: &["domain", "operations", "keymap", "config", "app", "screens"],
        never: &["ratatui", "ratatui_textarea", "crossterm", "tokio"],
    },
    Rule {
        room: "screens",
        file: Some("view.rs"),
        may: &["domain", "operations", "keymap", "config", "app", "screens", "theme", "ui"],
        never: &["crossterm", "tokio", "reqwest", "rusqlite"],
    },
    Rule {
        room: "screens",
        file: None,
        may: &["domain", "operations", "keymap", "config", "app", "screens"],
        never: &["ratatui", "ratatui_textarea", "crossterm", "tokio"],
    },
    Rule {
        room: "ui",
        file: None,
        may: &["domain", "operations", "keymap", "config", "app", "screens", "theme", "ui"],
        never: &["crossterm", "tokio", "reqwest", "rusqlite"],
    },
    Rule {
        room: "databricks",
        file: None,
        may: &["domain", "operations", "databricks"],
        never: &["ratatui", "crossterm", "rusqlite", "axum"],
    },
    Rule {
        room: "ledger",
        file: None,
        may: &["domain", "operations", "databricks", "ledger"],
        never: &["ratatui", "crossterm", "axum"],
    },
    Rule {
        room: "store",
        file: None,
        may: &["domain", "operations", "store"],
        never: &["ratatui", "crossterm", "reqwest", "axum"],
    },
    Rule {
        room: "sim/world",
        file: None,
        may: &["domain", "sim"],
        never: &["tokio", "axum", "rusqlite", "reqwest", "ratatui"],
    },
    Rule { room: "sim", file: None, may: &["domain", "sim"], never: &["reqwest", "ratatui", "crossterm"] },
    Rule { room: "telemetry", file: None, may: &["domain", "telemetry"], never: &["ratatui", "crossterm", "reqwest"] },
    Rule {
        room: "runtime",
        file: None,
        may: &[
            "app",
            "config",
            "databricks",
            "domain",
            "keymap",
            "ledger",
            "operations",
            "runtime",
            "screens",
            "sim",
            "store",
            "telemetry",
            "theme",
            "ui",
        ],
        never: &[],
    },
];

fn source_files() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("entry is readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    found.sort();
    assert!(found.len() > 10, "the walk found no sources");
    found
}

fn below_src(path: &Path) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    path.strip_prefix(root).expect("a file of src").to_string_lossy().replace('\\', "/")
}

/// The code without comments and without the test module at its end, which may import what it likes.
fn shipped_code(text: &str) -> String {
    let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The modules of this crate that the code names as `crate::module`, in lists of imports too.
fn crate_modules_named(code: &str) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 1;
            let mut word = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    _ if depth == 1 && (c.is_alphanumeric() || c == '_') => {
                        word.push(c);
                        continue;
                    }
                    _ => {}
                }
                if depth <= 1 && !word.is_empty() {
                    named.insert(std::mem::take(&mut word));
                }
                if depth == 0 {
                    break;
                }
            }
        } else {
            named.insert(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    named.retain(|name| MODULES.contains(&name.as_str()));
    named
}

/// Whether the code names a crate or a path of std, as a whole word followed by `::`, `;` or a space.
fn names_path(code: &str, path: &str) -> bool {
    code.match_indices(path).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = &code[at + path.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
            && (after.starts_with("::") || after.starts_with(';'))
    })
}

fn offences(path: &str, text: &str) -> Vec<String> {
    // A test module may import what it likes, at the end of a file as well as in one of its own.
    if path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let Some(rule) = RULES.iter().find(|rule| {
        (path == rule.room || path.starts_with(&format!("{}/", rule.room)) || path == format!("{}.rs", rule.room))
            && rule.file.is_none_or(|file| path.ends_with(file))
    }) else {
        return Vec::new();
    };
    let code = shipped_code(text);
    let imports = crate_modules_named(&code)
        .into_iter()
        .filter(|module| !rule.may.contains(&module.as_str()))
        .map(|module| format!("src/{path} names crate::{module}, which `{}` may not import", rule.room));
    let foreign = rule
        .never
        .iter()
        .filter(|name| names_path(&code, name))
        .map(|name| format!("src/{path} names {name}, which `{}` must never use", rule.room));
    imports.chain(foreign).collect()
}

#[test]
fn every_room_imports_only_what_the_table_allows() {
    let found: Vec<String> = source_files()
        .iter()
        .flat_map(|path| offences(&below_src(path), &std::fs::read_to_string(path).expect("source is readable")))
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_import_guard_sees_what_it_must_see() {
    assert_eq!(offences("sim/http/mod.rs", "use crate::databricks::Client;\n").len(), 1);
    assert_eq!(offences("sim/http/mod.rs", "use crate::{domain::ids, databricks::Client};\n").len(), 1);
    assert_eq!(offences("domain/run.rs", "use std::fs;\n").len(), 1);
    assert_eq!(offences("app/model.rs", "use ratatui::Frame;\n").len(), 1);
    assert_eq!(offences("app/model.rs", "use ratatui_textarea::TextArea;\n").len(), 1);
    assert_eq!(offences("app/text_input.rs", "use ratatui_textarea::TextArea;\n").len(), 0);
    assert_eq!(offences("screens/fleet/update.rs", "use crate::ui::table;\n").len(), 1);
    assert_eq!(offences("screens/fleet/view.rs", "use crate::ui::table;\n").len(), 0);
    assert_eq!(offences("domain/run.rs", "// use std::fs;\n").len(), 0);
    assert_eq!(offences("domain/run.rs", "fn f() {}\n#[cfg(test)]\nmod tests { use std::fs; }\n").len(), 0);
}

#[test]
fn nothing_imports_the_command_line() {
    let found: Vec<String> = source_files()
        .iter()
        .map(|path| (below_src(path), std::fs::read_to_string(path).expect("source is readable")))
        .filter(|(path, _)| !path.starts_with("cli/") && path != "main.rs" && path != "cli.rs")
        .filter(|(_, text)| crate_modules_named(&shipped_code(text)).contains("cli"))
        .map(|(path, _)| path)
        .collect();
    assert!(found.is_empty(), "these import cli: {found:?}");
}

#[test]
fn every_file_fits_in_a_head_and_says_what_it_is() {
    let mut found = Vec::new();
    for path in source_files() {
        let text = std::fs::read_to_string(&path).expect("source is readable");
        let shown = below_src(&path);
        let lines = text.lines().count();
        if lines > MAX_LINES {
            found.push(format!("src/{shown} has {lines} lines, more than {MAX_LINES}"));
        }
        if !text.starts_with("//!") {
            found.push(format!("src/{shown} has no module doc in its first line"));
        }
        if Path::new(&shown).components().any(|part| {
            let name = part.as_os_str().to_string_lossy();
            EMPTY_NAMES.contains(&name.trim_end_matches(".rs"))
        }) {
            found.push(format!("src/{shown} has a name that says nothing"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// With chrono's `clock` feature `Utc::now()` would exist everywhere; any dependency could switch it on.
#[test]
fn no_dependency_switches_on_the_clock_of_chrono() {
    let metadata = resolved_dependencies();
    let chrono = node(&metadata, "chrono");
    let features: Vec<&str> =
        chrono["features"].as_array().expect("features").iter().filter_map(serde_json::Value::as_str).collect();
    assert!(features.contains(&"std"), "the right node was read: {features:?}");
    for banned in ["clock", "now"] {
        assert!(!features.contains(&banned), "a dependency enables chrono/{banned}");
    }
}

/// Unseeded randomness is kept out by features, too.
#[test]
fn no_dependency_of_ours_brings_unseeded_randomness_by_rand() {
    let manifest = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("manifest");
    let line = manifest.lines().find(|line| line.starts_with("rand = ")).expect("rand is a dependency");
    assert!(line.contains("default-features = false"), "{line}");
    assert!(!line.contains("thread_rng") && !line.contains("sys_rng") && !line.contains("os_rng"), "{line}");
}

fn resolved_dependencies() -> serde_json::Value {
    let version = Command::new("rustc").arg("-vV").output().expect("rustc runs").stdout;
    let version = String::from_utf8(version).expect("text");
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", host])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON")
}

fn node<'a>(metadata: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let package = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .find(|package| package["name"] == name)
        .expect("the package is a dependency");
    metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .find(|node| node["id"] == package["id"])
        .expect("the package is resolved")
}
