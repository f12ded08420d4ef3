//! The local SQLite files: the last-good cache, so that the next start shows the fleet at once, marked with its age; and
//! beside it the [`journal`] of operations, which is held to more.
//!
//! Several processes share them: WAL, short write transactions, and rows that mean the same whoever wrote them.
//! Nothing is ever dropped silently: a cache that cannot be read is set aside under another name, a file of a newer version
//! is left alone, and both are told.

pub mod adoption;
mod codec;
pub mod journal;
pub mod outbox;
mod proofs;
mod read;
mod schema;
mod session;
mod write;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

pub use adoption::{Adopted, Handover};
pub use journal::{HUNG_AFTER, Health, Journal, Owner, Record};
pub use outbox::{OutboxRow, RowKey, Waiting};
pub use write::Written;

use crate::operations::Unhashable;
use crate::operations::kind::Kind;
use crate::operations::plan::OperationId;
use crate::operations::refusal::kind_words;

/// How long one process waits for another's write.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The folder or the file could not be made.
    #[error("cannot make {path}: give this account write access to it, or name another state folder")]
    Make {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "{path} has format {found}, this version knows up to {known}: update lakeshift, or name another state folder"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// The file is another program's.
    #[error("{path} is an SQLite file of another program: name another state folder")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// Another process works on the operation.
    #[error("operation {operation} is in the hands of {owner} since {}", since.format("%Y-%m-%d %H:%M:%S UTC"))]
    Held {
        /// The operation.
        operation: OperationId,
        /// Who a person would ask.
        owner: String,
        /// Since when.
        since: crate::domain::Instant,
    },
    /// This process has lost the operation to another.
    #[error("operation {operation} was taken over{}", owner.as_ref().map(|owner| format!(" by {owner}")).unwrap_or_default())]
    NotOwner {
        /// The operation.
        operation: OperationId,
        /// Who has it.
        owner: Option<String>,
    },
    /// The journal has gone on without this process.
    #[error("the journal of operation {operation} has {found} entries where {expected} were expected")]
    Behind {
        /// The operation.
        operation: OperationId,
        /// Entries that this process knows.
        expected: u64,
        /// Entries that there are.
        found: u64,
    },
    /// Another operation on the same subject is not over.
    #[error("operation {operation} ({}) on the same object is not over", kind_words(*kind))]
    Collides {
        /// That operation.
        operation: OperationId,
        /// What it is; none if it is of another version of this program.
        kind: Option<Kind>,
    },
    /// What is stored of an operation does not read.
    #[error("what is stored of operation {operation} does not read: {why}")]
    Garbled {
        /// The operation.
        operation: String,
        /// Why.
        why: String,
    },
    /// A plan or an entry has no one spelling.
    #[error("the operation cannot be written down")]
    Plan(#[source] Unhashable),
    /// The database refused something else.
    #[error("cannot {what} in the local store")]
    Database {
        /// What was attempted.
        what: &'static str,
        /// Why it failed.
        source: rusqlite::Error,
    },
}

/// The open store. Belongs to one thread at a time.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
}

/// An open store, and what had to be done to open it.
#[derive(Debug)]
pub struct Opened {
    /// The store.
    pub store: Store,
    /// Where an unreadable file was moved, if there was one. A person should be told.
    pub set_aside: Option<PathBuf>,
}

impl Store {
    /// Opens the file, making it (0600) and its folder (0700) where they are missing, and brings it to the present format.
    ///
    /// `stamp` names what is set aside, should the file be unreadable; the caller takes it from its clock.
    ///
    /// # Errors
    /// See [`Error`]. An unreadable file is no error: it is moved to `<name>.unreadable-<stamp>` and told.
    pub fn open(path: &Path, stamp: &str) -> Result<Opened, Error> {
        make_private(path)?;
        match Self::connect(path) {
            Ok(store) => Ok(Opened { store, set_aside: None }),
            Err(error) if is_unreadable(&error) => {
                let aside = set_aside(path, stamp)?;
                make_private(path)?;
                Ok(Opened { store: Self::connect(path)?, set_aside: Some(aside) })
            }
            Err(error) => Err(error),
        }
    }

    fn connect(path: &Path) -> Result<Self, Error> {
        // A cache may lose its last moments to a power cut, never its consistency.
        let format = Format { owner: schema::OWNER, steps: schema::STEPS, synchronous: "NORMAL" };
        let connection = connect(path, &format)?;
        connection.execute_batch("PRAGMA cache_size = -512").map_err(failed("set up"))?;
        Ok(Self { connection })
    }
}

/// What a file of ours holds, and how firmly.
struct Format {
    /// Marks the file as ours (`application_id`).
    owner: i64,
    /// Each brings the file from the format of its index to the next one.
    steps: &'static [&'static str],
    /// What a commit waits for: `NORMAL` for consistency, `FULL` for every commit to outlive a power cut.
    synchronous: &'static str,
}

/// Opens a file and brings it to the present format.
fn connect(path: &Path, format: &Format) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
    connection.busy_timeout(PATIENCE).map_err(failed("set the patience"))?;
    let set = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {}; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
        format.synchronous
    );
    connection.execute_batch(&set).map_err(failed("set up"))?;
    // Without it SQLite plans a kept statement anew for each value that is bound: a sixth of the time to the first frame.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed("set up"))?;
    migrate(&mut connection, path, format)?;
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path, format: &Format) -> Result<(), Error> {
    let attempt = failed("read the format");
    let known = i64::try_from(format.steps.len()).unwrap_or(i64::MAX);
    // The usual start finds the present format: then nothing is written, and no other process is waited for.
    if standing(connection).map_err(&attempt)? == (format.owner, known) {
        return Ok(());
    }
    // Immediate: of two processes that start together, one migrates and the other waits.
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed("migrate"))?;
    let (owner, found) = standing(&transaction).map_err(&attempt)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(&attempt)?;
    if owner != format.owner && (owner != 0 || tables > 0) {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    if found > known {
        return Err(Error::Newer { path: path.to_owned(), found, known });
    }
    let done = usize::try_from(found).unwrap_or(0);
    for step in format.steps.iter().skip(done) {
        transaction.execute_batch(step).map_err(failed("migrate"))?;
    }
    transaction.pragma_update(None, "application_id", format.owner).map_err(failed("migrate"))?;
    transaction.pragma_update(None, "user_version", known).map_err(failed("migrate"))?;
    transaction.commit().map_err(failed("migrate"))
}

/// Whose file it is, and in which format.
fn standing(connection: &Connection) -> rusqlite::Result<(i64, i64)> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((pragma("application_id")?, pragma("user_version")?))
}

/// For `map_err`: names what was attempted.
fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> Error {
    move |source| Error::Database { what, source }
}

fn is_unreadable(error: &Error) -> bool {
    match error {
        Error::Database { source, .. } => {
            matches!(source.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
        }
        _ => false,
    }
}

/// Moves the file and its companions, so that they can be looked at later.
fn set_aside(path: &Path, stamp: &str) -> Result<PathBuf, Error> {
    let renamed = |suffix: &str, mark: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        name.push(mark);
        PathBuf::from(name)
    };
    let mark = format!(".unreadable-{stamp}");
    for suffix in ["-wal", "-shm", ""] {
        let from = renamed(suffix, "");
        if from.exists() {
            let to = renamed(suffix, &mark);
            std::fs::rename(&from, &to).map_err(|source| Error::Make { path: to, source })?;
        }
    }
    Ok(renamed("", &mark))
}

/// Makes the file readable by its owner alone before SQLite writes to it; its companions take over the mode.
fn make_private(path: &Path) -> Result<(), Error> {
    let made = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Make { path, source }
    };
    if let Some(folder) = path.parent() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(made(folder))?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop).map_err(made(path))
}

#[cfg(test)]
mod tests;
