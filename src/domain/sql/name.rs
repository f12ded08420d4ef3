//! Names of Unity Catalog: one, two or three levels, and the one place that writes them into SQL.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name of one level that Unity Catalog takes, in characters.
const MAX_LEVEL: usize = 255;

/// A catalog, a schema (two levels) or a table, view, function or volume (three levels).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QualifiedName(Vec<String>);

/// A text that is no name, with the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no name of Unity Catalog: {reason}")]
pub struct BadName {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl QualifiedName {
    /// A name of the given levels, from the catalog down.
    ///
    /// # Errors
    /// When there are none or more than three, or when one is empty, too long or has characters that Unity Catalog
    /// does not take: control characters, space, dot and slash.
    pub fn new<S: Into<String>>(levels: impl IntoIterator<Item = S>) -> Result<Self, BadName> {
        let levels: Vec<String> = levels.into_iter().map(Into::into).collect();
        let bad = |reason| Err(BadName { text: levels.join("."), reason });
        if levels.is_empty() || levels.len() > 3 {
            return bad("it needs one to three levels");
        }
        for level in &levels {
            if level.is_empty() {
                return bad("a level is empty");
            }
            if level.chars().count() > MAX_LEVEL {
                return bad("a level has more than 255 characters");
            }
            if level.chars().any(|c| c.is_control() || matches!(c, ' ' | '.' | '/')) {
                return bad("a level has a control character, a space, a dot or a slash");
            }
        }
        Ok(Self(levels))
    }

    /// The levels, from the catalog down.
    pub fn levels(&self) -> &[String] {
        &self.0
    }

    /// The last level.
    pub fn leaf(&self) -> &str {
        self.0.last().map(String::as_str).unwrap_or_default()
    }

    /// What holds it: a table's schema, a schema's catalog; none of a catalog.
    pub fn parent(&self) -> Option<Self> {
        let (_, above) = self.0.split_last()?;
        (!above.is_empty()).then(|| Self(above.to_vec()))
    }

    /// The object of this name inside this catalog or schema.
    ///
    /// # Errors
    /// As [`QualifiedName::new`].
    pub fn child(&self, leaf: &str) -> Result<Self, BadName> {
        Self::new(self.0.iter().map(String::as_str).chain([leaf]))
    }

    /// The name inside SQL: each level in backticks, a backtick doubled, so that no name can end the text around it.
    ///
    /// The only function that writes names into statements; Spark's suite maps its result to the one catalog it has.
    pub fn sql(&self) -> String {
        let quoted: Vec<String> = self.0.iter().map(|level| format!("`{}`", level.replace('`', "``"))).collect();
        quoted.join(".")
    }
}

/// As the REST API and people write it: levels with dots, without backticks.
impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

impl FromStr for QualifiedName {
    type Err = BadName;

    /// Reads `catalog.schema.table` as people write it; a level may stand in backticks.
    fn from_str(text: &str) -> Result<Self, BadName> {
        let bare = |level: &str| match level.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')) {
            Some(inner) => inner.replace("``", "`"),
            None => level.to_owned(),
        };
        Self::new(text.trim().split('.').map(bare))
    }
}

impl TryFrom<String> for QualifiedName {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        Self::new(text.split('.'))
    }
}

impl From<QualifiedName> for String {
    fn from(name: QualifiedName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        let name: QualifiedName = "ops.`release`.audit_event".parse().expect("a name");
        assert_eq!(name.to_string(), "ops.release.audit_event");
        assert_eq!(name.sql(), "`ops`.`release`.`audit_event`");
        assert_eq!(name.leaf(), "audit_event");
        let schema = name.parent().expect("a schema");
        assert_eq!(schema.to_string(), "ops.release");
        assert_eq!(schema.child("lease").expect("a name").to_string(), "ops.release.lease");
        assert_eq!(schema.parent().and_then(|catalog| catalog.parent()), None);
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in ["", "a..b", "a.b.c.d", "a b", "a.b/c", "a.b\nc", &"x".repeat(256)] {
            assert!(bad.parse::<QualifiedName>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        /// Whatever a level holds, its backticks are paired: what follows the name is outside of it.
        #[test]
        fn no_name_ends_its_own_quotes(level in "[^ ./\\p{Cc}]{1,20}") {
            let sql = QualifiedName::new([level.clone()]).expect("a name").sql();
            let inner = &sql[1..sql.len() - 1];
            prop_assert!(!inner.replace("``", "").contains('`'));
            prop_assert_eq!(inner.replace("``", "`"), level);
        }

        #[test]
        fn a_name_survives_its_own_text(levels in prop::collection::vec("[a-z_][a-z0-9_]{0,9}", 1..=3)) {
            let name = QualifiedName::new(levels).expect("a name");
            prop_assert_eq!(name.to_string().parse::<QualifiedName>().expect("reads"), name.clone());
            prop_assert_eq!(name.sql().parse::<QualifiedName>().expect("reads"), name);
        }
    }
}
