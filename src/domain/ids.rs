//! Identifiers as types of their own, so that a job's id cannot be passed where a run's is meant.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! integer_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim().parse().map(Self)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            /// Wraps an identifier as the API spelled it.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(text.as_ref().into())
            }

            /// The identifier as the API spelled it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

integer_id! {
    /// A job, unique within one workspace.
    JobId
}
integer_id! {
    /// A job run or a task's run: the Jobs API draws both from one sequence per workspace.
    RunId
}
integer_id! {
    /// A repair of a job run, as `latest_repair_id` names it.
    RepairId
}
text_id! {
    /// A pipeline: a lower-case UUID.
    PipelineId
}
text_id! {
    /// One update of a pipeline: a lower-case UUID. A retry is a new update.
    UpdateId
}
text_id! {
    /// A SQL warehouse.
    WarehouseId
}
text_id! {
    /// A statement at its warehouse; query history knows it by the same id.
    StatementId
}
text_id! {
    /// A workspace by the name that the fleet's configuration gives it.
    WorkspaceName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_integer_id_reads_what_it_prints() {
        let id = RunId(918_273_645);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_text_id_serializes_as_bare_text() {
        let id = PipelineId::new("6f0c");
        assert_eq!(serde_json::to_string(&id).expect("serializes"), "\"6f0c\"");
    }
}
