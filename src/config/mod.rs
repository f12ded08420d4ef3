//! The configuration: what the fleet is, and how you like to look at it.

pub mod environment;
