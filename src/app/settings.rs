//! What the console is told when it starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono_tz::Tz;

use crate::app::command::vocabulary;
use crate::config::Config;
use crate::domain::Instant;
use crate::domain::ids::WorkspaceName;
use crate::domain::inventory::Inventory;
use crate::domain::workspace::Workspace;
use crate::keymap::{Keymap, KeymapError};

/// What the console is told when it starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The workspaces of the fleet, none of which was asked yet.
    pub workspaces: Vec<Workspace>,
    /// What the fleet's configuration says about objects.
    pub inventory: Arc<Inventory>,
    /// Which key calls what, already checked against [`crate::app::vocabulary`].
    pub keymap: Keymap,
    /// The zone in which instants are shown.
    pub zone: Tz,
    /// The workspaces in which nothing may be changed.
    pub read_only: BTreeSet<WorkspaceName>,
    /// Whether one object of those may be unlocked for one verb: not where the person asked for read-only themselves.
    pub unlockable: bool,
    /// The terminal's size, in columns and rows.
    pub size: (u16, u16),
    /// The present, in local time.
    pub now: Instant,
}

impl Settings {
    /// What a configuration says, for a terminal of so many columns and rows.
    ///
    /// # Errors
    /// Every mistake in the configuration's keys: unknown names, and keys with two meanings.
    pub fn of(config: &Config, size: (u16, u16), now: Instant) -> Result<Self, Vec<KeymapError>> {
        let workspaces = config.workspaces();
        let read_only = workspaces.iter().filter(|entry| entry.read_only).map(|entry| entry.workspace.name.clone());
        Ok(Self {
            read_only: read_only.collect(),
            unlockable: !config.personal.read_only,
            workspaces: workspaces.into_iter().map(|entry| entry.workspace).collect(),
            inventory: Arc::new(config.inventory()),
            keymap: Keymap::load(&vocabulary(), &config.personal.keys)?,
            zone: config.personal.time_zone.0,
            size,
            now,
        })
    }
}
