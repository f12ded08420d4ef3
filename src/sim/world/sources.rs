//! What a pipeline's own code says: the datasets that its files define, read well enough to name its flows.

use super::files::{Kind, Tree};
use super::pipeline::PipelineSpec;

/// The full names of the datasets that a pipeline's libraries define, in the order of the text; empty when no library is
/// a file of the workspace.
pub(super) fn datasets(files: &Tree, spec: &PipelineSpec) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for (path, text) in sources(files, spec) {
        let names = if path.ends_with(".sql") || text.starts_with("--") { in_sql(&text) } else { in_python(&text) };
        for name in names {
            let name = qualified(&name, spec);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

fn sources(files: &Tree, spec: &PipelineSpec) -> Vec<(String, String)> {
    let libraries = spec.extra.get("libraries").and_then(serde_json::Value::as_array);
    let mut sources = Vec::new();
    for library in libraries.into_iter().flatten() {
        let single =
            [&library["file"]["path"], &library["notebook"]["path"]].into_iter().find_map(|path| path.as_str());
        if let Some(object) = single.and_then(|path| files.status(path).ok()) {
            sources.push(object);
        }
        if let Some(glob) = library["glob"]["include"].as_str() {
            let folder = glob.trim_end_matches('*').trim_end_matches('/');
            sources.extend(files.tree(folder));
        }
    }
    let text = |object: &super::files::Object| match &object.kind {
        Kind::File(bytes) | Kind::Notebook(_, bytes) => {
            Some((object.path.clone(), String::from_utf8_lossy(bytes).into_owned()))
        }
        Kind::Directory => None,
    };
    sources.into_iter().filter_map(text).collect()
}

/// With the pipeline's own catalog and schema before what has none.
fn qualified(name: &str, spec: &PipelineSpec) -> String {
    let schema = spec.schema.as_deref().or_else(|| spec.extra.get("target").and_then(|target| target.as_str()));
    let catalog = spec.catalog.as_deref().unwrap_or("hive_metastore");
    match name.matches('.').count() {
        0 => format!("{catalog}.{}.{name}", schema.unwrap_or("default")),
        1 => format!("{catalog}.{name}"),
        _ => name.to_owned(),
    }
}

/// `CREATE [OR REFRESH] STREAMING TABLE name` and its kin; views that are not kept define no flow.
fn in_sql(text: &str) -> Vec<String> {
    let code: Vec<&str> = text.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
    let words: Vec<String> = code
        .join(" ")
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ';'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
    let mut names = Vec::new();
    for (at, _) in upper.iter().enumerate().filter(|(_, word)| *word == "CREATE") {
        let rest = &upper[at + 1..upper.len().min(at + 9)];
        let Some(kind) = rest.iter().position(|word| word == "TABLE" || word == "VIEW") else { continue };
        let before = &rest[..kind];
        let known = ["OR", "REFRESH", "REPLACE", "STREAMING", "LIVE", "MATERIALIZED", "PRIVATE", "INCREMENTAL"];
        let kept = rest[kind] == "TABLE" || before.iter().any(|word| word == "MATERIALIZED");
        if !kept || before.iter().any(|word| !known.contains(&word.as_str())) {
            continue;
        }
        let skipped =
            rest[kind + 1..].iter().take_while(|word| ["IF", "NOT", "EXISTS"].contains(&word.as_str())).count();
        if let Some(name) = words.get(at + 1 + kind + 1 + skipped) {
            names.push(name.replace('`', ""));
        }
    }
    names
}

/// Functions under `@dlt.table` and its kin, and `create_streaming_table` calls.
fn in_python(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    // A decorator that is waiting for the function below it.
    let mut decorator: Option<String> = None;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim_end();
        let code = line.trim_start();
        if ["dlt.table", "dp.table", "dp.materialized_view", "sdp.table"]
            .iter()
            .any(|kind| code.strip_prefix('@').and_then(|code| code.strip_prefix(kind)).is_some())
        {
            decorator = Some(String::new());
        }
        if let Some(text) = &mut decorator {
            text.push_str(code);
            if let Some(function) = code.strip_prefix("def ") {
                let own = function.split('(').next().unwrap_or_default().trim().to_owned();
                names.push(quoted_after(text, "name").unwrap_or(own));
                decorator = None;
            }
        } else if let Some((_, call)) = code.split_once("create_streaming_table(") {
            names.extend(quoted_after(call, "name").or_else(|| quoted(call)));
        }
    }
    names
}

/// The text in quotes behind `key=`.
fn quoted_after(text: &str, key: &str) -> Option<String> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(key) {
        let whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        if let Some(value) = after.trim_start().strip_prefix('=').filter(|_| whole) {
            return quoted(value);
        }
        rest = after;
    }
    None
}

/// The text in quotes that begins here.
fn quoted(text: &str) -> Option<String> {
    let text = text.trim_start();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    text[1..].split_once(quote).map(|(inside, _)| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Instant;
    use serde_json::json;

    const HOME: &str = "/Workspace/Users/ana@example.com";

    fn spec(libraries: &serde_json::Value) -> PipelineSpec {
        serde_json::from_value(json!({"catalog": "dev", "schema": "orders", "libraries": libraries})).expect("a spec")
    }

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::new(["ana@example.com"], Instant::UNIX_EPOCH);
        tree.make_folders(&format!("{HOME}/src/deep"), Instant::UNIX_EPOCH).expect("makes");
        for (name, text) in files {
            let path = format!("{HOME}/src/{name}");
            tree.write(&path, text.as_bytes().to_vec(), true, Instant::UNIX_EPOCH).expect("writes");
        }
        tree
    }

    #[test]
    fn python_names_its_tables_by_decorator_function_or_call() {
        let tree = tree(&[(
            "a.py",
            "import dlt\n@dlt.table(\n  comment = \"name of x\",\n  name=\"bronze\")\n@dlt.expect(\"ok\", \"a > 1\")\ndef f():\n    pass\n\
             @dp.materialized_view\ndef gold(): pass\n@dlt.view\ndef hidden(): pass\ndlt.create_streaming_table('ops.silver')\n",
        )]);
        let libraries = json!([{"file": {"path": format!("{HOME}/src/a.py")}}]);
        assert_eq!(datasets(&tree, &spec(&libraries)), ["dev.orders.bronze", "dev.orders.gold", "dev.ops.silver"]);
    }

    #[test]
    fn sql_names_its_tables_and_a_glob_reaches_below_folders() {
        let tree = tree(&[
            (
                "one.sql",
                "-- create table no\nCREATE OR REFRESH STREAMING TABLE raw AS SELECT * FROM STREAM read_files('/x');\n",
            ),
            (
                "deep/two.sql",
                "create or replace materialized view `m`(a int) as select 1;\nCREATE TEMPORARY VIEW v AS SELECT 1",
            ),
            ("deep/notes.txt", "CREATE TABLE never"),
        ]);
        let libraries = json!([{"glob": {"include": format!("{HOME}/src/**")}}]);
        assert_eq!(datasets(&tree, &spec(&libraries)), ["dev.orders.m", "dev.orders.raw"]);
        assert!(datasets(&tree, &spec(&json!([{"jar": "x.jar"}]))).is_empty());
    }
}
