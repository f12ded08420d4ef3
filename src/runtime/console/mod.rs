//! The console's loop: one owner of the model, one ordered queue of facts, one frame a turn at most.
//!
//! A turn takes what waits (input first), folds it into the model, performs the effects, and draws once if the model
//! changed. While nothing happens and nothing visible ages, the loop sleeps.

mod coalesce;
mod input;
mod signals;
mod terminal;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::poll_immediate;
use futures::{Stream, StreamExt};
use ratatui::Frame;
use tokio::sync::mpsc;

use self::coalesce::coalesce;
pub use self::input::facts;
pub use self::signals::Stop;
pub use self::terminal::{NotATerminal, Raw, Screen, require_terminal, restore_on_panic};
use crate::app::act::Order;
use crate::app::{Effect, Fact, Feed, Message, Model, update};
use crate::domain::clock::Clock;
use crate::runtime::keeper::Keeper;
use crate::runtime::recording::Recorder;

/// Facts that one turn takes at most, so that a flood cannot keep the screen from being drawn.
const TURN: usize = 256;

/// How long what nobody typed for is gathered before it is drawn: an answer comes in several facts (the request, what it
/// told, what that led to), and a frame for each would cost more than all the rest.
const GATHER: std::time::Duration = std::time::Duration::from_millis(100);

/// Why the console ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// A person left.
    Quit,
    /// A signal asked for it.
    Stopped(Stop),
}

/// Why the console could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no terminal to draw on.
    #[error(transparent)]
    NotATerminal(#[from] NotATerminal),
    /// The terminal failed.
    #[error("the terminal failed")]
    Terminal(#[from] std::io::Error),
    /// The signals could not be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
    /// Something in the background panicked: going on would show a picture that no longer moves.
    #[error("a background task panicked: {0}")]
    Panicked(String),
}

/// What the loop draws on. A test's draws nowhere.
pub trait Surface {
    /// Draws the model.
    ///
    /// # Errors
    /// The terminal's.
    fn draw(&mut self, model: &Model) -> std::io::Result<()>;
    /// Puts text on the clipboard of whoever sits before the terminal.
    ///
    /// # Errors
    /// The terminal's.
    fn copy(&mut self, text: &str) -> std::io::Result<()>;
    /// Listens to the mouse, or stops to.
    ///
    /// # Errors
    /// The terminal's.
    fn capture_mouse(&mut self, on: bool) -> std::io::Result<()>;
    /// Takes the terminal over again after the process was stopped for a while.
    ///
    /// # Errors
    /// The terminal's.
    fn resume(&mut self) -> std::io::Result<()>;
}

/// Who keeps feeds fresh on the console's order.
pub trait Feeder {
    /// Begins. Called once, when the first frame is drawn: nothing that this takes keeps a person waiting for it.
    fn start(&mut self);
    /// See [`Poller::watch`](crate::runtime::poller::Poller::watch).
    fn watch(&mut self, feeds: Vec<Feed>, epoch: u64);
    /// See [`Poller::refresh`](crate::runtime::poller::Poller::refresh).
    fn refresh(&mut self, feed: &Feed);
    /// Follows an order about an act.
    fn act(&mut self, order: Order);
}

/// What the loop needs beside the terminal.
pub struct Parts<F> {
    /// The model as it starts.
    pub model: Model,
    /// Facts from everywhere but the terminal.
    pub facts: mpsc::Receiver<Message>,
    /// The other end of it, for effects that fail later.
    pub back: mpsc::Sender<Message>,
    /// Who keeps feeds fresh.
    pub feeder: F,
    /// Writes snapshots to the store.
    pub keeper: Option<Keeper>,
    /// Writes all that the model sees, for replay.
    pub recorder: Option<Recorder>,
    /// Local time.
    pub clock: Arc<dyn Clock>,
    /// Where exports are written.
    pub exports: std::path::PathBuf,
    /// Whether a browser can be opened here; else its address is shown.
    pub has_browser: bool,
}

/// Opens the terminal and runs the console until somebody leaves or a signal comes. Gives the parts back, to be stopped.
///
/// # Errors
/// When there is no terminal, or it fails. It is restored in any case.
pub async fn run<F: Feeder>(
    mut parts: Parts<F>,
    view: impl Fn(&Model, &mut Frame<'_>),
) -> (Parts<F>, Result<Ended, Error>) {
    let result = async {
        let signals = signals::listen().map_err(Error::Signals)?;
        let mut screen = Screen::open(view)?;
        let input = input::facts();
        drive(&mut parts, &mut screen, input, signals).await
    }
    .await;
    (parts, result)
}

/// The loop itself, over any terminal.
async fn drive<F: Feeder>(
    parts: &mut Parts<F>,
    surface: &mut impl Surface,
    input: impl Stream<Item = std::io::Result<Fact>>,
    signals: impl Stream<Item = Stop>,
) -> Result<Ended, Error> {
    let (mut input, mut signals) = (std::pin::pin!(input), std::pin::pin!(signals));
    let mut waiting = Vec::new();
    // What waits already (the cache) belongs to the first frame; a tick makes the model say what it wants watched.
    waiting.push(parts.stamped(Fact::Ticked));
    take_waiting(&mut parts.facts, &mut waiting);
    let wanted = parts.fold(&mut waiting);
    surface.draw(&parts.model)?;
    let mut drawn = parts.model.revision();
    parts.feeder.start();
    if parts.perform_all(wanted, surface)? {
        return Ok(Ended::Quit);
    }
    loop {
        let mut gathered_until = None;
        loop {
            tokio::select! {
                biased;
                Some(fact) = input.next() => waiting.push(parts.stamped(fact?)),
                Some(stop) = signals.next() => match stop {
                    Stop::Continued => {
                        surface.resume()?;
                        surface.draw(&parts.model)?;
                    }
                    stop => return Ok(Ended::Stopped(stop)),
                },
                Some(message) = parts.facts.recv(), if waiting.len() < TURN => {
                    waiting.push(message);
                    // A dialog is waited for.
                    if parts.model.modal().is_none() && waiting.len() < TURN {
                        gathered_until.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
                        continue;
                    }
                }
                () = at(gathered_until), if gathered_until.is_some() => {}
                () = tokio::time::sleep(to_next_look(&parts.model, parts.clock.as_ref())), if parts.model.ages() => {
                    waiting.push(parts.stamped(Fact::Ticked));
                }
            }
            break;
        }
        while waiting.len() < TURN
            // Asked with this task's own waker: the terminal's stream keeps the first one that it is given until it used it.
            && let Some(Some(fact)) = poll_immediate(input.next()).await
        {
            waiting.push(parts.stamped(fact?));
        }
        take_waiting(&mut parts.facts, &mut waiting);
        if let Some(panic) = terminal::background_panic() {
            return Err(Error::Panicked(panic));
        }
        let effects = parts.fold(&mut waiting);
        if parts.perform_all(effects, surface)? {
            return Ok(Ended::Quit);
        }
        loop {
            if drawn != parts.model.revision() {
                drawn = parts.model.revision();
                surface.draw(&parts.model)?;
            }
            if !parts.model.awaits_drawing() {
                break;
            }
            // It is on the screen now. What was typed before anybody could see it is told first, while nothing counts yet;
            // what that leads to must be drawn again. Only a frame behind which nothing waits counts as seen.
            while let Some(Some(fact)) = poll_immediate(input.next()).await {
                waiting.push(parts.stamped(fact?));
            }
            if waiting.is_empty() {
                waiting.push(parts.stamped(Fact::Drawn));
            }
            let effects = parts.fold(&mut waiting);
            if parts.perform_all(effects, surface)? {
                return Ok(Ended::Quit);
            }
        }
    }
}

async fn at(instant: Option<tokio::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn take_waiting(facts: &mut mpsc::Receiver<Message>, waiting: &mut Vec<Message>) {
    while waiting.len() < TURN
        && let Ok(message) = facts.try_recv()
    {
        waiting.push(message);
    }
}

fn write_new(folder: &std::path::Path, path: &std::path::Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    std::fs::create_dir_all(folder)?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)?.write_all(text.as_bytes())
}

/// The clock of the header turns with the second; a dialog may have something to show before.
fn to_next_look(model: &Model, clock: &dyn Clock) -> std::time::Duration {
    let now = clock.now();
    let second = std::time::Duration::from_millis(u64::from(1_000 - now.timestamp_subsec_millis().min(999)));
    let sooner = model.wakes_at().map(|at| at.signed_duration_since(now).to_std().unwrap_or_default());
    sooner.map_or(second, |sooner| second.min(sooner.max(std::time::Duration::from_millis(1))))
}

impl<F: Feeder> Parts<F> {
    fn stamped(&self, fact: Fact) -> Message {
        Message { at: self.clock.now(), fact }
    }

    /// Folds what waits into the model, and gives what follows from it.
    fn fold(&mut self, waiting: &mut Vec<Message>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for message in coalesce(std::mem::take(waiting)) {
            if let Some(recorder) = &mut self.recorder {
                recorder.record(&message);
            }
            if let Some(keeper) = &self.keeper {
                keeper.observe(&message);
            }
            effects.extend(update(&mut self.model, message));
        }
        effects
    }

    /// Performs in order. True when the console is to end.
    fn perform_all(&mut self, effects: Vec<Effect>, surface: &mut impl Surface) -> Result<bool, Error> {
        for effect in effects {
            if self.perform(effect, surface)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn perform(&mut self, effect: Effect, surface: &mut impl Surface) -> Result<bool, Error> {
        match effect {
            Effect::Watch { feeds, epoch } => self.feeder.watch(feeds, epoch),
            Effect::Refresh(feed) => self.feeder.refresh(&feed),
            Effect::Act(order) => self.feeder.act(order),
            Effect::Copy(text) => surface.copy(&text)?,
            Effect::CaptureMouse(on) => surface.capture_mouse(on)?,
            Effect::Open(url) => self.browse(url),
            Effect::Export { name, text } => self.export(name, text),
            Effect::Quit => return Ok(true),
        }
        Ok(false)
    }

    /// Writes an export beside the journal, for its owner alone; what is there already stays.
    fn export(&self, name: String, text: String) {
        let (back, clock, folder) = (self.back.clone(), Arc::clone(&self.clock), self.exports.clone());
        drop(tokio::task::spawn_blocking(move || {
            let path = folder.join(&name);
            let fact = match write_new(&folder, &path, &text) {
                Ok(()) => Fact::Exported { path: path.display().to_string() },
                Err(error) => Fact::EffectFailed(format!("{} cannot be written: {error}", path.display())),
            };
            let _ = back.blocking_send(Message { at: clock.now(), fact });
        }));
    }

    /// Opens a page in the browser, or has its address shown.
    fn browse(&self, url: String) {
        let shown = Message { at: self.clock.now(), fact: Fact::EffectFailed(format!("open it yourself: {url}")) };
        let is_page = url.starts_with("https://") || url.starts_with("http://");
        if !is_page || !self.has_browser {
            // A full queue is no place for a hint.
            let _ = self.back.try_send(shown);
            return;
        }
        let back = self.back.clone();
        // Starting a process takes a while; nobody waits for it.
        drop(tokio::task::spawn_blocking(move || {
            if open::that_detached(&url).is_err() {
                let _ = back.try_send(shown);
            }
        }));
    }
}
