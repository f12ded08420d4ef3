//! What a subcommand prints, and in which form: text for people, JSON or JSON lines for programs.

use std::io::Write;

use clap::ValueEnum;
use serde::Serialize;

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

/// A document with its schema's name in front.
#[derive(Serialize)]
struct Versioned<'a, T> {
    schema: &'a str,
    #[serde(flatten)]
    content: T,
}

impl Output<'_> {
    /// Prints one JSON document: indented as JSON, in one line as JSON lines.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn document(&mut self, schema: &str, content: impl Serialize) -> Result<(), Failure> {
        let document = Versioned { schema, content };
        let written = match self.format {
            Format::Ndjson => serde_json::to_writer(&mut *self.out, &document),
            Format::Json | Format::Text => serde_json::to_writer_pretty(&mut *self.out, &document),
        };
        written.map_err(std::io::Error::from)?;
        writeln!(self.out)?;
        Ok(())
    }
}
