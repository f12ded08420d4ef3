//! `lakeshift man`: manual pages, generated from what the command line knows of itself.

use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::Context;
use super::args::Arguments;
use super::failure::{Failure, Kind};

/// Prints the page of a subcommand (the program's own if none is named), or writes all of them into a folder.
pub(super) fn run(of: &[String], out: Option<&Path>, context: &mut Context<'_>) -> Result<(), Failure> {
    if let Some(folder) = out {
        let cannot = |error| Failure::of_system(format!("cannot write manual pages into {}", folder.display()), &error);
        std::fs::create_dir_all(folder).map_err(cannot)?;
        return clap_mangen::generate_to(Arguments::command(), folder).map_err(cannot);
    }
    // Building tells each subcommand its full name.
    let mut root = Arguments::command();
    root.build();
    let mut page = Vec::new();
    Man::new(named(&root, of)?.clone()).render(&mut page)?;
    context.output.out.write_all(&page).map_err(Failure::from)
}

fn named<'a>(root: &'a Command, of: &[String]) -> Result<&'a Command, Failure> {
    let mut command = root;
    for name in of {
        command = command.find_subcommand(name).ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            let failure = Failure::new(Kind::User, format!("{} has no subcommand `{name}`", full_name(command)));
            if known.is_empty() { failure } else { failure.hint(format!("There are {}.", known.join(", "))) }
        })?;
    }
    Ok(command)
}

fn full_name(command: &Command) -> String {
    command.get_bin_name().unwrap_or(command.get_name()).to_owned()
}
