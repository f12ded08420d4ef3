//! Every SQL text that lakeshift sends is a named statement of the one list.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use lakeshift::runtime::statements;

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("src is readable") {
        let path = entry.expect("entry is readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names given to statements in shipped code. One that ends with a dot or `_` is the beginning of names that a macro makes.
fn declared(text: &str) -> Vec<String> {
    let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or(text);
    let mut names = Vec::new();
    for constructor in
        ["NamedStatement::read(", "NamedStatement::idempotent(", "NamedStatement::once(", "NamedStatement {\n"]
    {
        for (at, _) in code.match_indices(constructor) {
            let rest = &code[at + constructor.len()..];
            // A type or an `impl` ends so, too.
            if constructor.ends_with('\n') && !rest.trim_start().starts_with("name:") {
                continue;
            }
            names.push(rest.split('"').nth(1).expect("the name is a literal").to_owned());
        }
    }
    names
}

#[test]
fn the_list_names_every_statement_of_the_sources_once() {
    let mut paths = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut paths);
    assert!(paths.len() > 100, "the walk found the sources");
    let shipped = paths.iter().filter(|path| !path.ends_with("tests.rs") && !path.ends_with("domain/sql/statement.rs"));
    let in_sources: BTreeSet<String> =
        shipped.flat_map(|path| declared(&std::fs::read_to_string(path).expect("source is readable"))).collect();
    let listed: Vec<&str> = statements::all().iter().map(|statement| statement.name).collect();
    let as_set: BTreeSet<String> = listed.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(as_set.len(), listed.len(), "a name is given twice: {listed:?}");
    let (made, written): (BTreeSet<String>, BTreeSet<String>) =
        in_sources.into_iter().partition(|n| n.ends_with(['.', '_']));
    let unlisted: Vec<_> = written.difference(&as_set).collect();
    assert!(unlisted.is_empty(), "src/runtime/statements.rs lacks {unlisted:?}");
    let from_nowhere = |name: &&String| !written.contains(*name) && !made.iter().any(|start| name.starts_with(start));
    let unknown: Vec<_> = as_set.iter().filter(from_nowhere).collect();
    assert!(unknown.is_empty(), "no source declares {unknown:?}");
    let unused: Vec<_> = made.iter().filter(|start| !as_set.iter().any(|name| name.starts_with(*start))).collect();
    assert!(unused.is_empty(), "src/runtime/statements.rs has none of {unused:?}");
}

/// What open-source Spark does not know is not sent: the suite that judges the statements could not run it.
#[test]
fn no_statement_uses_what_spark_cannot_judge() {
    for statement in statements::all() {
        let text = statement.text.to_uppercase();
        for banned in ["QUALIFY", "COMMENT ON COLUMN"] {
            assert!(!text.contains(banned), "{} uses {banned}", statement.name);
        }
        assert!(!text.trim_end().ends_with(';'), "{}: one statement a request, without `;`", statement.name);
    }
}

#[test]
fn the_walk_sees_a_statement() {
    let text = "const A: NamedStatement =\n    NamedStatement::once(\n        \"x.y\",\n \"SELECT 1\", &[]);";
    assert_eq!(declared(text), ["x.y"]);
    let made =
        "impl NamedStatement {\n}\nconst B: NamedStatement = NamedStatement {\n    name: concat!(\"x.\", $name),\n};";
    assert_eq!(declared(made), ["x."]);
}
