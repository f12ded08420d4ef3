//! The console itself, as the command line opens it.

use super::Context;
use super::args::ConsoleFlags;
use super::config::usable;
use super::failure::{Failure, Kind, chain};
use super::sweep::{block_on, seed};
use crate::config::Config;
use crate::config::layers::Flags;
use crate::domain::clock::Clock;
use crate::runtime::aftermath::left_behind;
use crate::runtime::clock::SystemClock;
use crate::runtime::console::{self, Ended};
use crate::runtime::entropy::{Ids, SystemIds};
use crate::runtime::session::{Session, SessionError};

/// Opens the console on the configured workspaces, and gives the exit code that its end asks for.
pub(super) fn run(flags: &ConsoleFlags, context: &Context<'_>) -> Result<u8, Failure> {
    // Said first: who calls it from a script needs another command, not a configuration.
    require_terminal()?;
    let config = context.load(Flags { theme: flags.theme.clone(), read_only: flags.read_only }).and_then(usable)?;
    open(&config, flags, context)
}

/// Refuses where there is no terminal to open the console on.
pub(super) fn require_terminal() -> Result<(), Failure> {
    console::require_terminal().map_err(|error| Failure::from(SessionError::Console(error.into())))
}

/// Opens the console on the workspaces of a configuration.
pub(super) fn open(config: &Config, flags: &ConsoleFlags, context: &Context<'_>) -> Result<u8, Failure> {
    let session = Session { config, environment: context.environment, record: flags.record.clone(), seed: seed() };
    let ended = block_on(session.console())?.map_err(|error| {
        let crashed = matches!(error, SessionError::Console(console::Error::Panicked(_)));
        let failure = Failure::from(error);
        if crashed { in_flight(config).into_iter().fold(failure, Failure::hint) } else { failure }
    })?;
    match ended {
        Ended::Quit => Ok(0),
        // The convention of shells for what a signal ended.
        Ended::Stopped(stop) => Ok(128 + stop.number()),
    }
}

fn in_flight(config: &Config) -> Vec<String> {
    let now = SystemClock.now();
    left_behind(&config.paths.state_dir, SystemIds::default().ulid(now), now)
}

impl From<SessionError> for Failure {
    fn from(error: SessionError) -> Self {
        let message = chain(&error);
        match error {
            SessionError::Console(console::Error::Panicked(_)) => Self::new(Kind::Internal, message),
            SessionError::Keys(_) => {
                Self::new(Kind::Config, message).hint("`lakeshift config show` says where [keys] stand.")
            }
            SessionError::Theme(_) => Self::new(Kind::Config, message),
            _ => Self::new(Kind::User, message),
        }
    }
}
