//! How text and numbers are written: measured widths and units, from the domain, under one name.

pub use crate::domain::measure::{cut_end, cut_middle, pad_end, pad_start, width, wrap};
pub use crate::domain::units::{age, bytes, count, countdown, duration, instant, lag, percent, thousands, time};
