//! The reference pages `docs/cli.md`, `docs/config.md` and `docs/statements.md`, generated from what the program itself knows.
//!
//! `LAKESHIFT_REGENERATE=1 cargo test --test it reference` writes them; without the variable the test compares.

use std::fmt::Write;

use clap::{Arg, Command, CommandFactory};
use serde_json::{Value, json};

use super::args::Arguments;
use super::failure::{Kind, Report};
use super::output::schema_of;
use super::{
    config, doctor, init, ledger, operation_page, operations, pipelines, replay, run, runs, status, watch, whoami,
};
use crate::config::environment::VARIABLES;
use crate::config::schema;
use crate::domain::sql::{NamedStatement, Repeats};
use crate::runtime::statements;

/// The JSON schemas of all that subcommands print for programs, by the name of their file.
pub fn documents() -> Vec<(String, Value)> {
    let schemas = [
        schema_of::<Report<'_>>(),
        schema_of::<status::FleetStatus>(),
        schema_of::<runs::RunList>(),
        schema_of::<runs::ShownRun>(),
        schema_of::<run::RunPage>(),
        schema_of::<pipelines::PipelineList>(),
        schema_of::<pipelines::ShownPipeline>(),
        schema_of::<operations::OperationList>(),
        schema_of::<operation_page::ShownOperation>(),
        schema_of::<operations::ExportedOperation>(),
        schema_of::<watch::FleetChange>(),
        schema_of::<replay::LastScreen>(),
        schema_of::<config::Checked>(),
        schema_of::<config::Shown>(),
        schema_of::<init::Made>(),
        schema_of::<whoami::Whoami>(),
        schema_of::<doctor::Examination>(),
        schema_of::<ledger::Initialized>(),
        schema_of::<ledger::LedgerStatus>(),
        schema_of::<ledger::Delivered>(),
        schema_of::<ledger::SealMade>(),
        schema_of::<ledger::Verified>(),
        schema_of::<ledger::Exported>(),
    ];
    schemas.into_iter().map(|schema| (file_name(schema["$id"].as_str().unwrap_or_default()), schema)).collect()
}

fn file_name(id: &str) -> String {
    format!("{}.json", id.replace('/', "-"))
}

/// `docs/cli.md`.
pub fn cli_page() -> String {
    let mut page = String::from(
        "# Command line\n\nGenerated from the program: `LAKESHIFT_REGENERATE=1 cargo test --test it reference`.\n\n",
    );
    let mut root = Arguments::command();
    root.build();
    command(&root, &mut page);
    page.push_str(
        "## Exit codes\n\n| code | kind | when |\n|---|---|---|\n| 0 | | it did what was asked, or the reader of its output left |\n",
    );
    for kind in Kind::ALL {
        let name = format!("{kind:?}").to_lowercase();
        let _ = writeln!(page, "| {} | {name} | {} |", kind.exit_code(), kind.meaning());
    }
    page.push_str(
        "\nErrors go to standard error: a sentence and what to do, or with `--output json` and `ndjson` one document of the \
         schema `lakeshift.error/1` with `kind`, `exit_code`, `message` and `hints`.\n\n## Output for programs\n\n\
         Every document names its schema and version in `schema`. The version rises when a program that read the old form \
         would misread the new one; further keys do not raise it.\n\n| schema | file |\n|---|---|\n",
    );
    for (file, schema) in documents() {
        let _ = writeln!(page, "| `{}` | [{file}](output/{file}) |", schema["$id"].as_str().unwrap_or_default());
    }
    page
}

fn command(command_: &Command, page: &mut String) {
    let name = command_.get_bin_name().unwrap_or(command_.get_name());
    let _ = write!(page, "## {name}\n\n");
    if let Some(about) = command_.get_long_about().or(command_.get_about()) {
        let _ = write!(page, "{about}\n\n");
    }
    let subcommands: Vec<&Command> = command_.get_subcommands().filter(|sub| sub.get_name() != "help").collect();
    let is_root = !name.contains(' ');
    let arguments: Vec<&Arg> = command_
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && (is_root || !arg.is_global_set()) && arg.get_id() != "help")
        .filter(|arg| arg.get_id() != "version")
        .collect();
    if !arguments.is_empty() {
        page.push_str("| argument | meaning |\n|---|---|\n");
        for arg in arguments {
            let _ = writeln!(page, "| `{}` | {} |", spelling(arg), meaning(arg));
        }
        page.push('\n');
    }
    if !subcommands.is_empty() {
        page.push_str("| subcommand | what it does |\n|---|---|\n");
        for sub in &subcommands {
            let _ = writeln!(page, "| `{}` | {} |", sub.get_name(), one_line(sub.get_about()));
        }
        page.push('\n');
    }
    for sub in subcommands {
        command(sub, page);
    }
}

fn spelling(arg: &Arg) -> String {
    let value = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    let takes_value = arg.get_action().takes_values();
    match (arg.get_long(), value.filter(|_| takes_value)) {
        (Some(long), Some(value)) => format!("--{long} {value}"),
        (Some(long), None) => format!("--{long}"),
        (None, value) => value.unwrap_or_else(|| arg.get_id().to_string().to_uppercase()),
    }
}

fn meaning(arg: &Arg) -> String {
    let mut text = one_line(arg.get_help());
    let values = arg.get_possible_values();
    if arg.get_action().takes_values() && !values.is_empty() {
        let names: Vec<String> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        let _ = write!(text, ". One of {}", names.join(", "));
    }
    if let Some(default) = arg.get_default_values().first().filter(|_| arg.get_action().takes_values()) {
        let _ = write!(text, "; default `{}`", default.to_string_lossy());
    }
    text
}

fn one_line(text: Option<&clap::builder::StyledStr>) -> String {
    text.map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

/// `docs/config.md`.
pub fn config_page() -> String {
    let mut page = String::from(
        "# Configuration\n\nGenerated from the program: `LAKESHIFT_REGENERATE=1 cargo test --test it reference`. \
         `config.example.toml` shows all of it as a file; `lakeshift init` writes a first one; `lakeshift config schema` \
         gives your editor the schema.\n\n\
         The file is the one of `--config`, else of `$LAKESHIFT_CONFIG`, else `lakeshift/config.toml` in your \
         configuration folder. Values come from defaults, file, environment and flags; later ones win, and \
         `lakeshift config show` says where each came from.\n\n\
         It has two kinds of content. The *fleet* is what a team shares and keeps in Git: workspaces, policies, what \
         objects are. The *personal* settings are yours: how you sign in, how you like to look at it. Personal settings \
         can tighten the fleet's policies, never loosen them. Either both stand in one file, or `fleet` names the \
         fleet's own; `lakeshift config show` tells its SHA-256.\n\n\
         Secrets never stand in a configuration: it names the variable or the file that holds them.\n\n\
         ## Environment variables\n\n| variable | meaning |\n|---|---|\n",
    );
    for (name, meaning) in VARIABLES {
        let _ = writeln!(page, "| `{name}` | {meaning} |");
    }
    page.push_str("\n# Personal settings\n\n");
    let personal = schema::personal();
    table(&personal, &personal, "At the top", &mut page);
    page.push_str("# The fleet\n\n");
    let fleet = schema::fleet();
    table(&fleet, &fleet, "", &mut page);
    page
}

/// `docs/statements.md`.
pub fn statements_page() -> String {
    let mut page = String::from(
        "# Statements\n\nGenerated from the program: `LAKESHIFT_REGENERATE=1 cargo test --test it reference`.\n\n\
         Every SQL statement that lakeshift may send, by the name that query history shows in the tag \
         `lakeshift_statement`. `{marker}` stands for a catalog, schema or table of the configuration, or for SQL that \
         lakeshift composes; `:parameter` is bound by the server. Nothing from outside becomes part of a text. What \
         *reads* or is *idempotent* is sent again when its answer is lost; what happens *once* more each time is not.\n",
    );
    for statement in statements::all() {
        let parameters: Vec<String> =
            statement.parameters.iter().map(|(name, kind)| format!("`:{name}` {kind}")).collect();
        let _ = write!(page, "\n## {}\n\n{}", statement.name, repeats(statement.repeats));
        if !parameters.is_empty() {
            let _ = write!(page, "; {}", parameters.join(", "));
        }
        let _ = write!(page, "\n\n```sql\n{}\n```\n", statement.text);
    }
    page
}

/// The same for programs: `tests/conformance/sql/statements.json`, from which Spark is given them.
pub fn statements_document() -> Value {
    let one = |statement: &NamedStatement| {
        let parameters: Vec<Value> =
            statement.parameters.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
        json!({
            "name": statement.name,
            "repeats": repeats(statement.repeats),
            "parameters": parameters,
            "text": statement.text,
        })
    };
    statements::all().into_iter().map(one).collect()
}

fn repeats(repeats: Repeats) -> &'static str {
    match repeats {
        Repeats::Read => "reads",
        Repeats::Idempotent => "idempotent",
        Repeats::Once => "once",
    }
}

/// A table's values, then the tables in it.
fn table(root: &Value, schema: &Value, heading: &str, page: &mut String) {
    let mut inner: Vec<(String, &Value)> = Vec::new();
    let mut values = String::new();
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if heading.is_empty() || heading == "At the top" { key.clone() } else { format!("{heading}.{key}") };
        let below = schema::resolve(root, property);
        let of_each = below.get("additionalProperties").map(|each| schema::resolve(root, each));
        let of_items = below.get("items").map(|items| schema::resolve(root, items));
        if below.get("properties").is_some() {
            match inner.iter_mut().find(|(_, seen)| std::ptr::eq(*seen, below)) {
                Some((paths, _)) => paths.push_str(&format!(", {path}")),
                None => inner.push((path, below)),
            }
        } else if let Some(each) = of_each.filter(|each| each.get("properties").is_some()) {
            inner.push((format!("{path}.NAME"), each));
        } else if let Some(items) = of_items.filter(|items| items.get("properties").is_some()) {
            inner.push((path, items));
        }
        let required = schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == key.as_str()));
        let default = match property.get("default").or_else(|| schema["default"].get(key)) {
            _ if required => "required".to_owned(),
            Some(value) if !value.is_object() && value != &Value::Array(Vec::new()) => format!("`{value}`"),
            _ => String::new(),
        };
        let description = property.get("description").or_else(|| below.get("description"));
        let description = description.and_then(Value::as_str).unwrap_or_default().replace('\n', " ");
        let _ = writeln!(values, "| `{key}` | {} | {default} | {description} |", form(root, property));
    }
    if !heading.is_empty() {
        let _ = write!(page, "## {heading}\n\n");
    }
    if !heading.is_empty()
        && heading != "At the top"
        && let Some(about) = schema["description"].as_str()
    {
        let _ = write!(page, "{}\n\n", about.replace('\n', " "));
    }
    let _ = write!(page, "| key | form | default | meaning |\n|---|---|---|---|\n{values}\n");
    for (path, below) in inner {
        table(root, below, &path, page);
    }
}

/// The form of a value in a few words.
fn form(root: &Value, property: &Value) -> String {
    let schema = schema::resolve(root, property);
    let choices = schema.get("enum").or_else(|| schema.get("oneOf")).and_then(Value::as_array);
    if let Some(choices) = choices {
        let names = choices.iter().filter_map(|choice| choice.as_str().or_else(|| choice.get("const")?.as_str()));
        return names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    }
    let word = schema.get("format").or_else(|| schema.get("type")).and_then(Value::as_str).unwrap_or_default();
    let bounds = |low: &str, high: &str| Some((property.get(low)?.clone(), property.get(high)?.clone()));
    match (word, bounds("x-min", "x-max").or_else(|| bounds("minimum", "maximum"))) {
        ("array", _) => match schema.get("items").map(|items| schema::resolve(root, items)) {
            Some(items) if items.get("properties").is_some() => "tables".to_owned(),
            _ => "list".to_owned(),
        },
        ("object", _) => "table".to_owned(),
        (word, Some((Value::String(low), Value::String(high)))) => format!("{word}, {low} to {high}"),
        (word, Some((low, high))) => format!("{word}, {low} to {high}"),
        (word, None) => word.replace('-', " "),
    }
}
