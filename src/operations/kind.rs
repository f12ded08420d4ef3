//! The kinds of operations and how dangerous each is: one table.

use serde::{Deserialize, Serialize};

use crate::domain::danger::Danger;

/// What an operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Starts a run of a job.
    RunNow,
    /// Cancels a run.
    Cancel,
    /// Runs failed tasks of a run again.
    Repair,
    /// Starts an update of a pipeline.
    StartPipeline,
    /// Stops the active update of a pipeline.
    StopPipeline,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::RunNow, Self::Cancel, Self::Repair, Self::StartPipeline, Self::StopPipeline];

    /// The name in the journal, the ledger and in output for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::RunNow => "run_now",
            Self::Cancel => "cancel",
            Self::Repair => "repair",
            Self::StartPipeline => "start_pipeline",
            Self::StopPipeline => "stop_pipeline",
        }
    }

    /// What it does, as a person says it.
    pub fn words(self) -> &'static str {
        match self {
            Self::RunNow => "run now",
            Self::Cancel => "cancel run",
            Self::Repair => "repair run",
            Self::StartPipeline => "start pipeline",
            Self::StopPipeline => "stop pipeline",
        }
    }

    /// How dangerous it is. The one place that says it: commands of the console, plans and the ledger's barrier read it.
    pub const fn danger(self) -> Danger {
        match self {
            Self::RunNow | Self::Cancel | Self::Repair | Self::StartPipeline | Self::StopPipeline => Danger::Costly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_as_it_is_serialized() {
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("serializes"), kind.name());
            assert!(kind.danger() > Danger::Read, "{kind:?} changes the world");
        }
    }
}
