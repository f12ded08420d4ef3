//! The command line as data: flags and subcommands, with the sentences that help and `docs/cli.md` are made of.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueHint};

use super::config::ConfigCommand;
use super::ledger::LedgerCommand;
use super::output::{Color, Format};
use super::pipelines::PipelinesFlags;
use super::run::RunCommand;
use super::runs::RunsFlags;
use super::status::StatusFlags;

/// An operations console for Databricks data pipelines.
///
/// Without a subcommand it opens the console on the workspaces of your configuration. The subcommands do the same work
/// for scripts and CI.
#[derive(Debug, Parser)]
#[command(name = "lakeshift", version, propagate_version = true)]
pub struct Arguments {
    /// What holds for every subcommand.
    #[command(flatten)]
    pub global: Global,
    /// What holds for the console.
    #[command(flatten)]
    pub console: ConsoleFlags,
    /// What to do; nothing opens the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What holds for every subcommand.
#[derive(Args, Debug)]
pub struct Global {
    /// Configuration file to use instead of the one in your configuration directory.
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Form of the output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text, value_name = "FORM")]
    pub output: Format,
    /// When to color text.
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub color: Color,
}

/// What holds for the console, with or without `demo`.
#[derive(Args, Clone, Debug, Default)]
pub struct ConsoleFlags {
    /// Theme, by name.
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Refuse everything that changes a workspace, whatever the configuration allows.
    #[arg(long)]
    pub read_only: bool,
    /// Write all that the console sees and all keys to FILE, for replay.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub record: Option<PathBuf>,
}

impl ConsoleFlags {
    /// The first flag that was given, if any.
    pub fn given(&self) -> Option<&'static str> {
        if self.theme.is_some() {
            Some("--theme")
        } else if self.read_only {
            Some("--read-only")
        } else {
            self.record.as_ref().map(|_| "--record")
        }
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tell whether anything is on fire, where, and since when.
    Status(StatusFlags),
    /// List the recent runs of all jobs, newest first.
    Runs(RunsFlags),
    /// Look at one run, or start, cancel or repair one.
    #[command(subcommand)]
    Run(RunCommand),
    /// List pipelines: where each stands and how far behind it is.
    Pipelines(PipelinesFlags),
    /// Start or stop a pipeline.
    #[command(subcommand)]
    Pipeline(super::pipeline_acts::PipelineCommand),
    /// See, resume, abort and export what was started here.
    #[command(subcommand)]
    Operations(super::operations::OperationsCommand),
    /// Say what changes in the fleet as it changes, without a terminal, until SIGTERM.
    Watch(super::watch::WatchFlags),
    /// Play a recording of the console to its end, and print the last screen.
    Replay(super::replay::ReplayFlags),
    /// Check or show the configuration, or print its schema.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Write a first configuration from the profiles of .databrickscfg.
    Init,
    /// Tell who you are in each workspace, and what you may do there.
    Whoami(super::whoami::WhoamiFlags),
    /// Try what must hold of the workspaces and of the platform, and tell which features are on because of it.
    Doctor(super::doctor::DoctorFlags),
    /// The shared record: make it, look at it, seal it, prove it, hand it to an auditor.
    #[command(subcommand)]
    Ledger(LedgerCommand),
    /// Open the console on simulated workspaces that this process serves.
    Demo(super::demo::DemoFlags),
    /// Serve simulated workspaces over HTTP on loopback, until SIGTERM.
    Sim(super::sim::SimFlags),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the manual page of lakeshift or of a subcommand.
    Man {
        /// The subcommand, such as `run start`.
        #[arg(value_name = "SUBCOMMAND")]
        of: Vec<String>,
        /// Write every page into this folder instead, for `man`.
        #[arg(long, value_name = "FOLDER", value_hint = ValueHint::DirPath, conflicts_with = "of")]
        out: Option<PathBuf>,
    },
}
