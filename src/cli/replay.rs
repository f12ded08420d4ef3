//! `lakeshift replay`: what the console showed last, from a recording.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::failure::Failure;
use super::output::{Document, Format};
use super::sweep::{instant, seed};
use crate::config::layers::Flags;
use crate::runtime::session::{Session, SessionError};
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
    let config = context.load(Flags::default())?;
    let session = Session { config: &config, environment: context.environment, record: None, seed: seed() };
    let (model, messages) = session.replay(&flags.file)?;
    let theme = session.theme().map_err(SessionError::Theme)?;
    let (columns, rows) = (model.shared.columns, model.shared.rows);
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap_or_else(|never| match never {});
    terminal.draw(|frame| ui::view(&model, &theme, frame)).unwrap_or_else(|never| match never {});
    let screen = ui::printed::lines(terminal.backend().buffer());
    if context.output.format != Format::Text {
        return context.output.document(&LastScreen { messages, at: instant(model.shared.now), columns, screen });
    }
    Ok(screen.iter().try_for_each(|line| writeln!(context.output.out, "{line}"))?)
}
