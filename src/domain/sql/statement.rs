//! Named statements: the text is a constant, values travel as typed parameters, and only checked names are written into it.

use std::collections::BTreeMap;

use super::name::QualifiedName;

/// What a second execution of a statement does. The author of the statement declares it; nothing guesses it from the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Repeats {
    /// It reads: a second time changes nothing.
    Read,
    /// It writes, and a second time leaves what the first one left.
    Idempotent,
    /// It writes, and a second time writes once more. A lost answer leaves it unknown (architecture.md 4).
    Once,
}

/// A statement that lakeshift may send.
///
/// `{marker}` in the text stands for a [`Part`]; `:parameter` is bound by the server and never becomes text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NamedStatement {
    /// Unique and stable: `ledger.lease.acquire`. Query history shows it as the tag `lakeshift_statement`.
    pub name: &'static str,
    /// The SQL.
    pub text: &'static str,
    /// The named parameters with their SQL types, such as `("product", "STRING")`.
    pub parameters: &'static [(&'static str, &'static str)],
    /// What a second execution does.
    pub repeats: Repeats,
}

/// What a marker of a text stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A catalog, schema, table or view.
    Name(QualifiedName),
    /// SQL that lakeshift's own code has composed, such as the rows of a `VALUES` list with their parameters.
    /// Never text from outside.
    Sql(String),
}

/// The parts of a text by their markers.
pub type Parts = BTreeMap<&'static str, Part>;

/// Why a text cannot be completed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The text has a marker that no part was given for.
    #[error("statement {statement}: nothing was given for {{{marker}}}")]
    NoPart {
        /// The statement's name.
        statement: &'static str,
        /// The marker.
        marker: String,
    },
    /// A part was given that the text has no marker for.
    #[error("statement {statement} has no {{{marker}}}")]
    NoMarker {
        /// The statement's name.
        statement: &'static str,
        /// The marker.
        marker: &'static str,
    },
}

impl NamedStatement {
    /// A statement that only reads.
    pub const fn read(
        name: &'static str,
        text: &'static str,
        parameters: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, text, parameters, repeats: Repeats::Read }
    }

    /// A statement that writes and may be repeated.
    pub const fn idempotent(
        name: &'static str,
        text: &'static str,
        parameters: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, text, parameters, repeats: Repeats::Idempotent }
    }

    /// A statement that writes once more each time.
    pub const fn once(
        name: &'static str,
        text: &'static str,
        parameters: &'static [(&'static str, &'static str)],
    ) -> Self {
        Self { name, text, parameters, repeats: Repeats::Once }
    }

    /// The markers of the text, each once, in their order.
    pub fn markers(&self) -> Vec<&'static str> {
        let mut found: Vec<&'static str> = Vec::new();
        for piece in pieces(self.text) {
            if let Piece::Marker(marker) = piece
                && !found.contains(&marker)
            {
                found.push(marker);
            }
        }
        found
    }

    /// The SQL to send.
    ///
    /// # Errors
    /// When parts and markers do not match.
    pub fn sql(&self, parts: &Parts) -> Result<String, TextError> {
        let markers = self.markers();
        if let Some(marker) = parts.keys().find(|marker| !markers.contains(*marker)) {
            return Err(TextError::NoMarker { statement: self.name, marker });
        }
        render(self.text, |marker| match parts.get(marker)? {
            Part::Name(name) => Some(name.sql()),
            Part::Sql(text) => Some(text.clone()),
        })
        .map_err(|marker| TextError::NoPart { statement: self.name, marker })
    }
}

/// Completes a text with what `part` gives for each marker.
///
/// # Errors
/// The first marker for which there is nothing.
pub fn render(text: &str, part: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut sql = String::with_capacity(text.len() + 64);
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => sql.push_str(text),
            Piece::Marker(marker) => sql.push_str(&part(marker).ok_or_else(|| marker.to_owned())?),
        }
    }
    Ok(sql)
}

enum Piece<'a> {
    Text(&'a str),
    Marker(&'a str),
}

/// Splits a text at its markers: lower-case words in braces. Other braces are text.
fn pieces(mut rest: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut text_end = 0;
    while let Some(open) = rest[text_end..].find('{').map(|at| at + text_end) {
        let word = &rest[open + 1..];
        let length = word.bytes().take_while(|byte| byte.is_ascii_lowercase() || *byte == b'_').count();
        if length == 0 || word.as_bytes().get(length) != Some(&b'}') {
            text_end = open + 1;
            continue;
        }
        found.push(Piece::Text(&rest[..open]));
        found.push(Piece::Marker(&word[..length]));
        rest = &word[length + 1..];
        text_end = 0;
    }
    found.push(Piece::Text(rest));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const COPY: NamedStatement =
        NamedStatement::once("test.copy", "INSERT INTO {to} SELECT '{\"v\":1}', {to}.x FROM {from}{rest}", &[]);

    #[test]
    fn a_text_is_completed_with_quoted_names() {
        let name = |text: &str| Part::Name(text.parse().expect("a name"));
        let mut parts = Parts::from([("to", name("a.b.c")), ("from", name("a.b.d"))]);
        assert_eq!(COPY.markers(), ["to", "from", "rest"]);
        let missing = TextError::NoPart { statement: "test.copy", marker: "rest".into() };
        assert_eq!(COPY.sql(&parts), Err(missing.clone()));
        assert_eq!(missing.to_string(), "statement test.copy: nothing was given for {rest}");
        parts.insert("rest", Part::Sql(" WHERE {to}".into()));
        assert_eq!(
            COPY.sql(&parts).expect("completed"),
            "INSERT INTO `a`.`b`.`c` SELECT '{\"v\":1}', `a`.`b`.`c`.x FROM `a`.`b`.`d` WHERE {to}",
            "a part's own braces are text"
        );
        parts.insert("other", name("x"));
        assert_eq!(COPY.sql(&parts), Err(TextError::NoMarker { statement: "test.copy", marker: "other" }));
    }
}
