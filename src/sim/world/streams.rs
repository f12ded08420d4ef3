//! Streams: what comes in by the hour of the day, what is taken in, and what waits.

use chrono::Timelike;

use crate::domain::Instant;

use super::draw::Draw;
use super::site::{PipelineEntry, Site};
use super::time::{SECOND, after, span_ms, whole};

/// How often a flow tells its progress.
pub(super) const TICK_MS: u64 = 20 * SECOND;

/// How much more than the peak a stream can take in.
const HEADROOM: f64 = 1.6;

/// How long a record waits when nothing is wrong, in seconds.
const USUAL_LAG_S: f64 = 2.4;

/// Bytes of a record as it waits in the source.
pub(super) const RECORD_BYTES: f64 = 412.0;

/// The flows of a pipeline, and the load on a continuous one.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) draw: Draw,
    /// Full names, in the order of the data.
    pub(super) flows: Vec<String>,
    /// Events a second at the busiest hour.
    pub(super) peak: f64,
    /// Since when it has been running, if it is continuous.
    pub(super) since: Instant,
}

/// A time in which a stream takes in less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Throttled {
    pub(super) from: Instant,
    pub(super) until: Instant,
    /// Events a second that it still takes in.
    pub(super) most: f64,
}

/// What a stream did in the last [`TICK_MS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tick {
    pub(super) at: Instant,
    /// Records that it took in.
    pub(super) records: u64,
    /// Records that wait.
    pub(super) backlog: u64,
    /// How far behind it is.
    pub(super) lag_s: f64,
}

impl Stream {
    /// Events a second that come in: a daily curve with its peak in the evening, and a little noise.
    pub(super) fn load(&self, at: Instant) -> f64 {
        let hour = f64::from(at.num_seconds_from_midnight()) / 3_600.0;
        let wave = 0.5 - 0.5 * ((hour - 7.0) / 24.0 * std::f64::consts::TAU).cos();
        let minute = u64::try_from(at.timestamp().div_euclid(60)).unwrap_or(0);
        let noise = self.draw.named("load").at(minute).between(0.96, 1.04);
        self.peak * (0.35 + 0.65 * wave.powf(1.5)) / 1.04 * noise
    }

    /// The first tick at or after an instant.
    pub(super) fn tick_at_or_after(at: Instant) -> Instant {
        let ms = u64::try_from(at.timestamp_millis()).unwrap_or(0);
        after(Instant::UNIX_EPOCH, ms.div_ceil(TICK_MS) * TICK_MS)
    }
}

impl Site {
    /// When a stream is throttled.
    pub(super) fn throttles(&self, entry: &PipelineEntry) -> Vec<Throttled> {
        let laws = &self.laws;
        let meant = laws.scenario.throttle.iter().filter(|throttle| {
            throttle.environment == self.environment && throttle.pipeline == entry.pipeline.spec.name
        });
        meant
            .map(|throttle| Throttled {
                from: laws.at(throttle.from),
                until: laws.at(throttle.until),
                most: throttle.capacity * entry.stream.load(laws.started_at),
            })
            .collect()
    }

    /// The ticks of a stream in `[from, to)`: nothing in those in which it does not run.
    pub(super) fn ticks(&self, entry: &PipelineEntry, from: Instant, to: Instant) -> Vec<Tick> {
        let stream = &entry.stream;
        let id = &entry.pipeline.pipeline_id;
        let throttles = self.throttles(entry);
        let disturbed = self.disturbed_from(entry).map_or(from, |at| at.min(from));
        let mut at = Stream::tick_at_or_after(disturbed);
        let tick_s = TICK_MS as f64 / SECOND as f64;
        let mut waiting = 0.0;
        let mut ticks = Vec::new();
        while at < to {
            let load = stream.load(at);
            let runs = self.streams_at(id, at);
            let throttle = throttles.iter().find(|throttled| throttled.from <= at && at < throttled.until);
            let most = throttle.map_or(stream.peak * HEADROOM, |throttled| throttled.most);
            let come = waiting + load * tick_s;
            let taken = if runs { come.min(most * tick_s) } else { 0.0 };
            waiting = come - taken;
            if at >= from && runs {
                let usual = load
                    * USUAL_LAG_S
                    * stream.draw.named("lag").at(span_ms(Instant::UNIX_EPOCH, at)).between(0.7, 1.3);
                let backlog = waiting + usual;
                ticks.push(Tick {
                    at,
                    records: whole(taken),
                    backlog: whole(backlog),
                    lag_s: (backlog / load.max(1.0) * 10.0).round() / 10.0,
                });
            }
            at = after(at, TICK_MS);
        }
        ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_has_a_day_and_stays_under_its_peak() {
        let stream = Stream { draw: Draw::new(3), flows: Vec::new(), peak: 1_000.0, since: Instant::UNIX_EPOCH };
        let at = |hour: u64| stream.load(after(Instant::UNIX_EPOCH, hour * 3_600 * SECOND));
        assert!(at(19) > 2.0 * at(7), "evening {} morning {}", at(19), at(7));
        assert!((0..24).all(|hour| at(hour) <= 1_000.0 && at(hour) > 300.0));
    }
}
