//! The fold at the edge: every error of the program becomes a kind, a sentence, hints and an exit code.

use std::error::Error;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::output::Document;

/// What kind of failure it is. Each has an exit code of its own, which scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A defect of this program.
    Internal,
    /// The command line asks for something that is not there.
    User,
    /// A configuration file or a setting.
    Config,
    /// Credentials are missing, wrong or expired.
    Auth,
    /// A workspace did not answer, or answered with an error.
    Remote,
    /// Policy or safety forbids it.
    Refused,
    /// An operation can neither go on nor back without a person.
    Stuck,
    /// A check has found something.
    Finding,
}

impl Kind {
    /// All kinds, in the order of their exit codes.
    pub const ALL: [Self; 8] =
        [Self::Internal, Self::User, Self::Config, Self::Auth, Self::Remote, Self::Refused, Self::Stuck, Self::Finding];

    /// The exit code. 2 is what clap and most tools use for a wrong command line.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::User => 2,
            Self::Config => 3,
            Self::Auth => 4,
            Self::Remote => 5,
            Self::Refused => 6,
            Self::Stuck => 7,
            Self::Finding => 8,
        }
    }

    /// When this kind occurs, for the reference page.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Internal => "a defect of lakeshift; please report it",
            Self::User => "the command line asks for something that is not there",
            Self::Config => "a configuration file or a setting is missing or wrong",
            Self::Auth => "credentials are missing, wrong or expired",
            Self::Remote => "a workspace did not answer, or answered with an error",
            Self::Refused => "a policy or a safety rule forbids it; nothing was changed",
            Self::Stuck => "an operation can go neither on nor back without a person",
            Self::Finding => "a check has found that something is not as it must be",
        }
    }
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// What happened, to what.
    pub message: String,
    /// What to do, one sentence each.
    pub hints: Vec<String>,
    /// Nobody reads any more: not a failure of ours, so it is neither reported nor given a code.
    reader_left: bool,
}

/// A failure as programs are told of it, on standard error.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Report<'a> {
    /// What kind it is.
    kind: Kind,
    /// The exit code that goes with the kind.
    exit_code: u8,
    /// What happened, to what.
    message: &'a str,
    /// What to do, one sentence each.
    hints: &'a [String],
}

impl Document for Report<'_> {
    const SCHEMA: &'static str = "lakeshift.error/1";
}

impl Failure {
    /// The failure for programs.
    pub fn report(&self) -> Report<'_> {
        Report { kind: self.kind, exit_code: self.kind.exit_code(), message: &self.message, hints: &self.hints }
    }

    /// A failure with a sentence that says what happened, and to what.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), reader_left: false }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Whether the reader of our output closed the pipe.
    pub fn reader_left(&self) -> bool {
        self.reader_left
    }

    /// Output could not be written. A closed pipe (`lakeshift runs | head -1`) is no failure.
    pub fn of_output(error: &std::io::Error) -> Self {
        Self {
            reader_left: error.kind() == std::io::ErrorKind::BrokenPipe,
            ..Self::new(Kind::User, format!("cannot write the output: {error}"))
        }
    }

    /// A failure of the machine around us, such as a file that cannot be written.
    pub fn of_system(what: impl fmt::Display, error: &dyn Error) -> Self {
        Self::new(Kind::User, format!("{what}: {}", chain(error)))
    }
}

impl From<std::io::Error> for Failure {
    /// For writes to the output alone; other I/O says what it was about with [`Failure::of_system`].
    fn from(error: std::io::Error) -> Self {
        Self::of_output(&error)
    }
}

/// An error and its sources, each once, in one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        source = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_exit_code_of_its_own_and_none_is_zero() {
        let codes: std::collections::BTreeSet<u8> = Kind::ALL.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!(codes.len(), Kind::ALL.len());
        assert!(!codes.contains(&0));
    }

    #[test]
    fn a_closed_pipe_is_no_failure_and_a_full_disk_is() {
        assert!(Failure::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe)).reader_left());
        assert!(!Failure::from(std::io::Error::from(std::io::ErrorKind::StorageFull)).reader_left());
    }
}
