//! Text from outside, made harmless before it reaches a terminal.

/// Longest run of combining marks that is kept on one base character; more would paint over neighboring rows.
const MAX_MARKS: usize = 4;

/// One line of text from outside: no escape sequence, no control character, no bidirectional override gets through.
///
/// Escape sequences are dropped whole; line ends and tabs become a space; other control characters become `·`.
pub fn line(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    for part in sanitize(raw) {
        match part {
            '\n' | '\t' => out.push(' '),
            other => out.push(other),
        }
    }
    out
}

/// Several lines of text from outside, split at line ends; tabs become four spaces.
pub fn lines(raw: &str) -> Vec<String> {
    let clean: String = sanitize(raw).collect();
    clean.split('\n').map(|line| line.replace('\t', "    ")).collect()
}

/// Yields harmless characters, with `\n` and `\t` as the only control characters left.
fn sanitize(raw: &str) -> impl Iterator<Item = char> + '_ {
    let mut rest = raw.chars().peekable();
    let mut marks = 0;
    std::iter::from_fn(move || {
        loop {
            let next = rest.next()?;
            match next {
                '\u{1b}' => skip_escape(&mut rest),
                '\u{9b}' => skip_csi(&mut rest),
                '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut rest),
                '\r' if rest.peek() == Some(&'\n') => {}
                '\n' | '\t' => return Some(next),
                '\r' => return Some('\n'),
                _ if is_invisible_format(next) => {}
                _ if next.is_control() => return Some('·'),
                _ if is_mark(next) => {
                    marks += 1;
                    if marks <= MAX_MARKS {
                        return Some(next);
                    }
                }
                _ => {
                    marks = 0;
                    return Some(next);
                }
            }
        }
    })
}

type Rest<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn skip_escape(rest: &mut Rest<'_>) {
    match rest.peek() {
        Some('[') => {
            rest.next();
            skip_csi(rest);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            rest.next();
            skip_string(rest);
        }
        // ESC, intermediates, one final character (charset selection, index, reset ...).
        Some(' '..='~') => {
            while matches!(rest.peek(), Some(' '..='/')) {
                rest.next();
            }
            if matches!(rest.peek(), Some('0'..='~')) {
                rest.next();
            }
        }
        _ => {}
    }
}

/// Skips the parameters and the final character of a control sequence. A sequence that breaks off ends where it does.
fn skip_csi(rest: &mut Rest<'_>) {
    while matches!(rest.peek(), Some(' '..='?')) {
        rest.next();
    }
    if matches!(rest.peek(), Some('@'..='~')) {
        rest.next();
    }
}

/// Skips a control string up to its terminator. An unterminated one ends at the line's end, so that it hides no later line.
fn skip_string(rest: &mut Rest<'_>) {
    while let Some(&next) = rest.peek() {
        match next {
            '\n' => return,
            '\u{07}' | '\u{9c}' => {
                rest.next();
                return;
            }
            '\u{1b}' => {
                rest.next();
                if rest.peek() == Some(&'\\') {
                    rest.next();
                    return;
                }
            }
            _ => {
                rest.next();
            }
        }
    }
}

/// Bidirectional controls, zero-width and other invisible characters that change how neighbors are shown or hide text.
fn is_invisible_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn colors_titles_and_links_disappear_and_their_text_stays() {
        let raw = "\u{1b}[31mred\u{1b}[0m \u{1b}]0;owned\u{7}title \u{1b}]8;;http://x\u{1b}\\link\u{1b}]8;;\u{1b}\\";
        assert_eq!(line(raw), "red title link");
    }

    #[test]
    fn eight_bit_sequences_disappear_too() {
        assert_eq!(line("a\u{9b}31mb\u{9d}0;t\u{9c}c"), "abc");
    }

    #[test]
    fn an_unterminated_string_hides_no_later_line() {
        assert_eq!(lines("one\u{1b}]0;evil\ntwo"), ["one", "two"]);
    }

    #[test]
    fn bidirectional_overrides_disappear() {
        assert_eq!(line("drop\u{202e}elbat\u{2066}x"), "dropelbatx");
    }

    #[test]
    fn line_ends_split_lines_and_become_spaces_in_one() {
        assert_eq!(lines("a\r\nb\tc\rd"), ["a", "b    c", "d"]);
        assert_eq!(line("a\r\nb\tc"), "a b c");
    }

    #[test]
    fn marks_do_not_pile_up() {
        let piled: String = std::iter::once('a').chain(std::iter::repeat_n('\u{301}', 50)).collect();
        assert_eq!(line(&piled).chars().count(), 1 + MAX_MARKS);
    }

    proptest! {
        #[test]
        fn nothing_that_steers_a_terminal_gets_through(raw in "\\PC*|[\\x00-\\x1f\\x7f-\\u{9f}\\u{202e}a-z\\[\\]]*") {
            for text in lines(&raw).into_iter().chain([line(&raw)]) {
                prop_assert!(!text.chars().any(|c| c.is_control() || is_invisible_format(c)), "{text:?}");
            }
        }
    }
}
