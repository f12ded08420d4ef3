//! The configuration that `lakeshift --config FILE` uses as it is: the fleet by its tags, credentials by reference.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::simulator::{Access, Kept};
use super::world::products;

/// Values of the fleet's `sla` tag: a deadline after the planned start for what is scheduled, an age for streams.
const PROMISES: [(&str, &str); 3] = [("15m", "within"), ("2h", "within"), ("90s", "fresh_within")];

/// Which of the simulator's roles signs in for which role of the configuration.
const ROLES: [(&str, &str); 4] =
    [("reader", "operator"), ("operator", "operator"), ("publisher", "publisher"), ("ledger", "publisher")];

/// Writes the configuration and, beside it, one file a token that only its owner may read.
pub(super) fn write(path: &Path, workspaces: &[Access], kept: Option<&Kept>) -> Result<(), (PathBuf, io::Error)> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    for workspace in workspaces {
        for role in ["operator", "publisher"] {
            let file = folder.join(token_file(&stem, &workspace.name, role));
            let token = workspace.tokens.get(role).map(String::as_str).unwrap_or_default();
            secret(&file, token).map_err(|error| (file, error))?;
        }
    }
    fs::write(path, text(&stem, workspaces, kept)).map_err(|error| (path.to_owned(), error))
}

fn token_file(stem: &str, workspace: &str, role: &str) -> String {
    format!("{stem}.{workspace}.{role}.token")
}

fn secret(path: &Path, token: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    // The mode above holds for a new file alone.
    file.set_permissions(fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{token}")
}

fn text(stem: &str, workspaces: &[Access], kept: Option<&Kept>) -> String {
    let mut text = String::from(
        "# Written by `lakeshift sim`: three simulated workspaces, good for as long as that simulator runs.\n\
         # Secrets are not here: each `token_file` is a file beside this one.\n",
    );
    for workspace in workspaces {
        text += &format!(
            "\n[[workspaces]]\nname = {}\nenvironment = {}\nhost = {}\n",
            quoted(&workspace.name),
            quoted(&workspace.environment.to_string()),
            quoted(&workspace.host),
        );
    }
    text += "\n# The simulated fleet says what it is in the tags of its jobs and pipelines.\n\
             [tags]\ntier = \"tier\"\nproduct = \"product\"\nowner = \"owner\"\nsox = \"sox\"\n";
    for product in products() {
        text += &format!("\n[products.{}]\n", quoted(&product));
    }
    for (promise, kind) in PROMISES {
        text += &format!(
            "\n[[rules]]\nwhen = {{ tags = {{ sla = \"{promise}\" }} }}\nsla = {{ {kind} = \"{promise}\" }}\n"
        );
    }
    for workspace in workspaces {
        text += &format!("\n[auth.{}]\n", workspace.name);
        for (role, token) in ROLES {
            text += &format!("{role} = {{ token_file = {} }}\n", quoted(&token_file(stem, &workspace.name, token)));
        }
    }
    if let Some(Kept { workspace, warehouse, catalog, schema }) = kept {
        text += &format!(
            "\n# The shared record is there already.\n[ledger]\nworkspace = {}\nwarehouse = {}\ncatalog = {}\nschema = {}\n",
            quoted(workspace),
            quoted(warehouse),
            quoted(catalog),
            quoted(schema),
        );
    }
    text
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::workspace::Environment;

    fn access() -> Access {
        Access {
            name: "prod".to_owned(),
            environment: Environment::Prod,
            host: "http://127.0.0.1:8001".to_owned(),
            workspace_id: "1".to_owned(),
            tokens: BTreeMap::from([
                ("operator".to_owned(), "dapi-o".to_owned()),
                ("publisher".to_owned(), "dapi-p".to_owned()),
            ]),
            client_id: String::new(),
            client_secret: "hidden".to_owned(),
        }
    }

    #[test]
    fn secrets_stand_beside_the_file_for_their_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sim.toml");
        let token = folder.path().join("sim.prod.operator.token");
        fs::write(&token, "an older, longer token that anybody may read").expect("written");
        write(&path, &[access()], None).expect("written");

        assert_eq!(fs::read_to_string(&token).expect("read"), "dapi-o\n");
        assert_eq!(fs::metadata(&token).expect("there").permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).expect("read");
        assert!(!text.contains("dapi") && !text.contains("hidden"), "{text}");
        let table: toml::Table = text.parse().expect("TOML");
        assert_eq!(table["auth"]["prod"]["operator"]["token_file"].as_str(), Some("sim.prod.operator.token"));
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let (path, _) = write(Path::new("/nowhere/at/all/sim.toml"), &[access()], None).expect_err("no folder");
        assert!(path.starts_with("/nowhere/at/all"));
    }
}
