//! The program's own log: JSON lines in a rolling file, stamped by our clock, without anything that looks like a secret.

mod redact;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tracing::Subscriber;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::domain::clock::Clock;

/// Lines that may wait for the disk; what comes beyond is dropped. The place for all of them is taken at the start: the
/// library's own choice of 128,000 takes 4 MB.
const LINES: usize = 4_096;

/// Daily files that are kept.
const FILES: usize = 7;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The filter is no filter.
    #[error(
        "`{filter}` is no log filter: expected error, warn, info, debug, or one such as lakeshift::databricks=debug"
    )]
    Filter {
        /// As given.
        filter: String,
        /// The parser's words.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The folder.
    #[error("cannot make the log folder {folder}")]
    Folder {
        /// Which one.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file.
    #[error("cannot write logs in {folder}")]
    File {
        /// Where.
        folder: PathBuf,
        /// Why.
        source: tracing_appender::rolling::InitError,
    },
}

/// Keeps the log open; dropped, it writes what is left.
pub struct Log {
    _worker: WorkerGuard,
    /// Where the files are.
    pub folder: PathBuf,
}

/// Starts to log into `folder` (made with 0700), for the whole process. A second call logs where the first one does.
///
/// # Errors
/// When the filter is none, or the folder cannot be written.
pub fn start(folder: &Path, filter: &str, clock: Arc<dyn Clock>) -> Result<Log, Error> {
    let filter = filter_of(filter)?;
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|source| Error::Folder { folder: folder.to_owned(), source })?;
    let file = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("lakeshift")
        .filename_suffix("jsonl")
        .max_log_files(FILES)
        .build(folder)
        .map_err(|source| Error::File { folder: folder.to_owned(), source })?;
    let (writer, worker) = NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(file);
    // Somebody's earlier choice (a test's, an embedding program's) stands.
    let _ = tracing::subscriber::set_global_default(subscriber(Redacting(writer), filter, clock));
    Ok(Log { _worker: worker, folder: folder.to_owned() })
}

/// Whether a filter can be used.
///
/// # Errors
/// When it is none.
pub fn check(filter: &str) -> Result<(), Error> {
    filter_of(filter).map(drop)
}

/// A bare level is about lakeshift; its libraries speak up only when something is wrong.
fn filter_of(text: &str) -> Result<EnvFilter, Error> {
    let is_level = text.parse::<tracing::level_filters::LevelFilter>().is_ok();
    let full = if is_level { format!("warn,lakeshift={text}") } else { text.to_owned() };
    EnvFilter::try_new(full).map_err(|source| Error::Filter { filter: text.to_owned(), source })
}

fn subscriber<W>(writer: W, filter: EnvFilter, clock: Arc<dyn Clock>) -> impl Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_ansi(false)
        .with_timer(Stamp(clock))
        .with_env_filter(filter)
        .with_writer(writer)
        .finish()
}

struct Stamp(Arc<dyn Clock>);

impl FormatTime for Stamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", self.0.now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
    }
}

/// Each event comes as one whole line, so a secret is never split over two writes.
struct Redacting<W>(W);

impl<'a> MakeWriter<'a> for Redacting<NonBlocking> {
    type Writer = Redacting<NonBlocking>;

    fn make_writer(&'a self) -> Self::Writer {
        Redacting(self.0.clone())
    }
}

impl<W: Write> Write for Redacting<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.write_all(redact::redacted(&String::from_utf8_lossy(line)).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::domain::Instant;

    struct Noon;

    impl Clock for Noon {
        fn now(&self) -> Instant {
            "2026-03-02T12:00:00Z".parse().expect("an instant")
        }
    }

    #[derive(Clone, Default)]
    struct Memory(Arc<Mutex<Vec<u8>>>);

    impl Write for Memory {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("unpoisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, speak: impl FnOnce()) -> String {
        let memory = Memory::default();
        let writer = memory.clone();
        let make = move || Redacting(writer.clone());
        tracing::subscriber::with_default(
            subscriber(make, filter_of(filter).expect("a filter"), Arc::new(Noon)),
            speak,
        );
        let bytes = memory.0.lock().expect("unpoisoned").clone();
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn a_line_is_json_and_stamped_by_our_clock() {
        let line = logged("info", || tracing::info!(workspace = "prod", "polled"));
        let line: serde_json::Value = serde_json::from_str(&line).expect("one JSON line");
        assert_eq!(line["timestamp"], "2026-03-02T12:00:00.000Z");
        assert_eq!((line["workspace"].as_str(), line["message"].as_str()), (Some("prod"), Some("polled")));
    }

    #[test]
    fn a_level_is_ours_and_libraries_only_warn() {
        let text = logged("debug", || {
            tracing::debug!("ours");
            tracing::info!(target: "hyper::client", "chatter");
            tracing::warn!(target: "hyper::client", "trouble");
        });
        assert!(text.contains("ours") && text.contains("trouble") && !text.contains("chatter"), "{text}");
        assert!(filter_of("lakeshift=loud").is_err());
    }

    #[test]
    fn no_planted_secret_gets_through() {
        let pat = format!("dapi{}", "0123456789abcdef".repeat(2));
        let text = logged("info", || tracing::info!(header = %format!("Bearer {pat}"), body = %pat, "sent"));
        assert!(!text.contains("0123456789abcdef"), "{text}");
        assert!(text.contains("sent"), "{text}");
    }

    #[test]
    fn logs_go_to_a_file_of_their_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let logs = folder.path().join("state/logs");
        let log = start(&logs, "info", Arc::new(Noon)).expect("starts");
        tracing::info!("written by the test of telemetry");
        drop(log);
        let files: Vec<_> = std::fs::read_dir(&logs).expect("made").collect();
        assert_eq!(files.len(), 1);
    }
}
