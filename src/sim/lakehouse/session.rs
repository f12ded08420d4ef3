//! Sessions of drivers: what USE and SET say there holds for the statements after.

use std::collections::BTreeMap;

use crate::domain::workspace::Environment;
use crate::sim::sql::Session;

use super::Lakehouse;

/// What a driver asks for.
#[derive(Clone, Debug)]
pub(in crate::sim) struct NewSession {
    /// Where.
    pub(in crate::sim) workspace: Environment,
    /// Who.
    pub(in crate::sim) user: String,
    /// The default catalog.
    pub(in crate::sim) catalog: Option<String>,
    /// The default schema.
    pub(in crate::sim) schema: Option<String>,
    /// Settings by name.
    pub(in crate::sim) settings: BTreeMap<String, String>,
}

/// An open session.
#[derive(Debug)]
pub(super) struct SqlSession {
    pub(super) workspace: Environment,
    pub(super) session: Session,
}

impl Lakehouse {
    /// Opens a session and gives its id.
    pub(in crate::sim) fn open_session(&mut self, order: NewSession) -> String {
        let id = self.next_id("session");
        let mut session = Session::new(&order.user);
        session.settings = order.settings;
        place(&mut session, order.catalog.as_deref(), order.schema.as_deref());
        self.sessions.insert(id.clone(), SqlSession { workspace: order.workspace, session });
        id
    }

    /// Closes a session of a user; whether there was one.
    pub(in crate::sim) fn close_session(&mut self, workspace: Environment, user: &str, id: &str) -> bool {
        let known = self.has_session(workspace, user, id);
        if known {
            self.sessions.remove(id);
        }
        known
    }

    /// Whether a user has such a session.
    pub(in crate::sim) fn has_session(&self, workspace: Environment, user: &str, id: &str) -> bool {
        self.sessions.get(id).is_some_and(|open| open.workspace == workspace && open.session.user == user)
    }
}

/// Puts a session where unqualified names are to be looked up.
pub(super) fn place(session: &mut Session, catalog: Option<&str>, schema: Option<&str>) {
    if let Some(catalog) = catalog {
        session.catalog = catalog.to_lowercase();
        "default".clone_into(&mut session.schema);
    }
    if let Some(schema) = schema {
        session.schema = schema.to_lowercase();
    }
}
