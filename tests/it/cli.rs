//! The real binary in a home of its own: what it prints, where, and with which exit code.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use lakeshift::cli::reference;
use serde_json::Value;

/// A home that nothing else uses, without any variable of this process.
struct Home {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

const CONFIG: &str = r#"
theme = "dark"

[auth.prod]
reader = { token_env = "PROD_TOKEN" }

[[workspaces]]
name = "prod"
environment = "prod"
host = "https://prod.example.test"
"#;

impl Home {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), environment: Vec::new() }
    }

    fn with_config(text: &str) -> Self {
        let home = Self::new();
        std::fs::create_dir_all(home.config_file().parent().expect("a folder")).expect("a folder");
        std::fs::write(home.config_file(), text).expect("a configuration");
        home
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn config_file(&self) -> PathBuf {
        self.path().join("xdg/lakeshift/config.toml")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lakeshift"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.path())
            .env("XDG_CONFIG_HOME", self.path().join("xdg"))
            .env("XDG_STATE_HOME", self.path().join("state"))
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran(self.command(arguments).output().expect("the binary runs"))
    }
}

struct Ran(Output);

impl Ran {
    fn code(&self) -> i32 {
        self.0.status.code().expect("an exit code")
    }

    fn stdout(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).expect("text")
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).expect("text")
    }

    /// Standard output, when all went well and nothing was complained of.
    fn ok(&self) -> String {
        assert_eq!((self.code(), self.stderr().as_str()), (0, ""), "{}", self.stdout());
        self.stdout()
    }

    /// The one document on standard output, which its schema describes.
    fn document(&self) -> Value {
        described(&self.stdout())
    }
}

/// The document, once its published schema agrees with it.
pub(crate) fn described(text: &str) -> Value {
    let document: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let id = document["schema"].as_str().expect("a schema's name");
    let (_, schema) = reference::documents()
        .into_iter()
        .find(|(_, schema)| schema["$id"] == id)
        .unwrap_or_else(|| panic!("{id} is not published"));
    // The name is no address that a validator could resolve.
    let mut schema = schema;
    schema.as_object_mut().expect("an object").remove("$id");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    document
}

#[test]
fn help_and_version_go_to_standard_output() {
    let home = Home::new();
    assert!(home.run(&["--help"]).ok().contains("Usage: lakeshift"));
    assert_eq!(home.run(&["--version"]).ok(), format!("lakeshift {}\n", env!("CARGO_PKG_VERSION")));
    assert!(home.run(&["man"]).ok().contains(".TH lakeshift 1"));
    let of_start = home.run(&["man", "run", "start"]).ok();
    assert!(of_start.contains(".TH lakeshift-run-start 1") && of_start.contains("dry\\-run"), "{of_start}");
    let unknown = home.run(&["man", "run", "strat"]);
    assert_eq!(unknown.code(), 2);
    assert!(unknown.stderr().contains("lakeshift run has no subcommand `strat`"), "{}", unknown.stderr());
    let pages = home.path().join("pages");
    home.run(&["man", "--out", pages.to_str().expect("text")]).ok();
    assert!(pages.join("lakeshift-ledger-verify.1").is_file());
    assert!(home.run(&["completions", "bash"]).ok().contains("_lakeshift()"));
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let home = Home::new();
    let unknown = home.run(&["statsu"]);
    assert_eq!((unknown.code(), unknown.stdout().as_str()), (2, ""));
    assert!(unknown.stderr().contains("unrecognized subcommand"), "{}", unknown.stderr());
    let misplaced = home.run(&["--theme", "dark", "config", "check"]);
    assert_eq!(misplaced.code(), 2);
    assert!(misplaced.stderr().contains("--theme is for the console"), "{}", misplaced.stderr());
}

#[test]
fn without_a_configuration_it_says_how_to_get_one() {
    let home = Home::new();
    let ran = home.run(&["config", "show"]);
    assert_eq!((ran.code(), ran.stdout().as_str()), (3, ""));
    assert!(ran.stderr().contains("xdg/lakeshift/config.toml"), "{}", ran.stderr());
    assert!(ran.stderr().contains("`lakeshift init`"), "{}", ran.stderr());
}

#[test]
fn errors_for_programs_are_one_document_on_standard_error() {
    let ran = Home::new().run(&["config", "show", "--output", "json"]);
    let error = described(&ran.stderr());
    assert_eq!(error["schema"], "lakeshift.error/1");
    assert_eq!((&error["kind"], &error["exit_code"]), (&"config".into(), &3.into()));
    assert_eq!(ran.code(), 3);

    // Also where the command line itself is wrong.
    for form in [&["--output", "json", "status", "--al"][..], &["status", "--al", "--output=ndjson"]] {
        let ran = Home::new().run(form);
        let error = described(&ran.stderr());
        assert_eq!((&error["kind"], ran.code()), (&"user".into(), 2));
        assert!(error["message"].as_str().is_some_and(|text| text.contains("unexpected argument '--al'")), "{error}");
        assert!(error["hints"].to_string().contains("'--all'"), "{error}");
    }
}

#[test]
fn config_check_lists_every_problem_with_its_place() {
    let home = Home::with_config(&format!("teme = 'x'\nlog = 7\n{CONFIG}"));
    let ran = home.run(&["config", "check"]);
    assert_eq!((ran.code(), ran.stdout().as_str()), (3, ""));
    assert!(
        ran.stderr().contains("config.toml:1:1: unknown key `teme` at the top; did you mean `theme`?"),
        "{}",
        ran.stderr()
    );
    assert!(ran.stderr().contains("config.toml:2:7: `log`: expected text in quotes"), "{}", ran.stderr());

    let ran = home.run(&["config", "check", "--output", "json"]);
    let checked = ran.document();
    assert_eq!((ran.code(), &checked["ok"]), (3, &false.into()));
    assert_eq!((&checked["problems"][1]["line"], &checked["problems"][1]["column"]), (&2.into(), &7.into()));
}

#[test]
fn config_check_says_what_it_found_good() {
    let home = Home::with_config(CONFIG);
    assert!(home.run(&["config", "check"]).ok().starts_with("ok: 1 workspace, 0 rules, 0 products in "));
    assert_eq!(home.run(&["config", "check", "--output", "ndjson"]).document()["ok"], true);
}

#[test]
fn config_show_tells_each_values_origin_and_no_secret() {
    let home = Home::with_config(CONFIG).set("PROD_TOKEN", "dapi00c0ffee").set("LAKESHIFT_LOG", "debug");
    let text = home.run(&["config", "show"]).ok();
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    assert!(line("theme ").ends_with("config.toml:2:9"), "{text}");
    assert!(line("log ").ends_with("$LAKESHIFT_LOG"), "{text}");
    assert!(line("polling.runs ").ends_with("default"), "{text}");
    assert!(line("policy.prod.read_only ").contains("true"), "{text}");
    assert!(text.contains("token from $PROD_TOKEN  ******"), "{text}");
    assert!(!text.contains("c0ffee"), "{text}");

    let shown = home.run(&["config", "show", "--output", "json"]).document();
    assert_eq!(shown["fleet_sha256"].as_str().map(str::len), Some(64));
    assert_eq!(shown["credentials"][0]["present"], true);
    assert!(!shown.to_string().contains("c0ffee"));
}

#[test]
fn config_schema_is_a_schema_that_the_example_satisfies() {
    for part in ["both", "fleet", "personal"] {
        let text = Home::new().run(&["config", "schema", "--part", part]).ok();
        let mut schema: Value = serde_json::from_str(&text).expect("JSON");
        schema.as_object_mut().expect("an object").remove("$id");
        let validator = jsonschema::validator_for(&schema).expect("a schema");
        if part == "both" {
            let example = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml"));
            let example: toml::Table = example.expect("the example").parse().expect("TOML");
            let example = serde_json::to_value(example).expect("JSON");
            assert!(validator.is_valid(&example));
            assert!(!validator.is_valid(&serde_json::json!({ "teme": "x" })), "unknown keys are refused");
        }
    }
}

#[test]
fn init_writes_a_configuration_that_is_right_and_never_overwrites_one() {
    let home = Home::new();
    let without = home.run(&["init"]);
    assert_eq!(without.code(), 2);
    assert!(without.stderr().contains(".databrickscfg"), "{}", without.stderr());

    let profiles =
        "[PROD]\nhost = https://prod.example.test\ntoken = dapi00c0ffee\n[dev]\nhost = https://dev.example.test\n";
    std::fs::write(home.path().join(".databrickscfg"), profiles).expect("profiles");
    assert!(home.run(&["init"]).ok().contains("lakeshift config check"));
    let written = std::fs::read_to_string(home.config_file()).expect("a configuration");
    assert!(!written.contains("c0ffee"), "no secret is copied");
    assert!(home.run(&["config", "check"]).ok().starts_with("ok: 2 workspaces"));

    let again = home.run(&["init"]);
    assert_eq!(again.code(), 6);
    assert_eq!(std::fs::read_to_string(home.config_file()).expect("still there"), written);

    let other = home.path().join("other.toml");
    let made = home.run(&["init", "--output", "json", "--config", other.to_str().expect("text")]).document();
    assert_eq!(made["workspaces"][1]["environment"], "dev");
    assert!(other.is_file());
}

#[test]
fn the_configuration_is_named_by_flag_before_variable_before_folder() {
    let home = Home::with_config(CONFIG);
    let place = |name: &str, theme: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, CONFIG.replace("dark", theme)).expect("a configuration");
        path.to_str().expect("text").to_owned()
    };
    let (by_flag, by_variable) = (place("a.toml", "light"), place("b.toml", "high-contrast"));
    let theme = |home: &Home, arguments: &[&str]| {
        let arguments = [&["config", "show", "--output", "json"], arguments].concat();
        let shown = home.run(&arguments).document();
        let values = shown["values"].as_array().expect("values").clone();
        values.iter().find(|value| value["path"] == "theme").expect("a theme")["value"].clone()
    };
    assert_eq!(theme(&home, &[]), "dark");
    assert_eq!(theme(&home, &["--config", &by_flag]), "light");
    let home = home.set("LAKESHIFT_CONFIG", &by_variable);
    assert_eq!(theme(&home, &[]), "high-contrast");
    assert_eq!(theme(&home, &["--config", &by_flag]), "light");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let home = Home::new();
    let mut child = home
        .command(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let ran = Ran(child.wait_with_output().expect("it ends"));
    assert_eq!((ran.code(), ran.stderr().as_str()), (0, ""));
}

#[test]
fn color_is_for_terminals_unless_it_is_asked_for() {
    let home = Home::with_config(CONFIG);
    assert!(!home.run(&["config", "show"]).ok().contains('\u{1b}'));
    assert!(home.run(&["config", "show", "--color", "always"]).ok().contains('\u{1b}'));
    assert!(!home.set("NO_COLOR", "1").run(&["config", "show", "--color", "never"]).ok().contains('\u{1b}'));
}

/// A fleet of which nothing can be reached: one without a listener, one without a credential.
const UNREACHABLE: &str = r#"
[auth.prod]
reader = { token_env = "PROD_TOKEN" }
[auth.dev]
reader = { token_env = "NO_TOKEN" }

[[workspaces]]
name = "prod"
environment = "prod"
host = "http://127.0.0.1:1"

[[workspaces]]
name = "dev"
environment = "dev"
host = "http://127.0.0.1:2"
"#;

#[test]
fn what_cannot_be_read_is_said_and_has_an_exit_code() {
    let home = Home::with_config(UNREACHABLE).set("PROD_TOKEN", "dapi00c0ffee");
    let dev = ["--workspace", "dev"];
    for command in [&["status"][..], &["runs"], &["pipelines"], &["run", "show", "5"]] {
        let ran = home.run(&[command, &dev].concat());
        assert_eq!(ran.code(), 4, "{command:?}: {}", ran.stderr());
        assert!(ran.stderr().contains("NO_TOKEN is not set"), "{command:?}: {}", ran.stderr());
        assert!(!(ran.stdout() + &ran.stderr()).contains("c0ffee"));
    }
    let ran = home.run(&["status"]);
    assert_eq!(ran.code(), 5, "{}", ran.stderr());
    assert!(ran.stdout().contains("nothing could be read"), "{}", ran.stdout());
    assert!(ran.stderr().contains("prod could not be read"), "{}", ran.stderr());
}

#[test]
fn a_program_is_told_what_could_not_be_read() {
    let home = Home::with_config(UNREACHABLE);
    for (command, objects) in [("status", "objects"), ("runs", "runs"), ("pipelines", "pipelines")] {
        let ran = home.run(&[command, "--workspace", "dev", "--output", "json"]);
        let document = ran.document();
        assert_eq!(document[objects], serde_json::json!([]));
        assert!(document["workspaces"][0]["jobs"]["failure"].as_str().expect("why").contains("NO_TOKEN"));
        assert!(document["workspaces"][0]["jobs"]["observed_at"].is_null());
    }
    let lines = home.run(&["runs", "--workspace", "dev", "--output", "ndjson"]);
    assert_eq!((lines.stdout().as_str(), lines.code()), ("", 4));
}

#[test]
fn a_workspace_that_is_not_there_is_told_from_those_that_are() {
    let ran = Home::with_config(UNREACHABLE).run(&["runs", "--workspace", "prd"]);
    assert_eq!(ran.code(), 2);
    assert!(ran.stderr().contains("It has prod, dev."), "{}", ran.stderr());
}

#[test]
fn without_a_terminal_the_console_refuses_and_names_the_way_for_scripts() {
    let ran = Home::with_config(CONFIG).run(&[]);
    assert_eq!((ran.code(), ran.stdout().as_str()), (2, ""));
    assert!(ran.stderr().contains("needs a terminal") && ran.stderr().contains("lakeshift status"), "{}", ran.stderr());
}

#[test]
fn config_check_knows_themes_and_commands() {
    let keys = "[keys.global]\nquiet = ['x']\nmouse = ['q']\n[keys.flet]\nopen = ['z']\n[auth.prod]";
    let config = CONFIG.replace("dark", "drak").replace("[auth.prod]", keys);
    let home = Home::with_config(&format!("log = 'lakeshift=loud'\n{config}"));
    let ran = home.run(&["config", "check"]);
    assert_eq!(ran.code(), 3);
    for problem in [
        "config.toml:1:7: `log`: ",
        "config.toml:3:9: no theme is called `drak`",
        "config.toml:6:9: keys.global.quiet: no such command; did you mean quit?",
        "config.toml:7:9: keys.global.mouse: q already calls quit (global)",
        "config.toml:9:8: keys.flet: no such context; did you mean fleet?",
    ] {
        assert!(ran.stderr().contains(problem), "{problem}: {}", ran.stderr());
    }
}
