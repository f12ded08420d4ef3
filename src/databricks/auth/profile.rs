//! The file of profiles, as signing in needs it: read from its place, and the profile that counts chosen.

use std::path::{Path, PathBuf};

use super::AuthError;
use crate::domain::databrickscfg::{BadLine, Profiles, Values};

/// A file of profiles that was read.
#[derive(Clone, Default)]
pub(super) struct ProfileFile {
    path: PathBuf,
    profiles: Profiles,
}

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
        let bad = |line: BadLine| AuthError::BadProfileFile { path: path.to_owned(), line: line.0 };
        Ok(Self { path: path.to_owned(), profiles: text.parse().map_err(bad)? })
    }

    /// The profile that counts: the one asked for, else the file's `default_profile`, else `DEFAULT`.
    pub(super) fn choose(&self, asked: Option<&str>) -> Result<Option<(String, &Values)>, AuthError> {
        let required = asked.or(self.profiles.default_profile());
        let name = required.unwrap_or("DEFAULT");
        match self.profiles.get(name) {
            Some(values) => Ok(Some((name.to_owned(), values))),
            None if required.is_some() => Err(AuthError::NoProfile { path: self.path.clone(), name: name.to_owned() }),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ProfileFile {
        ProfileFile::parse(Path::new("cfg"), text).expect("parses")
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
    fn a_line_that_is_nothing_is_named_with_its_file() {
        let error = ProfileFile::parse(Path::new("cfg"), "[a]\n\nnonsense\n").err().expect("refused");
        assert!(error.to_string().starts_with("cfg line 3"), "{error}");
    }
}
