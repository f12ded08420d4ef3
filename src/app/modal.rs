//! Dialogs: a stack over the screens. While one is open the order of the rows below is frozen.

use crate::app::copy::Copyable;
use crate::app::list::Finder;
use crate::app::palette::{Choice, HelpLine};
use crate::app::sheet::Sheet;
use crate::app::text_input::TextInput;
use crate::keymap::{DIALOG, SHEET};

/// A dialog.
#[derive(Clone, Debug)]
pub enum Modal {
    /// What every key does here.
    Help(Finder<HelpLine>),
    /// Everything that can be done, and every object.
    Palette(Finder<Choice>),
    /// The filter of the screen below, applied while it is typed.
    Filter {
        /// What is typed.
        input: TextInput,
        /// The filter before, which leaving the dialog brings back.
        before: String,
    },
    /// What can be copied about the object under the cursor.
    Copy {
        /// What there is.
        copies: Vec<Copyable>,
        /// Which is under the cursor.
        selected: usize,
    },
    /// An act: what it would do, and the lane to it.
    Sheet(Box<Sheet>),
}

impl Modal {
    /// Whether the order of the rows below stands still. Not while a filter is typed: it is there to change them.
    pub fn freezes(&self) -> bool {
        !matches!(self, Self::Filter { .. })
    }

    /// In which context of the keymap keys are looked up while it is on top.
    pub fn context(&self) -> &'static str {
        match self {
            // Where text is typed, letters are letters.
            Self::Sheet(sheet) if sheet.field.is_none() && !sheet.types_name() => SHEET,
            _ => DIALOG,
        }
    }

    /// The field that typed and pasted text goes to.
    pub fn input(&self) -> Option<&TextInput> {
        match self {
            Self::Help(finder) => Some(&finder.input),
            Self::Palette(finder) => Some(&finder.input),
            Self::Filter { input, .. } => Some(input),
            Self::Sheet(sheet) => sheet.input(),
            Self::Copy { .. } => None,
        }
    }
}
