//! `lakeshift sim`: the simulator alone, for tools and checks that are not part of this program.

use std::path::PathBuf;
use std::sync::Arc;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueHint};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::Context;
use super::failure::{Failure, Kind, chain};
use crate::runtime::clock::SystemClock;
use crate::runtime::ledger::simulated;
use crate::sim::scenario::Scenario;
use crate::sim::{self, Simulator};

/// What to simulate. `demo` understands the same.
#[derive(Args, Clone, Debug)]
pub struct WorldFlags {
    /// What happens.
    #[arg(long, value_name = "NAME", default_value = "incident", value_parser = PossibleValuesParser::new(Scenario::names()))]
    pub scenario: String,
    /// Everything that is drawn follows from this number.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// World seconds per second, 0 to 10000.
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    pub speed: f64,
}

impl WorldFlags {
    /// The simulator's options.
    pub fn options(&self) -> sim::Options {
        sim::Options {
            scenario: self.scenario.clone(),
            seed: self.seed,
            speed: self.speed,
            // Without one, what changes production state would be off.
            ledger: simulated().ok(),
            ..sim::Options::new(Arc::new(SystemClock))
        }
    }
}

/// Flags of `sim`.
#[derive(Args, Clone, Debug)]
pub struct SimFlags {
    /// What to simulate.
    #[command(flatten)]
    pub world: WorldFlags,
    /// Port of the first workspace; the others and the admin port follow. Free ports unless given.
    #[arg(long, value_name = "P")]
    pub port_base: Option<u16>,
    /// Write a configuration for `lakeshift --config FILE`, and its tokens into files beside it.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config_out: Option<PathBuf>,
    /// Write each request as a JSON line into FILE before its answer leaves.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub request_log: Option<PathBuf>,
    /// Send `expires_in` of OAuth tokens as text, as some servers do.
    #[arg(long)]
    pub oauth_expiry_as_text: bool,
    /// Add members that no documentation names to answers, as real ones gain from release to release.
    #[arg(long)]
    pub unknown_fields: bool,
}

/// Serves until SIGTERM or SIGINT. One JSON line on standard output says that it listens, and where.
pub fn run(flags: &SimFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of_system("cannot start the simulator", &error))?;
    runtime.block_on(async {
        // Before the line is printed: whoever reads it may send the signal at once.
        let listen = |kind| signal(kind).map_err(|error| Failure::of_system("cannot wait for signals", &error));
        let mut terminate = listen(SignalKind::terminate())?;
        let mut interrupt = listen(SignalKind::interrupt())?;
        let mut hang_up = listen(SignalKind::hangup())?;
        let simulator = Simulator::start(sim::Options {
            port_base: flags.port_base,
            request_log: flags.request_log.clone(),
            oauth_expiry_as_text: flags.oauth_expiry_as_text,
            unknown_fields: flags.unknown_fields,
            ..flags.world.options()
        })
        .await
        .map_err(|error| failure(&error))?;
        if let Some(path) = &flags.config_out {
            simulator.write_config(path).map_err(|error| failure(&error))?;
        }
        let line = json!({
            "workspaces": simulator.workspaces(),
            "admin": simulator.admin(),
            "config": flags.config_out,
        });
        writeln!(context.output.out, "{line}")?;
        context.output.out.flush()?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        simulator.shutdown().await;
        Ok(())
    })
}

/// Why the simulator did not start, for the command line.
pub fn failure(error: &sim::Error) -> Failure {
    let failure = Failure::new(Kind::User, chain(&error));
    match error {
        sim::Error::Listen { .. } => failure.hint("Choose another --port-base, or leave it away to use free ports."),
        _ => failure,
    }
}
