//! What the console costs and how fast it answers: the real release binary in a pseudo-terminal of 160x45, against
//! `lakeshift sim --scenario calm` in another process.
//!
//! Run by `cargo bench --bench console`. Prints figures and asserts nothing: machines differ. The counts that must
//! hold everywhere (requests, frames) are asserted by tests under paused time.
//!
//! Linux only, because CPU and memory are read from `/proc`.
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench drives and times the real process"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Terminal of the measurement.
const SIZE: PtySize = PtySize { rows: 45, cols: 160, pixel_width: 0, pixel_height: 0 };
/// A terminal in which the console only says that it is too small: it polls, and nothing on the screen ticks.
const TOO_SMALL: PtySize = PtySize { rows: 5, cols: 40, pixel_width: 0, pixel_height: 0 };
/// How long the last keys may have an effect.
const SETTLING: Duration = Duration::from_secs(5);
/// Settling before anything is measured.
const WARM_UP: Duration = Duration::from_secs(20);
/// How long idle cost is measured.
const MEASURED: Duration = Duration::from_secs(60);
/// Keys whose latency is measured.
const KEYS: usize = 1_000;
/// Starts with a cache whose first frame is timed.
const STARTS: usize = 25;
/// Clock ticks a second in `/proc/PID/stat` (USER_HZ, fixed by Linux' ABI).
const TICKS_PER_S: f64 = 100.0;

fn main() {
    // `cargo test --benches` and `cargo bench -- --list` must not take two minutes.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    let home = tempfile::tempdir().expect("a temporary home");
    let sim = Sim::start(home.path());
    println!("console against `sim --scenario calm`, {}x{}, release build", SIZE.cols, SIZE.rows);

    let mut console = Console::start(home.path(), &sim.config);
    let first = console.until("PROD", Duration::from_secs(10));
    let whole = console.until_screen(|screen| screen.matches(" 1 ").count() > 3, Duration::from_secs(20));
    println!("first frame, empty cache          {:>8.1} ms from exec", ms(first));
    println!("first rows, empty cache           {:>8.1} ms from exec", ms(whole));
    if let Some(answered_at) = sim.first_sweep_answered_s() {
        println!("first sweep answered by the sim   {answered_at:>8.3} s of its own clock after its start");
    }

    console.drain_for(WARM_UP);
    let before = sim.requests();
    let frames = console.bytes;
    let idle = console.cost_over(MEASURED);
    let after = sim.requests();
    println!("resident memory                   {:>8.1} MiB (peak {:.1})", idle.rss_mib, idle.peak_mib);
    println!("CPU of a core, ages ticking       {:>8.2} %", idle.cpu_percent);
    println!("bytes to the terminal             {:>8.1} /s", (console.bytes - frames) as f64 / MEASURED.as_secs_f64());
    for (workspace, count) in &after {
        let spent = count - before.get(workspace).copied().unwrap_or(0);
        println!("requests, {workspace:<10}              {:>8.2} /s", spent as f64 / MEASURED.as_secs_f64());
    }

    let mut latencies = console.key_latencies();
    latencies.sort_unstable();
    println!(
        "key in to frame out, {} keys    p50 {:>6.2}  p99 {:>6.2}  max {:>6.2} ms",
        latencies.len(),
        ms(latencies[latencies.len() / 2]),
        ms(latencies[latencies.len() * 99 / 100]),
        ms(latencies[latencies.len() - 1])
    );
    console.resize(TOO_SMALL);
    console.drain_for(SETTLING);
    let still = console.cost_over(MEASURED);
    println!("CPU of a core, nothing ticking    {:>8.2} %", still.cpu_percent);
    console.quit();

    let mut cached: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let mut again = Console::start(home.path(), &sim.config);
            let shown = again.until_screen(|screen| screen.matches(" 1 ").count() > 3, Duration::from_secs(10));
            again.quit();
            shown
        })
        .collect();
    cached.sort_unstable();
    println!(
        "first frame from the cache, {STARTS} starts  best {:>6.1}  median {:>6.1}  worst {:>6.1} ms from exec",
        ms(cached[0]),
        ms(cached[cached.len() / 2]),
        ms(cached[cached.len() - 1])
    );
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// `lakeshift sim` as a child process.
struct Sim {
    child: Child,
    config: String,
    log: std::path::PathBuf,
}

impl Sim {
    fn start(home: &Path) -> Self {
        let (config, log) = (home.join("sim.toml"), home.join("requests.ndjson"));
        let mut child = Command::new(env!("CARGO_BIN_EXE_lakeshift"))
            .args(["sim", "--scenario", "calm", "--seed", "1", "--config-out"])
            .arg(&config)
            .arg("--request-log")
            .arg(&log)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the simulator starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("stdout is piped");
        BufReader::new(out).read_line(&mut line).expect("the start line");
        assert!(line.contains("\"workspaces\""), "not a start line: {line}");
        Self { child, config: config.to_string_lossy().into_owned(), log }
    }

    /// Requests so far, by workspace.
    fn requests(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for line in std::fs::read_to_string(&self.log).expect("the request log").lines() {
            let entry: serde_json::Value = serde_json::from_str(line).expect("a line of JSON");
            if let Some(workspace) = entry["workspace"].as_str() {
                *counts.entry(workspace.to_owned()).or_insert(0) += 1;
            }
        }
        counts
    }

    /// Seconds between the first and the sixth distinct route answered: roughly one sweep.
    fn first_sweep_answered_s(&self) -> Option<f64> {
        let text = std::fs::read_to_string(&self.log).ok()?;
        let instants: Vec<chrono::DateTime<chrono::Utc>> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
            .filter_map(|entry| entry["at"].as_str()?.parse().ok())
            .collect();
        let span = instants.last()?.signed_duration_since(*instants.first()?);
        Some(span.num_milliseconds() as f64 / 1_000.0)
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process cost over a span.
struct Cost {
    cpu_percent: f64,
    rss_mib: f64,
    peak_mib: f64,
}

/// The console in a pseudo-terminal.
struct Console {
    child: Box<dyn portable_pty::Child + Send + Sync>,
    writer: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    screen: vt100::Parser,
    started_at: Instant,
    bytes: u64,
}

impl Console {
    fn start(home: &Path, config: &str) -> Self {
        let pair = native_pty_system().openpty(SIZE).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lakeshift"));
        command.args(["--config", config]);
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        command.env("LANG", "C.UTF-8");
        for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "NO_COLOR"] {
            command.env_remove(name);
        }
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0_u8; 65_536];
            while let Ok(count) = reader.read(&mut buffer) {
                if count == 0 || sender.send((Instant::now(), buffer[..count].to_vec())).is_err() {
                    break;
                }
            }
        });
        let started_at = Instant::now();
        let child = pair.slave.spawn_command(command).expect("the console starts");
        drop(pair.slave);
        let screen = vt100::Parser::new(SIZE.rows.try_into().expect("rows"), SIZE.cols.try_into().expect("columns"), 0);
        Self { child, writer, master: pair.master, output, screen, started_at, bytes: 0 }
    }

    fn take(&mut self, timeout: Duration) -> Option<Instant> {
        let (at, bytes) = self.output.recv_timeout(timeout).ok()?;
        self.bytes += bytes.len() as u64;
        self.screen.process(&bytes);
        Some(at)
    }

    fn until_screen(&mut self, shows: impl Fn(&str) -> bool, timeout: Duration) -> Duration {
        let deadline = Instant::now() + timeout;
        let mut at = Instant::now();
        while !shows(&self.screen.screen().contents()) {
            assert!(Instant::now() < deadline, "never shown:\n{}", self.screen.screen().contents());
            if let Some(seen) = self.take(Duration::from_millis(50)) {
                at = seen;
            }
        }
        at.duration_since(self.started_at)
    }

    fn until(&mut self, text: &str, timeout: Duration) -> Duration {
        self.until_screen(|screen| screen.contains(text), timeout)
    }

    fn drain_for(&mut self, span: Duration) {
        let deadline = Instant::now() + span;
        while let Some(left) = deadline.checked_duration_since(Instant::now()) {
            self.take(left.min(Duration::from_millis(200)));
        }
    }

    fn cpu_ticks(&self) -> f64 {
        let pid = self.child.process_id().expect("a process id");
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running console");
        let after_name = stat.rsplit(')').next().expect("fields after the name");
        let fields: Vec<&str> = after_name.split_whitespace().collect();
        fields[11].parse::<f64>().expect("user time") + fields[12].parse::<f64>().expect("system time")
    }

    fn memory_mib(&self, key: &str) -> f64 {
        let pid = self.child.process_id().expect("a process id");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a running console");
        let line = status.lines().find(|line| line.starts_with(key)).expect("the field");
        line.split_whitespace().nth(1).expect("a number").parse::<f64>().expect("kB") / 1_024.0
    }

    fn cost_over(&mut self, span: Duration) -> Cost {
        let ticks = self.cpu_ticks();
        self.drain_for(span);
        Cost {
            cpu_percent: (self.cpu_ticks() - ticks) / TICKS_PER_S / span.as_secs_f64() * 100.0,
            rss_mib: self.memory_mib("VmRSS"),
            peak_mib: self.memory_mib("VmHWM"),
        }
    }

    /// Moves the cursor down and up while polling goes on; each key changes the screen.
    fn key_latencies(&mut self) -> Vec<Duration> {
        let mut latencies = Vec::with_capacity(KEYS);
        for index in 0..KEYS {
            while self.take(Duration::from_millis(5)).is_some() {}
            let sent_at = Instant::now();
            self.writer.write_all(if index % 2 == 0 { b"j" } else { b"k" }).expect("a key");
            self.writer.flush().expect("a key");
            let seen_at = self.take(Duration::from_secs(2)).expect("an answer to the key");
            latencies.push(seen_at.duration_since(sent_at));
        }
        latencies
    }

    fn resize(&mut self, size: PtySize) {
        self.master.resize(size).expect("a new size");
        let cells = |count: u16| count.try_into().expect("cells");
        self.screen.screen_mut().set_size(cells(size.rows), cells(size.cols));
    }

    fn quit(mut self) {
        self.writer.write_all(b"q").expect("a key");
        let _ = self.writer.flush();
        let status = self.child.wait().expect("the console ends");
        assert!(status.success(), "the console ended with {status:?}");
    }
}
