//! What every subcommand that changes something has in common: the operator's desk, the question whether to go ahead, and
//! driving an operation to its end.

use std::sync::Arc;

use clap::Args;
use futures::future::BoxFuture;

use super::Context;
use super::confirm::{AtTerminal, Proposal, settled};
use super::failure::{Failure, Kind, chain};
use super::operation_page::{self, ShownOperation};
use super::output::Format;
use super::sweep::{chosen, seed};
use crate::config::{Config, environment};
use crate::databricks::{Client, Observer};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::credential::Role;
use crate::domain::ids::{JobId, PipelineId};
use crate::domain::inventory::{ObjectFacts, ObjectKind, Sla};
use crate::domain::proof::{Feature, Off, off};
use crate::domain::request::{Lane, RequestRecord};
use crate::domain::text;
use crate::operations::Planning;
use crate::operations::engine::{End, Request};
use crate::operations::journal::Actor;
use crate::operations::kind::Kind as Deed;
use crate::operations::outlook::Outlook;
use crate::operations::plan::{Object, OperationId, Plan};
use crate::operations::planning::{Access, InHand};
use crate::operations::refusal::Refusal;
use crate::runtime::authority::rights;
use crate::runtime::captain::{Fence, Fenced, needs_lease};
use crate::runtime::clock::SystemClock;
use crate::runtime::connect::{Link, connect};
use crate::runtime::courier::Courier;
use crate::runtime::doctor::in_use;
use crate::runtime::entropy::{Ids, SystemIds};
use crate::runtime::ledger::{NoLedger, Warehouse, in_background, open as open_ledger, outbox_rows};
use crate::runtime::operator::{
    self, CrashingJournal, Happened, Journal as _, Operator, Parts, Workspaces, World, no_rows,
};
use crate::{store, telemetry};

/// What every act is told.
#[derive(Args, Clone, Debug, Default)]
pub struct ActFlags {
    /// The workspace that it is in; without it all are asked.
    #[arg(long, value_name = "NAME")]
    pub workspace: Option<String>,
    /// Why; kept with the operation.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Go ahead without asking, where the act's tier allows it (0 to 2). Without a terminal nothing goes ahead otherwise.
    #[arg(long)]
    pub yes: bool,
    /// Unlock this one object for this one act, where policy makes its workspace read-only.
    #[arg(long)]
    pub unlock: bool,
    /// Make the plan and print it; change nothing.
    #[arg(long)]
    pub dry_run: bool,
}

/// The journal as the subcommands use it.
type DeskJournal = CrashingJournal;

/// The operator and what it leans on.
pub(super) struct Desk {
    pub(super) config: Config,
    /// Open as long as something is done.
    _log: Option<telemetry::Log>,
    pub(super) links: Vec<Link>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) operator: Operator<DeskJournal>,
    pub(super) courier: Courier<Warehouse>,
    /// Why the ledger cannot be used although one is configured.
    pub(super) no_ledger: Option<NoLedger>,
    pub(super) actor: Actor,
}

/// An object that was found, with what plans of it need.
pub(super) struct Found<'a, T> {
    pub(super) link: &'a Link,
    pub(super) client: Client,
    pub(super) object: T,
    /// When it began to be read, in local time: nothing that was read of it is newer.
    pub(super) observed_at: Instant,
}

/// What a proposal is made from.
pub(super) struct Planned<'a> {
    pub(super) planning: Planning<'a>,
    sla: Option<Sla>,
    /// The workspace's time.
    pub(super) world_now: Instant,
}

impl Planned<'_> {
    /// The proposal of what was planned, or all that forbids it.
    pub(super) fn proposes(self, plan: Result<Plan, Vec<Refusal>>, outlook: Outlook) -> Result<Proposal, Failure> {
        let plan = plan.map_err(|refusals| refused(&refusals))?;
        Ok(Proposal {
            plan,
            outlook: outlook.promising(self.sla.as_ref()),
            rights: Some(self.planning.rights),
            letter: self.planning.workspace.letter,
            approved_by: None,
            world_now: self.world_now,
        })
    }
}

impl Desk {
    /// Opens the journal, the ways to these workspaces (none is all) and to the ledger. Nothing is sent yet.
    pub(super) fn open(workspaces: &[String], context: &Context<'_>, command: &str) -> Result<Self, Failure> {
        let config = chosen(context, workspaces)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let ignored: Observer = Arc::new(|_: RequestRecord| {});
        // The ledger is reached through its own workspace, whichever the act is in.
        let mut reached = workspaces.to_vec();
        reached.extend(
            config.fleet.ledger.iter().filter(|_| !workspaces.is_empty()).map(|ledger| ledger.workspace.to_string()),
        );
        let whole = chosen(context, &reached)?;
        let mut links = connect(&whole, context.environment, &clock, &ignored, seed());
        let ledger = open_ledger(&whole, &links);
        let known = config.workspaces();
        links.retain(|link| known.iter().any(|known| known.workspace.name == link.workspace().name));
        let actor = environment::actor(context.environment);
        let mut ids = SystemIds::default();
        let session = ids.ulid(clock.now());
        let who = format!("{actor}, lakeshift {command}");
        let mut journal =
            store::Journal::open(&config.paths.state_dir, session, &who).map_err(|error| of_store(&error))?;
        journal.forget_delivered(clock.now()).map_err(|error| of_store(&error))?;
        let (courier, no_ledger) = match ledger {
            Ok(ledger) => (Courier::new(ledger, clock.clone(), session), None),
            Err(NoLedger::NotConfigured) => (Courier::none(), None),
            Err(error) => (Courier::none(), Some(error)),
        };
        let world: Arc<dyn World> = Arc::new(Workspaces::of(&links));
        let operator = Operator::new(Parts {
            journal: CrashingJournal::new(journal, context.environment),
            world: Arc::new(Fenced { world, fence: courier.fence().unwrap_or_else(|| Fence::shut(clock.clone())) }),
            clock: clock.clone(),
            ids: Box::new(ids),
            actor: Actor(actor.clone()),
            // Without a ledger there is nobody to tell.
            rows: if config.fleet.ledger.is_some() { outbox_rows() } else { no_rows() },
        });
        let (_log, actor) = (super::log(&config), Actor(actor));
        let mut desk = Self { _log, config, links, clock, operator, courier, no_ledger, actor };
        // What sealing stands on must not have failed.
        let may_seal = desk.off().iter().all(|off| off.feature != Feature::Leases);
        if let Some(ledger) = desk.courier.ledger().filter(|_| may_seal).map(in_background) {
            desk.courier.enable_sealing(ledger);
        }
        Ok(desk)
    }

    pub(super) fn journal(&self) -> &store::Journal {
        self.operator.journal().store()
    }

    /// What is off because a proof failed. Where the proofs cannot be read nothing is: the journal's next use tells.
    pub(super) fn off(&self) -> Vec<Off> {
        let proofs = self.journal().proofs().unwrap_or_default();
        off(&in_use(&self.config), &proofs, self.clock.now(), &self.config.fleet_hash)
    }

    /// Asks every workspace for an object and gives the one that has it.
    pub(super) async fn find<'a, T>(
        &'a self,
        what: &str,
        ask: impl Fn(Client) -> BoxFuture<'a, Result<Option<T>, Failure>>,
    ) -> Result<Found<'a, T>, Failure> {
        let observed_at = self.clock.now();
        let asked = self.links.iter().map(|link| {
            let client = link.client(Role::Operator).map(|client| client.in_lane(Lane::Act));
            let asked = client.clone().map(&ask);
            async move {
                match (client, asked) {
                    (Ok(client), Ok(asked)) => {
                        Ok(asked.await?.map(|object| Found { link, client, object, observed_at }))
                    }
                    (Err(error), _) | (_, Err(error)) => {
                        Err(Failure::new(Kind::Auth, format!("{}: {error}", link.workspace().name)))
                    }
                }
            }
        });
        let (mut found, mut failed) = (Vec::new(), Vec::new());
        for answer in futures::future::join_all(asked).await {
            match answer {
                Ok(answer) => found.extend(answer),
                Err(failure) => failed.push(failure),
            }
        }
        let names = |links: &mut dyn Iterator<Item = &Link>| {
            links.map(|link| link.workspace().name.to_string()).collect::<Vec<_>>().join(", ")
        };
        // Where one of several workspaces cannot be asked, it may hold a second one of the same name or id.
        if let Some(failure) = failed.into_iter().next() {
            return Err(failure.hint("Say which workspace with --workspace; then the others need not be asked."));
        }
        if found.len() > 1 {
            let names = names(&mut found.iter().map(|found| found.link));
            return Err(Failure::new(Kind::User, format!("there is {what} in each of {names}"))
                .hint("Say which with --workspace."));
        }
        let names = names(&mut self.links.iter());
        found.pop().ok_or_else(|| Failure::new(Kind::User, format!("there is no {what} in {names}")))
    }

    /// What an act on an object is planned with: who it is, what may be done there, and whether the credential may do it.
    pub(super) async fn planning<'a, T>(
        &self,
        found: &'a Found<'_, T>,
        kind: Deed,
        object: ObjectFacts<'_>,
        flags: &ActFlags,
        in_hand: &'a [InHand],
    ) -> Planned<'a> {
        let link = found.link;
        let subject = match object.kind {
            ObjectKind::Job => Object::Job(JobId(object.id.parse().unwrap_or_default())),
            ObjectKind::Pipeline => Object::Pipeline(PipelineId::new(object.id)),
        };
        let rights = rights(&found.client, kind, &subject).await;
        let known = self.config.inventory().classify(link.workspace(), object);
        let now = self.clock.now();
        let access = match (self.config.personal.read_only, link.configured.read_only) {
            (true, _) => Access::ReadOnly,
            // A plan that is only shown changes nothing.
            (false, true) if !flags.unlock && !flags.dry_run => Access::Locked,
            (false, _) => Access::Open,
        };
        let planning = Planning {
            id: OperationId(SystemIds::default().ulid(now)),
            actor: self.actor.clone(),
            reason: flags.reason.clone(),
            fleet_hash: self.config.fleet_hash.clone(),
            now,
            observed_at: found.observed_at,
            workspace: link.workspace(),
            product: known.product,
            access,
            has_ledger: self.config.fleet.ledger.is_some(),
            off: self.off(),
            rights,
            in_hand,
            late_bound_s: u32::try_from(self.config.fleet.operations.late_bound.0).unwrap_or(u32::MAX),
        };
        Planned { planning, sla: known.sla, world_now: found.client.world_now() }
    }

    /// A plan that was made before, as it is put to a person.
    pub(super) fn proposal_of(&self, plan: &Plan) -> Proposal {
        let link = self.links.iter().find(|link| link.workspace().name == plan.subject.workspace);
        Proposal {
            plan: plan.clone(),
            outlook: Outlook::default(),
            rights: None,
            letter: link.map_or('y', |link| link.workspace().letter),
            approved_by: None,
            world_now: self.clock.now(),
        }
    }

    /// What is not over here.
    pub(super) fn in_hand(&self) -> Result<Vec<InHand>, Failure> {
        self.journal().in_hand().map_err(|error| of_store(&error))
    }

    /// Makes a proposal, lets it go ahead by its tier's interlock, and carries it out.
    pub(super) async fn carry_out(
        mut self,
        propose: impl AsyncFn(&Self) -> Result<Proposal, Failure>,
        flags: &ActFlags,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let proposal = propose(&self).await?;
        if flags.dry_run {
            let shown = ShownOperation::of_plan(&proposal.plan, self.clock.now());
            return match context.output.format {
                Format::Text => {
                    proposal.print(context.output.out)?;
                    let is_locked =
                        |link: &Link| proposal.plan.subject.is_in(link.workspace()) && link.configured.read_only;
                    if !flags.unlock && self.links.iter().any(is_locked) {
                        writeln!(context.output.out, "Policy makes its workspace read-only: to do it, add --unlock.")?;
                    }
                    Ok(())
                }
                Format::Json | Format::Ndjson => context.output.document(&shown),
            };
        }
        if needs_lease(&proposal.plan) && self.courier.ledger().is_none() {
            return Err(self.without_ledger("the ledger must have it first"));
        }
        let mut person = AtTerminal { clock: self.clock.clone() };
        let again = async || propose(&self).await;
        let (plan, how) = settled(proposal, again, flags.yes, &mut person, self.clock.as_ref()).await?;
        let operation = plan.id;
        let entries = self.operator.begin(plan, Some(&how)).map_err(|error| of_operator(&error))?;
        self.drive(operation, vec![Happened::Recorded(entries)], context).await
    }

    /// Drives an operation in hand until it is over or waits for a person, and tells of it.
    pub(super) async fn drive(
        &mut self,
        operation: OperationId,
        mut happened: Vec<Happened>,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let mut stops = Box::pin(stop_asked());
        let (mut lost, mut told) = (None, None);
        let mut stopping = false;
        loop {
            for event in happened.drain(..) {
                if let Happened::Lost { why, .. } = &event {
                    lost = Some(why.clone());
                }
                self.tell(&event, context)?;
            }
            let Some(view) = self.operator.view(operation) else { break };
            if view.state.is_over() || (view.state.is_held() && !self.operator.is_acting(operation)) {
                break;
            }
            let trouble = self.courier.delivery().and_then(|state| state.trouble.clone());
            if needs_lease(view.plan) && trouble != told {
                told.clone_from(&trouble);
                if let Some(why) = trouble {
                    self.tell(&Happened::Trouble { operation, why }, context)?;
                }
            }
            let now = self.clock.now();
            self.courier.start(&self.operator, now);
            happened = tokio::select! {
                biased;
                came = self.courier.next(now) => self.courier.take(came, &mut self.operator, self.clock.now()),
                () = &mut stops, if !stopping => {
                    stopping = true;
                    // What was asked is asked: its answer is waited for, then somebody else may go on.
                    self.operator.ask(operation, Request::Pause).map_err(|error| of_operator(&error))?
                }
                happened = self.operator.step() => happened,
            };
        }
        if let Err(error) = self.operator.release(operation) {
            tracing::warn!(%error, "the operation could not be let go");
        }
        self.farewell().await;
        if let Some(why) = lost {
            return Err(Failure::new(Kind::Stuck, why)
                .hint(format!("`lakeshift operations show {operation}` tells where it stands.")));
        }
        self.finish(operation, context)
    }

    fn tell(&self, event: &Happened, context: &mut Context<'_>) -> Result<(), Failure> {
        if context.output.format != Format::Text {
            return Ok(());
        }
        let zone = self.config.personal.time_zone.0;
        match event {
            Happened::Recorded(entries) => {
                for entry in entries {
                    writeln!(context.output.out, "{}", operation_page::line(entry, zone))?;
                }
            }
            Happened::Trouble { why, .. } => writeln!(context.output.out, "  (not now: {})", text::line(why))?,
            Happened::Lost { why, .. } => writeln!(context.output.out, "  (let go: {})", text::line(why))?,
        }
        context.output.out.flush()?;
        Ok(())
    }

    /// Tells how it stands, and turns that into an exit code.
    fn finish(&self, operation: OperationId, context: &mut Context<'_>) -> Result<(), Failure> {
        let now = self.clock.now();
        let record = self.journal().record(operation, now).map_err(|error| of_store(&error))?;
        let record = record.ok_or_else(|| Failure::new(Kind::Internal, "the operation is gone from the journal"))?;
        let acknowledged = self.journal().acknowledged(operation).map_err(|error| of_store(&error))?;
        let shown = ShownOperation::of(&record, acknowledged, now);
        match context.output.format {
            Format::Text => writeln!(context.output.out, "{} {}", shown.operation_id, shown.phase.replace('_', " "))?,
            Format::Json | Format::Ndjson => context.output.document(&shown)?,
        }
        let state = record.plan.known().map(|plan| crate::operations::engine::fold(plan, &record.journal));
        match state.and_then(|state| state.end) {
            Some(End::Completed | End::Aborted) => Ok(()),
            Some(End::Failed { why }) => Err(Failure::new(Kind::Remote, text::line(&why))),
            None => {
                let why = shown.why.unwrap_or_else(|| format!("it is {}", shown.phase));
                let failure = Failure::new(Kind::Stuck, format!("operation {operation} waits: {}", text::line(&why)));
                let failure = shown.runbook.iter().fold(failure, |failure, line| failure.hint(text::line(line)));
                Err(failure.hint(format!("`lakeshift operations resume {operation}` lets it go on.")))
            }
        }
    }
}

/// All refusals as one failure.
pub(super) fn refused(refusals: &[Refusal]) -> Failure {
    let lines: Vec<String> = refusals.iter().map(|refusal| text::line(&refusal.to_string())).collect();
    let mut failure = Failure::new(Kind::Refused, lines.join("\n"));
    for refusal in refusals {
        failure = match refusal {
            Refusal::ReadOnly { unlockable: true, .. } => {
                failure.hint("Add --unlock to unlock this object for this act.")
            }
            Refusal::NoReason => failure.hint("Say why with --reason; it is kept with the operation."),
            Refusal::InHand { operation, .. } => {
                failure.hint(format!("`lakeshift operations show {operation}` tells where it stands."))
            }
            other => other.hint().into_iter().fold(failure, Failure::hint),
        };
    }
    failure
}

pub(super) fn of_store(error: &store::Error) -> Failure {
    let kind = match error {
        store::Error::Held { .. } | store::Error::Collides { .. } | store::Error::NotOwner { .. } => Kind::Refused,
        _ => Kind::User,
    };
    let failure = Failure::new(kind, chain(error));
    match error {
        store::Error::Held { .. } => failure.hint("Ask them, or wait: an owner that gives no sign can be replaced."),
        store::Error::Collides { operation, .. } => {
            failure.hint(format!("`lakeshift operations show {operation}` tells where it stands."))
        }
        _ => failure,
    }
}

pub(super) fn of_operator(error: &operator::Error) -> Failure {
    match error {
        operator::Error::Store(error) => of_store(error),
        operator::Error::Missing(_) | operator::Error::Over(_) | operator::Error::NotInHand(_) => {
            Failure::new(Kind::User, error.to_string()).hint("`lakeshift operations list` lists them.")
        }
        operator::Error::OutOfReach(_) => Failure::new(Kind::Config, error.to_string()),
        operator::Error::Foreign { .. } | operator::Error::Altered(_) => Failure::new(Kind::Refused, error.to_string()),
    }
}

/// Waits until somebody asks the process to end. It is listened from the first call on.
#[cfg(unix)]
pub(super) fn stop_asked() -> impl Future<Output = ()> {
    use tokio::signal::unix::{Signal, SignalKind, signal};
    async fn arrived(signal: Option<Signal>) {
        match signal {
            Some(mut signal) => drop(signal.recv().await),
            None => std::future::pending().await,
        }
    }
    let listen = |kind| arrived(signal(kind).ok());
    let (interrupt, terminate, hang_up) =
        (listen(SignalKind::interrupt()), listen(SignalKind::terminate()), listen(SignalKind::hangup()));
    async move {
        tokio::select! {
            () = interrupt => {}
            () = terminate => {}
            () = hang_up => {}
        }
    }
}

/// Waits until somebody asks the process to end.
#[cfg(not(unix))]
pub(super) async fn stop_asked() {
    let _ = tokio::signal::ctrl_c().await;
}
