//! A key press in the program's own words: recordings hold these, and the runtime alone knows the terminal's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One key with its modifiers. Spelled `ctrl-d`, `shift-tab`, `G`, `f1`; the same spelling serves the keymap and recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Key {
    /// Which key.
    pub code: Code,
    /// Whether control was held.
    pub ctrl: bool,
    /// Whether alt was held.
    pub alt: bool,
    /// Whether shift was held. Never set on characters, whose case tells it.
    pub shift: bool,
}

/// Which key, without modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Code {
    /// A character as typed, so an upper-case letter stands for itself.
    Char(char),
    /// A function key, from 1.
    F(u8),
    /// Enter or return.
    Enter,
    /// Escape.
    Esc,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Insert.
    Insert,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
}

/// Names of the keys that are not characters, as spelled in the keymap.
const NAMES: [(&str, Code); 15] = [
    ("enter", Code::Enter),
    ("esc", Code::Esc),
    ("tab", Code::Tab),
    ("space", Code::Char(' ')),
    ("backspace", Code::Backspace),
    ("delete", Code::Delete),
    ("insert", Code::Insert),
    ("up", Code::Up),
    ("down", Code::Down),
    ("left", Code::Left),
    ("right", Code::Right),
    ("home", Code::Home),
    ("end", Code::End),
    ("page-up", Code::PageUp),
    ("page-down", Code::PageDown),
];

/// A spelling that names no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no key: write a character, a name such as enter, esc, tab, space, up, page-down, f1, or ctrl-, alt-, shift- before one"
)]
pub struct UnknownKey(pub String);

impl Key {
    /// A key without modifiers.
    pub const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// A character without modifiers.
    pub const fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// A character with control.
    pub const fn ctrl(c: char) -> Self {
        Self { code: Code::Char(c), ctrl: true, alt: false, shift: false }
    }

    /// A key with its modifiers in the one form that all of the program compares: shift is dropped from characters, which
    /// show it by their case, and control makes letters small.
    #[must_use]
    pub fn normal(self) -> Self {
        match self.code {
            Code::Char(c) if self.ctrl => Self { code: Code::Char(c.to_ascii_lowercase()), shift: false, ..self },
            Code::Char(c) if self.shift => Self { code: Code::Char(c.to_ascii_uppercase()), shift: false, ..self },
            _ => self,
        }
    }

    /// The character that this key types into a text, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }

    /// The shortest familiar sign for footers and tables: `↵` for Enter, the spelling for the rest.
    pub fn sign(self) -> String {
        if self == Self::plain(Code::Enter) { "↵".to_owned() } else { self.to_string() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if held {
                f.write_str(name)?;
            }
        }
        match (self.code, NAMES.iter().find(|(_, code)| *code == self.code)) {
            (_, Some((name, _))) => f.write_str(name),
            (Code::Char(c), None) => write!(f, "{c}"),
            (Code::F(n), None) => write!(f, "f{n}"),
            // Every other code has a name.
            (_, None) => f.write_str("?"),
        }
    }
}

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut key = Self::char(' ');
        let mut rest = text;
        loop {
            let (held, after) = if let Some(after) = rest.strip_prefix("ctrl-") {
                (&mut key.ctrl, after)
            } else if let Some(after) = rest.strip_prefix("alt-") {
                (&mut key.alt, after)
            } else if let Some(after) = rest.strip_prefix("shift-") {
                (&mut key.shift, after)
            } else {
                break;
            };
            if std::mem::replace(held, true) {
                return Err(UnknownKey(text.to_owned()));
            }
            rest = after;
        }
        key.code = code(rest).ok_or_else(|| UnknownKey(text.to_owned()))?;
        Ok(key.normal())
    }
}

fn code(text: &str) -> Option<Code> {
    if let Some((_, code)) = NAMES.iter().find(|(name, _)| *name == text) {
        return Some(*code);
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if !c.is_control() && c != ' ' => Some(Code::Char(c)),
        (Some('f'), Some(_)) => text[1..].parse().ok().filter(|n| (1..=24).contains(n)).map(Code::F),
        _ => None,
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for Key {
    type Error = UnknownKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spellings_are_read() {
        assert_eq!("G".parse(), Ok(Key::char('G')));
        assert_eq!("ctrl-D".parse(), Ok(Key::ctrl('d')));
        assert_eq!("shift-g".parse(), Ok(Key::char('G')));
        assert_eq!("-".parse(), Ok(Key::char('-')));
        assert_eq!("ctrl--".parse(), Ok(Key::ctrl('-')));
        assert_eq!("f".parse(), Ok(Key::char('f')));
        assert_eq!("f12".parse(), Ok(Key::plain(Code::F(12))));
        assert_eq!("shift-tab".parse(), Ok(Key { shift: true, ..Key::plain(Code::Tab) }));
    }

    #[test]
    fn nonsense_is_refused_with_what_would_do() {
        for text in ["", "f0", "f99", "ctrl-", "ctrl-ctrl-x", "entre", " ", "\u{1b}", "é́"] {
            let refusal = text.parse::<Key>().expect_err(text);
            assert!(refusal.to_string().contains("page-down"), "{refusal}");
        }
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let codes = prop_oneof![
            any::<char>().prop_filter("printable", |c| !c.is_control()).prop_map(Code::Char),
            (1..=24_u8).prop_map(Code::F),
            proptest::sample::select(NAMES.map(|(_, code)| code).to_vec()),
        ];
        (codes, any::<bool>(), any::<bool>(), any::<bool>())
            .prop_map(|(code, ctrl, alt, shift)| Key { code, ctrl, alt, shift }.normal())
    }

    proptest! {
        #[test]
        fn a_key_reads_what_it_prints(key in any_key()) {
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}
