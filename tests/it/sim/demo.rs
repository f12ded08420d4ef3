//! `lakeshift demo` in a pseudo-terminal: a newcomer's first minute.

use std::io::{Read, Write};
use std::sync::mpsc;
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};

/// The longest wait for something to appear, for a slow machine.
const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn it_shows_three_workspaces_and_leaves_the_terminal_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let size = PtySize { rows: 40, cols: 140, pixel_width: 0, pixel_height: 0 };
    let pair = native_pty_system().openpty(size).expect("a pseudo-terminal");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakeshift"));
    command.args(["demo", "--scenario", "calm", "--seed", "7"]);
    command.env_clear();
    for (name, value) in [("HOME", folder.path()), ("TMPDIR", folder.path())] {
        command.env(name, value);
    }
    command.env("TERM", "xterm-256color");
    command.env("LANG", "C.UTF-8");
    let mut child = pair.slave.spawn_command(command).expect("starts");
    drop(pair.slave);
    let mut keys = pair.master.take_writer().expect("a writer");
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let (sender, screen) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            if sender.send(bytes[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    let mut terminal = vt100::Parser::new(size.rows.try_into().expect("some"), size.cols.try_into().expect("some"), 0);
    loop {
        let text = terminal.screen().contents();
        // Every row says its environment: the fleet is there, of all three workspaces.
        if ["PROD", "stg", "dev"].iter().all(|word| text.contains(word)) && text.contains("ledger") {
            break;
        }
        let bytes = screen.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("the fleet never appears:\n{text}"));
        terminal.process(&bytes);
    }
    assert!(terminal.screen().alternate_screen());
    keys.write_all(b"q").expect("typed");
    while let Ok(bytes) = screen.recv_timeout(PATIENCE) {
        terminal.process(&bytes);
        if !terminal.screen().alternate_screen() {
            break;
        }
    }
    assert!(!terminal.screen().alternate_screen());
    assert!(child.wait().expect("ended").success());
    let left: Vec<_> = std::fs::read_dir(folder.path()).expect("a folder").collect();
    assert!(left.is_empty(), "nothing stays behind: {left:?}");
}

#[test]
fn without_a_terminal_it_says_so_and_starts_nothing() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lakeshift"))
        .arg("demo")
        .env_clear()
        .stdin(std::process::Stdio::null())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("terminal"), "{output:?}");
}
