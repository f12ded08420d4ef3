//! `lakeshift demo`: the console on simulated workspaces that this very process serves.

use std::collections::BTreeMap;

use clap::Args;

use super::args::ConsoleFlags;
use super::failure::Failure;
use super::sim::{WorldFlags, failure};
use super::{Context, console};
use crate::config::layers::Flags;
use crate::config::paths::Paths;
use crate::config::{self, LoadOptions};
use crate::sim::Simulator;

/// Flags of `demo`.
#[derive(Args, Clone, Debug)]
pub struct DemoFlags {
    /// What to simulate.
    #[command(flatten)]
    pub world: WorldFlags,
    /// What holds for the console.
    #[command(flatten)]
    pub console: ConsoleFlags,
}

/// Serves the workspaces and opens the console on them over real HTTP. Gives the exit code.
pub(super) fn run(flags: &DemoFlags, context: &Context<'_>) -> Result<u8, Failure> {
    console::require_terminal()?;
    let system = |what: &'static str| move |error: std::io::Error| Failure::of_system(what, &error);
    // Everything that the demo writes is in here, and goes with it.
    let folder = tempfile::Builder::new()
        .prefix("lakeshift-demo-")
        .tempdir()
        .map_err(system("cannot make a temporary folder"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(system("cannot start the simulator"))?;
    let simulator = runtime.block_on(Simulator::start(flags.world.options())).map_err(|error| failure(&error))?;
    let file = folder.path().join("demo.toml");
    simulator.write_config(&file).map_err(|error| failure(&error))?;
    // The user's own environment and folders have no say in a demo, or it would differ from desk to desk.
    let config = config::load(&LoadOptions {
        file: Some(file),
        flags: Flags { theme: flags.console.theme.clone(), read_only: flags.console.read_only },
        environment: BTreeMap::new(),
        paths: Paths::below(folder.path()),
    })?;
    let ended = console::open(&config, &flags.console, context);
    runtime.block_on(simulator.shutdown());
    ended
}
