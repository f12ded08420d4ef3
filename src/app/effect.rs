//! Orders, in the imperative: what the runtime does because the model changed.

use serde::{Deserialize, Serialize};

use super::act::Order;
use super::message::Feed;

/// What the runtime is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Keep these feeds fresh, and no others beside the always polled ones. Answers carry `epoch`.
    Watch {
        /// What the visible screen needs.
        feeds: Vec<Feed>,
        /// Rises with every change of the set.
        epoch: u64,
    },
    /// Poll this feed now instead of at its next turn.
    Refresh(Feed),
    /// Put text on the clipboard by OSC 52, which works over SSH.
    Copy(String),
    /// Open a URL in the browser.
    Open(String),
    /// Listen to the mouse, or leave it to the terminal so that text can be selected.
    CaptureMouse(bool),
    /// Write a file of this name among the exports, and tell where it is.
    Export {
        /// A plain name, without folders.
        name: String,
        /// What it holds.
        text: String,
    },
    /// Prepare, begin or steer an operation.
    Act(Order),
    /// Leave.
    Quit,
}

impl Effect {
    /// Whether the effect changes anything outside this program: what read-only mode and the tests of chance keys forbid.
    pub fn is_dangerous(&self) -> bool {
        match self {
            Self::Act(order) => order.is_dangerous(),
            // A file of ours, where exports are kept.
            Self::Export { .. }
            | Self::Watch { .. }
            | Self::Refresh(_)
            | Self::Copy(_)
            | Self::Open(_)
            | Self::CaptureMouse(_)
            | Self::Quit => false,
        }
    }
}
