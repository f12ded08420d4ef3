//! One line of typed text. The only door of the text area crate: the rest of the core sees text, cursor and keys.

use ratatui_textarea::{CursorMove, Input, Key as AreaKey, TextArea};

use crate::domain::text;
use crate::keymap::{Code, Key};

/// A line that a person types.
#[derive(Clone, Debug)]
pub struct TextInput {
    area: TextArea<'static>,
}

impl TextInput {
    /// A line that holds a text, with the cursor behind it.
    pub fn new(text: &str) -> Self {
        let mut area = TextArea::new(vec![text::line(text)]);
        area.move_cursor(CursorMove::End);
        Self { area }
    }

    /// What was typed.
    pub fn text(&self) -> &str {
        self.area.lines().first().map_or("", String::as_str)
    }

    /// Where the cursor stands, in characters from the left.
    pub fn cursor(&self) -> usize {
        self.area.cursor().1
    }

    /// Takes a key; whether the text changed. Keys that would begin a second line do nothing.
    pub fn press(&mut self, key: Key) -> bool {
        let Some(area_key) = area_key(key) else { return false };
        self.area.input(Input { key: area_key, ctrl: key.ctrl, alt: key.alt, shift: key.shift })
    }

    /// Takes pasted text, as one harmless line.
    pub fn paste(&mut self, pasted: &str) {
        self.area.insert_str(text::line(pasted));
    }
}

impl Default for TextInput {
    fn default() -> Self {
        Self::new("")
    }
}

fn area_key(key: Key) -> Option<AreaKey> {
    Some(match key.code {
        // Control with these begins a new line or pastes the area's own clipboard, which may hold several lines.
        Code::Char('m' | 'j') if key.ctrl => return None,
        Code::Char(c) if c.is_control() => return None,
        Code::Char(c) => AreaKey::Char(c),
        Code::Backspace => AreaKey::Backspace,
        Code::Delete => AreaKey::Delete,
        Code::Left => AreaKey::Left,
        Code::Right => AreaKey::Right,
        Code::Home => AreaKey::Home,
        Code::End => AreaKey::End,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_edits_as_a_shell_does() {
        let mut input = TextInput::new("orders green");
        input.press(Key::ctrl('w'));
        assert_eq!(input.text(), "orders ");
        input.press(Key::ctrl('a'));
        input.press(Key::char('x'));
        assert_eq!((input.text(), input.cursor()), ("xorders ", 1));
    }

    #[test]
    fn it_stays_one_harmless_line() {
        let mut input = TextInput::default();
        input.paste("a\nb\u{1b}[31mc");
        input.press(Key::ctrl('m'));
        input.press(Key::ctrl('j'));
        input.press(Key::plain(Code::Enter));
        assert_eq!(input.text(), "a bc");
    }
}
