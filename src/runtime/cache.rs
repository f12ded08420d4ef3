//! What an earlier process left in the store, read for a first frame that shows the fleet at once.

use std::path::Path;
use std::sync::Arc;

use crate::domain::clock::Clock;
use crate::domain::snapshot::WorkspaceSnapshot;
use crate::domain::workspace::Workspace;
use crate::store::{self, Store};

/// The store's file in the state folder.
const STORE: &str = "lakeshift.db";

/// What an earlier process left, and the file to go on with. Without a usable file there is none, and why is told.
#[derive(Default)]
pub struct Cache {
    /// The file to go on with.
    pub store: Option<Store>,
    /// What was known of each workspace.
    pub loaded: Vec<Arc<WorkspaceSnapshot>>,
    /// What a person should know about it.
    pub told: Option<String>,
}

impl Cache {
    /// Opens the store in the state folder and reads what it knows of the workspaces.
    pub fn open(state: &Path, workspaces: &[Workspace], clock: &dyn Clock) -> Self {
        let stamp = clock.now().format("%Y%m%dT%H%M%SZ").to_string();
        let opened = match Store::open(&state.join(STORE), &stamp) {
            Ok(opened) => opened,
            Err(error) => return Self { told: Some(no_cache(&error)), ..Self::default() },
        };
        let mut told =
            opened.set_aside.map(|aside| format!("the cache was unreadable and set aside as {}", aside.display()));
        let mut loaded = Vec::new();
        for workspace in workspaces {
            match opened.store.load(workspace) {
                Ok(snapshot) => loaded.extend(snapshot.map(Arc::new)),
                Err(error) => told = Some(no_cache(&error)),
            }
        }
        Self { store: Some(opened.store), loaded, told }
    }
}

fn no_cache(error: &store::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    format!("nothing is cached: {error}{cause}")
}
