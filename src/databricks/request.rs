//! A request as the API files write it down: route template, path values, query, body, and whether it may be repeated.

use http::Method;
use serde::Serialize;
use url::Url;

use super::retry::Repeat;

/// A request before it is authorized and sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// With `{name}` where the path has a value: what logs and errors say.
    pub(crate) route: &'static str,
    pub(crate) repeat: Repeat,
    path_values: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Result<Vec<u8>, String>>,
}

impl Request {
    /// A read: may be repeated.
    pub(crate) fn get(route: &'static str) -> Self {
        Self::new(Method::GET, route, Repeat::Safe)
    }

    /// An act: is not repeated unless [declared idempotent](Self::idempotent).
    pub(crate) fn post(route: &'static str) -> Self {
        Self::new(Method::POST, route, Repeat::Unsafe)
    }

    fn new(method: Method, route: &'static str, repeat: Repeat) -> Self {
        Self { method, route, repeat, path_values: Vec::new(), query: Vec::new(), body: None }
    }

    /// Declares that a second time changes nothing.
    pub(crate) fn idempotent(self) -> Self {
        Self { repeat: Repeat::Safe, ..self }
    }

    /// The value of the next `{name}` of the route.
    #[expect(clippy::needless_pass_by_value, reason = "a builder reads better when it takes values")]
    pub(crate) fn at(mut self, value: impl ToString) -> Self {
        self.path_values.push(value.to_string());
        self
    }

    /// One member of the query.
    #[expect(clippy::needless_pass_by_value, reason = "a builder reads better when it takes values")]
    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// One member of the query, if there is a value.
    pub(crate) fn query_if(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.query(name, value),
            None => self,
        }
    }

    /// The body.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        self.body = Some(serde_json::to_vec(body).map_err(|error| error.to_string()));
        self
    }

    /// The body as bytes, or why it cannot be written.
    pub(crate) fn body(&self) -> Result<Option<Vec<u8>>, String> {
        self.body.clone().transpose()
    }

    /// The whole address at `host`. Path values are escaped, so that none can lead to another route.
    pub(crate) fn url(&self, host: &Url) -> Result<Url, String> {
        let mut url = host.clone();
        let mut values = self.path_values.iter();
        {
            let mut segments = url.path_segments_mut().map_err(|()| format!("{host} has no path"))?;
            segments.pop_if_empty();
            for part in self.route.split('/').filter(|part| !part.is_empty()) {
                if !part.starts_with('{') {
                    segments.push(part);
                    continue;
                }
                let value = values.next().filter(|value| !matches!(value.as_str(), "" | "." | ".."));
                segments.push(value.ok_or_else(|| format!("the path needs a value for {part}"))?);
            }
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        Ok(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host() -> Url {
        Url::parse("https://a.example").expect("an address")
    }

    #[test]
    fn an_address_is_built_from_template_and_query() {
        let request = Request::get("/api/2.0/pipelines/{pipeline_id}/events").at("6f-1").query("max_results", 25);
        let request = request.query("filter", "level in ('WARN')").query_if("page_token", None::<&str>);
        assert_eq!(
            request.url(&host()).expect("built").as_str(),
            "https://a.example/api/2.0/pipelines/6f-1/events?max_results=25&filter=level+in+%28%27WARN%27%29"
        );
    }

    #[test]
    fn a_missing_or_empty_path_value_is_refused() {
        let route = "/api/2.0/pipelines/{pipeline_id}";
        for request in [Request::get(route), Request::get(route).at(""), Request::get(route).at("..")] {
            assert!(request.url(&host()).is_err(), "{request:?}");
        }
    }

    proptest! {
        #[test]
        fn no_path_value_leads_elsewhere(value in "\\PC{1,20}") {
            prop_assume!(!matches!(value.as_str(), "." | ".."));
            let url = Request::get("/api/x/{id}/stop").at(&value).url(&host()).expect("built");
            let segments: Vec<_> = url.path_segments().expect("a path").collect();
            prop_assert_eq!(segments.len(), 4, "{}", url);
            prop_assert_eq!((segments[1], segments[3]), ("x", "stop"));
            prop_assert_eq!(url.host_str(), Some("a.example"));
            prop_assert_eq!(url.query(), None);
        }
    }
}
