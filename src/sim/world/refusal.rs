//! Why the world refuses an order or does not know the answer; `sim/http` turns each into a status and an envelope.

/// A refusal. The text is the wire's, where the wire's is known (databricks-api.md 3.14, 4.1, 4.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400 `INVALID_PARAMETER_VALUE` on the wire.
    #[error("Job {0} does not exist.")]
    NoSuchJob(u64),
    /// 400 `INVALID_PARAMETER_VALUE` on the wire.
    #[error("Run {0} does not exist.")]
    NoSuchRun(u64),
    /// 404 `RESOURCE_DOES_NOT_EXIST` on the wire.
    #[error("The specified pipeline {0} was not found.")]
    NoSuchPipeline(String),
    /// 404 `RESOURCE_DOES_NOT_EXIST` on the wire.
    #[error("The specified update {0} was not found.")]
    NoSuchUpdate(String),
    /// 404 `RESOURCE_DOES_NOT_EXIST` on the wire.
    #[error("SQL warehouse {0} does not exist.")]
    NoSuchWarehouse(String),
    /// 400 `INVALID_PARAMETER_VALUE`: what was sent makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// 400 `INVALID_STATE`: it makes sense, but not now.
    #[error("{0}")]
    NotNow(String),
    /// 409 `RESOURCE_CONFLICT`: a name is taken, or somebody was faster.
    #[error("{0}")]
    Conflict(String),
    /// 409 `RESOURCE_CONFLICT`.
    #[error("An active update {update_id} already exists for pipeline {pipeline_id}.")]
    UpdateActive {
        /// The pipeline.
        pipeline_id: String,
        /// What runs.
        update_id: String,
    },
}
