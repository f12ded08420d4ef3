//! `.databrickscfg`: sections of `key = value` (databricks-api.md 1.8).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::AuthError;

/// The reserved section that names the default profile.
const SETTINGS: &str = "__settings__";

/// The sections of a file of profiles. `DEFAULT` is a section like the others: nothing inherits from it.
#[derive(Clone, Default)]
pub(super) struct ProfileFile {
    path: PathBuf,
    sections: BTreeMap<String, Values>,
}

/// Keys, in lower case, and values of a section.
type Values = BTreeMap<String, String>;

impl ProfileFile {
    /// Reads a file. One that does not exist has no profiles.
    pub(super) fn read(path: &Path) -> Result<Self, AuthError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { path: path.to_owned(), ..Self::default() })
            }
            Err(error) => Err(AuthError::NoFile { path: path.to_owned(), reason: error.to_string() }),
        }
    }

    fn parse(path: &Path, text: &str) -> Result<Self, AuthError> {
        let mut sections: BTreeMap<String, Values> = BTreeMap::new();
        let mut current = "DEFAULT".to_owned();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            let bad = || AuthError::BadProfileFile { path: path.to_owned(), line: index + 1 };
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(rest) = line.strip_prefix('[') {
                let (name, _) = rest.split_once(']').ok_or_else(bad)?;
                current = name.trim().to_owned();
                sections.entry(current.clone()).or_default();
                continue;
            }
            let (key, value) = line.split_once('=').ok_or_else(bad)?;
            let section = sections.entry(current.clone()).or_default();
            section.insert(key.trim().to_ascii_lowercase(), unquoted(value.trim()).to_owned());
        }
        Ok(Self { path: path.to_owned(), sections })
    }

    /// The profile that counts: the one asked for, else the file's `default_profile`, else `DEFAULT`.
    pub(super) fn choose(&self, asked: Option<&str>) -> Result<Option<(String, &Values)>, AuthError> {
        let default = self.sections.get(SETTINGS).and_then(|settings| settings.get("default_profile"));
        let required = asked.or(default.map(String::as_str));
        let name = required.unwrap_or("DEFAULT");
        match self.sections.get(name) {
            Some(values) if name != SETTINGS => Ok(Some((name.to_owned(), values))),
            _ if required.is_some() => Err(AuthError::NoProfile { path: self.path.clone(), name: name.to_owned() }),
            _ => Ok(None),
        }
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

    fn parse(text: &str) -> ProfileFile {
        ProfileFile::parse(Path::new("cfg"), text).expect("parses")
    }

    #[test]
    fn nothing_inherits_from_default() {
        let file = parse("[DEFAULT]\nhost = https://d\ntoken = secret\n[dev]\nhost=https://dev\n");
        let (_, dev) = file.choose(Some("dev")).expect("is there").expect("is there");
        assert_eq!(dev.get("token"), None);
    }

    #[test]
    fn the_default_profile_is_chosen_by_its_setting() {
        let file = parse("[DEFAULT]\nhost=a\n[__settings__]\ndefault_profile = work\n[work]\nhost=b\n");
        assert_eq!(file.choose(None).expect("chosen").expect("is there").0, "work");
        assert_eq!(file.choose(Some("DEFAULT")).expect("chosen").expect("is there").0, "DEFAULT");
        assert!(parse("").choose(None).expect("no error").is_none());
    }

    #[test]
    fn a_missing_profile_is_named_with_its_file() {
        let error = parse("[a]\n").choose(Some("b")).expect_err("missing");
        assert_eq!(error.to_string(), "cfg has no b profile configured");
        assert!(parse("[__settings__]\n").choose(Some("__settings__")).is_err(), "settings are no profile");
    }

    #[test]
    fn quotes_and_comments_go() {
        let file = parse(
            "; note\n[p]\na = \"x y\" # why\nb = 'q'\nc = plain # why\nd = has#hash\ne = \"open\nf = \"a\" b\nHOST=h\n",
        );
        let (_, values) = file.choose(Some("p")).expect("chosen").expect("is there");
        let got: Vec<_> = ["a", "b", "c", "d", "e", "f", "host"].iter().map(|key| values[*key].as_str()).collect();
        assert_eq!(got, ["x y", "q", "plain", "has#hash", "\"open", "\"a\" b", "h"]);
    }

    #[test]
    fn a_line_that_is_nothing_is_named() {
        let error = ProfileFile::parse(Path::new("cfg"), "[a]\n\nnonsense\n").err().expect("refused");
        assert!(error.to_string().starts_with("cfg line 3"), "{error}");
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reader(text in "[\\[\\]=\"'# a-z\n\u{e9}]*") {
            let _ = ProfileFile::parse(Path::new("cfg"), &text);
        }
    }
}
