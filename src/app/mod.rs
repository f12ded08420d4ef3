//! PURE console core: the model, the facts that change it, the effects that follow.
//!
//! `update(&mut Model, Message) -> Vec<Effect>` is a pure function of the model and a stamped message, so a recording of
//! messages replays to the same model, and so to the same screen.

pub mod act;
mod acting;
pub mod audit;
pub mod audit_export;
pub mod audit_filter;
pub mod browse;
pub mod command;
pub mod copy;
pub mod effect;
#[cfg(test)]
pub(crate) mod fixture;
pub mod fleet;
pub mod interlock;
pub mod list;
pub mod message;
pub mod modal;
pub mod model;
pub mod operations;
pub mod palette;
pub mod place;
pub mod prose;
pub mod record;
pub mod reference;
mod settings;
pub mod sheet;
pub mod sheet_text;
#[cfg(test)]
mod tests;
pub mod text_input;
mod update;

pub use command::vocabulary;
pub use effect::Effect;
pub use message::{Fact, Feed, Message, Observed};
pub use model::{Model, Shared};
pub use settings::Settings;
pub use update::update;
