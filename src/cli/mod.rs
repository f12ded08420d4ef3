//! The command line: parses, does what was asked, and turns every failure into a sentence and an exit code.

pub mod args;
pub mod config;
mod confirm;
mod console;
pub mod demo;
pub mod doctor;
pub mod failure;
pub mod handover;
pub mod init;
pub mod ledger;
mod man;
pub mod operate;
pub mod operation_page;
pub mod operations;
pub mod output;
pub mod pipeline_acts;
pub mod pipelines;
pub mod reference;
pub mod replay;
pub mod run;
pub mod run_acts;
pub mod runs;
pub mod sim;
pub mod status;
pub mod sweep;
pub mod table;
pub mod watch;
pub mod whoami;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, Parser, ValueEnum};

use args::{Arguments, Command, Global};
use failure::{Failure, Kind};
use output::{Format, Output};

use crate::config::layers::Flags;
use crate::config::origin::ConfigError;
use crate::config::paths::Paths;
use crate::config::{Config, LoadOptions, environment};
use crate::runtime::clock::SystemClock;
use crate::telemetry;

/// What every subcommand works with.
pub struct Context<'a> {
    /// Flags that hold for every subcommand.
    pub global: &'a Global,
    /// The environment as it was when the program started.
    pub environment: &'a BTreeMap<String, String>,
    /// Where to print, and in which form.
    pub output: Output<'a>,
}

impl Context<'_> {
    /// The user's folders.
    ///
    /// # Errors
    /// When the user has no home.
    pub fn paths(&self) -> Result<Paths, Failure> {
        Paths::of_user(self.environment)
            .ok_or_else(|| Failure::new(Kind::User, "cannot tell your home folder").hint("Set HOME to it."))
    }

    /// Loads the configuration that the command line, the environment or the user's folder names.
    ///
    /// # Errors
    /// When there is none, or something in it is wrong.
    pub fn load(&self, flags: Flags) -> Result<Config, ConfigError> {
        // Without a home the files that are named can still be read.
        let paths = self.paths().unwrap_or_else(|_| Paths::below(std::path::Path::new("")));
        crate::config::load(&LoadOptions {
            file: self.global.config.clone(),
            flags,
            environment: self.environment.clone(),
            paths,
        })
    }
}

/// Starts the log file for a subcommand that goes on for a while or acts. Without one it works all the same, and says so.
fn log(config: &Config) -> Option<telemetry::Log> {
    let started = telemetry::start(&config.paths.state_dir.join("logs"), &config.personal.log, Arc::new(SystemClock));
    started
        .inspect_err(|error| {
            // When even standard error is closed, there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "lakeshift: goes on without a log: {error}");
        })
        .ok()
}

/// Runs the program with the process's own arguments and streams, and gives its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let given: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match Arguments::try_parse_from(&given) {
        Ok(arguments) => arguments,
        Err(error) => return unparsed(&error, &given),
    };
    let environment = environment::of_process();
    let global = &arguments.global;
    let stdout = std::io::stdout();
    let color = global.color.on(stdout.is_terminal(), environment::no_color(&environment));
    let mut out = std::io::BufWriter::new(stdout);
    let output = Output { format: global.output, color, out: &mut out };
    let result = run(&arguments, &mut Context { global, environment: &environment, output });
    match result.and_then(|code| out.flush().map(|()| code).map_err(Failure::from)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) if failure.reader_left() => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure, global.output, &mut std::io::stderr().lock());
            ExitCode::from(failure.kind.exit_code())
        }
    }
}

/// Does what was asked, and gives the exit code.
fn run(arguments: &Arguments, context: &mut Context<'_>) -> Result<u8, Failure> {
    let Some(command) = &arguments.command else {
        return console::run(&arguments.console, context);
    };
    if let Some(flag) = arguments.console.given() {
        return Err(Failure::new(Kind::User, format!("{flag} is for the console, not for a subcommand"))
            .hint("Leave the flag away, or put it behind the subcommand if that opens the console."));
    }
    match command {
        Command::Demo(flags) => return demo::run(flags, context),
        Command::Status(flags) => status::run(flags, context),
        Command::Runs(flags) => runs::run(flags, context),
        Command::Run(command) => run::run(command, context),
        Command::Pipelines(flags) => pipelines::run(flags, context),
        Command::Pipeline(command) => pipeline_acts::run(command, context),
        Command::Operations(command) => operations::run(command, context),
        Command::Watch(flags) => watch::run(flags, context),
        Command::Replay(flags) => replay::run(flags, context),
        Command::Config(command) => config::run(command, context),
        Command::Init => init::run(context),
        Command::Whoami(flags) => whoami::run(flags, context),
        Command::Doctor(flags) => doctor::run(flags, context),
        Command::Ledger(command) => ledger::run(command, context),
        Command::Sim(flags) => sim::run(flags, context),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Arguments::command(), "lakeshift", &mut script);
            context.output.out.write_all(&script).map_err(Failure::from)
        }
        Command::Man { of, out } => man::run(of, out.as_deref(), context),
    }
    .map(|()| 0)
}

/// What clap has to say instead of arguments: help, the version, or what is wrong with them.
fn unparsed(error: &clap::Error, given: &[OsString]) -> ExitCode {
    let format = output_asked(given);
    if !error.use_stderr() || format == Format::Text {
        // A closed pipe behind `--help | head` is nobody's failure.
        let _ = error.print();
        return ExitCode::from(if error.use_stderr() { Kind::User.exit_code() } else { 0 });
    }
    let text = error.render().to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let failure = lines.fold(Failure::new(Kind::User, message), Failure::hint);
    report(&failure, format, &mut std::io::stderr().lock());
    ExitCode::from(failure.kind.exit_code())
}

/// The form that a command line asks for that could not be parsed.
fn output_asked(given: &[OsString]) -> Format {
    let words: Vec<&str> = given.iter().filter_map(|word| word.to_str()).collect();
    let apart = words.windows(2).filter(|pair| pair[0] == "--output").map(|pair| pair[1]);
    let joined = words.iter().filter_map(|word| word.strip_prefix("--output="));
    let asked = apart.chain(joined).find_map(|form| Format::from_str(form, false).ok());
    asked.unwrap_or(Format::Text)
}

/// Says what went wrong: three parts for a person, one JSON document for a program.
fn report(failure: &Failure, format: Format, err: &mut dyn Write) {
    let text = match format {
        Format::Text => {
            let hints: String = failure.hints.iter().map(|hint| format!("  {hint}\n")).collect();
            format!("lakeshift: {}\n{hints}", failure.message)
        }
        // One line in either form: what is read of standard error is read by the line.
        Format::Json | Format::Ndjson => {
            let _ = Output { format: Format::Ndjson, color: false, out: err }.document(&failure.report());
            return;
        }
    };
    // When even standard error is closed, the exit code is all that is left to say it.
    let _ = err.write_all(text.as_bytes());
}
