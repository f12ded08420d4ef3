//! `lakeshift replay`: what the console showed last, from a recording.

use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::output::{Document, Format};
use super::sweep::instant;
use crate::config::dialect::personal::Personal;
use crate::config::layers::Flags;
use crate::config::origin::ConfigError;
use crate::runtime::recording;
use crate::runtime::session::SessionError;
use crate::theme::{Choice, Depth, Theme, locale_is_unicode};
use crate::ui;

/// What to replay.
#[derive(Args, Clone, Debug)]
pub struct ReplayFlags {
    /// A recording that the console wrote with --record.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub file: PathBuf,
}

/// What the console showed last.
#[derive(Debug, Serialize, JsonSchema)]
pub struct LastScreen {
    /// How many messages led to it.
    messages: usize,
    /// When the last one came (local time of the recording).
    at: String,
    /// The screen's width in columns.
    columns: u16,
    /// The screen, a line a row, without spaces at line ends.
    screen: Vec<String>,
}

impl Document for LastScreen {
    const SCHEMA: &'static str = "lakeshift.replay/1";
}

/// Runs `lakeshift replay`.
pub(super) fn run(flags: &ReplayFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let (model, messages) = recording::replay(&flags.file).map_err(SessionError::from)?;
    let theme = theme(context)?;
    let (columns, rows) = (model.shared.columns, model.shared.rows);
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap_or_else(|never| match never {});
    terminal.draw(|frame| ui::view(&model, &theme, frame)).unwrap_or_else(|never| match never {});
    let screen = ui::printed::lines(terminal.backend().buffer());
    if context.output.format != Format::Text {
        return context.output.document(&LastScreen { messages, at: instant(model.shared.now), columns, screen });
    }
    Ok(screen.iter().try_for_each(|line| writeln!(context.output.out, "{line}"))?)
}

/// The configured theme. A recording is whole without a configuration, so there need not be one.
fn theme(context: &Context<'_>) -> Result<Theme, Failure> {
    let environment = context.environment;
    let load = |name: &str, folder: Option<&Path>| {
        let (depth, unicode) = (Depth::of_environment(environment), locale_is_unicode(environment));
        Theme::load(&Choice { name, folder, depth, unicode }).map_err(|error| SessionError::Theme(error).into())
    };
    match context.load(Flags::default()) {
        Ok(config) => load(&config.personal.theme, Some(&config.paths.config_dir.join("themes"))),
        Err(ConfigError::Missing { .. }) if context.global.config.is_none() => load(&Personal::default().theme, None),
        Err(error) => Err(error.into()),
    }
}
