//! A request's query string and JSON body, read as strictly as the vendor reads them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use super::answer::Refusal;

/// Parameters of a query string; a key may repeat.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses `a=1&b=2`. Bytes that are not UTF-8 become replacement characters.
    pub(super) fn parse(text: &str) -> Self {
        Self(url::form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a repeated key, empty ones left out.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.0.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// `true` or `false`, lower case; false when absent.
    pub(super) fn boolean(&self, name: &str) -> Result<bool, Refusal> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Refusal::invalid(format!(
                "Could not parse parameter '{name}': expected 'true' or 'false' but got '{other}'."
            ))),
        }
    }

    /// An integer, if given.
    pub(super) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        self.text(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    Refusal::invalid(format!(
                        "Could not parse parameter '{name}': expected an integer but got '{text}'."
                    ))
                })
            })
            .transpose()
    }

    /// An id that must be given.
    pub(super) fn id(&self, name: &str) -> Result<u64, Refusal> {
        let value = self.integer(name)?.ok_or_else(|| Refusal::invalid(format!("Missing required field: {name}")))?;
        u64::try_from(value).map_err(|_| Refusal::invalid(format!("Invalid value for {name}: {value}")))
    }
}

/// Reads a JSON body; an empty one is `{}`. Unknown fields are ignored, as the vendor does.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let bytes: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { bytes };
    let value: serde_json::Value = serde_json::from_slice(bytes).map_err(|_| {
        Refusal::malformed("Invalid JSON given in the body of the request - failed to parse given JSON")
    })?;
    serde_json::from_value(value)
        .map_err(|error| Refusal::malformed(format!("Could not parse request object: {error}")))
}

/// Reads an integer that may be sent as decimal text (databricks-api.md 0.1).
pub(super) fn lenient<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    use serde::de::Error as _;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Spelling {
        Number(u64),
        Text(String),
    }

    match Option::<Spelling>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Spelling::Number(number)) => Ok(Some(number)),
        Some(Spelling::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_lower_case_words() {
        let query = Query::parse("a=true&b=false&c=True&d=");
        assert_eq!(query.boolean("a").ok(), Some(true));
        assert_eq!(query.boolean("b").ok(), Some(false));
        assert_eq!(query.boolean("d").ok(), Some(false));
        assert!(query.boolean("c").is_err());
    }

    #[test]
    fn an_id_is_required_and_not_negative() {
        let query = Query::parse("run_id=12&job_id=-1&text=x");
        assert_eq!(query.id("run_id").ok(), Some(12));
        for name in ["job_id", "text", "absent"] {
            assert!(query.id(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_repeated_key_gives_all_its_values() {
        let query = Query::parse("order_by=timestamp+asc&order_by=id%20desc");
        assert_eq!(query.all("order_by").collect::<Vec<_>>(), ["timestamp asc", "id desc"]);
    }

    #[test]
    fn a_body_may_be_empty_but_not_broken() {
        #[derive(Deserialize)]
        struct Body {
            #[serde(default, deserialize_with = "lenient")]
            run_id: Option<u64>,
        }
        assert_eq!(body::<Body>(b"").map(|body| body.run_id).ok(), Some(None));
        assert_eq!(body::<Body>(br#"{"run_id":"7"}"#).map(|body| body.run_id).ok(), Some(Some(7)));
        assert_eq!(body::<Body>(br#"{"run_id":7,"new":1}"#).map(|body| body.run_id).ok(), Some(Some(7)));
        assert!(body::<Body>(b"{").is_err());
        assert!(body::<Body>(br#"{"run_id":{}}"#).is_err());
    }
}
