//! Values that are text with a form of their own: durations, hosts, letters, times of day, zones, names of variables.
//!
//! Each is one entry in the table at the end, so that the file check, the schema and the reference name them alike.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A time span in whole seconds, written `90s`, `15m`, `2h` or `1d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(pub u64);

impl From<Seconds> for std::time::Duration {
    fn from(span: Seconds) -> Self {
        Self::from_secs(span.0)
    }
}

const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, size) =
            UNITS.into_iter().find(|(_, size)| self.0 > 0 && self.0.is_multiple_of(*size)).unwrap_or(('s', 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut chars = text.chars();
        let unit = chars.next_back().and_then(|last| UNITS.into_iter().find(|(unit, _)| *unit == last));
        let number = chars.as_str();
        let written = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        unit.filter(|_| written)
            .and_then(|(_, size)| number.parse::<u64>().ok()?.checked_mul(size))
            .map(Self)
            .ok_or_else(|| "expected a number and its unit: s, m, h or d".to_owned())
    }
}

/// Scheme and authority of a workspace, without a trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_scheme = if text.contains("://") { Cow::from(text) } else { format!("https://{text}").into() };
        let url = url::Url::parse(&with_scheme).map_err(|error| format!("not a web address: {error}"))?;
        let host = url.host().ok_or("a web address without a host")?;
        let loopback = match host {
            url::Host::Domain(name) => name == "localhost",
            url::Host::Ipv4(address) => address.is_loopback(),
            url::Host::Ipv6(address) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err("plain http is for loopback alone: write https".to_owned()),
            other => return Err(format!("expected https, found {other}")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("an address with a user or a password in it".to_owned());
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err("expected the workspace's address alone, without a path behind it".to_owned());
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{}://{host}{port}", url.scheme())))
    }
}

/// The key that confirms an act in a workspace: one capital letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Letter(pub char);

impl fmt::Display for Letter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl FromStr for Letter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            // R begins a rollback and a repeated R cancels it, so that it can't confirm one (console.md 5).
            (Some('R'), None) => Err("R begins a rollback, so it cannot confirm one".to_owned()),
            (Some(letter), None) if letter.is_ascii_uppercase() => Ok(Self(letter)),
            _ => Err("expected one capital letter".to_owned()),
        }
    }
}

/// A time of day on a 24-hour clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDay(pub chrono::NaiveTime);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%H:%M"))
    }
}

impl FromStr for TimeOfDay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        chrono::NaiveTime::parse_from_str(text, "%H:%M")
            .map(Self)
            .map_err(|_| "expected hours and minutes on a 24-hour clock".to_owned())
    }
}

/// An IANA time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(pub chrono_tz::Tz);

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let zones = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        text.parse().map(Self).map_err(|_| {
            let near = crate::config::nearest::nearest(text, zones);
            let near = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
            format!("`{text}` is no zone of the IANA list{near}")
        })
    }
}

/// The name of an environment variable. Never its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariableName(String);

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for VariableName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The text is not repeated in the error: it may be a secret that was put in the wrong place.
        if ["dapi", "dose", "dkea"].iter().any(|prefix| text.starts_with(prefix)) {
            return Err("this looks like a secret: write the name of the variable that holds it".to_owned());
        }
        let named = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && text.chars().next().is_some_and(|c| !c.is_ascii_digit());
        if named { Ok(Self(text.to_owned())) } else { Err("expected the name of an environment variable".to_owned()) }
    }
}

/// The name by which a workspace goes in tables, commands and `[auth]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// The longest name of a workspace: the header shows all of them in one line.
const LONGEST_NAME: usize = 24;

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if text.is_empty() || text.len() > LONGEST_NAME || !text.chars().all(plain) {
            return Err(format!("expected 1 to {LONGEST_NAME} of a-z, 0-9, - and _"));
        }
        Ok(Self(text.to_owned()))
    }
}

/// The name of a catalog or schema of Unity Catalog, as it is spelled there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnityName(String);

/// The longest name that Unity Catalog takes.
const LONGEST_UNITY_NAME: usize = 255;

impl UnityName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for UnityName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '.' | '/' | '`');
        if text.is_empty() || text.chars().count() > LONGEST_UNITY_NAME || text.contains(wrong) {
            return Err("expected one name, without dots, slashes, spaces and backticks".to_owned());
        }
        Ok(Self(text.to_owned()))
    }
}

macro_rules! text_scalars {
    ($($type:ident $format:literal $description:literal)*) => {
        $(
            impl Serialize for $type {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $type {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
                }
            }

            impl JsonSchema for $type {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($type).into()
                }

                fn json_schema(_: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "type": "string", "format": $format })
                }
            }
        )*

        /// What a form of text looks like, in words; none if the form is not ours.
        pub(in crate::config) fn form_in_words(format: &str) -> Option<&'static str> {
            match format {
                $($format => Some($description),)*
                _ => None,
            }
        }

        /// Whether the text has the form; all text has a form that is not ours.
        pub(in crate::config) fn check_form(format: &str, text: &str) -> Result<(), String> {
            match format {
                $($format => text.parse::<$type>().map(|_| ()),)*
                _ => Ok(()),
            }
        }
    };
}

text_scalars! {
    Seconds "duration" "duration such as `90s`, `15m`, `2h`"
    Host "workspace-host" "workspace address such as `https://dbc-1234.cloud.databricks.com`"
    Letter "capital-letter" "capital letter other than `R`"
    TimeOfDay "time-of-day" "time of day such as `06:30`"
    Zone "time-zone" "IANA time zone such as `Europe/Berlin`"
    VariableName "variable-name" "name of an environment variable"
    Name "workspace-name" "name of a-z, 0-9, `-` and `_`"
    UnityName "unity-name" "name of a catalog or schema"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_reads_what_it_prints_in_its_largest_unit() {
        for (s, text) in [(90, "90s"), (900, "15m"), (7_200, "2h"), (86_400, "1d"), (0, "0s"), (3_601, "3601s")] {
            assert_eq!(Seconds(s).to_string(), text);
            assert_eq!(text.parse(), Ok(Seconds(s)));
        }
        for wrong in ["", "s", "5", "5 s", "-5s", "+5s", "1.5h", "5w", "99999999999999999999d", "1é"] {
            assert!(wrong.parse::<Seconds>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_is_an_address_over_tls_or_on_loopback() {
        let host = |text: &str| text.parse::<Host>().map(|host| host.to_string());
        assert_eq!(host("dbc-1.cloud.databricks.com").as_deref(), Ok("https://dbc-1.cloud.databricks.com"));
        assert_eq!(host("https://x.test:443/").as_deref(), Ok("https://x.test"));
        assert_eq!(host("http://127.0.0.1:8080").as_deref(), Ok("http://127.0.0.1:8080"));
        assert_eq!(host("http://[::1]:8080").as_deref(), Ok("http://[::1]:8080"));
        for wrong in [
            "http://x.test",
            "ftp://x.test",
            "https://",
            "https://u:p@x.test",
            "https://x.test/path",
            "https://x.test/?o=1",
        ] {
            assert!(host(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_secret_in_place_of_a_variables_name_is_refused_and_not_repeated() {
        let error = "dapi0123456789abcdef".parse::<VariableName>().expect_err("looks like a token");
        assert!(!error.contains("0123"), "{error}");
        assert!("PROD_TOKEN".parse::<VariableName>().is_ok());
        assert!("2ND".parse::<VariableName>().is_err());
    }

    #[test]
    fn a_letter_that_begins_a_rollback_confirms_none() {
        assert_eq!("P".parse(), Ok(Letter('P')));
        for wrong in ["R", "p", "PP", "", "Ä"] {
            assert!(wrong.parse::<Letter>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_misspelled_zone_names_its_neighbor() {
        let error = "Europe/Belrin".parse::<Zone>().expect_err("no zone");
        assert!(error.contains("Europe/Berlin"), "{error}");
    }
}
