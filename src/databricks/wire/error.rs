//! Error bodies in all the spellings that the platform uses (databricks-api.md 2.1).

use serde_json::Value;

/// What an error body says, whatever its spelling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The vendor's error code, when the body names one.
    pub code: Option<String>,
    /// The vendor's words; empty when it has none.
    pub message: String,
    /// The request id of a `RequestInfo` detail.
    pub request_id: Option<String>,
    /// Seconds to wait by a `RetryInfo` detail, rounded up.
    pub retry_after_s: Option<u64>,
}

impl ErrorBody {
    /// Reads a body. Never fails: what cannot be understood becomes the message.
    pub fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(fields)) => Self::of_object(&Value::Object(fields)),
            Ok(Value::String(text)) => Self { message: text, ..Self::default() },
            _ if text.starts_with('<') => Self { message: html_text(text).unwrap_or_default(), ..Self::default() },
            _ => Self::of_plain_text(text),
        }
    }

    fn of_object(fields: &Value) -> Self {
        let word = |name: &str| match fields.get(name) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let mut found = Self {
            code: word("error_code").or_else(|| word("errorCode")),
            // `error` is API 1.2's message; OAuth puts its code there and the words beside it.
            message: word("error").or_else(|| word("message")).unwrap_or_default(),
            ..Self::default()
        };
        if let Some(description) = word("error_description").or_else(|| word("errorSummary")) {
            found.code = found.code.or_else(|| word("error"));
            found.message = description;
        } else if let Some(detail) = word("detail") {
            found.read_scim(&detail, word("scimType"), word("status"));
        }
        if found.code.is_none()
            && let Some((code, message)) = code_and_message(&found.message)
        {
            (found.code, found.message) = (Some(code), message);
        }
        for detail in fields.get("details").and_then(Value::as_array).into_iter().flatten() {
            found.read_detail(detail);
        }
        found
    }

    fn read_scim(&mut self, detail: &str, scim_type: Option<String>, status: Option<String>) {
        let detail = if detail == "null" { "SCIM API Internal Error" } else { detail };
        self.message = match scim_type {
            Some(kind) => format!("{kind} {detail}"),
            None => detail.to_owned(),
        };
        self.code = self.code.take().or_else(|| status.map(|status| format!("SCIM_{status}")));
    }

    fn read_detail(&mut self, detail: &Value) {
        let kind = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
        let text = |name: &str| detail.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        match kind.rsplit('.').next() {
            Some("RequestInfo") => self.request_id = text("request_id").map(str::to_owned),
            Some("RetryInfo") => self.retry_after_s = text("retry_delay").and_then(duration_s),
            _ => {}
        }
    }

    fn of_plain_text(text: &str) -> Self {
        match code_and_message(text) {
            Some((code, message)) => Self { code: Some(code), message, ..Self::default() },
            None => Self { message: text.to_owned(), ..Self::default() },
        }
    }
}

/// Splits `ERROR_CODE: message`.
fn code_and_message(text: &str) -> Option<(String, String)> {
    let (code, message) = text.split_once(": ")?;
    let is_code = code.len() > 2 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_code.then(|| (code.to_owned(), message.to_owned()))
}

/// The text of the first `<pre>`, else of `<title>`.
fn html_text(html: &str) -> Option<String> {
    let lower = html.to_ascii_lowercase();
    ["pre", "title"].into_iter().find_map(|tag| {
        let open = lower.find(&format!("<{tag}"))?;
        let start = open + lower[open..].find('>')? + 1;
        let end = start + lower[start..].find(&format!("</{tag}"))?;
        let text = html[start..end].trim();
        (!text.is_empty()).then(|| text.to_owned())
    })
}

/// Seconds of a protobuf duration (`"3.5s"`), rounded up.
fn duration_s(text: &str) -> Option<u64> {
    let (whole, fraction) = text.strip_suffix('s')?.split_once('.').unwrap_or((text.strip_suffix('s')?, "0"));
    let more = fraction.bytes().any(|digit| digit != b'0');
    whole.parse::<u64>().ok().map(|whole| whole.saturating_add(u64::from(more)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Option<String>, String) {
        let read = ErrorBody::read(body.as_bytes());
        (read.code, read.message)
    }

    fn pair(code: &str, message: &str) -> (Option<String>, String) {
        ((!code.is_empty()).then(|| code.to_owned()), message.to_owned())
    }

    #[test]
    fn every_spelling_is_understood() {
        let cases = [
            (r#"{"error_code":"INVALID_STATE","message":"busy"}"#, pair("INVALID_STATE", "busy")),
            (r#"{"error_code":403,"message":"no"}"#, pair("403", "no")),
            (r#"{"error":"ClusterNotFoundException: gone"}"#, pair("", "ClusterNotFoundException: gone")),
            (r#"{"error":"invalid_client","error_description":"bad secret"}"#, pair("invalid_client", "bad secret")),
            (r#"{"errorCode":"invalid_client","errorSummary":"bad secret"}"#, pair("invalid_client", "bad secret")),
            (r#"{"detail":"no user","status":"404","scimType":"noTarget"}"#, pair("SCIM_404", "noTarget no user")),
            (r#"{"detail":"null","status":"500"}"#, pair("SCIM_500", "SCIM API Internal Error")),
            (r#"{"message":"ALREADY_THERE: /a exists"}"#, pair("ALREADY_THERE", "/a exists")),
            ("MALFORMED_REQUEST: what is this", pair("MALFORMED_REQUEST", "what is this")),
            ("just words: here", pair("", "just words: here")),
            (r#""a bare string""#, pair("", "a bare string")),
            ("<html><head><TITLE>503 Busy</TITLE></head></html>", pair("", "503 Busy")),
            ("<pre class=x>no worker</pre>", pair("", "no worker")),
            ("<b>", pair("", "")),
            ("", pair("", "")),
            ("[1]", pair("", "[1]")),
        ];
        for (body, expected) in cases {
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn details_give_request_id_and_delay() {
        let body = r#"{"message":"x","details":[
            {"@type":"type.googleapis.com/google.rpc.RequestInfo","request_id":"r-7"},
            {"@type":"type.googleapis.com/google.rpc.RetryInfo","retry_delay":"4.000000001s"},
            {"@type":"type.googleapis.com/google.rpc.Novelty","a":1}, 7]}"#;
        let read = ErrorBody::read(body.as_bytes());
        assert_eq!((read.request_id.as_deref(), read.retry_after_s), (Some("r-7"), Some(5)));
        assert_eq!(duration_s("3s"), Some(3));
        assert_eq!(duration_s("3"), None);
    }
}
