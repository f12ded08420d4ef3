//! Keys as data: which key calls which command in which context, from the built-in table and the user's.
//!
//! This module knows names only. What commands there are, and what each does, `app::command` tells; it hands its
//! vocabulary in, so that an unknown name or a key with two meanings is refused when the program starts.

mod key;

use std::collections::BTreeMap;

pub use key::{Code, Key, UnknownKey};

/// The built-in table.
const DEFAULT: &str = include_str!("default.toml");

/// The context that holds on every screen.
pub const GLOBAL: &str = "global";

/// The context of dialogs. Nothing global holds there.
pub const DIALOG: &str = "dialog";

/// The context of the dialog of an act. Nothing else holds there.
pub const SHEET: &str = "sheet";

/// Keys of commands by context: `table[context][command] = keys as spelled`.
pub type Table = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// A command's name within a context, and whether it may do harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// The context that declares it: [`GLOBAL`], [`DIALOG`] or a screen's.
    pub context: &'static str,
    /// The command's name.
    pub name: &'static str,
    /// Whether the command changes the world, so that some keys are no place for it.
    pub dangerous: bool,
}

/// Which key calls which command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    word: &'static str,
    context: &'static str,
    key: Key,
    /// Whether the user's table makes it.
    is_users: bool,
}

/// Why a table of keys cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    /// A context that no screen has.
    #[error("keys.{context}: no such context{}; there are {}", did_you_mean(*nearest), known.join(", "))]
    UnknownContext {
        /// As written.
        context: String,
        /// The context with the most similar name.
        nearest: Option<&'static str>,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// A command that its context does not have.
    #[error("keys.{context}.{command}: no such command{}", did_you_mean(*nearest))]
    UnknownCommand {
        /// Where it stands.
        context: String,
        /// As written.
        command: String,
        /// The command with the most similar name.
        nearest: Option<&'static str>,
    },
    /// A spelling that names no key.
    #[error("keys.{context}.{command}: {unknown}")]
    UnknownKey {
        /// Where it stands.
        context: String,
        /// The command.
        command: String,
        /// What is wrong with the spelling.
        unknown: UnknownKey,
    },
    /// One key, two commands: told of the one that the user gave it.
    #[error("keys.{context}.{command}: {key} already calls {other} ({other_context}); give one of them another key")]
    Conflict {
        /// Where it stands.
        context: &'static str,
        /// The command.
        command: &'static str,
        /// The key.
        key: Key,
        /// The command that has the key too.
        other: &'static str,
        /// Where that one stands.
        other_context: &'static str,
    },
    /// A command that changes the world on a key that fingers press by habit elsewhere.
    #[error(
        "keys.{context}.{command}: {key} is pressed by habit elsewhere and may not call a command that changes the world"
    )]
    Habit {
        /// Where it stands.
        context: &'static str,
        /// The command.
        command: &'static str,
        /// The key.
        key: Key,
    },
    /// A command that must stay within reach has no key.
    #[error("keys.{context}.{command}: needs a key, or there is no way out")]
    Needed {
        /// Where it stands.
        context: &'static str,
        /// The command.
        command: &'static str,
    },
    /// The table is not TOML of the right shape.
    #[error("the table of keys cannot be read: {0}")]
    Unreadable(String),
}

impl KeymapError {
    /// The setting that is wrong, by its dotted path in the configuration: `keys.global.quit`, or `keys.flet` for all
    /// that stands below it.
    pub fn setting(&self) -> String {
        match self {
            Self::UnknownContext { context, .. } => format!("keys.{context}"),
            Self::UnknownCommand { context, command, .. } | Self::UnknownKey { context, command, .. } => {
                format!("keys.{context}.{command}")
            }
            Self::Conflict { context, command, .. }
            | Self::Habit { context, command, .. }
            | Self::Needed { context, command } => format!("keys.{context}.{command}"),
            Self::Unreadable(_) => "keys".to_owned(),
        }
    }
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// Control with these letters deletes or scrolls in vim, readline or tmux: no place for harm (console.md 3).
const HABITS: [char; 5] = ['a', 'b', 'd', 'k', 'w'];

/// Commands without which a person is caught.
const NEEDED: [(&str, &str); 5] =
    [(GLOBAL, "quit"), (GLOBAL, "back"), (DIALOG, "cancel"), (DIALOG, "accept"), (SHEET, "leave")];

impl Keymap {
    /// The built-in table with the user's changes, checked against the vocabulary.
    ///
    /// # Errors
    /// Every mistake that the tables hold, not only the first.
    pub fn load(words: &[Word], user: &Table) -> Result<Self, Vec<KeymapError>> {
        let mut table: Table =
            toml::from_str(DEFAULT).map_err(|error| vec![KeymapError::Unreadable(error.to_string())])?;
        for (context, commands) in user {
            table.entry(context.clone()).or_default().extend(commands.clone());
        }
        let mut errors = Vec::new();
        let mut bindings = Vec::new();
        for (context, commands) in &table {
            if !words.iter().any(|word| word.context == *context) {
                let known = contexts(words);
                let nearest = nearest(context, known.iter().copied());
                errors.push(KeymapError::UnknownContext { context: context.clone(), nearest, known });
                continue;
            }
            for (command, keys) in commands {
                let is_users = user.get(context).is_some_and(|commands| commands.contains_key(command));
                match words.iter().find(|word| word.context == *context && word.name == *command) {
                    Some(word) => bind(word, keys, is_users, &mut bindings, &mut errors),
                    None => errors.push(unknown_command(words, context, command)),
                }
            }
        }
        errors.extend(conflicts(&bindings));
        errors.extend(
            NEEDED
                .into_iter()
                .filter(|(context, command)| {
                    !bindings.iter().any(|binding| binding.context == *context && binding.word == *command)
                })
                .map(|(context, command)| KeymapError::Needed { context, command }),
        );
        if errors.is_empty() { Ok(Self { bindings }) } else { Err(errors) }
    }

    /// The command that a key calls in a context. Dialogs shadow everything; screens add to the global context.
    pub fn command(&self, context: &str, key: Key) -> Option<(&'static str, &'static str)> {
        self.bindings
            .iter()
            .find(|binding| binding.key == key && reaches(binding.context, context))
            .map(|binding| (binding.context, binding.word))
    }

    /// The keys of a command, the first being the one to show.
    pub fn keys(&self, context: &str, command: &str) -> impl Iterator<Item = Key> {
        self.bindings
            .iter()
            .filter(move |binding| binding.context == context && binding.word == command)
            .map(|binding| binding.key)
    }
}

/// Whether a binding made in one context holds in another.
fn reaches(made_in: &str, context: &str) -> bool {
    made_in == context || (made_in == GLOBAL && ![DIALOG, SHEET].contains(&context))
}

fn bind(word: &Word, keys: &[String], is_users: bool, bindings: &mut Vec<Binding>, errors: &mut Vec<KeymapError>) {
    for spelled in keys {
        match spelled.parse::<Key>() {
            Ok(key) if word.dangerous && is_habit(key) => {
                errors.push(KeymapError::Habit { context: word.context, command: word.name, key });
            }
            Ok(key) => bindings.push(Binding { word: word.name, context: word.context, key, is_users }),
            Err(unknown) => errors.push(KeymapError::UnknownKey {
                context: word.context.to_owned(),
                command: word.name.to_owned(),
                unknown,
            }),
        }
    }
}

/// Control with some letters, and the keys that dismiss whatever is in the way.
fn is_habit(key: Key) -> bool {
    match key.code {
        Code::Enter | Code::Esc | Code::Tab | Code::Backspace | Code::Char(' ') => true,
        Code::Char(c) => key.ctrl && HABITS.contains(&c),
        _ => false,
    }
}

fn conflicts(bindings: &[Binding]) -> Vec<KeymapError> {
    let mut found = Vec::new();
    for (index, binding) in bindings.iter().enumerate() {
        let first = bindings[..index].iter().find(|other| {
            other.key == binding.key
                && (reaches(other.context, binding.context) || reaches(binding.context, other.context))
        });
        if let Some(other) = first {
            // Whoever reads of it can change the one that they wrote, whichever comes first.
            let (binding, other) =
                if other.is_users && !binding.is_users { (other, binding) } else { (binding, other) };
            found.push(KeymapError::Conflict {
                context: binding.context,
                command: binding.word,
                key: binding.key,
                other: other.word,
                other_context: other.context,
            });
        }
    }
    found
}

fn contexts(words: &[Word]) -> Vec<&'static str> {
    let mut contexts = Vec::new();
    for word in words {
        if !contexts.contains(&word.context) {
            contexts.push(word.context);
        }
    }
    contexts
}

fn unknown_command(words: &[Word], context: &str, command: &str) -> KeymapError {
    let of_context = words.iter().filter(|word| word.context == context).map(|word| word.name);
    let nearest = nearest(command, of_context);
    KeymapError::UnknownCommand { context: context.to_owned(), command: command.to_owned(), nearest }
}

fn nearest(wrong: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    names
        .map(|name| (strsim::jaro_winkler(name, wrong), name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command of the built-in table, so that tests of this module need no screen; one of them does harm.
    fn words() -> Vec<Word> {
        let table: Table = toml::from_str(DEFAULT).expect("the built-in table");
        let mut words: Vec<Word> = table
            .into_iter()
            .flat_map(|(context, commands)| {
                let context: &'static str = context.leak();
                commands.into_keys().map(move |name| Word { context, name: name.leak(), dangerous: false })
            })
            .collect();
        words.push(Word { context: "fleet", name: "explode", dangerous: true });
        words
    }

    fn load(user: &str) -> Result<Keymap, Vec<KeymapError>> {
        Keymap::load(&words(), &toml::from_str(user).expect("a table of keys"))
    }

    fn refusal(user: &str) -> String {
        let errors = load(user).expect_err("refused");
        assert_eq!(errors.len(), 1, "{errors:?}");
        errors[0].to_string()
    }

    #[test]
    fn a_screen_sees_its_own_keys_and_the_global_ones() {
        let keymap = load("").expect("the built-in table");
        assert_eq!(keymap.command("fleet", Key::char('n')), Some(("fleet", "next-problem")));
        assert_eq!(keymap.command("fleet", Key::char('j')), Some((GLOBAL, "down")));
        assert_eq!(keymap.command("log", Key::char('n')), None);
    }

    #[test]
    fn nothing_global_holds_in_a_dialog() {
        let keymap = load("").expect("the built-in table");
        assert_eq!(keymap.command(DIALOG, Key::char('q')), None);
        assert_eq!(keymap.command(DIALOG, Key::plain(Code::Esc)), Some((DIALOG, "cancel")));
    }

    #[test]
    fn the_users_keys_replace_a_commands_keys() {
        let keymap = load("global.quit = ['Q']\nglobal.mouse = []").expect("a good table");
        assert_eq!(keymap.command("fleet", Key::char('Q')), Some((GLOBAL, "quit")));
        assert_eq!(keymap.command("fleet", Key::char('q')), None);
        assert_eq!(keymap.keys(GLOBAL, "mouse").count(), 0);
    }

    #[test]
    fn one_key_with_two_meanings_is_refused_across_contexts_too() {
        assert_eq!(
            refusal("global.mouse = ['q']"),
            "keys.global.mouse: q already calls quit (global); give one of them another key"
        );
        assert!(refusal("fleet.next-problem = ['?']").starts_with("keys.fleet.next-problem: ? already calls help"));
        assert!(load("log.only-failures = ['n']").is_ok(), "two screens may use one key");
        assert!(load("dialog.next = ['q']").is_ok(), "a dialog shadows the screen");
    }

    #[test]
    fn unknown_names_are_refused_with_the_nearest() {
        assert_eq!(refusal("global.filtre = ['z']"), "keys.global.filtre: no such command; did you mean filter?");
        let refused = refusal("flet.open = ['z']");
        let expected = "keys.flet: no such context; did you mean fleet?; there are audit, dialog, fleet, global";
        assert!(refused.starts_with(expected), "{refused}");
        assert!(refusal("global.mouse = ['entre']").contains("keys.global.mouse: `entre` is no key"));
    }

    #[test]
    fn harm_stays_off_the_keys_of_habit() {
        assert!(refusal("fleet.explode = ['ctrl-w']").contains("may not call a command that changes the world"));
        assert!(load("fleet.explode = ['x']").is_ok());
    }

    #[test]
    fn the_way_out_keeps_a_key() {
        assert!(refusal("global.quit = []").contains("no way out"));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let errors = load("global.filtre = ['z']\nglobal.mouse = ['entre', 'q']").expect_err("refused");
        assert_eq!(errors.len(), 3, "{errors:?}");
    }
}
