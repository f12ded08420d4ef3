//! A theme's file: its form, its inheritance, its errors.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;
use toml::Spanned;

use super::Role;
use super::color;

/// The built-in themes by name.
pub(super) const BUILT_IN: [(&str, &str); 6] = [
    ("terminal", include_str!("../../themes/terminal.toml")),
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    ("color-blind", include_str!("../../themes/color-blind.toml")),
    ("monochrome", include_str!("../../themes/monochrome.toml")),
];

/// Why a theme cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No file and no built-in theme has the name.
    #[error("no theme is called `{name}`; there are {}", known.join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names that would do.
        known: Vec<String>,
    },
    /// The file is there and cannot be read.
    #[error("cannot read the theme {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file says something that has no meaning here.
    #[error("{file}:{line}:{column}: {message}")]
    Malformed {
        /// The file's path, or the name of a built-in theme.
        file: String,
        /// From 1.
        line: usize,
        /// From 1, in characters.
        column: usize,
        /// What is wrong and what would be right.
        message: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// One line for people who choose.
    #[serde(rename = "about")]
    _about: Option<String>,
    inherits: Option<Spanned<String>>,
    #[serde(default)]
    palette: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    roles: BTreeMap<Role, Look>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Look {
    fg: Option<Spanned<String>>,
    bg: Option<Spanned<String>>,
    attributes: Vec<Attribute>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Attribute {
    Bold,
    Dim,
    Italic,
    Underlined,
    Reversed,
}

impl From<Attribute> for Modifier {
    fn from(attribute: Attribute) -> Self {
        match attribute {
            Attribute::Bold => Self::BOLD,
            Attribute::Dim => Self::DIM,
            Attribute::Italic => Self::ITALIC,
            Attribute::Underlined => Self::UNDERLINED,
            Attribute::Reversed => Self::REVERSED,
        }
    }
}

/// Where a piece of a theme was read, for errors.
struct Origin {
    file: String,
    text: String,
}

impl Origin {
    fn malformed(&self, span: Option<Range<usize>>, message: String) -> ThemeError {
        let before = &self.text[..self.text.floor_char_boundary(span.map_or(0, |span| span.start))];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        ThemeError::Malformed {
            file: self.file.clone(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
        }
    }
}

/// Reads a theme and all that it inherits. The heir's palette also recolors what it inherits.
pub(super) fn load(name: &str, folder: Option<&Path>) -> Result<BTreeMap<Role, Style>, ThemeError> {
    let mut palette: BTreeMap<String, Color> = BTreeMap::new();
    let mut looks: BTreeMap<Role, (usize, Look)> = BTreeMap::new();
    let mut origins: Vec<Origin> = Vec::new();
    let mut next = Some(name.to_owned());
    while let Some(name) = next {
        // A user's file may inherit the built-in theme whose name it bears.
        let own = folder.map(|folder| folder.join(format!("{name}.toml")));
        let own = own.filter(|path| origins.iter().all(|seen| seen.file != path.display().to_string()));
        let origin = read(&name, own.as_deref(), folder)?;
        let file: File = toml::from_str(&origin.text)
            .map_err(|error| origin.malformed(error.span(), error.message().trim().to_owned()))?;
        for (name, value) in file.palette {
            let Some(color) = color::parse(value.get_ref()) else {
                return Err(origin.malformed(Some(value.span()), not_a_color(value.get_ref())));
            };
            palette.entry(name).or_insert(color);
        }
        for (role, look) in file.roles {
            looks.entry(role).or_insert((origins.len(), look));
        }
        next = None;
        if let Some(parent) = file.inherits {
            if origins.iter().any(|seen| seen.file == origin.file) || origins.len() > 8 {
                let message = format!("`{}` inherits itself in a circle", parent.get_ref());
                return Err(origin.malformed(Some(parent.span()), message));
            }
            next = Some(parent.into_inner());
        }
        origins.push(origin);
    }
    let resolve = |origin: usize, name: &Spanned<String>| {
        let known = palette.get(name.get_ref()).copied().or_else(|| color::parse(name.get_ref()));
        known.ok_or_else(|| origins[origin].malformed(Some(name.span()), not_a_color(name.get_ref())))
    };
    let mut styles = BTreeMap::new();
    for (role, (origin, look)) in &looks {
        let mut style = Style::new();
        style.fg = look.fg.as_ref().map(|name| resolve(*origin, name)).transpose()?;
        style.bg = look.bg.as_ref().map(|name| resolve(*origin, name)).transpose()?;
        for &attribute in &look.attributes {
            style = style.add_modifier(attribute.into());
        }
        styles.insert(*role, style);
    }
    match Role::ALL.iter().find(|role| !styles.contains_key(role)) {
        Some(role) => Err(origins[0].malformed(
            None,
            format!(
                "the role `{}` is missing; add it under [roles], or let the theme inherit a whole one: inherits = \"terminal\"",
                role.name()
            ),
        )),
        None => Ok(styles),
    }
}

fn not_a_color(text: &str) -> String {
    format!("`{text}` is no color: expected #rrggbb, a name of [palette], or a terminal color such as `bright-red`")
}

fn read(name: &str, own: Option<&Path>, folder: Option<&Path>) -> Result<Origin, ThemeError> {
    if let Some(path) = own {
        match std::fs::read_to_string(path) {
            Ok(text) => return Ok(Origin { file: path.display().to_string(), text }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => return Err(ThemeError::Unreadable { path: path.to_owned(), source }),
        }
    }
    match BUILT_IN.iter().find(|(built_in, _)| *built_in == name) {
        Some((_, text)) => Ok(Origin { file: name.to_owned(), text: (*text).to_owned() }),
        None => Err(ThemeError::Unknown { name: name.to_owned(), known: known(folder) }),
    }
}

/// The names that could have been meant: built-in themes and the user's files.
fn known(folder: Option<&Path>) -> Vec<String> {
    let entries = folder.and_then(|folder| std::fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let own = entries.filter_map(|entry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        name.strip_suffix(".toml").map(str::to_owned)
    });
    let all: std::collections::BTreeSet<String> =
        BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).chain(own).collect();
    all.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file(name: &str, text: &str, asked: &str) -> Result<BTreeMap<Role, Style>, String> {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join(name), text).expect("a file");
        load(asked, Some(folder.path()))
            .map_err(|error| error.to_string().replace(&format!("{}/", folder.path().display()), ""))
    }

    #[test]
    fn a_users_file_takes_the_place_of_a_built_in_one_and_inherits_it() {
        let text = "inherits = \"dark\"\n[roles]\ndanger = { fg = \"#112233\" }\n";
        let styles = with_file("dark.toml", text, "dark").expect("loads");
        assert_eq!(styles[&Role::Danger], Style::new().fg(Color::Rgb(0x11, 0x22, 0x33)));
        assert_eq!(styles[&Role::Ok], load("dark", None).expect("loads")[&Role::Ok]);
    }

    #[test]
    fn an_heirs_palette_recolors_what_it_inherits() {
        let styles = with_file("mine.toml", "inherits = \"dark\"\n[palette]\nsky = \"bright-blue\"\n", "mine");
        assert_eq!(styles.expect("loads")[&Role::Accent].fg, Some(Color::LightBlue));
    }

    #[test]
    fn errors_say_where_and_what_would_do() {
        let error = |text: &str| with_file("mine.toml", text, "mine").expect_err("is refused");
        let wrong_color = error("inherits = \"dark\"\n[roles]\nok = { fg = \"mauve\" }\n");
        assert!(wrong_color.starts_with("mine.toml:3:13: `mauve` is no color"), "{wrong_color}");
        let wrong_digits = error("inherits = \"dark\"\n[palette]\nsky = \"#12\"\n");
        assert!(wrong_digits.starts_with("mine.toml:3:7: `#12` is no color"), "{wrong_digits}");
        let wrong_role = error("inherits = \"dark\"\n[roles]\nfine = {}\n");
        assert!(wrong_role.starts_with("mine.toml:3:1: ") && wrong_role.contains("danger"), "{wrong_role}");
        let wrong_attribute = error("inherits = \"dark\"\n[roles]\nok = { attributes = [\"fat\"] }\n");
        assert!(wrong_attribute.contains("mine.toml:3:") && wrong_attribute.contains("bold"), "{wrong_attribute}");
        let missing = error("[roles]\nok = {}\n");
        assert!(missing.contains("the role `text` is missing"), "{missing}");
        let circle = error("inherits = \"mine\"\n");
        assert!(circle.contains("mine"), "{circle}");
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = with_file("mine.toml", "", "darkish").expect_err("is refused");
        assert_eq!(
            error,
            "no theme is called `darkish`; there are color-blind, dark, high-contrast, light, mine, monochrome, terminal"
        );
    }
}
