//! The terminal's events in the program's own words.

use crossterm::event::{Event, EventStream, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEventKind};
use futures::{Stream, StreamExt};

use crate::app::Fact;
use crate::keymap::{Code, Key};

/// Rows that one notch of the wheel moves.
const NOTCH: i16 = 3;

/// All that the terminal tells, as facts; what means nothing to us is left out.
pub fn facts() -> impl Stream<Item = std::io::Result<Fact>> {
    EventStream::new().filter_map(async |event| match event {
        Ok(event) => fact(event).map(Ok),
        Err(error) => Some(Err(error)),
    })
}

fn fact(event: Event) -> Option<Fact> {
    match event {
        Event::Key(event) => key(event).map(Fact::KeyPressed),
        Event::Paste(text) => Some(Fact::Pasted(text)),
        Event::Resize(columns, rows) => Some(Fact::Resized { columns, rows }),
        Event::Mouse(event) => match event.kind {
            MouseEventKind::ScrollDown => Some(Fact::Scrolled { rows: NOTCH }),
            MouseEventKind::ScrollUp => Some(Fact::Scrolled { rows: -NOTCH }),
            _ => None,
        },
        Event::FocusGained | Event::FocusLost => None,
    }
}

fn key(event: KeyEvent) -> Option<Key> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let mut shift = event.modifiers.contains(KeyModifiers::SHIFT);
    let code = match event.code {
        KeyCode::Char(c) => Code::Char(c),
        KeyCode::F(number) => Code::F(number),
        KeyCode::Enter => Code::Enter,
        KeyCode::Esc => Code::Esc,
        KeyCode::Tab => Code::Tab,
        KeyCode::BackTab => {
            shift = true;
            Code::Tab
        }
        KeyCode::Backspace => Code::Backspace,
        KeyCode::Delete => Code::Delete,
        KeyCode::Insert => Code::Insert,
        KeyCode::Up => Code::Up,
        KeyCode::Down => Code::Down,
        KeyCode::Left => Code::Left,
        KeyCode::Right => Code::Right,
        KeyCode::Home => Code::Home,
        KeyCode::End => Code::End,
        KeyCode::PageUp => Code::PageUp,
        KeyCode::PageDown => Code::PageDown,
        _ => return None,
    };
    let held = |modifier| event.modifiers.contains(modifier);
    Some(Key { code, ctrl: held(KeyModifiers::CONTROL), alt: held(KeyModifiers::ALT), shift }.normal())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
        key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_take_the_one_form_that_the_keymap_compares() {
        assert_eq!(pressed(KeyCode::Char('G'), KeyModifiers::SHIFT), Some(Key::char('G')));
        assert_eq!(pressed(KeyCode::Char('d'), KeyModifiers::CONTROL), Some(Key::ctrl('d')));
        let back_tab = Key { shift: true, ..Key::plain(Code::Tab) };
        assert_eq!(pressed(KeyCode::BackTab, KeyModifiers::SHIFT), Some(back_tab));
        assert_eq!(pressed(KeyCode::F(1), KeyModifiers::NONE), Some(Key::plain(Code::F(1))));
        assert_eq!(pressed(KeyCode::CapsLock, KeyModifiers::NONE), None);
    }

    #[test]
    fn a_released_key_was_pressed_before() {
        let event = KeyEvent { kind: KeyEventKind::Release, ..KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE) };
        assert_eq!(fact(Event::Key(event)), None);
    }

    #[test]
    fn pastes_and_sizes_pass() {
        assert_eq!(fact(Event::Paste("q".into())), Some(Fact::Pasted("q".into())));
        assert_eq!(fact(Event::Resize(80, 24)), Some(Fact::Resized { columns: 80, rows: 24 }));
        assert_eq!(fact(Event::FocusLost), None);
    }
}
