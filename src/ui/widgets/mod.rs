//! Pieces of screens. Each draws what it is given and remembers nothing.

pub mod gantt;
pub mod gauge;
pub mod modal;
pub mod prose;
pub mod scroll;
pub mod sparkline;
pub mod table;
pub mod tabs;
