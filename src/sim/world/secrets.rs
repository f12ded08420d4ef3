//! Secret scopes: who may read, write and manage which, and the values, which few ever read.

use std::collections::BTreeMap;

use secrecy::SecretString;

use crate::domain::Instant;
use crate::domain::workspace::Environment;

use super::World;
use super::principal::{Level, Principal};

/// A scope.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// By name.
    pub secrets: BTreeMap<String, Secret>,
    /// Levels by principal: a user name, an application id or a group's name. Read is `View`, write is `Edit`.
    pub access: BTreeMap<String, Level>,
}

/// A secret.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Never in a log or a listing.
    pub value: SecretString,
    /// When it was last written.
    pub updated_at: Instant,
}

impl Scope {
    /// The most that somebody may do with its secrets.
    pub fn level(&self, who: &Principal) -> Option<Level> {
        let named = |name: &String| *name == who.user_name || who.groups.iter().any(|group| group == name);
        let given = self.access.iter().filter(|(name, _)| named(name)).map(|(_, level)| *level).max();
        given.max(who.is_admin().then_some(Level::Manage))
    }
}

impl World {
    /// The scopes of a workspace, by name.
    pub fn scopes(&self, environment: Environment) -> &BTreeMap<String, Scope> {
        &self.site(environment).scopes
    }

    /// The scopes of a workspace, to change them.
    pub fn scopes_mut(&mut self, environment: Environment) -> &mut BTreeMap<String, Scope> {
        &mut self.site_mut(environment).scopes
    }
}
