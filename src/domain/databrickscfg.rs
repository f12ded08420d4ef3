//! `.databrickscfg`, the vendor's file of profiles: sections of `key = value` (databricks-api.md 1.8). The client signs in
//! by it, and a first configuration is made of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The reserved section that names the default profile.
const SETTINGS: &str = "__settings__";

/// Keys, in lower case, and values of a section.
pub type Values = BTreeMap<String, String>;

/// The sections of the file, in its order. `DEFAULT` is a section like the others: nothing inherits from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profiles {
    sections: Vec<(String, Values)>,
}

/// A line that is neither a section, a comment nor `key = value`, counted from 1. The line itself may hold a secret and is
/// not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {0}: not a section, a comment or `key = value`")]
pub struct BadLine(pub usize);

/// Where the file is: the place that `DATABRICKS_CONFIG_FILE` names, in which `~` is the home folder, or the usual one.
pub fn place(named: Option<&str>, home: Option<&Path>) -> PathBuf {
    match (named.filter(|named| !named.is_empty()), home) {
        (Some(named), Some(home)) => match named.strip_prefix("~/") {
            Some(rest) => home.join(rest),
            None => PathBuf::from(named),
        },
        (Some(named), None) => PathBuf::from(named),
        (None, home) => home.unwrap_or(Path::new("")).join(".databrickscfg"),
    }
}

impl FromStr for Profiles {
    type Err = BadLine;

    fn from_str(text: &str) -> Result<Self, BadLine> {
        let mut profiles = Self::default();
        let mut current = "DEFAULT".to_owned();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            let bad = || BadLine(index + 1);
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let (name, _) = rest.split_once(']').ok_or_else(bad)?;
                name.trim().clone_into(&mut current);
                profiles.section(&current);
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(bad)?;
            let value = unquoted(value.trim()).to_owned();
            profiles.section(&current).insert(key.trim().to_ascii_lowercase(), value);
        }
        Ok(profiles)
    }
}

impl Profiles {
    fn section(&mut self, name: &str) -> &mut Values {
        let index = self.sections.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            self.sections.push((name.to_owned(), Values::new()));
            self.sections.len() - 1
        });
        &mut self.sections[index].1
    }

    /// The profile of a name. The section of settings is none.
    pub fn get(&self, name: &str) -> Option<&Values> {
        self.iter().find_map(|(known, values)| (known == name).then_some(values))
    }

    /// All profiles, in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Values)> {
        self.sections.iter().filter(|(name, _)| name != SETTINGS).map(|(name, values)| (name.as_str(), values))
    }

    /// The profile that the file itself says is the default.
    pub fn default_profile(&self) -> Option<&str> {
        let (_, settings) = self.sections.iter().find(|(name, _)| name == SETTINGS)?;
        settings.get("default_profile").map(String::as_str)
    }
}

/// The value without quotes, and without the comment that may follow.
fn unquoted(value: &str) -> &str {
    if let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\''))
        && let Some(end) = value[1..].find(quote)
    {
        let rest = value[1 + end + 1..].trim_start();
        if rest.is_empty() || rest.starts_with(['#', ';']) {
            return &value[1..=end];
        }
    }
    match value.find(" #").or_else(|| value.find("\t#")) {
        Some(comment) => value[..comment].trim_end(),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Profiles {
        text.parse().expect("parses")
    }

    #[test]
    fn nothing_inherits_from_default() {
        let file = parse("[DEFAULT]\nhost = https://d\ntoken = secret\n[dev]\nhost=https://dev\n");
        assert_eq!(file.get("dev").expect("is there").get("token"), None);
    }

    #[test]
    fn settings_are_no_profile_and_name_the_default() {
        let file = parse("[work]\nhost=b\n[__settings__]\ndefault_profile = work\n[DEFAULT]\nhost=a\n");
        assert_eq!(file.default_profile(), Some("work"));
        assert_eq!(file.get("__settings__"), None);
        let names: Vec<&str> = file.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["work", "DEFAULT"], "in the order of the file");
    }

    #[test]
    fn quotes_and_comments_go() {
        let file = parse(
            "; note\n[p]\na = \"x y\" # why\nb = 'q'\nc = plain # why\nd = has#hash\ne = \"open\nf = \"a\" b\nHOST=h\n",
        );
        let values = file.get("p").expect("is there");
        let got: Vec<_> = ["a", "b", "c", "d", "e", "f", "host"].iter().map(|key| values[*key].as_str()).collect();
        assert_eq!(got, ["x y", "q", "plain", "has#hash", "\"open", "\"a\" b", "h"]);
    }

    #[test]
    fn a_line_that_is_nothing_is_named_and_not_repeated() {
        let error = "[a]\n\ntoken dapi00c0ffee".parse::<Profiles>().expect_err("refused").to_string();
        assert_eq!(error, "line 3: not a section, a comment or `key = value`");
    }

    #[test]
    fn the_place_is_named_or_in_the_home_folder() {
        let home = Some(Path::new("/home/ana"));
        assert_eq!(place(None, home), Path::new("/home/ana/.databrickscfg"));
        assert_eq!(place(Some(""), home), Path::new("/home/ana/.databrickscfg"));
        assert_eq!(place(Some("~/team/cfg"), home), Path::new("/home/ana/team/cfg"));
        assert_eq!(place(Some("cfg"), home), Path::new("cfg"));
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[\\[\\]=\"'# a-z\n\u{e9}]*") {
            let _ = text.parse::<Profiles>();
        }
    }
}
