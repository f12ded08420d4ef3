//! Runs the corpus of the SQL engine: files of statements with what each must give.
//!
//! A block is a statement after `> `, then any of: `$ name TYPE value` for a parameter (no value is NULL), `: name TYPE, ...` for the result's
//! columns, `| a | b` for a row as the statement API renders it, `! CLASS` for an error. `@ user` switches the user, `#` is a comment. A statement
//! without `:` or `!` must succeed; with `:` its rows must be exactly the ones listed, but for the columns after `~`, whose values are a clock's or
//! the engine's own.
//!
//! `> @name` is a statement that lakeshift sends, by its name. `% marker main.a.b` gives its markers names, `%= marker text` gives them SQL, both from
//! there on. Spark runs the same files (tests/conformance/spark).

use chrono::{DateTime, Utc};
use lakeshift::domain::sql::render;
use lakeshift::runtime::statements;
use lakeshift::sim::sql::{DataType, Engine, Parameter, Session, StatementResult};

#[derive(Default)]
struct Block {
    line: usize,
    user: String,
    sql: String,
    /// The name of a statement that lakeshift sends.
    named: Option<String>,
    parameters: Vec<Parameter>,
    columns: Option<String>,
    volatile: Vec<String>,
    rows: Vec<String>,
    error: Option<String>,
}

fn blocks(text: &str) -> Vec<Block> {
    let mut user = "root".to_owned();
    let mut parts = std::collections::BTreeMap::new();
    let mut found: Vec<Block> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let Some((sign, rest)) = line.split_at_checked(1) else { continue };
        let rest = rest.trim();
        match (sign, found.last_mut()) {
            ("#", _) => {}
            ("@", _) => user = rest.to_owned(),
            ("%", _) => {
                let (is_sql, rest) = rest.strip_prefix('=').map_or((false, rest), |rest| (true, rest.trim()));
                let (marker, value) = rest.split_once(' ').unwrap();
                let name = || value.parse::<lakeshift::domain::sql::QualifiedName>().unwrap().sql();
                parts.insert(marker.to_owned(), if is_sql { value.to_owned() } else { name() });
            }
            (">", _) => {
                let named = rest.strip_prefix('@').map(str::to_owned);
                let sql = named.as_ref().map_or_else(|| rest.to_owned(), |name| text_of(name, &parts));
                found.push(Block { line: number + 1, user: user.clone(), sql, named, ..Block::default() });
            }
            ("$", Some(block)) => {
                let mut words = rest.splitn(3, ' ');
                let (name, ty) = (words.next().unwrap().to_owned(), DataType::parse(words.next().unwrap()).unwrap());
                block.parameters.push(Parameter { name, value: words.next().map(str::to_owned), ty });
            }
            ("~", Some(block)) => block.volatile = rest.split(", ").map(str::to_owned).collect(),
            (":", Some(block)) => block.columns = Some(rest.to_owned()),
            ("|", Some(block)) => block.rows.push(rest.to_owned()),
            ("!", Some(block)) => block.error = Some(rest.to_owned()),
            (other, _) => panic!("line {}: what is {other:?}?", number + 1),
        }
    }
    found
}

/// The text of a statement that lakeshift sends, its markers replaced.
fn text_of(name: &str, parts: &std::collections::BTreeMap<String, String>) -> String {
    let statement = statements::all().into_iter().find(|statement| statement.name == name);
    let statement = statement.unwrap_or_else(|| panic!("lakeshift sends no statement {name}"));
    render(statement.text, |marker| parts.get(marker).cloned())
        .unwrap_or_else(|marker| panic!("{name}: nothing was given for {marker}"))
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
                let mut found = shown(result);
                let at: Vec<usize> = (0..result.columns.len())
                    .filter(|at| block.volatile.iter().any(|name| *name == result.columns[*at].name))
                    .collect();
                for row in &mut found.1 {
                    let mut cells: Vec<&str> = row.split(" | ").collect();
                    at.iter().for_each(|at| cells[*at] = "~");
                    *row = cells.join(" | ");
                }
                (found != (columns.clone(), block.rows.clone())).then(|| format!("{found:#?}"))
            }
        };
        if let Some(complaint) = complaint {
            wrong.push(format!("{name}:{} {}\n    {complaint}", block.line, block.sql));
        }
    }
    (blocks.len(), wrong)
}

fn files() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/sql");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "corpus"));
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn the_corpus_gives_what_it_says() {
    let mut count = 0;
    let mut wrong = Vec::new();
    for (name, text) in files() {
        let (statements, complaints) = run(&name, &text);
        count += statements;
        wrong.extend(complaints);
    }
    assert!(wrong.is_empty(), "{} of {count} statements:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 150, "only {count} statements found");
}

/// Whoever adds a statement shows here what it gives, and so to Spark too.
#[test]
fn the_corpus_has_every_statement_that_lakeshift_sends() {
    let shown: Vec<String> =
        files().iter().flat_map(|(_, text)| blocks(text)).filter_map(|block| block.named).collect();
    let missing: Vec<&str> =
        statements::all().iter().map(|s| s.name).filter(|name| !shown.iter().any(|s| s == name)).collect();
    assert!(missing.is_empty(), "tests/conformance/sql/named.corpus lacks {missing:?}");
}

#[test]
fn the_corpus_reader_sees_wrong_rows() {
    assert_eq!(run("inline", "> SELECT 1 AS a\n: a INT\n| 2").1.len(), 1);
    assert_eq!(run("inline", "> SELECT 1 AS a\n! DIVIDE_BY_ZERO").1.len(), 1);
    assert_eq!(run("inline", "> SELECT 1 AS a\n: a INT\n| 1"), (1, Vec::new()));
    assert_eq!(run("inline", "> SELECT 1 AS a, 2 AS b\n~ a\n: a INT, b INT\n| ~ | 2"), (1, Vec::new()));
    assert_eq!(run("inline", "> SELECT 1 AS a, 2 AS b\n~ a\n: a INT, b INT\n| ~ | 3").1.len(), 1);
}
