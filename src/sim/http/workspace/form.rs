//! Forms with files (`multipart/form-data`), as far as one upload needs them.

use std::collections::BTreeMap;

/// The boundary that a content type names, if it is a form's.
pub(super) fn boundary(content_type: &str) -> Option<String> {
    let (kind, parameters) = content_type.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let mut parameters = parameters.split(';').filter_map(|parameter| parameter.trim().split_once('='));
    let (_, boundary) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    Some(boundary.trim_matches('"').to_owned())
}

/// The fields by name; what is no field is left out.
pub(super) fn fields(body: &[u8], boundary: &str) -> BTreeMap<String, Vec<u8>> {
    // The first boundary begins the body, the others a line.
    let mark = format!("\r\n--{boundary}");
    let body = [b"\r\n", body].concat();
    let mut fields = BTreeMap::new();
    for part in split(&body, mark.as_bytes()).into_iter().skip(1) {
        let Some(at) = find(part, b"\r\n\r\n") else { continue };
        let (head, content) = (String::from_utf8_lossy(&part[..at]), &part[at + 4..]);
        let name = head
            .lines()
            .filter(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))
            .flat_map(|line| line.split(';'))
            .find_map(|parameter| parameter.trim().strip_prefix("name="));
        if let Some(name) = name {
            fields.insert(name.trim_matches('"').to_owned(), content.to_vec());
        }
    }
    fields
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

fn split<'a>(mut text: &'a [u8], mark: &[u8]) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    while let Some(at) = find(text, mark) {
        parts.push(&text[..at]);
        text = &text[at + mark.len()..];
    }
    parts.push(text);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_gives_its_fields_byte_by_byte() {
        let body = b"--x7\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/Users/a/n\r\n--x7\r\n\
            Content-Type: application/octet-stream\r\ncontent-disposition: form-data; name=\"content\"; filename=\"f\"\r\n\r\n\
            a\r\n--x\r\n\x00\xff\r\n--x7--\r\n";
        let found = fields(body, "x7");
        assert_eq!(found["path"], b"/Users/a/n");
        assert_eq!(found["content"], b"a\r\n--x\r\n\x00\xff");
        assert_eq!(found.len(), 2);
    }

    #[test]
    fn a_boundary_is_a_forms() {
        assert_eq!(boundary("multipart/form-data; charset=utf-8; boundary=\"a b\"").as_deref(), Some("a b"));
        assert_eq!(boundary("application/json; boundary=x"), None);
        assert_eq!(boundary("multipart/form-data"), None);
    }
}
