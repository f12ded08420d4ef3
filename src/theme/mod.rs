//! Colors as data: roles that the screens name, and themes that say what a role looks like.
//!
//! A theme is a TOML file. Six are built in; a file of the same name in the user's `themes` folder takes the place
//! of a built-in one and may inherit it. What a screen means is never said by color alone, so that the
//! `monochrome` theme, which `NO_COLOR` selects, loses nothing.

mod color;
mod file;
mod glyphs;

use std::collections::BTreeMap;
use std::path::Path;

use ratatui::style::{Color, Style};
use serde::Deserialize;

pub use color::{Depth, contrast};
pub use file::ThemeError;
pub use glyphs::Glyphs;

use crate::domain::workspace::Environment;

macro_rules! roles {
    ($($(#[$doc:meta])* $role:ident),* $(,)?) => {
        /// What a piece of the screen means. A theme says what that looks like.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Role {
            $($(#[$doc])* $role),*
        }

        impl Role {
            /// Every role.
            pub const ALL: [Self; [$(stringify!($role)),*].len()] = [$(Self::$role),*];

            /// The role as a theme's file spells it.
            pub fn name(self) -> String {
                match self { $(Self::$role => stringify!($role)),* }.to_ascii_lowercase()
            }
        }
    };
}

roles! {
    /// Ordinary text, and the ground of the whole screen.
    Text,
    /// What is normal and needs no attention.
    Muted,
    /// Titles and column headers.
    Heading,
    /// The one accent: what is live, or a link.
    Accent,
    /// A key that can be pressed.
    Key,
    /// A statement that something is well.
    Ok,
    /// Look when there is time.
    Warning,
    /// Look now.
    Danger,
    /// Runs.
    Running,
    /// Waits.
    Queued,
    /// A value that is older than it should be.
    Stale,
    /// Rules and the frames of dialogs.
    Border,
    /// The pane that has the keys.
    Focus,
    /// The selected row.
    Selection,
    /// The cell under the cursor.
    Cursor,
    /// Text that a filter found.
    Matched,
    /// The development environment.
    Dev,
    /// The staging environment.
    Staging,
    /// The production environment.
    Prod,
    /// The blue color of a cutover.
    Blue,
    /// The green color of a cutover.
    Green,
}

/// What every role looks like, and the signs to draw with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    name: String,
    styles: BTreeMap<Role, Style>,
    glyphs: &'static Glyphs,
}

/// What decides the theme.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The theme's name, as the configuration has it.
    pub name: &'a str,
    /// Where the user's own themes lie.
    pub folder: Option<&'a Path>,
    /// What the terminal can show.
    pub depth: Depth,
    /// Whether the terminal shows more than ASCII.
    pub unicode: bool,
}

impl Theme {
    /// Loads a theme by name: the user's file if there is one, else the built-in one.
    ///
    /// Without colors this is always `monochrome`. Of sixteen colors, a theme that fixes its own would show the
    /// wrong ones, so `terminal` takes its place.
    pub fn load(choice: &Choice<'_>) -> Result<Self, ThemeError> {
        let glyphs = if choice.unicode { &Glyphs::UNICODE } else { &Glyphs::ASCII };
        let styles = match choice.depth {
            Depth::None => file::load("monochrome", None)?,
            _ => file::load(choice.name, choice.folder)?,
        };
        let theme = Self { name: choice.name.to_owned(), styles, glyphs };
        Ok(match choice.depth {
            Depth::None => Self { name: "monochrome".to_owned(), ..theme },
            Depth::Sixteen if theme.fixes_colors() => {
                Self { name: "terminal".to_owned(), styles: file::load("terminal", None)?, glyphs }
            }
            Depth::TwoHundredFiftySix => theme.map_colors(color::to_256),
            Depth::Sixteen | Depth::Full => theme,
        })
    }

    /// The names of the built-in themes.
    pub fn built_in() -> impl Iterator<Item = &'static str> {
        file::BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// The theme's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a role looks like, to be patched onto what is below it.
    pub fn style(&self, role: Role) -> Style {
        self.styles.get(&role).copied().unwrap_or_default()
    }

    /// What an environment's word looks like.
    pub fn environment(&self, environment: Environment) -> Style {
        self.style(match environment {
            Environment::Dev => Role::Dev,
            Environment::Staging => Role::Staging,
            Environment::Prod => Role::Prod,
        })
    }

    /// The signs to draw with.
    pub fn glyphs(&self) -> &'static Glyphs {
        self.glyphs
    }

    fn fixes_colors(&self) -> bool {
        let fixed = |color: Option<Color>| matches!(color, Some(Color::Rgb(..)));
        self.styles.values().any(|style| fixed(style.fg) || fixed(style.bg))
    }

    fn map_colors(mut self, map: impl Fn(Color) -> Color) -> Self {
        for style in self.styles.values_mut() {
            style.fg = style.fg.map(&map);
            style.bg = style.bg.map(&map);
        }
        self
    }
}

impl Depth {
    /// What the terminal can show, from its environment (`NO_COLOR`, `COLORTERM`, `TERM`).
    ///
    /// <https://no-color.org>: `NO_COLOR` counts when it is not empty.
    pub fn of_environment(environment: &BTreeMap<String, String>) -> Self {
        let value = |name: &str| environment.get(name).map_or("", String::as_str);
        let terminal = value("TERM");
        if !value("NO_COLOR").is_empty() || terminal == "dumb" {
            Self::None
        } else if matches!(value("COLORTERM"), "truecolor" | "24bit") || terminal.ends_with("-direct") {
            Self::Full
        } else if terminal.contains("256color") {
            Self::TwoHundredFiftySix
        } else {
            Self::Sixteen
        }
    }
}

/// Whether the locale is UTF-8, by the precedence of POSIX (`LC_ALL`, `LC_CTYPE`, `LANG`). No locale at all counts
/// as UTF-8: a container often has none, and its terminal is elsewhere.
pub fn locale_is_unicode(environment: &BTreeMap<String, String>) -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| environment.get(*name).filter(|v| !v.is_empty()));
    set.is_none_or(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Modifier;

    fn load(name: &str, depth: Depth) -> Theme {
        Theme::load(&Choice { name, folder: None, depth, unicode: true }).expect("a built-in theme loads")
    }

    fn environment(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn every_theme_says_what_every_role_looks_like() {
        for name in Theme::built_in() {
            let theme = load(name, Depth::Full);
            let missing: Vec<_> = Role::ALL.iter().filter(|role| !theme.styles.contains_key(role)).collect();
            assert!(missing.is_empty(), "{name} lacks {missing:?}");
        }
    }

    #[test]
    fn the_page_about_themes_names_every_theme_and_role() {
        let page = include_str!("../../docs/themes.md");
        let names = Role::ALL.iter().map(|role| role.name()).chain(Theme::built_in().map(str::to_owned));
        let missing: Vec<_> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn fixed_colors_can_be_read() {
        let mut checked = 0;
        for name in Theme::built_in() {
            for depth in [Depth::Full, Depth::TwoHundredFiftySix] {
                let theme = load(name, depth);
                let text = theme.style(Role::Text);
                for role in Role::ALL {
                    let style = text.patch(theme.style(role));
                    let Some(ratio) = style.fg.zip(style.bg).and_then(|(fg, bg)| contrast(fg, bg)) else { continue };
                    assert!(ratio >= 4.5, "{name} at {depth:?}: {role:?} has a contrast of {ratio:.2}");
                    assert!(!style.add_modifier.contains(Modifier::DIM), "{name}: {role:?} dims a measured color");
                    checked += 1;
                }
            }
        }
        assert!(checked > 100, "only {checked} pairs were measured");
    }

    #[test]
    fn no_color_keeps_selection_focus_and_production_visible() {
        for chosen in Theme::built_in() {
            let theme = load(chosen, Depth::None);
            assert!(theme.styles.values().all(|style| style.fg.is_none() && style.bg.is_none()), "{chosen}");
            for role in [Role::Selection, Role::Cursor, Role::Prod] {
                assert!(theme.style(role).add_modifier.contains(Modifier::REVERSED), "{role:?}");
            }
            for role in [Role::Focus, Role::Danger, Role::Warning, Role::Key] {
                assert!(!theme.style(role).add_modifier.is_empty(), "{role:?}");
            }
        }
    }

    #[test]
    fn selection_shows_without_color_in_every_theme() {
        for name in Theme::built_in() {
            assert!(load(name, Depth::Full).style(Role::Selection).add_modifier.contains(Modifier::REVERSED), "{name}");
        }
    }

    #[test]
    fn sixteen_colors_are_the_terminals_own() {
        for name in Theme::built_in() {
            assert!(!load(name, Depth::Sixteen).fixes_colors(), "{name}");
        }
        assert!(load("dark", Depth::Full).fixes_colors());
        assert!(!load("dark", Depth::TwoHundredFiftySix).fixes_colors());
    }

    #[test]
    fn the_environment_tells_the_depth() {
        assert_eq!(Depth::of_environment(&environment(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")])), Depth::None);
        assert_eq!(Depth::of_environment(&environment(&[("NO_COLOR", ""), ("COLORTERM", "truecolor")])), Depth::Full);
        assert_eq!(Depth::of_environment(&environment(&[("TERM", "xterm-256color")])), Depth::TwoHundredFiftySix);
        assert_eq!(Depth::of_environment(&environment(&[("TERM", "linux")])), Depth::Sixteen);
        assert_eq!(Depth::of_environment(&environment(&[("TERM", "dumb")])), Depth::None);
    }

    #[test]
    fn the_locale_tells_the_glyphs() {
        assert!(locale_is_unicode(&environment(&[("LANG", "de_DE.UTF-8")])));
        assert!(!locale_is_unicode(&environment(&[("LANG", "de_DE.UTF-8"), ("LC_ALL", "C")])));
        assert!(!locale_is_unicode(&environment(&[("LANG", "en_US.ISO-8859-1")])));
        assert!(locale_is_unicode(&environment(&[("LANG", "")])));
    }
}
