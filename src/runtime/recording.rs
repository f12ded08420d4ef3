//! Recordings: all that the model saw, as JSON lines, and the way back from them to the screen that was seen.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};

use crate::app::{Message, Model, Settings, update};
use crate::domain::Instant;
use crate::domain::ids::WorkspaceName;
use crate::domain::workspace::Workspace;

/// The form of a recording. A change that old recordings would not survive raises it.
const FORM: u32 = 1;

/// Messages that may wait for the disk; beyond these the console waits too, since a recording with holes is none.
const WAITING: usize = 256;

/// The first line: what the console was told when it started. Keys and the fleet's rules come from the configuration at
/// hand when it is replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Opening {
    recording: u32,
    version: String,
    workspaces: Vec<Workspace>,
    /// By its IANA name.
    zone: String,
    read_only: BTreeSet<WorkspaceName>,
    size: (u16, u16),
    now: Instant,
}

/// What went wrong with a recording.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file.
    #[error("cannot use the recording {path}")]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line that does not read.
    #[error("{path}:{line}: this is no message of a recording: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The parser's words.
        reason: String,
    },
    /// A recording of another form.
    #[error("{path} has form {found} of recordings, this version replays form {known}: use lakeshift {version}")]
    Form {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// Ours.
        known: u32,
        /// The version that wrote it.
        version: String,
    },
}

/// Writes a recording, on a thread of its own.
pub struct Recorder {
    queue: SyncSender<Message>,
    thread: JoinHandle<std::io::Result<()>>,
}

impl Recorder {
    /// Makes the file, readable by its owner alone, and writes what the console starts with.
    ///
    /// # Errors
    /// When the file exists already or cannot be made.
    pub fn start(path: &Path, settings: &Settings) -> Result<Self, Error> {
        let failed = |source| Error::File { path: path.to_owned(), source };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut out = BufWriter::new(options.open(path).map_err(failed)?);
        let opening = Opening {
            recording: FORM,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            workspaces: settings.workspaces.clone(),
            zone: settings.zone.name().to_owned(),
            read_only: settings.read_only.clone(),
            size: settings.size,
            now: settings.now,
        };
        write_line(&mut out, &opening).map_err(failed)?;
        let (queue, waiting) = sync_channel::<Message>(WAITING);
        let write = move || {
            for message in waiting {
                write_line(&mut out, &message)?;
            }
            Ok(())
        };
        let thread = std::thread::Builder::new().name("recorder".into()).spawn(write).map_err(failed)?;
        Ok(Self { queue, thread })
    }

    /// Writes a message. When the disk has failed, the recording ends where it failed; [`Self::finish`] tells.
    pub fn record(&mut self, message: &Message) {
        let _ = self.queue.send(message.clone());
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// The disk's.
    pub fn finish(self) -> std::io::Result<()> {
        drop(self.queue);
        self.thread.join().unwrap_or_else(|_| Err(std::io::Error::other("the recorder panicked")))
    }
}

/// Each line is on its way to the disk before the next is written: a crash loses nothing that led to it.
fn write_line(out: &mut BufWriter<File>, value: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// Plays a recording to its end, and gives the model that was seen last and how many messages led to it.
///
/// `settings` gives keys and the fleet's rules; all else comes from the recording.
///
/// # Errors
/// When the file does not read; a last line that a crash cut off is left out.
pub fn replay(path: &Path, settings: Settings) -> Result<(Model, usize), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?).lines().enumerate().peekable();
    let unreadable = |line: usize, reason: &dyn ToString| Error::Line {
        path: path.to_owned(),
        line: line + 1,
        reason: reason.to_string(),
    };
    let Some((_, first)) = lines.next() else { return Err(unreadable(0, &"the file is empty")) };
    let opening: Opening = serde_json::from_str(&first.map_err(failed)?).map_err(|error| unreadable(0, &error))?;
    if opening.recording != FORM {
        let (found, known, version) = (opening.recording, FORM, opening.version);
        return Err(Error::Form { path: path.to_owned(), found, known, version });
    }
    let Opening { workspaces, zone, read_only, size, now, .. } = opening;
    let zone = zone.parse().map_err(|error| unreadable(0, &error))?;
    let mut model = Model::new(Settings { workspaces, zone, read_only, size, now, ..settings });
    let mut played = 0;
    while let Some((number, line)) = lines.next() {
        let message: Message = match serde_json::from_str(&line.map_err(failed)?) {
            Ok(message) => message,
            Err(error) if error.is_eof() && lines.peek().is_none() => break,
            Err(error) => return Err(unreadable(number, &error)),
        };
        // Effects were performed when it was recorded; their answers are in the recording.
        update(&mut model, message);
        played += 1;
    }
    Ok((model, played))
}
