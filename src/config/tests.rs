//! What loading a configuration promises.

use super::*;

const FLEET: &str = r#"
[[workspaces]]
name = "prod"
environment = "prod"
host = "https://prod.example.test"

[[workspaces]]
name = "dev"
environment = "dev"
host = "dev.example.test"
"#;

/// A home of its own with these files in its configuration folder.
struct Home {
    folder: tempfile::TempDir,
    options: LoadOptions,
}

impl Home {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::below(folder.path());
        std::fs::create_dir_all(&paths.config_dir).expect("a folder for the configuration");
        for (name, text) in files {
            std::fs::write(paths.config_dir.join(name), text).expect("a file");
        }
        let options = LoadOptions { file: None, flags: Flags::default(), environment: BTreeMap::new(), paths };
        Self { folder, options }
    }

    fn environment(mut self, name: &str, value: &str) -> Self {
        self.options.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Config {
        load(&self.options).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Each problem as `line:column message` (with its file if that is not `config.toml`).
    fn problems(&self) -> Vec<String> {
        let folder = format!("{}/config/", self.folder.path().display());
        match load(&self.options) {
            Ok(_) => panic!("the configuration was accepted"),
            Err(ConfigError::Invalid(problems)) => problems
                .iter()
                .map(|problem| problem.to_string().replace(&folder, "").replace("config.toml:", ""))
                .collect(),
            Err(missing) => vec![missing.to_string().replace(&folder, "")],
        }
    }
}

fn problems(text: &str) -> Vec<String> {
    Home::with(&[("config.toml", &format!("{text}\n{FLEET}"))]).problems()
}

#[test]
fn a_file_may_hold_both_and_says_who_is_reached_how() {
    let config = Home::with(&[("config.toml", &format!("[auth.prod]\nreader = {{ profile = 'P' }}\n{FLEET}"))]).load();
    let [prod, dev] = &config.workspaces()[..] else { panic!("two workspaces") };
    assert_eq!((prod.workspace.name.as_str(), prod.workspace.letter), ("prod", 'P'));
    assert_eq!(dev.workspace.host, "https://dev.example.test");
    assert_eq!(prod.credentials[&Role::Reader], CredentialSource::Profile("P".to_owned()));
    assert_eq!(
        prod.credentials[&Role::Operator],
        CredentialSource::Profile("P".to_owned()),
        "falls back to the reader's"
    );
    assert_eq!(dev.credentials[&Role::Reader], CredentialSource::Default);
    assert!(prod.read_only && !dev.read_only);
}

#[test]
fn unknown_keys_wrong_types_and_impossible_values_are_all_reported_with_their_place() {
    let found = problems(
        "teme = 'dark'\nread_only = 'yes'\nkeys = { global = { quit = 'q' } }\n\n[polling]\nruns = '1s'\nstreams = 15\njobs = 'soon'",
    );
    assert_eq!(
        found,
        [
            "1:1: unknown key `teme` at the top; did you mean `theme`?",
            "2:13: `read_only`: expected true or false, found text",
            "3:28: `keys.global.quit`: expected a list, found text",
            "6:8: `polling.runs`: expected 5s to 2m, found 1s",
            "7:11: `polling.streams`: expected a duration such as `90s`, `15m`, `2h`, found a whole number",
            "8:8: `polling.jobs`: not a duration such as `90s`, `15m`, `2h`: expected a number and its unit: s, m, h or d",
        ]
    );
}

#[test]
fn what_must_say_something_says_something() {
    let ledger = "[ledger]\nworkspace = 'prod'\nwarehouse = ''\ncatalog = 'ops'\nschema = 'r'";
    assert_eq!(
        problems(&format!("[operations]\nlate_bound = '0s'\n{ledger}")),
        [
            "2:14: `operations.late_bound`: expected 1s to 15m, found 0s",
            "5:13: `ledger.warehouse`: expected at least 1 character(s), found nothing",
        ]
    );
}

#[test]
fn a_wrong_workspace_is_told_what_was_expected() {
    let found = Home::with(&[(
        "config.toml",
        "[[workspaces]]\nname = 'Prod'\nenvironment = 'prd'\n\n[[rules]]\nwhen = { kind = 'table' }\ntier = 9\nsla = { by = '25:00' }\n",
    )])
    .problems();
    assert_eq!(
        found,
        [
            "1:1: `workspaces[0].host` is missing",
            "2:8: `workspaces[0].name`: not a name of a-z, 0-9, `-` and `_`: expected 1 to 24 of a-z, 0-9, - and _",
            "3:15: `workspaces[0].environment`: expected `dev`, `staging`, `prod`, found `prd`; did you mean `prod`?",
            "6:17: `rules[0].when.kind`: expected `job`, `pipeline`, found `table`",
            "7:8: `rules[0].tier`: expected 1 to 5, found 9",
            "8:14: `rules[0].sla.by`: not a time of day such as `06:30`: expected hours and minutes on a 24-hour clock",
        ]
    );
}

#[test]
fn a_setting_that_was_appended_below_a_table_is_told_where_it_belongs() {
    let found = problems("[polling]\ntheme = 'dark'");
    assert!(found[0].ends_with("(`theme` stands at the top, above the first [table])"), "{found:?}");
}

#[test]
fn broken_grammar_has_its_place_too() {
    let found = Home::with(&[("config.toml", "theme = \"dark\nlog = 'info'\n")]).problems();
    assert!(found[0].starts_with("1:14: not TOML: "), "{found:?}");
}

#[test]
fn a_secret_in_the_file_is_refused_and_never_repeated() {
    let found = problems("[auth.prod]\nreader = { token = 'dapi00c0ffee' }\noperator = { token_env = 'dapi00c0ffee' }");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("2:12: `token` in `auth.prod.reader`: a secret never stands in a configuration file"),
        "{found:?}"
    );
    assert!(!found.concat().contains("c0ffee"), "{found:?}");
}

#[test]
fn a_credential_is_exactly_one_way_to_sign_in() {
    let found = problems(
        "[auth.prod]\nreader = { profile = 'A', token_env = 'B' }\noperator = {}\npublisher = { client_id = 'x' }\nledger = { token_file = 'none' }\n[auth.porod]",
    );
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(
        found[0].starts_with("6:1: `auth.porod`: the fleet has no workspace of this name; did you mean `prod`?"),
        "{found:?}"
    );
    assert!(found[1].contains("expected one way to sign in, found `profile` and `token_env`"), "{found:?}");
    assert!(found[2].starts_with("3:12: `auth.prod.operator`: expected one of `profile`"), "{found:?}");
    assert!(found[3].contains("`client_id` needs `client_secret_env`"), "{found:?}");
    assert!(found[4].contains("there is no file"), "{found:?}");
}

#[cfg(unix)]
#[test]
fn a_secret_file_that_others_can_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::with(&[
        ("config.toml", &format!("[auth.prod]\nreader = {{ token_file = 'token' }}\n{FLEET}")),
        ("token", "t"),
    ]);
    let token = home.options.paths.config_dir.join("token");
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o644)).expect("mode");
    assert_eq!(home.load().warnings.len(), 1);
    std::fs::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).expect("mode");
    assert_eq!(home.load().warnings, []);
}

#[test]
fn the_fleet_may_stand_in_a_file_of_its_own_with_its_hash() {
    let home = Home::with(&[("config.toml", "fleet = 'team.toml'\ntheme = 'dark'\n"), ("team.toml", FLEET)]);
    let config = home.load();
    assert_eq!(config.workspaces().len(), 2);
    assert!(config.fleet_file.ends_with("team.toml"));
    let hash = config.fleet_hash.clone();
    std::fs::write(&config.file, "fleet = 'team.toml'\ntheme = 'light'\n").expect("written");
    assert_eq!(home.load().fleet_hash, hash, "personal settings are not part of the fleet");
    std::fs::write(&config.fleet_file, format!("{FLEET}# reviewed\n")).expect("written");
    assert_ne!(home.load().fleet_hash, hash);
}

#[test]
fn each_file_holds_its_own_keys_alone() {
    let found = Home::with(&[
        ("config.toml", "fleet = 'team.toml'\n[policy.prod]\nread_only = false\n"),
        ("team.toml", &format!("theme = 'dark'\n{FLEET}")),
    ])
    .problems();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("2:2: `policy` belongs to the fleet: move it to "), "{found:?}");
    assert_eq!(found[1], "team.toml:1:1: `theme` is a personal setting: it does not belong in the fleet's file");
}

#[test]
fn a_missing_file_says_which() {
    assert_eq!(Home::with(&[]).problems(), ["there is no configuration at config.toml"]);
    let found = Home::with(&[("config.toml", "fleet = 'team.toml'")]).problems();
    assert_eq!(found, ["there is no configuration at team.toml"]);
}

#[test]
fn personal_settings_tighten_policies_and_never_loosen_them() {
    let with = |personal: &str, policy: &str| {
        let home = Home::with(&[("config.toml", &format!("{personal}\n{FLEET}\n{policy}"))]);
        home.environment("LAKESHIFT_READ_ONLY", "").load().workspaces()
    };
    assert!(with("read_only = false", "")[0].read_only, "prod is read-only unless the fleet says otherwise");
    assert!(with("read_only = false", "[policy.prod]\nrequests_per_s = 4")[0].read_only);
    assert!(!with("", "[policy.prod]\nread_only = false")[0].read_only);
    assert!(with("read_only = true", "[policy.prod]\nread_only = false").iter().all(|workspace| workspace.read_only));
    assert_eq!(with("[connections.prod]\nrequests_per_s = 3", "")[0].requests_per_s, 3);

    let loosened = Home::with(&[("config.toml", &format!("read_only = false\n{FLEET}"))])
        .environment("LAKESHIFT_READ_ONLY", "false");
    assert!(loosened.load().workspaces()[0].read_only);
    let found = problems("[connections.prod]\nrequests_per_s = 9");
    assert_eq!(
        found,
        ["2:18: `connections.prod.requests_per_s`: 9 would loosen the fleet's policy for prod, which allows 8"]
    );
}

#[test]
fn later_layers_win_and_every_value_knows_its_origin() {
    let mut home = Home::with(&[("config.toml", &format!("theme = 'dark'\nlog = 'debug'\n{FLEET}"))])
        .environment("LAKESHIFT_THEME", "light")
        .environment("LAKESHIFT_TIME_ZONE", "Asia/Tokyo");
    let config = home.load();
    assert_eq!(config.personal.theme, "light");
    let origin = |config: &Config, path: &str| config.origin(path).to_string();
    assert_eq!(origin(&config, "theme"), "$LAKESHIFT_THEME");
    assert_eq!(origin(&config, "time_zone"), "$LAKESHIFT_TIME_ZONE");
    assert!(origin(&config, "log").ends_with("config.toml:2:7"));
    assert!(
        origin(&config, "workspaces[1].host").ends_with("config.toml:12:8"),
        "{}",
        origin(&config, "workspaces[1].host")
    );
    assert_eq!(origin(&config, "polling.runs"), "default");
    home.options.flags = Flags { theme: Some("dark".to_owned()), read_only: true };
    let config = home.load();
    assert_eq!((config.personal.theme.as_str(), config.personal.read_only), ("dark", true));
    assert_eq!(
        (origin(&config, "theme"), origin(&config, "read_only")),
        ("--theme".to_owned(), "--read-only".to_owned())
    );
}

#[test]
fn a_wrong_variable_is_a_problem_and_a_misspelled_one_a_warning() {
    let both = || Home::with(&[("config.toml", FLEET)]);
    let found =
        both().environment("LAKESHIFT_READ_ONLY", "maybe").environment("LAKESHIFT_TIME_ZONE", "Mars").problems();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("$LAKESHIFT_READ_ONLY: expected `true` or `false`"), "{found:?}");
    let warnings = both().environment("LAKESHIFT_TEME", "dark").load().warnings;
    assert_eq!(warnings[0].to_string(), "$LAKESHIFT_TEME: not read; did you mean $LAKESHIFT_THEME?");
}

#[test]
fn workspaces_that_cannot_be_told_apart_are_refused() {
    let found = Home::with(&[(
        "config.toml",
        &format!("{FLEET}\n[[workspaces]]\nname = 'dev'\nenvironment = 'prod'\nhost = 'https://DEV.example.test/'\n"),
    )])
    .problems();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.concat().contains("`prod` is confirmed by `P` too"), "{found:?}");
    assert!(Home::with(&[("config.toml", "")]).problems()[0].starts_with("1:1: there is no workspace"));
}

#[test]
fn rules_must_say_something_and_promises_must_agree() {
    let found = problems(
        "[[rules]]\nwhen = { names = ['a'] }\n[[rules]]\nsla = { fresh_within = '90s', within = '2h' }\n[[rules]]\nsla = { by = '06:30' }",
    );
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("1:1: this rule says nothing"), "{found:?}");
    let doubtful =
        format!("{FLEET}\n[products.sales]\n[[rules]]\nwhen = {{ workspaces = ['prd'] }}\nproduct = 'salse'\n");
    let warnings = Home::with(&[("config.toml", &doubtful)]).load().warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
}

#[test]
fn a_ledger_is_reached_through_a_workspace_of_the_fleet() {
    let ledger = |workspace: &str, catalog: &str| {
        format!(
            "{FLEET}\n[ledger]\nworkspace = '{workspace}'\nwarehouse = 'w1'\ncatalog = '{catalog}'\nschema = 'release'\n"
        )
    };
    let config = Home::with(&[("config.toml", &ledger("prod", "ops"))]).load();
    let entry = config.fleet.ledger.expect("a ledger");
    assert_eq!((entry.catalog.as_str(), entry.form), ("ops", dialect::ledger::LedgerForm::Direct));
    let found = Home::with(&[("config.toml", &ledger("prd", "ops"))]).problems();
    assert_eq!(found, ["13:13: `ledger.workspace`: the fleet has no workspace `prd`; did you mean `prod`?"]);
    let found = Home::with(&[("config.toml", &ledger("prod", "ops.release"))]).problems();
    assert!(found[0].contains("expected one name, without dots"), "{found:?}");
}

/// The example with its settings that have no default switched on.
fn whole_example() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with([' ', '#']) => setting.to_owned(),
        _ => line.to_owned(),
    };
    let example = include_str!("../../config.example.toml");
    example.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_shows_the_defaults() {
    let text =
        Text { path: PathBuf::from("config.example.toml"), text: include_str!("../../config.example.toml").to_owned() };
    let source = Source::parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let (personal, fleet) = read(&source, None).unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(personal, Personal::default());
    assert_eq!(
        Fleet { policy: fleet.policy.filled(), ..fleet },
        Fleet { policy: Fleet::default().policy.filled(), ..Fleet::default() }
    );
}

#[test]
fn the_example_shows_every_setting_and_all_of_it_is_right() {
    let home = Home::with(&[("fleet.toml", "")]);
    for file in ["publisher", "staging-token"] {
        std::fs::create_dir_all(home.folder.path().join(".secrets")).expect("a folder");
        std::fs::write(home.folder.path().join(".secrets").join(file), "x").expect("a secret");
    }
    std::fs::create_dir_all(home.folder.path().join("certificates")).expect("a folder");
    std::fs::write(home.folder.path().join("certificates/company.pem"), "x").expect("a certificate");
    let whole = whole_example().replace("fleet = \"../ops/fleet.toml\"\n", "");
    std::fs::write(home.options.paths.config_file(), &whole).expect("the example");
    let config = home.load();
    assert_eq!(config.workspaces().len(), 3);

    let shown: std::collections::BTreeSet<String> =
        whole_example().split(|c: char| !(c.is_alphanumeric() || c == '_')).map(str::to_owned).collect();
    let schema = schema::both();
    let tables = std::iter::once(&schema).chain(schema["$defs"].as_object().expect("definitions").values());
    for key in tables.filter_map(|table| table["properties"].as_object()).flat_map(serde_json::Map::keys) {
        assert!(shown.contains(key), "config.example.toml does not show `{key}`");
    }
}
