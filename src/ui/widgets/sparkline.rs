//! Change over time in one row of eighth blocks.

use crate::theme::Glyphs;

/// How many times the lowest sample fills a cell at least: what hardly moves is drawn low and flat, not as an alarm.
const CALM: f64 = 8.0;

/// Draws the newest samples, oldest left, a cell each; missing ones leave a gap. Zero is the lowest level, and what fills
/// a cell is the highest sample or, where that is more, eight times the lowest. `top` sets a fixed scale instead.
pub fn sparkline(samples: &[Option<f64>], width: usize, top: Option<f64>, glyphs: &Glyphs) -> String {
    let shown = &samples[samples.len().saturating_sub(width)..];
    let finite = |sample: &Option<f64>| sample.filter(|value| value.is_finite());
    let top = top.unwrap_or_else(|| {
        let (lowest, highest) = shown
            .iter()
            .filter_map(finite)
            .fold((f64::INFINITY, 0.0), |(lowest, highest): (f64, f64), one| (lowest.min(one), highest.max(one)));
        if lowest.is_finite() { highest.max(lowest * CALM) } else { highest }
    });
    shown
        .iter()
        .map(|sample| match finite(sample) {
            None => " ",
            Some(value) => glyphs.levels[level(value, top)],
        })
        .collect()
}

/// The level, of eight, of a value on a scale from 0 to `top`.
fn level(value: f64, top: f64) -> usize {
    if top <= 0.0 {
        return 0;
    }
    let eighths = (value / top * 8.0).ceil().clamp(1.0, 8.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 1..=8")]
    let eighths = eighths as usize;
    eighths - 1
}

/// Reduces samples to at most `width` by the highest of each stretch, so that no peak is lost.
pub fn peaks(samples: &[Option<f64>], width: usize) -> Vec<Option<f64>> {
    if samples.len() <= width || width == 0 {
        return samples.to_vec();
    }
    (0..width)
        .map(|at| {
            let stretch = &samples[at * samples.len() / width..(at + 1) * samples.len() / width];
            stretch.iter().flatten().copied().reduce(f64::max)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_scaled_to_the_highest_and_gaps_stay() {
        let samples = [Some(0.0), Some(1.0), None, Some(4.0), Some(8.0)];
        assert_eq!(sparkline(&samples, 10, None, &Glyphs::UNICODE), "▁▁ ▄█");
        assert_eq!(sparkline(&samples, 2, None, &Glyphs::UNICODE), "▁▂");
        assert_eq!(sparkline(&samples, 10, Some(16.0), &Glyphs::UNICODE), "▁▁ ▂▄");
        assert_eq!(sparkline(&samples, 10, None, &Glyphs::ASCII), "__ :#");
    }

    #[test]
    fn flat_empty_and_impossible_samples_are_harmless() {
        assert_eq!(sparkline(&[Some(0.0), Some(0.0)], 4, None, &Glyphs::UNICODE), "▁▁");
        assert_eq!(sparkline(&[], 4, None, &Glyphs::UNICODE), "");
        assert_eq!(sparkline(&[Some(f64::NAN), Some(1.0)], 4, None, &Glyphs::UNICODE), " ▁");
    }

    #[test]
    fn what_hardly_moves_is_drawn_flat_and_low() {
        assert_eq!(sparkline(&[Some(18.0); 4], 4, None, &Glyphs::UNICODE), "▁▁▁▁");
        assert_eq!(sparkline(&[20.0, 20.0, 70.0, 252.0].map(Some), 4, None, &Glyphs::UNICODE), "▁▁▃█");
    }

    #[test]
    fn no_peak_is_lost() {
        let samples: Vec<_> = [1.0, 9.0, 1.0, 1.0, 2.0, 1.0].map(Some).into();
        assert_eq!(peaks(&samples, 3), [Some(9.0), Some(1.0), Some(2.0)]);
    }
}
