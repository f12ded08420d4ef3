//! The terminal: taken over by one guard, and given back on return, error, panic and signal.

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::ThreadId;

use crossterm::clipboard::CopyToClipboard;
use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{cursor, execute, queue};
use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Position, Rect};
use ratatui::{Frame, Terminal};

use super::Surface;
use crate::app::Model;

/// A frame leaves in one write: the terminal never shows half of one.
const FRAME_BYTES: usize = 64 * 1024;

/// Whether the terminal is ours now. Global, because the panic hook has to know it.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The first panic of a thread other than the loop's.
static BACKGROUND_PANIC: Mutex<Option<String>> = Mutex::new(None);

/// There is no terminal to draw on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the console needs a terminal, and {0} is none; `lakeshift status` prints the same without one")]
pub struct NotATerminal(&'static str);

/// Whether there is a terminal to draw on.
///
/// # Errors
/// When there is none.
pub fn require_terminal() -> Result<(), NotATerminal> {
    if !io::stdin().is_terminal() {
        return Err(NotATerminal("standard input"));
    }
    if !io::stdout().is_terminal() {
        return Err(NotATerminal("standard output"));
    }
    Ok(())
}

/// The terminal while it is ours.
pub struct Screen<V> {
    terminal: Terminal<CrosstermBackend<BufWriter<Stdout>>>,
    view: V,
    mouse: bool,
}

impl<V: Fn(&Model, &mut Frame<'_>)> Screen<V> {
    /// Takes the terminal over.
    ///
    /// # Errors
    /// When input or output is no terminal, or it refuses; then it is as it was.
    pub fn open(view: V) -> Result<Self, super::Error> {
        require_terminal()?;
        let guard = Taken;
        take()?;
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::with_capacity(FRAME_BYTES, io::stdout())))?;
        // From here on the screen gives it back.
        std::mem::forget(guard);
        Ok(Self { terminal, view, mouse: false })
    }
}

impl<V: Fn(&Model, &mut Frame<'_>)> Surface for Screen<V> {
    fn draw(&mut self, model: &Model) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(|frame| (self.view)(model, frame))?;
        execute!(self.terminal.backend_mut(), EndSynchronizedUpdate)
    }

    fn copy(&mut self, text: &str) -> io::Result<()> {
        execute!(self.terminal.backend_mut(), CopyToClipboard::to_clipboard_from(text))
    }

    fn capture_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        let out = self.terminal.backend_mut();
        if on { execute!(out, EnableMouseCapture) } else { execute!(out, DisableMouseCapture) }
    }

    fn resume(&mut self) -> io::Result<()> {
        // The shell had the terminal meanwhile, so nothing of its state can be relied upon.
        disable_raw_mode()?;
        take()?;
        if self.mouse {
            self.capture_mouse(true)?;
        }
        // Not `clear()`: it asks the terminal where its cursor is, and the answer would be read as keys, or never come.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }
}

impl<V> Drop for Screen<V> {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back if taking it over fails half way.
struct Taken;

impl Drop for Taken {
    fn drop(&mut self) {
        restore();
    }
}

/// The terminal while it is read by key without being drawn on: for a question on the command line. A paste is told as one.
pub struct Raw(());

impl Raw {
    /// Reads by key from now on, until it is dropped.
    ///
    /// # Errors
    /// When the terminal refuses; then it is as it was.
    pub fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        let raw = Self(());
        execute!(io::stderr(), EnableBracketedPaste)?;
        Ok(raw)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = execute!(io::stderr(), DisableBracketedPaste);
        let _ = disable_raw_mode();
    }
}

fn take() -> io::Result<()> {
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, cursor::Hide)
}

/// Gives the terminal back, once. When it is gone (SIGHUP) there is nothing to give back and nobody to tell.
fn restore() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let mut out = io::stdout();
    // Each by itself: one that fails must not keep the others from being done.
    let _ = execute!(out, EndSynchronizedUpdate, DisableMouseCapture, DisableBracketedPaste);
    let _ = execute!(out, LeaveAlternateScreen, cursor::Show);
    let _ = disable_raw_mode();
    let _ = out.flush();
}

/// Makes panics leave a terminal in order, and say where the log is. Call it on the thread that will run the loop.
///
/// `left_behind` gives what a person should know beside the panic itself, a line each.
///
/// A panic of that thread restores the terminal and ends the program as usual. One of another thread, which would draw
/// over the screen, is logged and ends the console at its next turn.
pub fn restore_on_panic(log: Option<PathBuf>, left_behind: impl Fn() -> Vec<String> + Send + Sync + 'static) {
    let loop_thread = std::thread::current().id();
    std::panic::set_hook(Box::new(move |panic| on_panic(panic, loop_thread, log.as_ref(), &left_behind)));
}

#[expect(clippy::print_stderr, reason = "the terminal was just given back, and nothing else is left to say it")]
fn on_panic(
    panic: &PanicHookInfo<'_>,
    loop_thread: ThreadId,
    log: Option<&PathBuf>,
    left_behind: &dyn Fn() -> Vec<String>,
) {
    let trace = std::backtrace::Backtrace::force_capture();
    tracing::error!(%panic, %trace, "panic");
    if std::thread::current().id() != loop_thread {
        let mut first = BACKGROUND_PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert_with(|| panic.to_string());
        return;
    }
    restore();
    eprintln!("lakeshift: {panic}");
    match log {
        Some(log) => eprintln!("  This is a defect of lakeshift. What led to it is in {}", log.display()),
        None => eprintln!("  This is a defect of lakeshift."),
    }
    for line in left_behind() {
        eprintln!("  {line}");
    }
}

/// What panicked in the background, if anything did.
pub(super) fn background_panic() -> Option<String> {
    BACKGROUND_PANIC.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take()
}
