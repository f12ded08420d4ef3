//! Where files are on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::environment::STATE_DIR;

/// Folders of this user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The home folder: where `.databrickscfg` is, and what `~/` stands for.
    pub home: PathBuf,
    /// Holds `config.toml` and `themes/`.
    pub config_dir: PathBuf,
    /// Holds the store and the logs.
    pub state_dir: PathBuf,
}

impl Paths {
    /// The folders by the conventions of the operating system; `LAKESHIFT_STATE_DIR` moves the state.
    /// None if the user has no home.
    pub fn of_user(environment: &BTreeMap<String, String>) -> Option<Self> {
        let folders = directories::ProjectDirs::from("", "", "lakeshift")?;
        let home = directories::BaseDirs::new()?.home_dir().to_owned();
        let state_dir = match environment.get(STATE_DIR).filter(|path| !path.is_empty()) {
            Some(path) => PathBuf::from(path),
            None => folders.state_dir().unwrap_or_else(|| folders.data_local_dir()).to_owned(),
        };
        Some(Self { home, config_dir: folders.config_dir().to_owned(), state_dir })
    }

    /// All folders below one, for tests and simulated fleets.
    pub fn below(home: &Path) -> Self {
        Self { home: home.to_owned(), config_dir: home.join("config"), state_dir: home.join("state") }
    }

    /// The configuration file that is read unless another is named.
    pub fn config_file(&self) -> PathBuf {
        self.config_dir.join("config.toml")
    }

    /// A path of a configuration file: `~/` is the home, and what is not absolute is relative to `folder`.
    pub(super) fn expand(&self, folder: &Path, path: &Path) -> PathBuf {
        match path.strip_prefix("~") {
            Ok(below_home) => self.home.join(below_home),
            Err(_) => folder.join(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_file_that_names_them() {
        let paths = Paths::below(Path::new("/h"));
        let expand = |path: &str| paths.expand(Path::new("/etc/team"), Path::new(path));
        assert_eq!(expand("fleet.toml"), Path::new("/etc/team/fleet.toml"));
        assert_eq!(expand("/x/fleet.toml"), Path::new("/x/fleet.toml"));
        assert_eq!(expand("~/fleet.toml"), Path::new("/h/fleet.toml"));
    }
}
