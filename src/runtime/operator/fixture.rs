//! A journal whose writes can be made to fail, as on a full disk.

use std::sync::{Arc, Mutex};

use super::ports::{Journal, Write};
use crate::store;

/// Which writes fail.
pub(crate) type Fails = Arc<Mutex<fn(Write<'_>) -> bool>>;

/// See the module's page.
pub(crate) struct FullDisk {
    pub(crate) inner: store::Journal,
    pub(crate) fails: Fails,
}

/// All writes work, until the test says otherwise.
pub(crate) fn works() -> Fails {
    Arc::new(Mutex::new(|_| false))
}

impl Journal for FullDisk {
    fn store(&self) -> &store::Journal {
        &self.inner
    }

    fn write<T>(
        &mut self,
        what: Write<'_>,
        write: impl FnOnce(&mut store::Journal) -> Result<T, store::Error>,
    ) -> Result<T, store::Error> {
        let fails = *self.fails.lock().expect("unpoisoned");
        if fails(what) {
            return Err(store::Error::Database { what: "write", source: rusqlite::Error::InvalidQuery });
        }
        write(&mut self.inner)
    }
}
