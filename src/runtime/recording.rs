//! Recordings: all that the model saw, as JSON lines, and the way back from them to the screen that was seen.

mod patch;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::patch::{Patch, apply, diff};
use crate::app::{Message, Model, Settings, update, vocabulary};
use crate::domain::Instant;
use crate::domain::ids::WorkspaceName;
use crate::domain::inventory::Inventory;
use crate::domain::workspace::Workspace;
use crate::keymap::Keymap;

/// The form of a recording. A change that old recordings would not survive raises it.
const FORM: u32 = 2;

/// Messages that may wait for the disk; beyond these the console waits too, since a recording with holes is none.
const WAITING: usize = 256;

/// Keys by context and command, as a configuration gives them.
pub type Keys = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The first line: all that the console was told when it started, so that a recording is replayed anywhere.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Opening {
    recording: u32,
    version: String,
    workspaces: Vec<Workspace>,
    /// By its IANA name.
    zone: String,
    read_only: BTreeSet<WorkspaceName>,
    inventory: Inventory,
    keys: Keys,
    #[serde(default)]
    unlockable: bool,
    size: (u16, u16),
    now: Instant,
}

/// What every form of recordings says of itself.
#[derive(Deserialize)]
struct Form {
    recording: u32,
    version: String,
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
    pub fn start(path: &Path, settings: &Settings, keys: &Keys) -> Result<Self, Error> {
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
            inventory: (*settings.inventory).clone(),
            keys: keys.clone(),
            unlockable: settings.unlockable,
            size: settings.size,
            now: settings.now,
        };
        write_line(&mut out, &opening).map_err(failed)?;
        let (queue, waiting) = sync_channel::<Message>(WAITING);
        let write = move || {
            let mut answers = Answers::default();
            for message in waiting {
                write_line(&mut out, &answers.line(&message)?)?;
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

/// A line: a message, or a feed's answer as it differs from the feed's answer before.
#[derive(Serialize, Deserialize)]
struct Again {
    at: Value,
    feed: Value,
    epoch: Value,
    /// None where the feed gave the same answer.
    patch: Option<Patch>,
}

/// The newest answer of each feed, by the feed as JSON: what the next one is told as a difference to.
#[derive(Default)]
struct Answers(HashMap<String, Value>);

impl Answers {
    /// A message as a line.
    fn line(&mut self, message: &Message) -> serde_json::Result<Value> {
        let mut line = serde_json::to_value(message)?;
        let Some(answer) = line.pointer_mut("/fact/Observed") else { return Ok(line) };
        let feed = answer["feed"].to_string();
        let Some(before) = self.0.get(&feed) else {
            self.0.insert(feed, answer["result"].clone());
            return Ok(line);
        };
        let patch = diff(before, &answer["result"]);
        let (feed_name, epoch, result) = (answer["feed"].take(), answer["epoch"].take(), answer["result"].take());
        self.0.insert(feed, result);
        serde_json::to_value(Again { at: line["at"].take(), feed: feed_name, epoch, patch })
    }

    /// A line as a message.
    fn message(&mut self, line: &str) -> serde_json::Result<Message> {
        let whole: Value = serde_json::from_str(line)?;
        if whole.get("fact").is_some() {
            if let Some(answer) = whole.pointer("/fact/Observed") {
                self.0.insert(answer["feed"].to_string(), answer["result"].clone());
            }
            // From the text: then an error says where in the line it is.
            return serde_json::from_str(line);
        }
        let Again { at, feed, epoch, patch } = serde_json::from_str(line)?;
        let stray = || serde::de::Error::custom("it continues an answer that is not there");
        let before = self.0.get_mut(&feed.to_string()).ok_or_else(stray)?;
        if let Some(patch) = patch {
            *before = apply(before, &patch).ok_or_else(stray)?;
        }
        let fact = serde_json::json!({"Observed": {"feed": feed, "epoch": epoch, "result": before}});
        serde_json::from_value(serde_json::json!({"at": at, "fact": fact}))
    }
}

/// Plays a recording to its end, and gives the model that was seen last and how many messages led to it.
///
/// # Errors
/// When the file does not read; a last line that a crash cut off is left out.
pub fn replay(path: &Path) -> Result<(Model, usize), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let mut lines = BufReader::new(File::open(path).map_err(failed)?).lines().enumerate().peekable();
    let unreadable = |line: usize, reason: &dyn ToString| Error::Line {
        path: path.to_owned(),
        line: line + 1,
        reason: reason.to_string(),
    };
    let Some((_, first)) = lines.next() else { return Err(unreadable(0, &"the file is empty")) };
    let first = first.map_err(failed)?;
    let Form { recording: found, version } = serde_json::from_str(&first).map_err(|error| unreadable(0, &error))?;
    if found != FORM {
        return Err(Error::Form { path: path.to_owned(), found, known: FORM, version });
    }
    let opening: Opening = serde_json::from_str(&first).map_err(|error| unreadable(0, &error))?;
    let Opening { workspaces, zone, read_only, unlockable, inventory, keys, size, now, .. } = opening;
    let zone = zone.parse().map_err(|error| unreadable(0, &error))?;
    let keymap = Keymap::load(&vocabulary(), &keys)
        .map_err(|errors| unreadable(0, &errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))?;
    let inventory = std::sync::Arc::new(inventory);
    let mut model = Model::new(Settings { workspaces, inventory, keymap, zone, read_only, unlockable, size, now });
    let mut answers = Answers::default();
    let mut played = 0;
    while let Some((number, line)) = lines.next() {
        let message = match answers.message(&line.map_err(failed)?) {
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
