//! lakeshift: an operations console for Databricks data pipelines.
//!
//! The map of the modules and who may import whom stands in `docs/architecture.md`; `tests/it/tidy.rs` holds it.

pub mod app;
pub mod cli;
pub mod config;
pub mod databricks;
pub mod domain;
pub mod keymap;
pub mod ledger;
pub mod operations;
pub mod runtime;
pub mod screens;
pub mod sim;
pub mod store;
pub mod telemetry;
pub mod theme;
pub mod ui;
