//! The only door to environment variables. They are read once, when the program starts, and handed on as data.

use std::collections::BTreeMap;

/// The process's environment as it was at the start. Variables that are not UTF-8 are left out.
#[expect(clippy::disallowed_methods, reason = "the one door to the environment")]
pub fn of_process() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
