//! PURE verbs: everything that changes the world goes through here.
//!
//! A [`plan::Plan`] says fully and immutably what is to be done. A journal of [`journal::Recorded`] events says what came
//! of it. The [`engine`] is three functions over both: `apply` alone changes a state, `decide` turns what was learned into
//! events, `due` tells which effects should be in flight because of the state. To recover is to load, fold and ask `due`.
//!
//! Nothing here reads a clock, draws a number or sends anything: instants, ids and observations are handed in.

pub mod cancel;
pub mod canonical;
pub mod engine;
#[cfg(test)]
pub(crate) mod fixture;
pub mod journal;
pub mod kind;
pub mod needs;
pub mod outlook;
pub mod pipeline;
pub mod plan;
pub mod planning;
pub mod refusal;
pub mod repair;
pub mod run_now;
pub mod step;
pub mod unlock;

pub use canonical::{Unhashable, canonical, digest};
pub use journal::{Actor, Event, Recorded};
pub use kind::Kind;
pub use plan::{Plan, Stored};
pub use planning::Planning;
pub use refusal::Refusal;
