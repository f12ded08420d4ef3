//! Colors as a theme's file spells them, and what a poorer terminal shows instead.

use ratatui::style::Color;

/// How many colors a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None, or none wanted.
    None,
    /// The sixteen that the terminal's user chose.
    Sixteen,
    /// xterm's cube and grays.
    TwoHundredFiftySix,
    /// 24 bit.
    Full,
}

/// The names of the terminal's own colors.
const NAMED: [(&str, Color); 17] = [
    ("default", Color::Reset),
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

/// Reads `#rrggbb` or the name of one of the terminal's own colors.
pub(super) fn parse(text: &str) -> Option<Color> {
    match text.strip_prefix('#') {
        Some(digits) if digits.len() == 6 && digits.is_ascii() => {
            let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
            Some(Color::Rgb(part(0)?, part(2)?, part(4)?))
        }
        Some(_) => None,
        None => NAMED.iter().find(|(name, _)| *name == text).map(|&(_, color)| color),
    }
}

/// The color that a terminal of 256 colors shows instead; the terminal's own colors stay what they are.
pub(super) fn to_256(color: Color) -> Color {
    let Color::Rgb(r, g, b) = color else { return color };
    let mut best = (16, u32::MAX);
    for index in 16..=255 {
        let candidate = xterm(index);
        let far = [(r, candidate.0), (g, candidate.1), (b, candidate.2)]
            .iter()
            .map(|&(a, b)| u32::from(a.abs_diff(b)).pow(2))
            .sum();
        if far < best.1 {
            best = (index, far);
        }
    }
    Color::Indexed(best.0)
}

/// What xterm shows for an index of 16 or more: a cube of six steps a side, then twenty-four grays.
fn xterm(index: u8) -> (u8, u8, u8) {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    if index >= 232 {
        let gray = 8 + (index - 232) * 10;
        return (gray, gray, gray);
    }
    let cube = usize::from(index.saturating_sub(16));
    (STEPS[cube / 36], STEPS[cube / 6 % 6], STEPS[cube % 6])
}

/// The ratio of luminances by WCAG 2, section 1.4.3; none where the terminal decides the color.
pub fn contrast(a: Color, b: Color) -> Option<f64> {
    let (a, b) = (luminance(a)?, luminance(b)?);
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

fn luminance(color: Color) -> Option<f64> {
    let (r, g, b) = match color {
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Indexed(index @ 16..) => xterm(index),
        _ => return None,
    };
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    Some(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_are_read_by_digits_and_by_name() {
        assert_eq!(parse("#ff8000"), Some(Color::Rgb(255, 128, 0)));
        assert_eq!(parse("bright-red"), Some(Color::LightRed));
        assert_eq!(parse("#ff80"), None);
        assert_eq!(parse("#ff80zz"), None);
        assert_eq!(parse("#äöüa"), None);
        assert_eq!(parse("mauve"), None);
    }

    #[test]
    fn the_nearest_of_256_is_found() {
        assert_eq!(to_256(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(to_256(Color::Rgb(9, 9, 9)), Color::Indexed(232));
        assert_eq!(to_256(Color::Red), Color::Red);
    }

    #[test]
    fn contrast_is_that_of_the_standard() {
        let ratio = contrast(Color::Rgb(0, 0, 0), Color::Rgb(255, 255, 255)).expect("both are fixed");
        assert!((ratio - 21.0).abs() < 0.001, "{ratio}");
        assert_eq!(contrast(Color::Red, Color::Rgb(0, 0, 0)), None);
    }
}
