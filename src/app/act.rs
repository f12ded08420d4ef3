//! Acts: what a person asks for, what they are told before they confirm it, and what the runtime is then ordered to do.
//!
//! All of it is frozen on ids: what is under the cursor when the key is pressed is what the act is about, wherever the row
//! moves afterwards.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::danger::Danger;
use crate::domain::fleet::{Object, ObjectId};
use crate::domain::ids::{JobId, PipelineId, RunId};
use crate::domain::job::Parameter;
use crate::operations::kind::Kind;
pub use crate::operations::needs::Rights;
use crate::operations::outlook::Upcoming;
use crate::operations::plan::{OperationId, Plan};
use crate::operations::refusal::Refusal;

/// What a person wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case")]
pub enum Wish {
    /// One run of a job.
    RunNow {
        /// The job.
        job: JobId,
        /// Job parameters that differ from their defaults.
        parameters: BTreeMap<String, String>,
    },
    /// A run's end.
    Cancel {
        /// The run's job.
        job: JobId,
        /// The run.
        run: RunId,
    },
    /// A failed run's tasks again.
    Repair {
        /// The run's job.
        job: JobId,
        /// The run.
        run: RunId,
        /// The one task to run again, with all that depends on it; none for all that failed or did not run.
        task: Option<String>,
    },
    /// An update of a pipeline.
    Start {
        /// The pipeline.
        pipeline: PipelineId,
    },
    /// The end of a pipeline's active update.
    Stop {
        /// The pipeline.
        pipeline: PipelineId,
    },
}

impl Wish {
    /// What kind of operation it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::RunNow { .. } => Kind::RunNow,
            Self::Cancel { .. } => Kind::Cancel,
            Self::Repair { .. } => Kind::Repair,
            Self::Start { .. } => Kind::StartPipeline,
            Self::Stop { .. } => Kind::StopPipeline,
        }
    }

    /// What it is about, within its workspace.
    pub fn object(&self) -> Object {
        match self {
            Self::RunNow { job, .. } | Self::Cancel { job, .. } | Self::Repair { job, .. } => Object::Job(*job),
            Self::Start { pipeline } | Self::Stop { pipeline } => Object::Pipeline(pipeline.clone()),
        }
    }

    /// The run that it is about, if it is about one.
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Cancel { run, .. } | Self::Repair { run, .. } => Some(*run),
            Self::RunNow { .. } | Self::Start { .. } | Self::Stop { .. } => None,
        }
    }
}

/// A wish on its way to a plan. Asking changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Rises with every ask: an answer to an older one is thrown away.
    pub number: u64,
    /// What it is about.
    pub object: ObjectId,
    /// What is wanted.
    pub wish: Wish,
    /// Why, in the person's words.
    pub reason: Option<String>,
    /// Whether the person has unlocked this object for this verb.
    pub unlocked: bool,
}

/// What the runtime answers to an ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// A plan that a person may confirm.
    Ready(Box<Preview>),
    /// Something forbids it.
    Refused(Declined),
    /// What it is about could not be read: what happened, to what, and what to do.
    Unread(String),
}

/// A plan with what a person should know before they confirm it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Exactly this is done.
    pub plan: Plan,
    /// What may be chosen besides, such as a job's parameters.
    pub parameters: Vec<Parameter>,
    /// What will happen, a line each: tasks, what follows. From outside.
    pub effects: Vec<String>,
    /// What a person should stop at, such as settings that changed since the run began. From outside.
    pub warnings: Vec<String>,
    /// The next start by schedule, if one is planned.
    #[serde(default)]
    pub upcoming: Option<Upcoming>,
    /// Whose rights are used, and whether they are enough.
    pub rights: Rights,
    /// Who approved exactly this plan; what tiers 3 and 4 need.
    pub approved_by: Option<String>,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declined {
    /// All that forbids it.
    pub refusals: Vec<Refusal>,
    /// Whose rights would be used, and whether they would be enough; none if that was not read.
    pub rights: Option<Rights>,
}

/// What a person asks of an operation that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steer {
    /// Take it back.
    Abort,
    /// Hold it before its next request.
    Pause,
    /// Let it go on; take it over if nobody works on it.
    Resume,
    /// Give it up as it stands: the rest was seen to by hand.
    Close,
}

impl Steer {
    /// What it does, as a person says it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Close => "close",
        }
    }

    /// What it leads to, in one sentence.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Abort => "What it has done is taken back, as far as there is a way back.",
            Self::Pause => "What was asked is asked; nothing further is until it is resumed.",
            Self::Resume => "It goes on from its journal: whatever was asked and not answered is looked for first.",
            Self::Close => {
                "It ends here as it stands. Say what you did by hand; nothing further is asked or looked for."
            }
        }
    }
}

/// What the runtime is ordered to do about acts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Read what an ask is about, and plan it. Changes nothing.
    Prepare(Ask),
    /// Begin an operation that a person has confirmed.
    Begin {
        /// Exactly this.
        plan: Box<Plan>,
        /// How it was confirmed, for the journal.
        how: String,
    },
    /// Change the course of an operation.
    Steer {
        /// Which one.
        operation: OperationId,
        /// How.
        steer: Steer,
        /// Why, in the person's words.
        reason: Option<String>,
    },
    /// Read the shared record for the screen. Changes nothing.
    ReadRecord {
        /// Verify all of it, too.
        verify: bool,
    },
}

impl Order {
    /// Whether it may change anything outside of this program.
    pub fn is_dangerous(&self) -> bool {
        match self {
            Self::Prepare(_) | Self::ReadRecord { .. } => false,
            Self::Begin { .. } | Self::Steer { .. } => true,
        }
    }

    /// The tier of the act that it begins, if it begins one.
    pub fn danger(&self) -> Option<Danger> {
        match self {
            Self::Begin { plan, .. } => Some(plan.tier),
            Self::Prepare(_) | Self::Steer { .. } | Self::ReadRecord { .. } => None,
        }
    }
}

impl Declined {
    /// Whether a person may lift the lock by themselves, and nothing else is in the way but that.
    pub fn is_only_locked(&self) -> bool {
        self.refusals.iter().all(|refusal| matches!(refusal, Refusal::ReadOnly { unlockable: true, .. }))
            && !self.refusals.is_empty()
    }
}
