//! The real console in a pseudo-terminal. It waits for what the screen shows, never for a time to pass.
//!
//! The workspace of these tests refuses connections: a console must start, say so, and obey all the same.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// The longest that anything may take on a machine under load.
const PATIENCE: Duration = Duration::from_secs(120);

/// Port 1 of loopback: nobody listens.
const CONFIG: &str = r#"
[auth.prod]
reader = { token_file = "token" }

[[workspaces]]
name = "prod"
environment = "prod"
host = "http://127.0.0.1:1"
"#;

pub(crate) struct Home(tempfile::TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        std::fs::write(home.path().join("config.toml"), CONFIG).expect("a configuration");
        std::fs::write(home.path().join("token"), "not-a-secret").expect("a token");
        home
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |below: &str| self.path().join(below).display().to_string();
        vec![
            ("HOME", path("")),
            ("LAKESHIFT_CONFIG", path("config.toml")),
            ("LAKESHIFT_STATE_DIR", path("state")),
            ("TERM", "xterm-256color".into()),
            ("LANG", "C.UTF-8".into()),
        ]
    }
}

/// A program in a terminal, and what the terminal shows.
pub(crate) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    modes: String,
    _home: Home,
}

impl Terminal {
    fn console() -> Self {
        Self::console_at(Home::new(), 100, 30)
    }

    pub(crate) fn console_at(home: Home, columns: u16, rows: u16) -> Self {
        Self::start(home, CommandBuilder::new(env!("CARGO_BIN_EXE_lakeshift")), columns, rows)
    }

    /// A subcommand in a terminal.
    pub(crate) fn subcommand(home: Home, arguments: &[&str]) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakeshift"));
        command.args(arguments);
        Self::start(home, command, 120, 40)
    }

    fn start(home: Home, mut command: CommandBuilder, columns: u16, rows: u16) -> Self {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
        command.env_clear();
        for (name, value) in home.variables() {
            command.env(name, value);
        }
        let modes = modes(pair.master.as_ref());
        let child = pair.slave.spawn_command(command).expect("it starts");
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        let screen = vt100::Parser::new(cells(rows), cells(columns), 0);
        Self { master: pair.master, child, writer, output, screen, modes, _home: home }
    }

    pub(crate) fn press(&mut self, bytes: &str) {
        self.writer.write_all(bytes.as_bytes()).expect("the terminal takes it");
    }

    fn resize(&mut self, columns: u16, rows: u16) {
        self.screen.screen_mut().set_size(cells(rows), cells(columns));
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        self.master.resize(size).expect("resized");
    }

    /// Waits until the screen fits.
    pub(crate) fn until(&mut self, what: &str, fits: impl Fn(&vt100::Screen) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !fits(self.screen.screen()) {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(error) => panic!("waited for {what} ({error}); the screen:\n{}", self.screen.screen().contents()),
            }
        }
    }

    pub(crate) fn until_shown(&mut self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    pub(crate) fn signal(&self, name: &str) {
        let id = self.child.process_id().expect("it runs").to_string();
        let sent = Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Waits for the end, and takes in all that was still said.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.output.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().expect("it ended"),
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill().expect("killed");
                    panic!("it does not end; the screen:\n{}", self.screen.screen().contents());
                }
            }
        }
    }

    pub(crate) fn assert_restored(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "left in the alternate screen");
        assert!(!screen.hide_cursor(), "left without a cursor");
        assert!(!screen.bracketed_paste(), "left in bracketed paste");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "left with the mouse");
        assert_eq!(modes(self.master.as_ref()), self.modes, "left raw");
    }
}

fn cells(count: u16) -> std::num::NonZero<u16> {
    count.try_into().expect("a terminal has cells")
}

/// The line discipline: echo, canonical mode and the rest.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("a terminal has modes"))
}

fn opened() -> Terminal {
    let mut terminal = Terminal::console();
    terminal.until("the console", |screen| screen.alternate_screen() && screen.contents().contains("PROD"));
    assert_ne!(modes(terminal.master.as_ref()), terminal.modes, "a console reads keys raw");
    terminal
}

#[test]
fn it_starts_says_what_is_wrong_and_leaves_on_q() {
    let mut terminal = opened();
    terminal.until_shown("no connection");
    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
}

#[test]
fn signals_end_it_and_the_terminal_is_given_back() {
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let mut terminal = opened();
        terminal.signal(signal);
        assert_eq!(terminal.ended().exit_code(), code, "{signal}");
        terminal.assert_restored();
    }
}

#[test]
fn it_follows_the_size_of_the_terminal() {
    let mut terminal = opened();
    terminal.resize(30, 8);
    terminal.until_shown("this terminal has 30x8");
    terminal.resize(140, 40);
    terminal.until("a footer in the last row", |screen| {
        screen.rows(0, 140).last().is_some_and(|row| row.contains("palette"))
    });
    terminal.press("q");
    assert!(terminal.ended().success());
}

#[test]
fn pasted_text_presses_no_keys() {
    let mut terminal = opened();
    terminal.press("\x1b[200~qqq\nq\x1b[201~");
    terminal.until_shown("pasted text ignored");
    terminal.press("q");
    assert!(terminal.ended().success());
    terminal.assert_restored();
}

#[test]
fn being_stopped_and_continued_redraws_the_screen() {
    let mut terminal = opened();
    terminal.signal("STOP");
    // What a shell would do with the terminal meanwhile.
    terminal.screen.process(b"\x1b[?1049l\x1b[2J");
    terminal.signal("CONT");
    terminal.until("the console again", |screen| screen.alternate_screen() && screen.contents().contains("PROD"));
    terminal.press("q");
    assert!(terminal.ended().success());
}

/// The terminal after a panic of the loop's own thread, and after one of a background task.
#[test]
fn a_panic_gives_the_terminal_back_and_says_where_the_log_is() {
    for place in ["view", "task"] {
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this binary"));
        command.args(["--exact", "pty::panicking_console", "--nocapture", "--test-threads=1"]);
        let home = Home::new();
        let (mark, flag) = (home.path().join("the.log"), home.path().join("panic"));
        std::fs::write(&flag, place).expect("written");
        command.cwd(home.path());
        let mut terminal = Terminal::start(home, command, 100, 30);
        let status = terminal.ended();
        let shown = terminal.screen.screen().contents();
        assert!(!status.success(), "{place}: {shown}");
        assert!(shown.contains("planted panic"), "{place}: {shown}");
        if place == "view" {
            assert!(shown.replace('\n', "").contains(&mark.display().to_string()), "{place}: {shown}");
            assert!(shown.contains("The journal is in the drawer"), "{place}: {shown}");
        }
        terminal.assert_restored();
    }
}

/// Not a test by itself: what the test above starts in a terminal. Without its sign it does nothing.
#[test]
fn panicking_console() {
    use std::sync::Arc;

    use lakeshift::app::{Feed, Model, Settings, vocabulary};
    use lakeshift::runtime::clock::SystemClock;
    use lakeshift::runtime::console::{Feeder, Parts, restore_on_panic, run};
    use lakeshift::runtime::session::executor;

    struct Nobody;
    impl Feeder for Nobody {
        fn start(&mut self) {}
        fn watch(&mut self, _: Vec<Feed>, _: u64) {}
        fn refresh(&mut self, _: &Feed) {}
        fn act(&mut self, _: lakeshift::app::act::Order) {}
    }

    let Ok(place) = std::fs::read_to_string("panic") else { return };
    let place = place.as_str();
    let left_behind = || vec!["The journal is in the drawer".to_owned()];
    restore_on_panic(Some(std::env::current_dir().expect("a folder").join("the.log")), left_behind);
    let clock = Arc::new(SystemClock);
    let (back, facts) = tokio::sync::mpsc::channel(8);
    let settings = Settings {
        workspaces: Vec::new(),
        inventory: Arc::default(),
        keymap: lakeshift::keymap::Keymap::load(&vocabulary(), &std::collections::BTreeMap::new()).expect("keys"),
        zone: chrono_tz::UTC,
        read_only: std::collections::BTreeSet::new(),
        unlockable: true,
        size: (100, 30),
        now: lakeshift::domain::clock::Clock::now(clock.as_ref()),
    };
    let parts = Parts {
        model: Model::new(settings),
        facts,
        back,
        feeder: Nobody,
        keeper: None,
        recorder: None,
        clock,
        exports: std::path::PathBuf::from("exports"),
        has_browser: false,
    };
    let executor = executor().expect("threads");
    if place == "task" {
        executor.spawn(async { panic!("planted panic") });
    }
    let view = |_: &Model, _: &mut ratatui::Frame<'_>| assert!(place != "view", "planted panic");
    let (_, ended) = executor.block_on(run(parts, view));
    // The console says it behind its screen, as the command line does.
    let Err(error) = ended else { panic!("it must not end well") };
    eprintln!("{error}");
    std::process::exit(1);
}

#[test]
fn without_a_terminal_it_refuses_and_says_what_to_do_instead() {
    let home = Home::new();
    let ran = Command::new(env!("CARGO_BIN_EXE_lakeshift"))
        .env_clear()
        .envs(home.variables())
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs");
    assert_eq!(ran.status.code(), Some(2));
    assert!(ran.stdout.is_empty());
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("needs a terminal") && said.contains("lakeshift status"), "{said}");
}

#[test]
fn its_store_and_its_log_are_in_the_state_folder() {
    let home = Home::new();
    let state = home.path().join("state");
    let mut terminal = Terminal::console_at(home, 100, 30);
    terminal.until_shown("no connection");
    terminal.press("q");
    assert!(terminal.ended().success());
    assert!(state.join("lakeshift.db").exists());
    let logs = std::fs::read_dir(state.join("logs")).expect("a folder of logs");
    let said: String = logs.map(|log| std::fs::read_to_string(log.expect("a log").path()).expect("text")).collect();
    assert!(said.contains("poll failed"), "{said}");
    assert!(!said.contains("not-a-secret"), "a token in the log");
}
