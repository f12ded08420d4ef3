//! Signals that end the console, or wake it.

use futures::Stream;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT from elsewhere: in the terminal, ctrl-c is a key.
    Interrupted,
    /// SIGTERM.
    Terminated,
    /// SIGHUP: the terminal is gone.
    HungUp,
    /// SIGCONT: somebody stopped the process and lets it go on; not an end.
    Continued,
}

impl Stop {
    /// The signal's number, by which a shell tells how the program ended (128 and this).
    pub fn number(self) -> u8 {
        match self {
            Self::HungUp => 1,
            Self::Interrupted => 2,
            Self::Terminated => 15,
            Self::Continued => 18,
        }
    }
}

/// Listens from now on, instead of the default of dying at once with the terminal in disorder.
#[cfg(unix)]
pub(super) fn listen() -> std::io::Result<impl Stream<Item = Stop>> {
    let hang_up = each(signal(SignalKind::hangup())?, Stop::HungUp);
    let interrupt = each(signal(SignalKind::interrupt())?, Stop::Interrupted);
    let terminate = each(signal(SignalKind::terminate())?, Stop::Terminated);
    let resume = each(signal(SignalKind::from_raw(libc_sigcont()))?, Stop::Continued);
    let ends = futures::stream::select(hang_up, futures::stream::select(interrupt, terminate));
    Ok(futures::stream::select(ends, resume))
}

/// SIGCONT by the platform's own numbering; the standard library has no name for it.
#[cfg(unix)]
const fn libc_sigcont() -> std::ffi::c_int {
    if cfg!(any(target_os = "linux", target_os = "android")) { 18 } else { 19 }
}

#[cfg(unix)]
fn each(signal: Signal, stop: Stop) -> impl Stream<Item = Stop> {
    futures::stream::unfold(signal, move |mut signal| async move { signal.recv().await.map(|()| (stop, signal)) })
}

/// Only ctrl-c from elsewhere exists here.
#[cfg(not(unix))]
pub(super) fn listen() -> std::io::Result<impl Stream<Item = Stop>> {
    Ok(futures::stream::once(async {
        let _ = tokio::signal::ctrl_c().await;
        Stop::Interrupted
    }))
}
