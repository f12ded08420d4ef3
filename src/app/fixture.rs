//! A console for tests: a model to which facts happen at one fixed instant, one after the other.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::message::{Fact, Feed, Message, Observed};
use crate::app::{Effect, Model, Settings, update, vocabulary};
use crate::domain::Instant;
use crate::domain::fixture::{fleet, now, workspace};
use crate::domain::inventory::{Inventory, TagNames};
use crate::domain::snapshot::WorkspaceSnapshot;
use crate::domain::workspace::Environment;
use crate::keymap::{Keymap, Table};

/// A model and the present.
pub(crate) struct Console {
    /// The model.
    pub(crate) model: Model,
    /// The present: facts happen now.
    pub(crate) now: Instant,
}

impl Console {
    /// A console of three workspaces that were not asked yet.
    pub(crate) fn new(columns: u16, rows: u16) -> Self {
        Self::of(&Environment::ALL, columns, rows)
    }

    /// A console of workspaces that were not asked yet.
    pub(crate) fn of(environments: &[Environment], columns: u16, rows: u16) -> Self {
        let tags = TagNames { owner: Some("owner".to_owned()), ..TagNames::default() };
        let settings = Settings {
            workspaces: environments.iter().copied().map(workspace).collect(),
            inventory: Arc::new(Inventory { tags, ..Inventory::default() }),
            keymap: Keymap::load(&vocabulary(), &Table::new()).expect("the built-in keys"),
            zone: chrono_tz::UTC,
            read_only: BTreeSet::from(["prod".into()]),
            size: (columns, rows),
            now: now(),
        };
        Self { model: Model::new(settings), now: now() }
    }

    /// A console to which all workspaces have answered.
    pub(crate) fn with_fleet(columns: u16, rows: u16) -> Self {
        let mut console = Self::new(columns, rows);
        for snapshot in fleet() {
            console.observe(snapshot);
        }
        console
    }

    /// A fact happens.
    pub(crate) fn happens(&mut self, fact: Fact) -> Vec<Effect> {
        update(&mut self.model, Message { at: self.now, fact })
    }

    /// A workspace answers.
    pub(crate) fn observe(&mut self, snapshot: WorkspaceSnapshot) {
        let feed = Feed::Fleet(snapshot.workspace.name.clone());
        self.happens(Fact::Observed { feed, epoch: 0, result: Ok(Observed::Fleet(Arc::new(snapshot))) });
    }

    /// Keys are pressed, as spelled, one after the other; the effects of all of them.
    pub(crate) fn press(&mut self, keys: &str) -> Vec<Effect> {
        keys.split(' ').flat_map(|key| self.happens(Fact::KeyPressed(key.parse().expect("a key")))).collect()
    }

    /// Text is typed, a key a character.
    pub(crate) fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.happens(Fact::KeyPressed(crate::keymap::Key::char(c)));
        }
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
        self.happens(Fact::Ticked);
    }
}
