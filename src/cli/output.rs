//! What a subcommand prints, and in which form: text for people, JSON or JSON lines for programs.

use std::io::Write;

use clap::ValueEnum;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Value, json};

use super::failure::Failure;

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned text for people; may change with every version.
    Text,
    /// One JSON document with its schema's name and version in `schema`.
    Json,
    /// One JSON document a line, each with its schema's name and version in `schema`.
    Ndjson,
}

/// When to color text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Color {
    /// Whether to color a stream, given whether it is a terminal and whether the user asked for none (NO_COLOR).
    pub fn on(self, terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Auto => terminal && !no_color,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Where a subcommand prints.
pub struct Output<'a> {
    /// The form that was asked for.
    pub format: Format,
    /// Whether text is colored.
    pub color: bool,
    /// Standard output, or a buffer in tests.
    pub out: &'a mut dyn Write,
}

/// What a subcommand says to programs.
pub trait Document: Serialize + JsonSchema {
    /// The schema's name and version. The version rises when a program that read the old form would misread the new one;
    /// further keys do not raise it.
    const SCHEMA: &'static str;
}

/// A document with its schema's name in front.
#[derive(Serialize)]
struct Versioned<'a, T> {
    schema: &'static str,
    #[serde(flatten)]
    content: &'a T,
}

impl Output<'_> {
    /// Prints one document as JSON: indented, or in one line as JSON lines.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn document<D: Document>(&mut self, content: &D) -> Result<(), Failure> {
        self.json(&Versioned { schema: D::SCHEMA, content })
    }

    /// Prints JSON that brings its own schema's name.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn json(&mut self, document: &impl Serialize) -> Result<(), Failure> {
        let written = match self.format {
            Format::Ndjson => serde_json::to_writer(&mut *self.out, document),
            Format::Json | Format::Text => serde_json::to_writer_pretty(&mut *self.out, document),
        };
        written.map_err(std::io::Error::from)?;
        writeln!(self.out)?;
        Ok(())
    }
}

/// The JSON schema of a document, with its name.
pub fn schema_of<D: Document>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<D>().to_value();
    schema["$id"] = json!(D::SCHEMA);
    if let Some(properties) = schema["properties"].as_object_mut() {
        properties.shift_insert(0, "schema".to_owned(), json!({ "const": D::SCHEMA }));
    }
    if let Some(required) = schema["required"].as_array_mut() {
        required.insert(0, json!("schema"));
    }
    schema
}
