//! Runs the corpus of the SQL engine: files of statements with what each must give.
//!
//! A block is a statement after `> `, then any of: `$ name TYPE value` for a parameter (no value is NULL), `: name TYPE, ...` for the result's
//! columns, `| a | b` for a row as the statement API renders it, `! CLASS` for an error. `@ user` switches the user, `#` is a comment. A statement
//! without `:` or `!` must succeed; with `:` its rows must be exactly the ones listed.

use chrono::{DateTime, Utc};
use lakeshift::sim::sql::{DataType, Engine, Parameter, Session, StatementResult};

#[derive(Default)]
struct Block {
    line: usize,
    user: String,
    sql: String,
    parameters: Vec<Parameter>,
    columns: Option<String>,
    rows: Vec<String>,
    error: Option<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut user = "root".to_owned();
    let mut found: Vec<Block> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((sign, rest)) = line.split_at_checked(1) else { continue };
        let rest = rest.trim();
        match (sign, found.last_mut()) {
            ("#", _) => {}
            ("@", _) => user = rest.to_owned(),
            (">", _) => {
                found.push(Block { line: number + 1, user: user.clone(), sql: rest.to_owned(), ..Block::default() });
            }
            ("$", Some(block)) => {
                let mut words = rest.splitn(3, ' ');
                let (name, ty) = (words.next().unwrap().to_owned(), DataType::parse(words.next().unwrap()).unwrap());
                block.parameters.push(Parameter { name, value: words.next().map(str::to_owned), ty });
            }
            (":", Some(block)) => block.columns = Some(rest.to_owned()),
            ("|", Some(block)) => block.rows.push(rest.to_owned()),
            ("!", Some(block)) => block.error = Some(rest.to_owned()),
            (other, _) => panic!("line {}: what is {other:?}?", number + 1),
        }
    }
    found
}

fn shown(result: &StatementResult) -> (String, Vec<String>) {
    let columns: Vec<_> = result.columns.iter().map(|c| format!("{} {}", c.name, c.ty)).collect();
    let cell = |value: Option<String>| {
        value.map_or_else(|| "NULL".to_owned(), |v| v.replace('\\', "\\\\").replace('\n', "\\n"))
    };
    let rows = result.rendered().into_iter().map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join(" | "));
    (columns.join(", "), rows.collect())
}

fn start() -> DateTime<Utc> {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// Runs a file; gives how many statements it has, and what went wrong.
fn run(name: &str, text: &str) -> (usize, Vec<String>) {
    let mut engine = Engine::new(1, "root", start()).unwrap();
    engine.catalog_mut().create_catalog("main", "root", start()).unwrap();
    engine.catalog_mut().create_schema("main", "default", "root", start()).unwrap();
    engine.catalog_mut().set_groups("ana", ["analysts".to_owned()]);
    let mut sessions = std::collections::BTreeMap::new();
    let mut wrong = Vec::new();
    let blocks = blocks(text);
    for block in &blocks {
        let session = sessions.entry(block.user.clone()).or_insert_with(|| Session::new(&block.user));
        let outcome = engine.execute(session, &block.sql, &block.parameters, start());
        let complaint = match (&outcome, &block.error, &block.columns) {
            (Err(error), Some(class), _) if error.class == *class => None,
            (Err(error), _, _) => Some(error.to_string()),
            (Ok(result), Some(class), _) => Some(format!("no {class}, but {:?}", shown(result))),
            (Ok(_), None, None) => None,
            // EXPLAIN's text is not fixed: its columns are.
            (Ok(result), None, Some(columns)) if block.sql.starts_with("EXPLAIN") && shown(result).0 == *columns => {
                None
            }
            (Ok(result), None, Some(columns)) => {
                let found = shown(result);
                (found != (columns.clone(), block.rows.clone())).then(|| format!("{found:#?}"))
            }
        };
        if let Some(complaint) = complaint {
            wrong.push(format!("{name}:{} {}\n    {complaint}", block.line, block.sql));
        }
    }
    (blocks.len(), wrong)
}

#[test]
fn the_corpus_gives_what_it_says() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/sql");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "corpus"));
    files.sort();
    let mut count = 0;
    let mut wrong = Vec::new();
    for path in files {
        let (statements, complaints) = run(&path.display().to_string(), &std::fs::read_to_string(path).unwrap());
        count += statements;
        wrong.extend(complaints);
    }
    assert!(wrong.is_empty(), "{} of {count} statements:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 150, "only {count} statements found");
}

#[test]
fn the_corpus_reader_sees_wrong_rows() {
    assert_eq!(run("inline", "> SELECT 1 AS a\n: a INT\n| 2").1.len(), 1);
    assert_eq!(run("inline", "> SELECT 1 AS a\n! DIVIDE_BY_ZERO").1.len(), 1);
    assert_eq!(run("inline", "> SELECT 1 AS a\n: a INT\n| 1"), (1, Vec::new()));
}
