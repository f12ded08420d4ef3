//! What stands between a person and an act: a small pure machine per dialog, over keys, pastes, frames and time.
//!
//! - It is armed by being *seen*: only after its frame was drawn, everything typed before that was dropped, and a person had
//!   [`READING_MS`] to look, does a key count. Every change of what it says disarms it.
//! - A key that the same key precedes within [`REPEAT_MS`] is a held key. It never confirms.
//! - Enter, Space and pasted text never confirm: the keymap refuses to bind them, and a paste is no key.

use chrono::TimeDelta;

use crate::domain::Instant;
use crate::domain::danger::Interlock as Lane;
use crate::keymap::{Code, Key};

/// Nobody has read a dialog sooner than this after it was drawn, in milliseconds.
pub const READING_MS: i64 = 400;

/// The longest that terminals wait before they repeat a held key (660 ms), and a little more.
pub const REPEAT_MS: i64 = 700;

/// What a dialog's key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The person has confirmed.
    Confirmed,
    /// What the dialog shows has changed: it must be seen again.
    Changed,
    /// Nothing.
    Ignored,
}

/// The lane of one dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interlock {
    lane: Lane,
    /// The key that confirms where the environment's letter does.
    letter: char,
    /// What must be typed, where a name must be.
    name: String,
    typed: String,
    /// When the present frame was first seen; none until it was drawn.
    seen_at: Option<Instant>,
}

impl Interlock {
    /// The lane of a tier for an object of this name, in an environment with this letter.
    pub fn new(lane: Lane, letter: char, name: &str) -> Self {
        Self { lane, letter, name: name.to_owned(), typed: String::new(), seen_at: None }
    }

    /// Which lane it is.
    pub fn lane(&self) -> Lane {
        self.lane
    }

    /// What the dialog shows was drawn, and what had been typed before is gone.
    pub fn drawn(&mut self, now: Instant) {
        self.seen_at.get_or_insert(now);
    }

    /// What the dialog shows has changed.
    pub fn disarm(&mut self) {
        self.seen_at = None;
    }

    /// Whether it still waits to be drawn.
    pub fn awaits_drawing(&self) -> bool {
        self.seen_at.is_none()
    }

    /// When a key begins to count; none until it was drawn.
    pub fn armed_at(&self) -> Option<Instant> {
        self.seen_at.map(|at| at + TimeDelta::milliseconds(READING_MS))
    }

    /// Whether a key counts now.
    pub fn is_armed(&self, now: Instant) -> bool {
        self.armed_at().is_some_and(|at| at <= now)
    }

    /// Whether a name is to be typed yet.
    pub fn wants_name(&self) -> bool {
        self.lane == Lane::Name && self.typed != self.name
    }

    /// What was typed of the name.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// The key that confirms, where it is the environment's letter rather than a key of the keymap.
    pub fn letter(&self) -> Option<char> {
        matches!(self.lane, Lane::Letter | Lane::Name | Lane::Rollback).then_some(self.letter)
    }

    /// The person pressed the keymap's key to confirm.
    pub fn confirm_pressed(&self, held: bool, now: Instant) -> Turn {
        let confirms = self.lane == Lane::Sheet && !held && self.is_armed(now);
        if confirms { Turn::Confirmed } else { Turn::Ignored }
    }

    /// The person pressed a key that calls no command.
    pub fn pressed(&mut self, key: Key, held: bool, now: Instant) -> Turn {
        if !self.is_armed(now) {
            return Turn::Ignored;
        }
        if self.wants_name() {
            return self.type_name(key);
        }
        let confirms = self.letter().is_some_and(|letter| key == Key::char(letter)) && !held;
        if confirms { Turn::Confirmed } else { Turn::Ignored }
    }

    fn type_name(&mut self, key: Key) -> Turn {
        match (key.code, key.typed()) {
            (_, Some(c)) => self.typed.push(c),
            (Code::Backspace, None) => drop(self.typed.pop()),
            _ => return Turn::Ignored,
        }
        // The name stands: the last question is another one, and must be seen first.
        if self.wants_name() { Turn::Ignored } else { Turn::Changed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fixture::now;

    fn after(ms: i64) -> Instant {
        now() + TimeDelta::milliseconds(ms)
    }

    #[test]
    fn nothing_counts_before_it_was_seen_and_could_be_read() {
        let mut lock = Interlock::new(Lane::Sheet, 'P', "orders");
        assert_eq!(lock.confirm_pressed(false, after(9_000)), Turn::Ignored, "never drawn");
        lock.drawn(now());
        assert_eq!(lock.confirm_pressed(false, after(READING_MS - 1)), Turn::Ignored);
        assert_eq!(lock.confirm_pressed(true, after(READING_MS)), Turn::Ignored, "a held key");
        assert_eq!(lock.confirm_pressed(false, after(READING_MS)), Turn::Confirmed);
        lock.disarm();
        assert_eq!(lock.confirm_pressed(false, after(9_000)), Turn::Ignored, "it says something else now");
    }

    #[test]
    fn being_drawn_again_does_not_begin_the_reading_again() {
        let mut lock = Interlock::new(Lane::Sheet, 'P', "orders");
        lock.drawn(now());
        lock.drawn(after(READING_MS));
        assert!(lock.is_armed(after(READING_MS)));
    }

    #[test]
    fn production_wants_the_environments_letter_and_nothing_else() {
        let mut lock = Interlock::new(Lane::Letter, 'P', "orders");
        lock.drawn(now());
        assert_eq!(lock.confirm_pressed(false, after(900)), Turn::Ignored, "y is the key of another tier");
        for other in ['p', 'S', 'D', 'y', ' '] {
            assert_eq!(lock.pressed(Key::char(other), false, after(900)), Turn::Ignored, "{other}");
        }
        assert_eq!(lock.pressed(Key::plain(Code::Enter), false, after(900)), Turn::Ignored);
        assert_eq!(lock.pressed(Key::char('P'), true, after(900)), Turn::Ignored);
        assert_eq!(lock.pressed(Key::char('P'), false, after(900)), Turn::Confirmed);
    }

    #[test]
    fn data_wants_the_name_by_hand_and_then_the_letter() {
        let mut lock = Interlock::new(Lane::Name, 'P', "ab");
        lock.drawn(now());
        assert_eq!(lock.pressed(Key::char('P'), false, after(900)), Turn::Ignored, "typed, not confirmed");
        assert_eq!(lock.pressed(Key::plain(Code::Backspace), false, after(900)), Turn::Ignored);
        assert_eq!(lock.pressed(Key::char('a'), false, after(900)), Turn::Ignored);
        assert_eq!(lock.pressed(Key::char('b'), false, after(900)), Turn::Changed);
        lock.disarm();
        assert_eq!(lock.pressed(Key::char('P'), false, after(9_000)), Turn::Ignored, "not seen yet");
        lock.drawn(after(9_000));
        assert_eq!(lock.pressed(Key::char('P'), false, after(9_000 + READING_MS)), Turn::Confirmed);
    }
}
