//! Facts, in the past tense: the only way by which anything changes the model.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::app::act::Answer;
use crate::app::operations::OperationsSnapshot;
use crate::app::record::RecordPage;
use crate::domain::Instant;
use crate::domain::ids::{JobId, PipelineId, RunId, WorkspaceName};
use crate::domain::request::RequestRecord;
use crate::domain::run::Output;
use crate::domain::snapshot::{FeedFailure, PipelineDetail, RunDetail, WorkspaceSnapshot};
use crate::keymap::Key;
use crate::operations::plan::OperationId;

/// A source of observations that screens ask for by name. The runtime polls a feed while a screen needs it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Feed {
    /// Jobs, recent runs and pipelines of one workspace. Always polled.
    Fleet(WorkspaceName),
    /// The newest run of a job, complete, whichever that is.
    LatestRun(WorkspaceName, JobId),
    /// One run, complete, with its job's recent runs.
    Run(WorkspaceName, RunId),
    /// What one task's run left behind.
    Output(WorkspaceName, RunId),
    /// One pipeline with updates, flows and events.
    Pipeline(WorkspaceName, PipelineId),
}

/// What a feed answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observed {
    /// Of [`Feed::Fleet`].
    Fleet(Arc<WorkspaceSnapshot>),
    /// Of [`Feed::Run`] and [`Feed::LatestRun`].
    Run(Arc<RunDetail>),
    /// Of [`Feed::Output`].
    Output(Arc<Output>),
    /// Of [`Feed::Pipeline`].
    Pipeline(Arc<PipelineDetail>),
}

/// A fact and the instant (local time) at which the runtime learned it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Stamped by the runtime.
    pub at: Instant,
    /// What happened.
    pub fact: Fact,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fact {
    /// A feed answered. `Feed::Fleet` never fails: its snapshot carries its sections' failures.
    Observed {
        /// The feed.
        feed: Feed,
        /// The question's epoch: an answer to a question that is no longer asked is thrown away.
        epoch: u64,
        /// The answer.
        result: Result<Observed, FeedFailure>,
    },
    /// A key was pressed. Keys are never dropped, whatever else waits.
    KeyPressed(Key),
    /// Text was pasted (bracketed paste).
    Pasted(String),
    /// The mouse wheel turned, while the mouse is captured.
    Scrolled {
        /// Rows, downwards positive.
        rows: i16,
    },
    /// A workspace told who we are.
    SignedIn {
        /// The workspace.
        workspace: WorkspaceName,
        /// The user's or the service principal's name, from outside.
        user: String,
    },
    /// A file was written.
    Exported {
        /// Where it is.
        path: String,
    },
    /// An effect could not be performed; what went wrong, in a few words.
    EffectFailed(String),
    /// The runtime has planned what was asked for, or tells why it did not.
    Answered {
        /// The ask's number.
        number: u64,
        /// The answer.
        answer: Answer,
    },
    /// Operations went on, here or in another process.
    OperationsAdvanced(Arc<OperationsSnapshot>),
    /// An operation could not be begun or steered: nothing has happened.
    OrderFailed {
        /// Which one.
        operation: OperationId,
        /// What went wrong, and what to do.
        why: String,
    },
    /// The shared record was read, or why it could not be.
    RecordRead(Result<Arc<RecordPage>, String>),
    /// The present screen was drawn, and every key that had been pressed before was told: what is pressed from now on was
    /// pressed by somebody who could see it. Only while a dialog waits for it.
    Drawn,
    /// A request of ours ended, well or badly.
    RequestEnded(RequestRecord),
    /// A visible countdown or age may need a redraw.
    Ticked,
    /// The terminal's size changed.
    Resized {
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
}
