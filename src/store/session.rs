//! A process as the other processes of this machine see it: a locked file. The kernel lets go of the lock when the process
//! ends, however it ends, so whether a session is gone needs no guess about process ids.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::domain::ulid::Ulid;

use super::Error;

/// This process among those that share the journal. Holds its lock until it is dropped.
#[derive(Debug)]
pub struct Session {
    /// Unique.
    pub id: Ulid,
    /// Who a person would ask: `ana@laptop, lakeshift run start`.
    pub who: String,
    path: PathBuf,
    _lock: File,
}

impl Session {
    /// Begins a session whose file is below `folder`.
    ///
    /// # Errors
    /// When the file cannot be made or locked.
    pub fn start(folder: &Path, id: Ulid, who: impl Into<String>) -> Result<Self, Error> {
        let path = lock_file(folder, id);
        let made = |source| Error::Make { path: path.clone(), source };
        super::make_private(&path)?;
        let lock = OpenOptions::new().write(true).open(&path).map_err(made)?;
        lock.try_lock().map_err(|error| made(error.into()))?;
        Ok(Self { id, who: who.into(), path, _lock: lock })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The lock goes with the handle; a file that stays is found gone and removed by whoever asks.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the process of a session has ended. What cannot be told counts as still there.
pub(super) fn is_gone(folder: &Path, id: Ulid) -> bool {
    let path = lock_file(folder, id);
    match OpenOptions::new().write(true).open(&path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => {
                let _ = std::fs::remove_file(&path);
                true
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => false,
        },
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}

fn lock_file(folder: &Path, id: Ulid) -> PathBuf {
    folder.join(format!("{id}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_gone_when_its_process_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let (one, other) = (Ulid::new(1, 1), Ulid::new(1, 2));
        let session = Session::start(folder.path(), one, "ana").expect("starts");
        assert!(!is_gone(folder.path(), one));
        assert!(is_gone(folder.path(), other), "never seen here: gone");
        drop(session);
        assert!(is_gone(folder.path(), one));
    }

    #[test]
    fn a_file_that_a_killed_process_left_is_gone_and_cleared() {
        let folder = tempfile::tempdir().expect("a folder");
        let id = Ulid::new(1, 1);
        std::fs::write(lock_file(folder.path(), id), "").expect("written");
        assert!(is_gone(folder.path(), id));
        assert!(!lock_file(folder.path(), id).exists());
    }
}
