//! The only door to environment variables. They are read once, when the program starts, and handed on as data.

use std::collections::BTreeMap;

/// Names the configuration file, as `--config` does.
pub const CONFIG: &str = "LAKESHIFT_CONFIG";
/// Moves the folder of the store and the logs.
pub const STATE_DIR: &str = "LAKESHIFT_STATE_DIR";
/// Sets `theme`.
pub const THEME: &str = "LAKESHIFT_THEME";
/// Sets `read_only`.
pub const READ_ONLY: &str = "LAKESHIFT_READ_ONLY";
/// Sets `time_zone`.
pub const TIME_ZONE: &str = "LAKESHIFT_TIME_ZONE";
/// Sets `log`.
pub const LOG: &str = "LAKESHIFT_LOG";
/// Turns color off in every program that honors it.
pub const NO_COLOR: &str = "NO_COLOR";

/// For tests of crashes: the crash point at which the process stands still until it is killed.
pub const CRASH_POINT: &str = "LAKESHIFT_TEST_CRASH_POINT";

/// The variables that lakeshift reads by itself, and what each does. Those of the vendor's SDK (`DATABRICKS_...`) and
/// of proxies are read by the client.
pub const VARIABLES: [(&str, &str); 8] = [
    (CONFIG, "the configuration file, as `--config`"),
    (STATE_DIR, "the folder of the last-good cache, the journal of operations and the logs"),
    (THEME, "sets `theme`"),
    (READ_ONLY, "sets `read_only`: `true` or `false`"),
    (TIME_ZONE, "sets `time_zone`"),
    (LOG, "sets `log`"),
    (NO_COLOR, "no color, when set to anything"),
    (CRASH_POINT, "for tests alone: at this crash point the process stands still until it is killed"),
];

/// The process's environment as it was at the start. Variables that are not UTF-8 are left out.
#[expect(clippy::disallowed_methods, reason = "the one door to the environment")]
pub fn of_process() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Who sits before this machine, as far as the environment tells: `ana@laptop`.
pub fn actor(environment: &BTreeMap<String, String>) -> String {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    let user = set("USER").or_else(|| set("LOGNAME")).or_else(|| set("USERNAME")).map_or("unknown", String::as_str);
    match set("HOSTNAME").or_else(|| set("COMPUTERNAME")) {
        Some(host) => format!("{user}@{host}"),
        None => user.to_owned(),
    }
}

/// Whether the user asked every program for text without color.
pub fn no_color(environment: &BTreeMap<String, String>) -> bool {
    environment.get(NO_COLOR).is_some_and(|value| !value.is_empty())
}
