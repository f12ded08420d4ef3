//! What the Operations screen remembers: which operations, which one the cursor holds on to, and whether it is read closely.

use super::prose;
use crate::app::browse::Browse;
use crate::app::model::Shared;
use crate::app::operations::Operation;
use crate::app::prose::Prose;
use crate::operations::plan::OperationId;

/// The Operations screen.
#[derive(Clone, Debug)]
pub struct State {
    /// The operations that fit, newest first, and the cursor.
    pub(super) list: Browse<OperationId>,
    /// Whether only what is not over is shown.
    pub(super) only_open: bool,
}

impl State {
    /// The screen with all operations; closely on one, if one is meant.
    pub fn new(shared: &Shared, operation: Option<OperationId>) -> Self {
        let mut state = Self { list: operation.map(Browse::on).unwrap_or_default(), only_open: false };
        state.arrange(shared);
        state
    }

    /// Reads one operation closely.
    pub fn show(&mut self, operation: OperationId, shared: &Shared) {
        self.list.show(operation);
        self.only_open = false;
        self.arrange(shared);
    }

    /// The operations that fit, and the cursor.
    pub fn list(&self) -> &Browse<OperationId> {
        &self.list
    }

    /// Whether only what is not over is shown.
    pub fn only_open(&self) -> bool {
        self.only_open
    }

    /// Whether one operation has the whole screen.
    pub fn is_zoomed(&self) -> bool {
        self.list.is_zoomed()
    }

    /// The operation under the cursor.
    pub fn operation<'s>(&self, shared: &'s Shared) -> Option<&'s Operation> {
        shared.operations.get(*self.list.row()?)
    }

    /// All that is known of the operation under the cursor.
    pub fn prose(&self, shared: &Shared) -> Vec<Prose> {
        self.operation(shared).map(|operation| prose::of(operation, shared)).unwrap_or_default()
    }

    /// Filters anew.
    pub(super) fn arrange(&mut self, shared: &Shared) {
        let wanted: Vec<String> = self.list.filter().split_whitespace().map(str::to_lowercase).collect();
        let fits = |operation: &&Operation| {
            (!self.only_open || !operation.record.is_over)
                && (wanted.is_empty() || {
                    let words = words(operation, shared);
                    wanted.iter().all(|word| words.contains(word))
                })
        };
        let rows = shared.operations.newest_first().filter(fits).map(|operation| operation.record.id).collect();
        self.list.arrange(rows);
    }
}

fn words(operation: &Operation, shared: &Shared) -> String {
    let id = operation.record.id;
    let phase = operation.phase(shared.now).map_or("unknown", |phase| phase.word());
    let owner = operation.record.owner.as_ref();
    let owner = owner.map(|owner| format!("{} {}", owner.who, owner.health.word())).unwrap_or_default();
    match operation.plan() {
        Some(plan) => {
            let subject = &plan.subject;
            let run = subject.run.map(|run| run.to_string()).unwrap_or_default();
            format!(
                "{id} {phase} {owner} {} {} {} {} {run} {}",
                plan.kind.words(),
                subject.workspace,
                subject.environment.label(),
                subject.name,
                plan.actor
            )
        }
        None => format!("{id} {phase} {owner}"),
    }
    .to_lowercase()
}
