//! What can be copied about an object: its id, its name, its address, what we know of it, the call that tells more.

use serde::Serialize;

/// One text that the copy menu offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copyable {
    /// The key that takes it at once.
    pub letter: char,
    /// What it is.
    pub label: &'static str,
    /// What goes on the clipboard.
    pub text: String,
}

impl Copyable {
    /// The id, never cut.
    pub fn id(id: impl std::fmt::Display) -> Self {
        Self { letter: 'i', label: "id", text: id.to_string() }
    }

    /// The name.
    pub fn name(name: &str) -> Self {
        Self { letter: 'n', label: "name", text: name.to_owned() }
    }

    /// The address in the vendor's own pages.
    pub fn url(url: String) -> Self {
        Self { letter: 'u', label: "URL", text: url }
    }

    /// What we know, as JSON; none if it cannot be said in JSON.
    pub fn json(value: &impl Serialize) -> Option<Self> {
        serde_json::to_string_pretty(value).ok().map(|text| Self { letter: 'j', label: "JSON", text })
    }

    /// The call that tells more, for a shell. The token stays in the shell's environment and is never copied.
    pub fn call(host: &str, path_and_query: &str) -> Self {
        let text = format!(
            "curl --fail-with-body --silent --show-error --header \"Authorization: Bearer $DATABRICKS_TOKEN\" {}",
            quoted(&format!("{host}{path_and_query}"))
        );
        Self { letter: 'c', label: "API call", text }
    }
}

/// A word that a shell takes literally.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_names_the_token_and_holds_none() {
        let call = Copyable::call("https://dbc.example.com", "/api/2.2/jobs/get?job_id=11");
        assert!(call.text.contains("$DATABRICKS_TOKEN"));
        assert!(call.text.ends_with("'https://dbc.example.com/api/2.2/jobs/get?job_id=11'"));
    }

    #[test]
    fn a_quote_in_a_word_cannot_leave_it() {
        assert_eq!(quoted("a'; rm -rf ~"), r"'a'\''; rm -rf ~'");
    }
}
