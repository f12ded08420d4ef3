//! `lakeshift pipeline start` and `pipeline stop`.

use clap::{Args, Subcommand};
use futures::future::FutureExt;

use super::Context;
use super::failure::{Failure, Kind as FailureKind};
use super::operate::{ActFlags, Desk};
use super::sweep::block_on;
use crate::databricks::Client;
use crate::domain::ids::PipelineId;
use crate::domain::inventory::{ObjectFacts, ObjectKind};
use crate::domain::pipeline::Pipeline;
use crate::operations::pipeline::{self, Start};
use crate::operations::{Kind, outlook};

/// What to do with a pipeline.
#[derive(Debug, Subcommand)]
pub enum PipelineCommand {
    /// Start an update.
    Start(StartFlags),
    /// Stop the update that is active, and see it stopped.
    Stop(StopFlags),
}

/// What `pipeline start` is told.
#[derive(Args, Clone, Debug)]
pub struct StartFlags {
    /// The pipeline's id or its name.
    #[arg(value_name = "PIPELINE")]
    pipeline: String,
    /// Refresh only this table; may be given several times.
    #[arg(long, value_name = "TABLE")]
    table: Vec<String>,
    /// Only check the pipeline's code; write no data.
    #[arg(long, conflicts_with = "table")]
    validate: bool,
    /// What holds for every act.
    #[command(flatten)]
    act: ActFlags,
}

/// What `pipeline stop` is told.
#[derive(Args, Clone, Debug)]
pub struct StopFlags {
    /// The pipeline's id or its name.
    #[arg(value_name = "PIPELINE")]
    pipeline: String,
    /// What holds for every act.
    #[command(flatten)]
    act: ActFlags,
}

/// Whether a text looks like a pipeline's id: a UUID.
fn is_id(text: &str) -> bool {
    uuid::Uuid::parse_str(text).is_ok()
}

/// The pipeline of this id or name, with its specification, if this workspace has it.
async fn pipeline_of(client: Client, wanted: String) -> Result<Option<Pipeline>, Failure> {
    let id = if is_id(&wanted) {
        PipelineId::new(&wanted)
    } else {
        let pipelines = client.pipelines().await.map_err(|error| Failure::from(&error))?;
        let mut named = pipelines.into_iter().filter(|pipeline| pipeline.name == wanted);
        match (named.next(), named.next()) {
            (Some(one), Some(other)) => {
                return Err(Failure::new(
                    FailureKind::User,
                    format!("pipelines {} and {} are both called {wanted}", one.id, other.id),
                )
                .hint("Say which by its id."));
            }
            (Some(found), None) => found.id,
            (None, _) => return Ok(None),
        }
    };
    match client.pipeline(&id).await {
        Ok(pipeline) => Ok(Some(pipeline)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(Failure::from(&error)),
    }
}

/// Runs `lakeshift pipeline`.
pub(super) fn run(command: &PipelineCommand, context: &mut Context<'_>) -> Result<(), Failure> {
    let (wanted, act, kind, name) = match command {
        PipelineCommand::Start(flags) => (&flags.pipeline, &flags.act, Kind::StartPipeline, "pipeline start"),
        PipelineCommand::Stop(flags) => (&flags.pipeline, &flags.act, Kind::StopPipeline, "pipeline stop"),
    };
    let desk = Desk::open(act.workspace.as_slice(), context, name)?;
    let propose = async |desk: &Desk| {
        let in_hand = desk.in_hand()?;
        let what = format!("pipeline {wanted}");
        let found = desk.find(&what, |client| pipeline_of(client, wanted.clone()).boxed()).await?;
        let pipeline = &found.object;
        let (kind_of, id, name) = (ObjectKind::Pipeline, pipeline.id.as_str(), pipeline.name.as_str());
        let facts = ObjectFacts { kind: kind_of, id, name, tags: &pipeline.tags };
        let planned = desk.planning(&found, kind, facts, act, &in_hand).await;
        let (plan, outlook) = match command {
            PipelineCommand::Start(flags) => {
                let order = Start { pipeline, validate_only: flags.validate, tables: flags.table.clone() };
                (pipeline::start(&planned.planning, &order), outlook::of_start(pipeline))
            }
            PipelineCommand::Stop(_) => (pipeline::stop(&planned.planning, pipeline), outlook::of_stop(pipeline)),
        };
        planned.proposes(plan, outlook)
    };
    block_on(desk.carry_out(propose, act, context))?
}
