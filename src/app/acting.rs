//! How the core takes acts: from a wish on a screen through the dialog to an order, and what comes back.

use crate::app::act::{Answer, Order, Steer, Wish};
use crate::app::command::{Motion, SheetAction};
use crate::app::effect::Effect;
use crate::app::list::moved;
use crate::app::message::Feed;
use crate::app::modal::Modal;
use crate::app::model::Model;
use crate::app::operations::{OperationsSnapshot, OwnerHealth};
use crate::app::sheet::{About, Follows, Sheet, Stage};
use crate::app::sheet_text;
use crate::domain::danger::Danger;
use crate::domain::fleet::{Object, ObjectId};
use crate::domain::text;
use crate::keymap::Key;
use crate::operations::engine::Phase;
use crate::operations::plan::{self, OperationId};
use crate::screens::{Screen, Target};

impl Model {
    /// Opens the dialog of an act and asks the runtime to plan it.
    pub(super) fn wish(&mut self, object: &ObjectId, wish: Wish) -> Vec<Effect> {
        let Some(about) = self.about(object) else {
            self.tell("nothing is known of its workspace yet".to_owned());
            return Vec::new();
        };
        self.modals.push(Modal::Sheet(Box::new(Sheet::act(about, wish))));
        self.ask()
    }

    /// Opens the dialog that says why something is not done from here.
    pub(super) fn never(&mut self, object: &ObjectId, verb: &'static str, danger: Danger, why: String) {
        if let Some(about) = self.about(object) {
            self.modals.push(Modal::Sheet(Box::new(Sheet::never(about, verb, danger, why))));
        }
    }

    /// Opens the dialog of another course for an operation.
    pub(super) fn steer(&mut self, operation: OperationId, steer: Steer) {
        let Some(known) = self.shared.operations.get(operation).cloned() else { return };
        let Some(plan) = known.plan().cloned() else {
            return self
                .tell("its plan is of another version of lakeshift: it can be looked at, not steered".to_owned());
        };
        let object = ObjectId { workspace: plan.subject.workspace.clone(), object: object_of(&plan.subject.object) };
        let Some(about) = self.about(&object) else {
            return self.tell("its workspace is not in the configuration".to_owned());
        };
        let about = About { name: text::line(&plan.subject.name), ..about };
        let owner = known.record.owner.as_ref();
        let takes_over = owner.is_some_and(|owner| owner.health == OwnerHealth::Elsewhere);
        let sheet = Sheet::steer(about, &plan, steer, takes_over);
        self.modals.push(Modal::Sheet(Box::new(sheet)));
    }

    /// What a dialog says about an object: fixed from now on.
    fn about(&self, object: &ObjectId) -> Option<About> {
        let workspace = &self.shared.fleet.workspace(&object.workspace)?.snapshot.workspace;
        let row = self.shared.fleet.row(object);
        Some(About {
            object: object.clone(),
            name: row.map_or_else(|| text::line(&object.object.to_string()), |row| row.name.clone()),
            environment: workspace.environment,
            letter: workspace.letter,
            host: workspace.host.clone(),
            usual_ms: row.and_then(|row| row.timing.usual_ms),
        })
    }

    fn sheet(&self) -> Option<&Sheet> {
        match self.modals.last() {
            Some(Modal::Sheet(sheet)) => Some(sheet),
            _ => None,
        }
    }

    fn sheet_mut(&mut self) -> Option<&mut Sheet> {
        match self.modals.last_mut() {
            Some(Modal::Sheet(sheet)) => Some(sheet),
            _ => None,
        }
    }

    /// Asks the runtime to plan what the dialog on top wants.
    fn ask(&mut self) -> Vec<Effect> {
        let number = self.asks + 1;
        self.asks = number;
        let Some(Modal::Sheet(sheet)) = self.modals.last_mut() else { return Vec::new() };
        let unlocked = sheet.kind().is_some_and(|kind| self.shared.unlocked_until(&sheet.about.object, kind).is_some());
        let asked = sheet.ask(number, unlocked);
        asked.map(|ask| Effect::Act(Order::Prepare(ask))).into_iter().collect()
    }

    fn follow(&mut self, follows: Follows) -> Vec<Effect> {
        match follows {
            Follows::Nothing => Vec::new(),
            Follows::AskAgain => self.ask(),
            Follows::Unlock => {
                self.unlock();
                self.ask()
            }
            Follows::Order(order) => vec![Effect::Act(self.with_unlock(order))],
        }
    }

    /// Lifts the lock from one object for one verb, for a while.
    fn unlock(&mut self) {
        let now = self.shared.now;
        let Some(sheet) = self.sheet() else { return };
        let (Some(kind), ObjectId { workspace, object }) = (sheet.kind(), sheet.about.object.clone()) else { return };
        let object = match object {
            Object::Job(job) => plan::Object::Job(job),
            Object::Pipeline(pipeline) => plan::Object::Pipeline(pipeline),
        };
        self.shared.unlocks.open(workspace, object, kind, now);
    }

    /// That it was unlocked belongs to how it was confirmed.
    fn with_unlock(&self, order: Order) -> Order {
        let Order::Begin { plan, how } = order else { return order };
        let object = ObjectId { workspace: plan.subject.workspace.clone(), object: object_of(&plan.subject.object) };
        let how = match self.shared.unlocked_until(&object, plan.kind) {
            Some(until) => format!("{how}, unlocked until {}", until.format("%H:%M:%SZ")),
            None => how,
        };
        Order::Begin { plan, how }
    }

    /// Does what a key of the dialog says.
    pub(super) fn on_sheet(&mut self, action: SheetAction) -> Vec<Effect> {
        let (held, now, page) = (self.is_held, self.shared.now, self.shared.page_rows());
        let cursor = match self.screen() {
            Screen::Run(state) => state.task().map(|task| task.key.clone()),
            _ => None,
        };
        let Some(sheet) = self.sheet_mut() else { return Vec::new() };
        match action {
            SheetAction::Confirm => {
                let follows = sheet.confirm(held, now);
                return self.follow(follows);
            }
            SheetAction::Leave => drop(self.close()),
            SheetAction::Unlock => sheet.unlock(),
            SheetAction::Parameters => sheet.edit_parameters(),
            SheetAction::Reason => sheet.edit_reason(),
            SheetAction::Scope => {
                if sheet.next_scope(cursor.as_deref()) {
                    return self.ask();
                }
            }
            SheetAction::Again => {
                let again = matches!(sheet.stage, Stage::Failed(_) | Stage::Refused(_) | Stage::Ready(_));
                if again && sheet.kind().is_some() {
                    return self.ask();
                }
            }
            SheetAction::Follow => {
                if let Stage::Begun { operation, .. } = sheet.stage {
                    self.close();
                    self.show_operation(operation);
                }
            }
            SheetAction::Scroll(motion) => {
                let at = sheet.scroll;
                let furthest = self.sheet().map_or(0, |sheet| sheet_text::reach(sheet, &self.shared));
                if let Some(sheet) = self.sheet_mut() {
                    sheet.scroll = moved(at, furthest + 1, motion, page);
                }
            }
        }
        Vec::new()
    }

    /// Goes to an operation: on the screen of operations if it is open, else on a new one.
    fn show_operation(&mut self, operation: OperationId) {
        let open = self.screens.iter().position(|screen| matches!(screen, Screen::Operations(_)));
        let Some(open) = open else { return self.open(&Target::Operation(operation)) };
        self.screens.truncate(open + 1);
        if let Some(Screen::Operations(state)) = self.screens.last_mut() {
            state.show(operation, &self.shared);
        }
    }

    /// A key without a command, while the dialog of an act is on top.
    pub(super) fn typed_on_sheet(&mut self, key: Key) -> Vec<Effect> {
        let (held, now) = (self.is_held, self.shared.now);
        let Some(sheet) = self.sheet_mut() else { return Vec::new() };
        let follows = sheet.pressed(key, held, now);
        self.follow(follows)
    }

    /// Enter in a field of the dialog on top: the field is taken, never the act.
    pub(super) fn take_field(&mut self) -> Vec<Effect> {
        let Some(sheet) = self.sheet_mut() else { return Vec::new() };
        let follows = sheet.take_field();
        self.follow(follows)
    }

    /// Esc where text is typed: the field is left, or the dialog if it is no field.
    pub(super) fn leave_field(&mut self) {
        let Some(sheet) = self.sheet_mut() else { return };
        if !sheet.leave_field() {
            self.close();
        }
    }

    /// Up and down where text is typed.
    pub(super) fn move_on_sheet(&mut self, motion: Motion) {
        if let Some(sheet) = self.sheet_mut() {
            sheet.next_field(!matches!(motion, Motion::Up | Motion::PageUp));
        }
    }

    /// The runtime's answer finds its dialog by number.
    pub(super) fn answered(&mut self, number: u64, answer: Answer) -> bool {
        let found = self.modals.iter_mut().find_map(|modal| match modal {
            Modal::Sheet(sheet) if sheet.number == number => Some(sheet),
            _ => None,
        });
        let is_known = found.is_some();
        if let Some(sheet) = found {
            sheet.answered(number, answer);
        }
        is_known
    }

    /// An order came to nothing.
    pub(super) fn order_failed(&mut self, operation: OperationId, why: &str) {
        let why = text::line(why);
        let mut shown = false;
        for modal in &mut self.modals {
            if let Modal::Sheet(sheet) = modal
                && matches!(sheet.stage, Stage::Begun { operation: begun, .. } if begun == operation)
            {
                sheet.failed(operation, &why);
                shown = true;
            }
        }
        if !shown {
            self.tell(why);
        }
    }

    /// The dialog on top was seen.
    pub(super) fn drawn(&mut self) {
        let now = self.shared.now;
        if let Some(sheet) = self.sheet_mut() {
            sheet.drawn(now);
        }
    }

    /// Operations went on: what they are about is looked at at once, so that its row turns.
    pub(super) fn operations_advanced(&mut self, snapshot: &OperationsSnapshot) -> Vec<Effect> {
        let moved = self.shared.operations.observe(snapshot);
        let mut effects = Vec::new();
        for id in moved {
            let now = self.shared.now;
            let Some(operation) = self.shared.operations.get(id) else { continue };
            let Some(plan) = operation.plan() else { continue };
            let fleet = Effect::Refresh(Feed::Fleet(plan.subject.workspace.clone()));
            if !effects.contains(&fleet) {
                effects.push(fleet);
            }
            let words = match operation.phase(now) {
                Some(Phase::Completed) => "verified",
                Some(Phase::Aborted) => "taken back",
                Some(Phase::Failed) => "failed",
                _ => continue,
            };
            let told = format!("{} {}: {words}", plan.kind.words(), text::line(&plan.subject.name));
            let is_shown = self.modals.iter().any(|modal| {
                matches!(modal, Modal::Sheet(sheet)
                    if matches!(sheet.stage, Stage::Begun { operation, .. } if operation == id))
            });
            if !is_shown {
                self.tell(told);
            }
        }
        if !effects.is_empty() {
            effects.extend(self.watched.iter().cloned().map(Effect::Refresh));
        }
        self.settle();
        effects
    }
}

/// The same object, as rows name it.
pub(super) fn object_of(object: &plan::Object) -> Object {
    match object {
        plan::Object::Job(job) => Object::Job(*job),
        plan::Object::Pipeline(pipeline) => Object::Pipeline(pipeline.clone()),
    }
}

#[cfg(test)]
mod tests;
