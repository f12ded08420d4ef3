//! A file as read: its text, its tree with the place of each value, its hash.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::check;
use super::origin::{ConfigError, Origin, Problem};

/// No configuration is longer than this, in bytes; what is longer was named by mistake.
const LONGEST_FILE: u64 = 4 << 20;

/// The text of a file.
pub(super) struct Text {
    /// As it was named.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Text {
    /// Reads a file.
    pub(super) fn read(path: &Path, named_by: &Origin) -> Result<Self, ConfigError> {
        let unreadable = |message: String| {
            let origin = Origin::WholeFile(path.to_owned());
            ConfigError::Invalid(vec![Problem { origin, message, hint: None }])
        };
        let bytes = match std::fs::metadata(path) {
            Ok(file) if !file.is_file() => return Err(unreadable("expected a file".to_owned())),
            Ok(file) if file.len() > LONGEST_FILE => {
                return Err(unreadable(format!("longer than {LONGEST_FILE} bytes: is this the right file?")));
            }
            Ok(_) => std::fs::read(path).map_err(|error| unreadable(format!("cannot be read: {error}")))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(ConfigError::Missing { path: path.to_owned(), named_by: named_by.clone() });
            }
            Err(error) => return Err(unreadable(format!("cannot be read: {error}"))),
        };
        let text = String::from_utf8(bytes)
            .map_err(|error| unreadable(format!("byte {} is not UTF-8", error.utf8_error().valid_up_to())))?;
        Ok(Self { path: path.to_owned(), text })
    }

    /// SHA-256 of the file's bytes, in hexadecimal: what `sha256sum` prints.
    pub(super) fn sha256(&self) -> String {
        Sha256::digest(self.text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Where a span begins.
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start.min(self.text.len())).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Origin::File { path: self.path.clone(), line, column }
    }
}

/// A configuration file with the place of each value.
pub(super) struct Source<'a> {
    /// As it was named.
    pub(super) text: &'a Text,
    tree: Spanned<DeTable<'a>>,
}

/// One step on the way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl From<&str> for Step {
    fn from(key: &str) -> Self {
        Self::Key(key.to_owned())
    }
}

impl From<usize> for Step {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl<'a> Source<'a> {
    /// Reads the grammar of a text.
    pub(super) fn parse(text: &'a Text) -> Result<Self, Vec<Problem>> {
        let (tree, errors) = DeTable::parse_recoverable(&text.text);
        if errors.is_empty() {
            return Ok(Self { text, tree });
        }
        let problem = |error: &toml::de::Error| Problem {
            origin: text.origin(error.span().unwrap_or_default()),
            message: format!("not TOML: {}", error.message().trim_end().replace('\n', ", ")),
            hint: None,
        };
        Err(errors.iter().map(problem).collect())
    }

    /// Every finding of the check against a schema, with its place.
    pub(super) fn check(&self, schema: &serde_json::Value, foreign: check::Foreign<'_>) -> Vec<Problem> {
        let findings = check::check(schema, self.root(), self.tree.span(), foreign);
        let problem = |finding: check::Finding| Problem {
            origin: self.text.origin(finding.span),
            message: finding.message,
            hint: finding.hint,
        };
        findings.into_iter().map(problem).collect()
    }

    /// The root table.
    fn root(&self) -> &DeTable<'a> {
        self.tree.get_ref()
    }

    /// The root's keys that `keep` wants, as a type. On checked files it fails on nothing.
    pub(super) fn typed<T: DeserializeOwned>(&self, keep: impl Fn(&str) -> bool) -> Result<T, Problem> {
        let mut table = DeTable::new();
        for (key, value) in self.root().iter().filter(|(key, _)| keep(key.get_ref())) {
            table.insert(key.clone(), value.clone());
        }
        T::deserialize(Deserializer::from(Spanned::new(self.tree.span(), table))).map_err(|error| Problem {
            origin: self.text.origin(error.span().unwrap_or_default()),
            message: error.message().to_owned(),
            hint: None,
        })
    }

    /// The text at a key of the root; none if there is none or it is no text.
    pub(super) fn text_at(&self, key: &str) -> Option<&str> {
        self.root().get(key)?.get_ref().as_str()
    }

    /// Where a value stands, or else the nearest table around it that is there.
    pub(super) fn locate(&self, steps: &[Step]) -> Origin {
        let mut span = self.tree.span();
        let mut here: Option<&Spanned<DeValue<'a>>> = None;
        for step in steps {
            let next = match (here.map(Spanned::get_ref), step) {
                (None, Step::Key(key)) => self.root().get(key.as_str()),
                (Some(DeValue::Table(table)), Step::Key(key)) => table.get(key.as_str()),
                (Some(DeValue::Array(array)), Step::Index(index)) => array.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            span = next.span();
            here = Some(next);
        }
        self.text.origin(span)
    }

    /// A problem with the value at `steps`.
    pub(super) fn problem(&self, steps: &[Step], message: impl Into<String>) -> Problem {
        Problem { origin: self.locate(steps), message: message.into(), hint: None }
    }

    /// Every value that is no table of its own, with its dotted path: `polling.runs`, `workspaces[0].host`.
    pub(super) fn leaves(&self) -> Vec<(String, Origin)> {
        fn walk(path: &str, value: &Spanned<DeValue<'_>>, text: &Text, found: &mut Vec<(String, Origin)>) {
            match value.get_ref() {
                DeValue::Table(table) => {
                    for (key, value) in table {
                        walk(&format!("{path}.{}", key.get_ref()), value, text, found);
                    }
                }
                DeValue::Array(array) if array.iter().any(|item| item.get_ref().is_table()) => {
                    for (index, value) in array.iter().enumerate() {
                        walk(&format!("{path}[{index}]"), value, text, found);
                    }
                }
                _ => found.push((path.to_owned(), text.origin(value.span()))),
            }
        }
        let mut found = Vec::new();
        for (key, value) in self.root() {
            walk(key.get_ref(), value, self.text, &mut found);
        }
        found
    }
}
