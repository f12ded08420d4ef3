//! The last net under the log: text that looks like a credential is blotted out. Secrets are kept out of events by their
//! types; this catches what a server quotes or a library logs.

use std::borrow::Cow;

/// What stands in the place of a secret.
const BLOT: &str = "***";

/// The shortest text behind a mark that is taken for a secret.
const SHORTEST: usize = 12;

/// What credentials begin with: the vendor's tokens and secrets, JSON web tokens, and the header that carries them.
const MARKS: [&str; 5] = ["dapi", "dose", "dkea", "eyJ", "Bearer "];

/// The line without credentials.
pub(super) fn redacted(line: &str) -> Cow<'_, str> {
    let mut out: Option<String> = None;
    let mut kept = 0;
    let mut from = 0;
    while let Some((at, mark)) = next_mark(line, from) {
        let secret = line[at + mark.len()..].bytes().take_while(|byte| is_of_token(*byte)).count();
        from = at + mark.len();
        let inside_word = at > 0 && line.as_bytes()[at - 1].is_ascii_alphanumeric();
        if secret < SHORTEST || inside_word {
            continue;
        }
        let out = out.get_or_insert_with(|| String::with_capacity(line.len()));
        out.push_str(&line[kept..at + mark.len()]);
        out.push_str(BLOT);
        from += secret;
        kept = from;
    }
    match out {
        Some(mut out) => {
            out.push_str(&line[kept..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(line),
    }
}

fn next_mark(line: &str, from: usize) -> Option<(usize, &'static str)> {
    MARKS.into_iter().filter_map(|mark| Some((line[from..].find(mark)? + from, mark))).min()
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_blotted_out_wherever_they_stand() {
        let pat = format!("dapi{}-2", "0123456789abcdef".repeat(2));
        let jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl";
        for (line, expected) in [
            (format!("token {pat}, then"), "token dapi***, then".to_owned()),
            (format!("{{\"a\":\"Bearer {jwt}\"}}"), "{\"a\":\"Bearer ***\"}".to_owned()),
            (format!("{pat} {pat}"), "dapi*** dapi***".to_owned()),
            (format!("x={jwt}"), "x=eyJ***".to_owned()),
        ] {
            assert_eq!(redacted(&line), expected);
        }
    }

    #[test]
    fn ordinary_text_passes() {
        for line in ["a dose of dapitext", "lakeshiftdapi0123456789abcdef0123", "Bearer of news", "größer – ✓", ""]
        {
            assert!(matches!(redacted(line), Cow::Borrowed(same) if same == line), "{line}");
        }
    }
}
