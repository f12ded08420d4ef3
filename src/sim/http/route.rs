//! Routes as data: each API file gives its own list, and the first that matches method and path answers.

use std::time::Duration;

use super::answer::{Answer, Refusal, Reply};
use super::call::{Call, Visit};
use super::rate::Class;
use crate::sim::lakehouse::Lakehouse;

/// What answers a route. None of them waits; the patient one is asked again.
#[derive(Clone, Copy)]
pub(super) enum Handler {
    /// For everybody: discovery and tokens. It does not see the world.
    Open(fn(&Visit<'_>) -> Answer),
    /// For principals, under the world's lock.
    Api(fn(&mut Call<'_>) -> Answer),
    /// For principals: asked again, the world turning meanwhile, until it has its answer or its patience is over.
    Patient(fn(&mut Call<'_>, &mut Patience) -> Result<Option<Reply>, Refusal>),
    /// For whoever holds a signed link, without a credential.
    Signed(fn(&Visit<'_>, &Captures, &Lakehouse) -> Answer),
}

/// What one request to a patient route keeps between askings.
#[derive(Debug, Default)]
pub(super) struct Patience {
    /// What the first asking began.
    pub(super) begun: Option<String>,
    /// How long the request may take.
    pub(super) limit: Duration,
    /// How long it has taken.
    pub(super) waited: Duration,
}

impl Patience {
    /// Whether the route must answer now.
    pub(super) fn is_over(&self) -> bool {
        self.waited >= self.limit
    }
}

/// One method of one path.
pub(super) struct Route {
    pub(super) method: &'static str,
    /// Literal segments and `{name}` for one segment, as in `/api/2.0/pipelines/{pipeline_id}`; `{name...}` at the end
    /// stands for all that is left.
    pub(super) template: String,
    pub(super) class: Class,
    pub(super) handler: Handler,
}

impl Route {
    /// A read.
    pub(super) fn get(template: impl Into<String>, handler: fn(&mut Call<'_>) -> Answer) -> Self {
        Self { method: "GET", template: template.into(), class: Class::General, handler: Handler::Api(handler) }
    }

    /// A route that asks for no credential.
    pub(super) fn open(method: &'static str, template: &str, handler: fn(&Visit<'_>) -> Answer) -> Self {
        Self { method, template: template.to_owned(), class: Class::Unlimited, handler: Handler::Open(handler) }
    }

    /// A read of what the answer's headers tell; its body is left out on the way.
    pub(super) fn head(template: impl Into<String>, handler: fn(&mut Call<'_>) -> Answer) -> Self {
        Self { method: "HEAD", ..Self::get(template, handler) }
    }

    /// An act.
    pub(super) fn post(template: impl Into<String>, handler: fn(&mut Call<'_>) -> Answer) -> Self {
        Self { method: "POST", ..Self::get(template, handler) }
    }

    /// An act that may take its time.
    pub(super) fn patient(
        template: impl Into<String>,
        handler: fn(&mut Call<'_>, &mut Patience) -> Result<Option<Reply>, Refusal>,
    ) -> Self {
        let handler = Handler::Patient(handler);
        Self { method: "POST", template: template.into(), class: Class::General, handler }
    }

    /// A read through a signed link.
    pub(super) fn signed(
        template: impl Into<String>,
        handler: fn(&Visit<'_>, &Captures, &Lakehouse) -> Answer,
    ) -> Self {
        let handler = Handler::Signed(handler);
        Self { method: "GET", template: template.into(), class: Class::Unlimited, handler }
    }

    /// A replacement.
    pub(super) fn put(template: impl Into<String>, handler: fn(&mut Call<'_>) -> Answer) -> Self {
        Self { method: "PUT", ..Self::get(template, handler) }
    }

    /// A change of a part.
    pub(super) fn patch(template: impl Into<String>, handler: fn(&mut Call<'_>) -> Answer) -> Self {
        Self { method: "PATCH", ..Self::get(template, handler) }
    }

    /// A removal.
    pub(super) fn delete(template: impl Into<String>, handler: fn(&mut Call<'_>) -> Answer) -> Self {
        Self { method: "DELETE", ..Self::get(template, handler) }
    }

    /// The same under another limit.
    pub(super) fn limited(self, class: Class) -> Self {
        Self { class, ..self }
    }
}

/// Values of a template's `{names}`, in order of appearance.
pub(super) type Captures = Vec<(String, String)>;

/// All routes of one workspace.
pub(super) struct Table(Vec<Route>);

impl Table {
    /// A table of these routes.
    pub(super) fn new(routes: Vec<Route>) -> Self {
        Self(routes)
    }

    /// The route that answers, with its captures.
    pub(super) fn find(&self, method: &str, path: &str) -> Option<(&Route, Captures)> {
        self.0
            .iter()
            .filter(|route| route.method == method)
            .find_map(|route| Some((route, captures(&route.template, path)?)))
    }
}

fn captures(template: &str, path: &str) -> Option<Captures> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let mut segments = path.split('/');
    let mut captures = Vec::new();
    for pattern in template.split('/') {
        if let Some(name) = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix("...}")) {
            let rest = segments.collect::<Vec<_>>().join("/");
            captures.push((name.to_owned(), decoded(&rest)));
            return (!rest.is_empty()).then_some(captures);
        }
        let segment = segments.next()?;
        match pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => captures.push((name.to_owned(), decoded(segment))),
            Some(_) => return None,
            None if pattern == segment => {}
            None => return None,
        }
    }
    segments.next().is_none().then_some(captures)
}

/// Undoes percent-encoding of one segment; what is not an encoded byte stands for itself.
fn decoded(segment: &str) -> String {
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escaped = (byte == b'%')
            .then(|| segment.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::http::answer::Reply;

    fn answer(_: &mut Call<'_>) -> Answer {
        Ok(Reply::empty())
    }

    fn table() -> Table {
        Table::new(vec![
            Route::get("/api/2.0/pipelines", answer),
            Route::get("/api/2.0/pipelines/{id}", answer),
            Route::post("/api/2.0/pipelines/{id}/updates", answer),
            Route::get("/api/2.0/pipelines/{id}/updates/{update}", answer),
            Route::put("/api/2.0/fs/files/{path...}", answer),
        ])
    }

    fn found(method: &str, path: &str) -> Option<(String, Vec<String>)> {
        let table = table();
        let (route, captures) = table.find(method, path)?;
        let values = captures.into_iter().map(|(_, value)| value).collect();
        Some((route.template.clone(), values))
    }

    #[test]
    fn a_template_matches_segment_by_segment() {
        assert_eq!(
            found("GET", "/api/2.0/pipelines/6f/updates/aa"),
            Some(("/api/2.0/pipelines/{id}/updates/{update}".to_owned(), vec!["6f".to_owned(), "aa".to_owned()]))
        );
        assert_eq!(
            found("GET", "/api/2.0/pipelines/").map(|(template, _)| template).as_deref(),
            Some("/api/2.0/pipelines")
        );
        assert_eq!(found("GET", "/api/2.0/pipelines/6f/updates"), None, "another method's path");
        assert_eq!(found("GET", "/api/2.0/pipelines//updates/aa"), None);
        assert_eq!(found("GET", "/api/2.0"), None);
    }

    #[test]
    fn a_rest_is_the_same_escaped_and_plain() {
        for path in ["/api/2.0/fs/files/Volumes/a/b%20c.txt", "/api/2.0/fs/files/Volumes%2Fa%2Fb%20c.txt"] {
            assert_eq!(found("PUT", path).map(|(_, values)| values), Some(vec!["Volumes/a/b c.txt".to_owned()]));
        }
        assert_eq!(found("PUT", "/api/2.0/fs/files/"), None);
    }

    #[test]
    fn captures_are_decoded_once() {
        assert_eq!(
            found("GET", "/api/2.0/pipelines/a%20b%2Fc+d%2&e=").map(|(_, values)| values),
            Some(vec!["a b/c+d%2&e=".to_owned()])
        );
    }
}
