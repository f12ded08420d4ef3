//! Things that a workspace keeps as they were described: cluster policies, instance pools, clusters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::Instant;
use crate::domain::workspace::Environment;

use super::World;
use super::draw::Draw;
use super::principal::{Access, ENGINEERS, Grantee, Level, Object, Principal};
use super::site::Site;
use super::time::{DAY, SECOND, after, before};

/// What a shelf holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Cluster policies.
    Policy,
    /// Instance pools.
    Pool,
    /// Clusters that are not a job's.
    Cluster,
}

/// One thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Unique within its kind and workspace.
    pub id: String,
    /// As it was described.
    pub body: Map<String, Value>,
    /// Who described it.
    pub creator_user_name: String,
    /// When.
    pub created_at: Instant,
    /// When it was last told to start, and to stop: clusters alone.
    pub ordered: (Instant, bool),
}

/// How long a cluster's machines take to come, in milliseconds.
const CLUSTER_START_MS: u64 = 200 * SECOND;

impl Item {
    /// Its name; empty where nobody gave one.
    pub fn name(&self, key: &str) -> &str {
        self.body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Where a cluster stands: `PENDING`, `RUNNING` or `TERMINATED`.
    pub fn cluster_state(&self, now: Instant) -> &'static str {
        match self.ordered {
            (_, false) => "TERMINATED",
            (at, true) if now < after(at, CLUSTER_START_MS) => "PENDING",
            _ => "RUNNING",
        }
    }
}

/// All that one workspace keeps.
pub(super) type Shelf = BTreeMap<(Kind, String), Item>;

/// Policies that every workspace begins with: name, who may use it, definition.
const POLICIES: [(&str, &str, &str); 2] = [
    (
        "Job Compute",
        "users",
        r#"{"spark_version":{"type":"unlimited","defaultValue":"auto:latest-lts"},"num_workers":{"type":"range","maxValue":20}}"#,
    ),
    (
        "Production Job Compute",
        ENGINEERS,
        r#"{"custom_tags.cost_center":{"type":"fixed","value":"data-platform"},"num_workers":{"type":"range","minValue":1,"maxValue":50}}"#,
    ),
];

impl Site {
    /// Puts up what every workspace begins with.
    pub(super) fn fill_shelf(&mut self) {
        let creator = self.laws.user("ci");
        let created_at = before(self.laws.started_at, 200 * DAY);
        for (number, (name, group, definition)) in POLICIES.iter().enumerate() {
            let id = self.draw.named("policy").at(number as u64);
            let id = format!("{:016X}", id.bits());
            let body = [("name", *name), ("definition", *definition)];
            let body = body.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
            let item = Item {
                id: id.clone(),
                body,
                creator_user_name: creator.clone(),
                created_at,
                ordered: (created_at, false),
            };
            self.shelf.insert((Kind::Policy, id.clone()), item);
            let user = Access { grantee: Grantee::Group((*group).to_owned()), level: Level::Run };
            self.access.insert(Object::Policy(id), vec![user]);
        }
    }
}

impl Kind {
    fn object(self, id: &str) -> Object {
        match self {
            Self::Policy => Object::Policy(id.to_owned()),
            Self::Pool => Object::Pool(id.to_owned()),
            Self::Cluster => Object::Cluster(id.to_owned()),
        }
    }

    fn new_id(self, draw: Draw, at: Instant) -> String {
        let tail = draw.bits();
        match self {
            Self::Policy => format!("{tail:016X}"),
            Self::Pool => format!("{}-pool-{:08x}", at.format("%m%d-%H%M%S"), tail & 0xffff_ffff),
            Self::Cluster => format!("{}-{:08x}", at.format("%m%d-%H%M%S"), tail & 0xffff_ffff),
        }
    }
}

impl World {
    /// What a workspace keeps of a kind, oldest first.
    pub fn shelf(&self, environment: Environment, kind: Kind) -> Vec<&Item> {
        let all = self.site(environment).shelf.iter();
        let mut items: Vec<&Item> = all.filter(|((known, _), _)| *known == kind).map(|(_, item)| item).collect();
        items.sort_by_key(|item| (item.created_at, item.id.clone()));
        items
    }

    /// One thing by its id.
    pub fn item(&self, environment: Environment, kind: Kind, id: &str) -> Option<&Item> {
        self.site(environment).shelf.get(&(kind, id.to_owned()))
    }

    /// One thing by its id, to change it.
    pub fn item_mut(&mut self, environment: Environment, kind: Kind, id: &str) -> Option<&mut Item> {
        self.site_mut(environment).shelf.get_mut(&(kind, id.to_owned()))
    }

    /// Puts up something new, which its creator manages; gives its id.
    pub fn put_up(
        &mut self,
        environment: Environment,
        kind: Kind,
        who: &Principal,
        body: Map<String, Value>,
    ) -> String {
        let site = self.site_mut(environment);
        site.items_made += 1;
        let id = kind.new_id(site.draw.named("item").at(site.items_made), site.now);
        let (creator_user_name, created_at) = (who.user_name.clone(), site.now);
        let item = Item { id: id.clone(), body, creator_user_name, created_at, ordered: (created_at, true) };
        site.shelf.insert((kind, id.clone()), item);
        let level = if kind == Kind::Policy { Level::Run } else { Level::Manage };
        site.access.insert(kind.object(&id), vec![Access { grantee: who.grantee(), level }]);
        id
    }

    /// Takes something down; tells whether it was there.
    pub fn take_down(&mut self, environment: Environment, kind: Kind, id: &str) -> bool {
        let site = self.site_mut(environment);
        site.access.remove(&kind.object(id));
        site.shelf.remove(&(kind, id.to_owned())).is_some()
    }
}
