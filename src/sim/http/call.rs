//! A request as a route's handler sees it.

use serde::de::DeserializeOwned;

use super::answer::Refusal;
use super::deployment::Site;
use super::query::{self, Query};
use super::route::Captures;
use crate::domain::Instant;
use crate::domain::workspace::Environment;
use crate::sim::lakehouse::Lakehouse;
use crate::sim::world::World;
use crate::sim::world::principal::Principal;

/// What any request says, with or without a credential.
pub(super) struct Visit<'a> {
    /// The workspace that was asked.
    pub(super) site: &'a Site,
    /// The wall clock's instant, for the lifetimes of tokens.
    pub(super) wall: Instant,
    /// The Authorization header.
    pub(super) authorization: Option<&'a str>,
    /// The Content-Type header.
    pub(super) content_type: Option<&'a str>,
    pub(super) query: Query,
    pub(super) body: &'a [u8],
}

/// A request of a known principal, with the world and its data locked for it.
pub(super) struct Call<'a> {
    pub(super) visit: &'a Visit<'a>,
    /// The template that matched.
    pub(super) route: &'a str,
    pub(super) captures: Captures,
    pub(super) principal: &'a Principal,
    pub(super) world: &'a mut World,
    pub(super) lakehouse: &'a mut Lakehouse,
}

impl Call<'_> {
    /// The world's key of the workspace that was asked.
    pub(super) fn workspace(&self) -> Environment {
        self.visit.site.environment
    }

    /// The workspace's face.
    pub(super) fn site(&self) -> &Site {
        self.visit.site
    }

    /// The query string.
    pub(super) fn query(&self) -> &Query {
        &self.visit.query
    }

    /// The JSON body.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        query::body(self.visit.body)
    }

    /// The path's segment `{name}`; empty if the template has none, which the tests of each route would show.
    pub(super) fn captured(&self, name: &str) -> &str {
        self.captures.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.as_str())
    }
}
