//! Listings of several pages: complete, or an error.

use std::collections::HashSet;

use serde::de::DeserializeOwned;

use super::client::Client;
use super::error::Error;
use super::request::Request;

/// More pages than any honest listing has: 12,000 jobs are 120 pages, a day of 100,000 runs 4,200.
const MAX_PAGES: usize = 10_000;

/// A page of a listing.
pub(crate) trait Page: DeserializeOwned {
    /// What is listed.
    type Item;

    /// The items, and the token of the next page. Absent, null and empty tokens all mean the end.
    fn split(self) -> (Vec<Self::Item>, Option<String>);
}

/// Declares the listings whose items are one member.
macro_rules! pages {
    ($($page:ty { $items:ident: $item:ty })*) => {
        $(impl $crate::databricks::page::Page for $page {
            type Item = $item;

            fn split(self) -> (Vec<$item>, Option<String>) {
                (self.$items.unwrap_or_default(), self.next_page_token)
            }
        })*
    };
}
pub(crate) use pages;

impl Client {
    /// Reads pages until the end, or until at least `at_most` items have come; then cuts to `at_most`.
    ///
    /// A page may be empty and not the last. A token that comes twice would go on forever, and is an error.
    pub(crate) async fn list<P: Page>(
        &self,
        first: &Request,
        next: impl Fn(&str) -> Request,
        at_most: Option<usize>,
    ) -> Result<Vec<P::Item>, Error> {
        let enough = at_most.unwrap_or(usize::MAX);
        let mut items = Vec::new();
        let mut seen = HashSet::new();
        let mut request = first.clone();
        loop {
            let (page, token) = self.fetch::<P>(&request).await?.split();
            items.extend(page);
            let token = token.filter(|token| !token.is_empty());
            let Some(token) = token.filter(|_| items.len() < enough) else { break };
            if seen.len() >= MAX_PAGES {
                return Err(self.endless(first, format!("the listing has more than {MAX_PAGES} pages")));
            }
            request = next(&token);
            if !seen.insert(token) {
                return Err(self.endless(first, "the listing names the same next page twice".to_owned()));
            }
        }
        items.truncate(enough);
        Ok(items)
    }
}
