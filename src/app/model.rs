//! All that the console knows. Only `update` changes it; `ui::view` draws it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::TimeDelta;
use chrono_tz::Tz;

use crate::app::acting::object_of;
use crate::app::command::Command;
use crate::app::fleet::Fleet;
use crate::app::message::Feed;
use crate::app::modal::Modal;
use crate::app::operations::Operations;
use crate::app::settings::Settings;
use crate::domain::Instant;
use crate::domain::fleet::ObjectId;
use crate::domain::ids::WorkspaceName;
use crate::domain::inventory::Inventory;
use crate::domain::request::RequestRecord;
use crate::keymap::{Key, Keymap};
use crate::operations::kind::Kind;
use crate::operations::unlock::Unlocks;
use crate::screens::{Screen, Target};

/// How many requests the log keeps.
pub const LOG_LENGTH: usize = 1_000;

/// The smallest terminal that is drawn, in columns and rows.
pub const SMALLEST: (u16, u16) = (60, 16);

/// How long a notice stays, in seconds.
const NOTICE_S: i64 = 6;

/// What every screen may read.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The newest instant of any message, in local time.
    pub now: Instant,
    /// The terminal's width.
    pub columns: u16,
    /// The terminal's height.
    pub rows: u16,
    /// The newest snapshots and the rows made of them.
    pub fleet: Fleet,
    /// The newest requests, newest first.
    pub log: VecDeque<Arc<Logged>>,
    /// What the fleet's configuration says about objects.
    pub inventory: Arc<Inventory>,
    /// Which key calls what.
    pub keymap: Keymap,
    /// The zone in which instants are shown.
    pub zone: Tz,
    /// Who we are, by workspace.
    pub users: BTreeMap<WorkspaceName, String>,
    /// The workspaces in which nothing may be changed.
    pub read_only: BTreeSet<WorkspaceName>,
    /// Whether one object of those may be unlocked for one verb.
    pub unlockable: bool,
    /// What was unlocked.
    pub unlocks: Unlocks,
    /// The operations that this machine knows.
    pub operations: Operations,
}

/// A request of ours, numbered in the order in which they ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// From 1; what the log's cursor holds on to.
    pub number: u64,
    /// The request.
    pub record: RequestRecord,
}

impl Shared {
    /// The time that the header shows: that of the most dangerous workspace, since a simulated one may run ahead of ours.
    pub fn clock(&self) -> Instant {
        self.fleet.workspaces().last().map_or(self.now, |watched| watched.snapshot.world_now(self.now))
    }

    /// The key to show for a command, in the shortest familiar sign; empty if it has none.
    pub fn key(&self, context: &str, command: &str) -> String {
        self.keymap.keys(context, command).next().map_or_else(String::new, Key::sign)
    }

    /// Until when an object is unlocked for a verb, if it is.
    pub fn unlocked_until(&self, object: &ObjectId, kind: Kind) -> Option<Instant> {
        let mut open = self.unlocks.at(self.now);
        let found = open.find(|open| {
            open.workspace == object.workspace && open.kind == kind && object_of(&open.object) == object.object
        });
        found.map(|open| open.until)
    }

    /// Whether the terminal is too small to draw anything but that.
    pub fn is_too_small(&self) -> bool {
        self.columns < SMALLEST.0 || self.rows < SMALLEST.1
    }

    /// About how many rows of a table are visible: what a page moves by.
    pub fn page_rows(&self) -> usize {
        usize::from(self.rows.saturating_sub(8).max(1))
    }
}

/// A few words about what just happened, shown for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The words.
    pub text: String,
    /// When it happened.
    pub at: Instant,
}

/// The console.
#[derive(Clone, Debug)]
pub struct Model {
    /// What every screen may read.
    pub shared: Shared,
    /// The screens that were opened, the visible one last. The first is the fleet and never leaves.
    pub(super) screens: Vec<Screen>,
    /// The dialogs over it, the topmost last.
    pub(super) modals: Vec<Modal>,
    /// What just happened.
    pub(super) notice: Option<Notice>,
    /// Whether the mouse is ours.
    pub(super) mouse: bool,
    /// What the runtime was last asked to watch.
    pub(super) watched: Vec<Feed>,
    /// Rises with every change of what is watched.
    pub(super) epoch: u64,
    /// Rises with every change that may be visible.
    pub(super) revision: u64,
    /// How many requests have ended.
    pub(super) requests: u64,
    /// How many acts were asked for.
    pub(super) asks: u64,
    /// The newest key, and when it was pressed: a held key comes again.
    pub(super) last_key: Option<(Key, Instant)>,
    /// Whether the key that is being taken is a held one.
    pub(super) is_held: bool,
    /// Whether a screen is visible that shows the shared record, and it was asked for.
    pub(super) visits_record: bool,
}

impl Model {
    /// A console that shows the fleet, of which nothing is known yet.
    pub fn new(settings: Settings) -> Self {
        let Settings { workspaces, inventory, keymap, zone, read_only, unlockable, size, now } = settings;
        let shared = Shared {
            now,
            columns: size.0,
            rows: size.1,
            fleet: Fleet::new(workspaces, &inventory, now),
            log: VecDeque::new(),
            inventory,
            keymap,
            zone,
            users: BTreeMap::new(),
            read_only,
            unlockable,
            unlocks: Unlocks::default(),
            operations: Operations::default(),
        };
        let fleet = Screen::open(&Target::Fleet, &shared);
        Self {
            shared,
            screens: vec![fleet],
            modals: Vec::new(),
            notice: None,
            mouse: false,
            watched: Vec::new(),
            epoch: 0,
            revision: 0,
            requests: 0,
            asks: 0,
            last_key: None,
            is_held: false,
            visits_record: false,
        }
    }

    /// The visible screen.
    pub fn screen(&self) -> &Screen {
        // The first screen never leaves.
        &self.screens[self.screens.len() - 1]
    }

    /// The visible screen and those that going back leads to, the visible one last.
    pub fn screens(&self) -> &[Screen] {
        &self.screens
    }

    /// The dialog on top.
    pub fn modal(&self) -> Option<&Modal> {
        self.modals.last()
    }

    /// What just happened, while it is worth showing.
    pub fn notice(&self) -> Option<&str> {
        self.notice
            .as_ref()
            .filter(|notice| self.shared.now < notice.at + TimeDelta::seconds(NOTICE_S))
            .map(|notice| notice.text.as_str())
    }

    /// Whether the mouse is ours.
    pub fn has_mouse(&self) -> bool {
        self.mouse
    }

    /// Rises with every change that may be visible: the loop draws when it rose.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Whether anything visible ages by itself, so that `Fact::Ticked` is of use once a second: the clock and the ages of
    /// the header do, whenever there is room for a header.
    pub fn ages(&self) -> bool {
        !self.shared.is_too_small()
    }

    /// When something visible changes by itself before the next second: a dialog begins to take its keys.
    pub fn wakes_at(&self) -> Option<Instant> {
        match self.modal() {
            Some(Modal::Sheet(sheet)) => sheet.arms_at(self.shared.now),
            _ => None,
        }
    }

    /// Whether a dialog takes no key before it was seen: the runtime tells `Fact::Drawn` once it is, after all that was
    /// typed before.
    pub fn awaits_drawing(&self) -> bool {
        matches!(self.modal(), Some(Modal::Sheet(sheet)) if sheet.awaits_drawing()) && !self.shared.is_too_small()
    }

    /// Whether a command can be done now: its condition holds and read-only mode permits it. What policy alone forbids can
    /// be asked for: the dialog tells how to unlock it.
    pub fn can(&self, command: &Command) -> bool {
        let workspace = self.screen().page().workspace();
        let read_only = match &workspace {
            Some(workspace) => self.shared.read_only.contains(workspace),
            None => !self.shared.read_only.is_empty(),
        };
        command.danger.is_permitted(read_only && !self.shared.unlockable) && (command.when)(self)
    }
}
