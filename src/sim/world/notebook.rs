//! The two forms of a notebook: a source with marks between its cells, and Jupyter's JSON.

use serde_json::{Value, json};

use super::files::Language;

/// Whether a notebook is kept as Jupyter's JSON.
pub fn is_jupyter(content: &[u8]) -> bool {
    cells(content).is_some()
}

fn cells(content: &[u8]) -> Option<Vec<Value>> {
    let notebook: Value = serde_json::from_slice(content).ok()?;
    notebook.get("cells")?.as_array().cloned()
}

/// The notebook as a source.
pub fn as_source(language: Language, content: &[u8]) -> Vec<u8> {
    let Some(cells) = cells(content) else { return content.to_vec() };
    let comment = language.comment();
    let texts: Vec<String> = cells
        .iter()
        .map(|cell| {
            let text = match &cell["source"] {
                Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<String>(),
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            if cell["cell_type"] == "markdown" {
                let magic = |line: &str| format!("{comment} MAGIC {line}");
                format!("{comment} MAGIC %md\n{}", text.lines().map(magic).collect::<Vec<_>>().join("\n"))
            } else {
                text
            }
        })
        .collect();
    let between = format!("\n\n{comment} COMMAND ----------\n\n");
    format!("{comment} Databricks notebook source\n{}\n", texts.join(&between)).into_bytes()
}

/// The notebook as Jupyter's JSON.
pub fn as_jupyter(language: Language, content: &[u8]) -> Vec<u8> {
    if is_jupyter(content) {
        return content.to_vec();
    }
    let text = String::from_utf8_lossy(content);
    let mark = format!("{} Databricks notebook source", language.comment());
    let body = text.strip_prefix(&mark).unwrap_or(&text);
    let between = format!("{} COMMAND ----------", language.comment());
    let cell = |part: &str| json!({"cell_type": "code", "execution_count": null, "metadata": {}, "outputs": [], "source": [part.trim()]});
    let cells: Vec<Value> = body.split(&between).map(cell).collect();
    let name = language.name().to_lowercase();
    json!({"cells": cells, "metadata": {"language_info": {"name": name}}, "nbformat": 4, "nbformat_minor": 5})
        .to_string()
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forms_tell_the_same_cells() {
        let source = b"# Databricks notebook source\na = 1\n\n# COMMAND ----------\n\nprint(a)\n";
        let jupyter = as_jupyter(Language::Python, source);
        assert!(is_jupyter(&jupyter) && !is_jupyter(source));
        assert_eq!(as_source(Language::Python, &jupyter), source);
        assert_eq!(as_source(Language::Python, source), source);
        assert_eq!(as_jupyter(Language::Python, &jupyter), jupyter);
    }

    #[test]
    fn words_become_magic() {
        let jupyter = br##"{"cells": [{"cell_type": "markdown", "source": ["# Title\n", "text"]}]}"##;
        let source = as_source(Language::Sql, jupyter);
        assert_eq!(source, b"-- Databricks notebook source\n-- MAGIC %md\n-- MAGIC # Title\n-- MAGIC text\n");
    }
}
