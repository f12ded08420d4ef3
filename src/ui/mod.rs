//! The frame around the screens and the widgets that they share.

#[cfg(test)]
pub(crate) mod drawn;
pub mod look;
pub mod text;
pub mod widgets;
