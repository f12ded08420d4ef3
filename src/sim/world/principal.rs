//! Who acts: seven engineers, finance, service principals; groups and what they may do.

use serde::{Deserialize, Serialize};

/// A user or a service principal. The same people are in all three workspaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// SCIM id: a decimal number as text.
    pub id: String,
    /// The role whose token it holds; unique.
    pub role: &'static str,
    /// An e-mail address, or the application id of a service principal.
    pub user_name: String,
    /// For people.
    pub display_name: String,
    /// Whether it is a program.
    pub service: bool,
    /// Names of its groups, `users` among them.
    pub groups: Vec<&'static str>,
}

impl Principal {
    /// Whether it may do everything.
    pub fn is_admin(&self) -> bool {
        self.groups.contains(&"admins")
    }

    /// How access lists name it.
    pub fn grantee(&self) -> Grantee {
        let name = self.user_name.clone();
        if self.service { Grantee::ServicePrincipal(name) } else { Grantee::User(name) }
    }

    /// Whether an entry of an access list speaks of it.
    pub fn is_meant_by(&self, grantee: &Grantee) -> bool {
        match grantee {
            Grantee::User(name) => !self.service && *name == self.user_name,
            Grantee::ServicePrincipal(id) => self.service && *id == self.user_name,
            Grantee::Group(name) => self.groups.iter().any(|group| group == name),
        }
    }
}

/// Who an access list speaks of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grantee {
    /// `user_name`.
    User(String),
    /// `service_principal_name`: an application id.
    ServicePrincipal(String),
    /// `group_name`.
    Group(String),
}

/// What somebody may do with an object, rising. Each kind of object has its own words for some of these: jobs say
/// `CAN_MANAGE_RUN` where pipelines say `CAN_RUN` and warehouses `CAN_USE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// Read.
    View,
    /// Start, cancel, repair.
    Run,
    /// Change what a file holds, or watch what others run: jobs and pipelines have no such level.
    Edit,
    /// Edit, and give rights to others.
    Manage,
    /// All of it, and exactly one has it.
    Owner,
}

/// One entry of an object's access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Who.
    pub grantee: Grantee,
    /// What.
    pub level: Level,
}

/// An object that has an access list.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Object {
    /// By job id.
    Job(u64),
    /// By pipeline id.
    Pipeline(String),
    /// By warehouse id.
    Warehouse(String),
    /// A folder, file or notebook, by object id.
    File(u64),
    /// By policy id.
    Policy(String),
    /// By pool id.
    Pool(String),
    /// By cluster id.
    Cluster(String),
}

/// The group of those who run production.
pub const ENGINEERS: &str = "data-engineering";
/// The group whose approval changes of SOX data need.
pub const FINANCE_OWNERS: &str = "finance-data-owners";

/// The group that bundles give their objects to.
pub const PLATFORM: &str = "data-platform";
/// The group of those who read what is published.
pub const ANALYSTS: &str = "analysts";

/// Everybody, in a fixed order: seven engineers (the first seven), then finance and the service principals.
pub fn everybody() -> Vec<Principal> {
    let person = |number: u64, role, name: &str, display: &str, groups: &[&'static str]| Principal {
        id: (7_000_000_000_000 + number * 1_013).to_string(),
        role,
        user_name: format!("{name}@example.com"),
        display_name: display.to_owned(),
        service: false,
        groups: [&["users"], groups].concat(),
    };
    let service = |number: u64, role, application: &str, display: &str, groups: &[&'static str]| Principal {
        id: (8_000_000_000_000 + number * 1_013).to_string(),
        role,
        user_name: application.to_owned(),
        display_name: display.to_owned(),
        service: true,
        groups: [&["users"], groups].concat(),
    };
    vec![
        person(1, "operator", "ana", "Ana Duarte", &[ENGINEERS, "on-call"]),
        person(2, "operator2", "bo", "Bo Lindqvist", &[ENGINEERS, "on-call"]),
        person(3, "captain", "chen", "Chen Wei", &[ENGINEERS, PLATFORM, "release-captains"]),
        person(4, "approver", "dalia", "Dalia Haddad", &[ENGINEERS, "approvers"]),
        person(5, "author", "emre", "Emre Aydin", &[ENGINEERS, PLATFORM]),
        person(6, "engineer6", "farah", "Farah Nasser", &[ENGINEERS]),
        person(7, "engineer7", "goran", "Goran Petrov", &[ENGINEERS]),
        person(8, "finance", "irene", "Irene Castellano", &[FINANCE_OWNERS, ANALYSTS]),
        person(9, "auditor", "jonas", "Jonas Weber", &["auditors"]),
        person(10, "reader", "kiri", "Kiri Tane", &[]),
        service(1, "publisher", "5d0f6c3e-2b1a-4c77-9a51-0c2f6e7b1d01", "sp-publisher", &["publishers"]),
        service(2, "ci", "a7c9e8b2-64d3-4f0e-8f43-3b9d5a6c1e02", "sp-ci", &["admins"]),
    ]
}
