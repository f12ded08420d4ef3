//! What is unusual: durations against the own past, lag against what was promised.

use crate::domain::Instant;
use crate::domain::run::Run;
use crate::domain::snapshot::LagSample;

/// Fewer successful runs than this say nothing about what is usual.
const FEWEST_RUNS: usize = 5;

/// From this many times the usual on, a run is long.
const LONG: f64 = 1.3;

/// Down to this many times the usual, an ended run is suspiciously short.
const SHORT: f64 = 0.5;

/// A difference below this is nothing to speak of, whatever the ratio: a run of 5 s instead of 3 s is no news.
const LEAST_DIFFERENCE_MS: u64 = 60_000;

/// How far behind a stream may be when no promise says otherwise, in seconds (domain.md 4.7: a backlog above it fails G6).
pub(super) const ALLOWED_LAG_S: u64 = 60;

/// The median time of successful runs, in milliseconds; none if too few are known.
pub(super) fn usual_ms<'a>(runs: impl IntoIterator<Item = &'a Run>, now: Instant) -> Option<u64> {
    let mut times: Vec<u64> =
        runs.into_iter().filter(|run| run.state.is_success()).filter_map(|run| run.took_ms(now)).collect();
    if times.len() < FEWEST_RUNS {
        return None;
    }
    times.sort_unstable();
    let middle = times.len() / 2;
    Some(if times.len().is_multiple_of(2) { times[middle - 1].midpoint(times[middle]) } else { times[middle] })
}

/// How many times the usual a run took; none if that is nothing to speak of. Only a run that ended well can be too short.
#[expect(clippy::cast_precision_loss, reason = "durations are far below 2^52 milliseconds")]
pub(super) fn unusual(took_ms: u64, usual_ms: u64, ended_well: bool) -> Option<f64> {
    if took_ms.abs_diff(usual_ms) < LEAST_DIFFERENCE_MS {
        return None;
    }
    let ratio = took_ms as f64 / usual_ms.max(1) as f64;
    (ratio >= LONG || (ratio <= SHORT && ended_well)).then_some(ratio)
}

/// Since when a stream has been behind by more than it may, reading backwards from the newest sample.
pub(super) fn behind_since(samples: &[LagSample], allowed_s: u64) -> Option<Instant> {
    samples.iter().rev().take_while(|sample| is_behind(sample, allowed_s)).last().map(|sample| sample.at)
}

#[expect(clippy::cast_precision_loss, reason = "a lag is far below 2^52 seconds")]
fn is_behind(sample: &LagSample, allowed_s: u64) -> bool {
    sample.backlog.seconds.is_some_and(|seconds| seconds > allowed_s as f64)
}

/// One reading: seconds where the source tells them, else records.
#[expect(clippy::cast_precision_loss, reason = "drawn as an eighth of a cell")]
pub(super) fn reading(sample: &LagSample) -> Option<f64> {
    sample.backlog.seconds.or_else(|| sample.backlog.records.map(|records| records as f64))
}

/// Whether the newest readings are clearly above the usual ones before them: twice the median of the rest, three times in a row.
pub fn is_rising(samples: &[LagSample]) -> bool {
    let readings: Vec<f64> = samples.iter().filter_map(reading).collect();
    let Some(split) = readings.len().checked_sub(3).filter(|before| *before >= FEWEST_RUNS) else { return false };
    let mut before = readings[..split].to_vec();
    before.sort_unstable_by(f64::total_cmp);
    let usual = before[before.len() / 2];
    let newest = &readings[split..];
    newest.iter().all(|reading| *reading > usual * 2.0 && *reading > 0.0) && newest[2] >= newest[0]
}

/// Whole seconds of a lag.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates")]
pub(super) fn whole_s(seconds: f64) -> u64 {
    seconds.round() as u64
}
