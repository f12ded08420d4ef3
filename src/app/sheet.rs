//! The dialog of an act: what it says at each stage, and which key does what there.
//!
//! It opens frozen on ids, asks the runtime to read and plan, shows the plan, and lets a person confirm it through the
//! [`Interlock`] of its tier. After that it shows *requested*, *done* and *verified* as three words. Leaving it never stops
//! anything.

use crate::app::act::{Answer, Ask, Declined, Order, Preview, Steer, Wish};
use crate::app::interlock::{Interlock, Turn};
use crate::app::text_input::TextInput;
use crate::domain::Instant;
use crate::domain::danger::{Danger, Interlock as Lane};
use crate::domain::fleet::ObjectId;
use crate::domain::workspace::Environment;
use crate::keymap::Key;
use crate::operations::kind::Kind;
use crate::operations::plan::{OperationId, Plan};
use crate::operations::planning::outdated;
use crate::operations::refusal::Refusal;

/// What a dialog is about: fixed when it opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The object.
    pub object: ObjectId,
    /// Its name, harmless to show.
    pub name: String,
    /// What its workspace is for.
    pub environment: Environment,
    /// The key that confirms in this workspace.
    pub letter: char,
    /// Where the workspace is.
    pub host: String,
    /// How long it usually takes, in milliseconds.
    pub usual_ms: Option<u64>,
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Matter {
    /// Something new.
    Act(Wish),
    /// Another course for an operation.
    Steer {
        /// Which one.
        operation: OperationId,
        /// What it does, in a few words. From outside.
        what: String,
        /// How dangerous the operation is.
        danger: Danger,
        /// How.
        steer: Steer,
        /// Whether it is taken over from another home.
        takes_over: bool,
    },
    /// Something that is not done from here, whoever asks.
    Never {
        /// The verb.
        verb: &'static str,
        /// How dangerous it would be.
        danger: Danger,
    },
}

/// How far it has come.
#[derive(Clone, Debug)]
pub enum Stage {
    /// What it is about is being read.
    Asking,
    /// It may be confirmed.
    Ready(Box<Preview>),
    /// Another course may be confirmed.
    Steering,
    /// Something forbids it.
    Refused(Declined),
    /// The person is asked to unlock the object for this verb.
    Unlocking(Declined),
    /// It cannot be: what could not be read, or what went wrong.
    Failed(String),
    /// The operation was ordered; it is followed by its id.
    Begun {
        /// Which one.
        operation: OperationId,
        /// Whether it is only another course for it.
        steered: Option<Steer>,
    },
}

/// A field that is open within the dialog.
#[derive(Clone, Debug)]
pub enum Field {
    /// Why it is done.
    Reason(Box<TextInput>),
    /// A job's parameters: name, default, value.
    Parameters {
        /// One a parameter.
        values: Vec<(String, String, TextInput)>,
        /// Which has the keys.
        at: usize,
    },
}

/// The dialog.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What it is about.
    pub about: About,
    /// What is wanted.
    pub matter: Matter,
    /// How far it has come.
    pub stage: Stage,
    /// Why, in the person's words; empty if not said.
    pub reason: String,
    /// The open field.
    pub field: Option<Field>,
    /// Its first row that is seen, where it is longer than the screen.
    pub scroll: usize,
    /// The newest ask.
    pub number: u64,
    /// What became of a plan that was confirmed when it was too old.
    pub reread: Option<Reread>,
    lock: Interlock,
}

/// A plan that was confirmed when what it was made on was too old: the target is read again, and the person asked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reread {
    /// How old it was, in seconds.
    pub age_s: u64,
    /// That plan.
    pub before: Box<Plan>,
}

/// What follows from a key in the dialog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Nothing.
    Nothing,
    /// Ask the runtime again.
    AskAgain,
    /// The object is to be unlocked for this verb; then ask again.
    Unlock,
    /// Give this order.
    Order(Order),
}

impl Sheet {
    /// A dialog about something new, which is to be asked for.
    pub fn act(about: About, wish: Wish) -> Self {
        let lane = wish.kind().danger().interlock();
        Self::new(about, Matter::Act(wish), Stage::Asking, lane)
    }

    /// A dialog about another course for an operation.
    pub fn steer(about: About, plan: &Plan, steer: Steer, takes_over: bool) -> Self {
        let (operation, what, danger) = (plan.id, plan.sentence(), plan.tier);
        let matter = Matter::Steer { operation, what, danger, steer, takes_over };
        Self::new(about, matter, Stage::Steering, danger.interlock())
    }

    /// A dialog that says why something is not done from here at all.
    pub fn never(about: About, verb: &'static str, danger: Danger, why: String) -> Self {
        Self::new(about, Matter::Never { verb, danger }, Stage::Failed(why), Lane::Free)
    }

    fn new(about: About, matter: Matter, stage: Stage, lane: Lane) -> Self {
        let lock = Interlock::new(lane, about.letter, &about.name);
        Self { about, matter, stage, reason: String::new(), field: None, scroll: 0, number: 0, reread: None, lock }
    }

    /// The verb, as a person says it.
    pub fn verb(&self) -> String {
        match &self.matter {
            Matter::Act(wish) => wish.kind().words().to_owned(),
            Matter::Steer { steer, .. } => format!("{} operation", steer.words()),
            Matter::Never { verb, .. } => (*verb).to_owned(),
        }
    }

    /// The kind of operation that is wanted, if it is a new one.
    pub fn kind(&self) -> Option<Kind> {
        match &self.matter {
            Matter::Act(wish) => Some(wish.kind()),
            Matter::Steer { .. } | Matter::Never { .. } => None,
        }
    }

    /// How dangerous it is.
    pub fn danger(&self) -> Danger {
        match (&self.stage, &self.matter) {
            (Stage::Ready(preview), _) => preview.plan.tier,
            (_, Matter::Act(wish)) => wish.kind().danger(),
            (_, Matter::Steer { danger, .. } | Matter::Never { danger, .. }) => *danger,
        }
    }

    /// The lane that is to be gone through now.
    pub fn lock(&self) -> &Interlock {
        &self.lock
    }

    /// Whether a key would confirm something at this stage.
    pub fn can_confirm(&self) -> bool {
        match &self.stage {
            Stage::Ready(preview) => !wants_approval(preview),
            Stage::Steering => !self.wants_reason(),
            Stage::Unlocking(_) => true,
            Stage::Asking | Stage::Refused(_) | Stage::Failed(_) | Stage::Begun { .. } => false,
        }
    }

    /// Whether the person must say why before they may confirm.
    pub fn wants_reason(&self) -> bool {
        match &self.matter {
            Matter::Steer { steer, takes_over, .. } if *steer == Steer::Close || *takes_over => {
                self.reason.trim().is_empty()
            }
            Matter::Steer { .. } | Matter::Act(_) | Matter::Never { .. } => false,
        }
    }

    /// Whether the object's name is being typed.
    pub fn types_name(&self) -> bool {
        self.can_confirm() && self.lock.wants_name()
    }

    /// Whether it still waits to be drawn before a key counts.
    pub fn awaits_drawing(&self) -> bool {
        self.can_confirm() && self.field.is_none() && self.lock.awaits_drawing()
    }

    /// What it shows was drawn.
    pub fn drawn(&mut self, now: Instant) {
        if self.awaits_drawing() {
            self.lock.drawn(now);
        }
    }

    /// When a key begins to count, if that is still to come.
    pub fn arms_at(&self, now: Instant) -> Option<Instant> {
        self.lock.armed_at().filter(|at| self.can_confirm() && *at > now)
    }

    /// Whether a key counts now.
    pub fn is_armed(&self, now: Instant) -> bool {
        self.can_confirm() && self.field.is_none() && self.lock.is_armed(now)
    }

    /// The ask that goes with the present wish; none where nothing is asked for.
    pub fn ask(&mut self, number: u64, unlocked: bool) -> Option<Ask> {
        let Matter::Act(wish) = &self.matter else { return None };
        self.number = number;
        // Another question than the same one again makes what changed since no news.
        let again = |before: &Plan| matches!(&self.stage, Stage::Ready(preview) if preview.plan == *before);
        self.reread = self.reread.take().filter(|reread| again(&reread.before));
        let reason = self.reason.trim();
        let ask = Ask {
            number,
            object: self.about.object.clone(),
            wish: wish.clone(),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            unlocked,
        };
        self.go(Stage::Asking, wish.kind().danger().interlock());
        Some(ask)
    }

    /// Takes the runtime's answer.
    pub fn answered(&mut self, number: u64, answer: Answer) {
        if number != self.number || !matches!(self.stage, Stage::Asking) {
            return;
        }
        match answer {
            Answer::Ready(preview) => {
                let lane = preview.plan.tier.interlock();
                self.go(Stage::Ready(preview), lane);
            }
            Answer::Refused(declined) => self.go(Stage::Refused(declined), Lane::Free),
            Answer::Unread(why) => self.go(Stage::Failed(why), Lane::Free),
        }
    }

    /// An order could not be followed.
    pub fn failed(&mut self, operation: OperationId, why: &str) {
        if matches!(self.stage, Stage::Begun { operation: begun, .. } if begun == operation) {
            self.go(Stage::Failed(why.to_owned()), Lane::Free);
        }
    }

    /// The person pressed the key that confirms.
    pub fn confirm(&mut self, held: bool, now: Instant) -> Follows {
        if self.field.is_some() || !self.can_confirm() {
            return Follows::Nothing;
        }
        let turn = self.lock.confirm_pressed(held, now);
        self.turned(turn, "y", now)
    }

    /// The person pressed a key that calls no command.
    pub fn pressed(&mut self, key: Key, held: bool, now: Instant) -> Follows {
        if self.field.is_some() {
            self.edit(key);
            return Follows::Nothing;
        }
        if !self.can_confirm() {
            return Follows::Nothing;
        }
        let turn = self.lock.pressed(key, held, now);
        let how = key.to_string();
        self.turned(turn, &how, now)
    }

    fn turned(&mut self, turn: Turn, how: &str, now: Instant) -> Follows {
        match turn {
            Turn::Ignored => Follows::Nothing,
            Turn::Changed => {
                self.lock.disarm();
                Follows::Nothing
            }
            Turn::Confirmed => self.confirmed(how, now),
        }
    }

    fn confirmed(&mut self, how: &str, now: Instant) -> Follows {
        match (&self.stage, &self.matter) {
            (Stage::Ready(preview), _) => {
                if let Some(Refusal::Stale { age_s, .. }) = outdated(&preview.plan, now) {
                    self.reread = Some(Reread { age_s, before: Box::new(preview.plan.clone()) });
                    return Follows::AskAgain;
                }
                let (plan, how) = (Box::new(preview.plan.clone()), format!("confirmed with {how} in the console"));
                let operation = plan.id;
                self.go(Stage::Begun { operation, steered: None }, Lane::Free);
                Follows::Order(Order::Begin { plan, how })
            }
            (Stage::Steering, Matter::Steer { operation, steer, .. }) => {
                let (operation, steer) = (*operation, *steer);
                let reason = self.reason.trim();
                let reason = (!reason.is_empty()).then(|| reason.to_owned());
                self.go(Stage::Begun { operation, steered: Some(steer) }, Lane::Free);
                Follows::Order(Order::Steer { operation, steer, reason })
            }
            (Stage::Unlocking(_), _) => Follows::Unlock,
            _ => Follows::Nothing,
        }
    }

    /// The person wants the lock lifted.
    pub fn unlock(&mut self) {
        if let Stage::Refused(declined) = &self.stage
            && declined.is_only_locked()
        {
            let declined = declined.clone();
            self.go(Stage::Unlocking(declined), Lane::Letter);
        }
    }

    /// Whether the lock may be lifted here.
    pub fn is_unlockable(&self) -> bool {
        matches!(&self.stage, Stage::Refused(declined) if declined.is_only_locked())
    }

    /// Whether there is something to be chosen about it.
    pub fn has_parameters(&self) -> bool {
        matches!(&self.stage, Stage::Ready(preview) if !preview.parameters.is_empty())
    }

    /// Opens the field of the job's parameters.
    pub fn edit_parameters(&mut self) {
        let (Stage::Ready(preview), Matter::Act(Wish::RunNow { parameters, .. })) = (&self.stage, &self.matter) else {
            return;
        };
        let value = |name: &String, default: &String| parameters.get(name).unwrap_or(default).clone();
        let values: Vec<_> = preview
            .parameters
            .iter()
            .map(|each| {
                let value = value(&each.name, &each.default);
                (each.name.clone(), each.default.clone(), TextInput::new(&value))
            })
            .collect();
        if !values.is_empty() {
            self.field = Some(Field::Parameters { values, at: 0 });
            self.lock.disarm();
        }
    }

    /// Opens the field of the reason.
    pub fn edit_reason(&mut self) {
        let open = matches!(self.stage, Stage::Ready(_) | Stage::Refused(_) | Stage::Steering);
        if open {
            self.field = Some(Field::Reason(Box::new(TextInput::new(&self.reason))));
            self.lock.disarm();
        }
    }

    /// Takes what stands in the open field; what follows.
    pub fn take_field(&mut self) -> Follows {
        match self.field.take() {
            Some(Field::Reason(input)) => {
                input.text().trim().clone_into(&mut self.reason);
                self.lock.disarm();
                if matches!(self.matter, Matter::Act(_)) { Follows::AskAgain } else { Follows::Nothing }
            }
            Some(Field::Parameters { values, .. }) => {
                let changed = values.into_iter().filter(|(_, default, input)| input.text() != default);
                let changed = changed.map(|(name, _, input)| (name, input.text().to_owned())).collect();
                if let Matter::Act(Wish::RunNow { parameters, .. }) = &mut self.matter {
                    *parameters = changed;
                }
                Follows::AskAgain
            }
            None => Follows::Nothing,
        }
    }

    /// Leaves the open field as it was; whether there was one.
    pub fn leave_field(&mut self) -> bool {
        self.lock.disarm();
        self.field.take().is_some()
    }

    /// Moves to the next field, or the one before.
    pub fn next_field(&mut self, forward: bool) {
        if let Some(Field::Parameters { values, at }) = &mut self.field {
            let step = if forward { 1 } else { values.len() - 1 };
            *at = (*at + step) % values.len();
        }
    }

    /// Chooses between all failed tasks and the one that was under the cursor; whether there is a choice.
    pub fn next_scope(&mut self, cursor: Option<&str>) -> bool {
        let Matter::Act(Wish::Repair { task, .. }) = &mut self.matter else { return false };
        match (task.take(), cursor) {
            (None, Some(key)) => *task = Some(key.to_owned()),
            (Some(_), _) => {}
            (None, None) => return false,
        }
        true
    }

    /// Pasted text: taken by a field of one's own words, refused by everything else. Whether it was taken.
    pub fn pasted(&mut self, text: &str) -> bool {
        match &mut self.field {
            Some(Field::Reason(input)) => input.paste(text),
            Some(Field::Parameters { values, at }) => match values.get_mut(*at) {
                Some((_, _, input)) => input.paste(text),
                None => return false,
            },
            None => return false,
        }
        true
    }

    /// The field that typed text goes to.
    pub fn input(&self) -> Option<&TextInput> {
        match &self.field {
            Some(Field::Reason(input)) => Some(input),
            Some(Field::Parameters { values, at }) => values.get(*at).map(|(_, _, input)| input),
            None => None,
        }
    }

    fn edit(&mut self, key: Key) {
        match &mut self.field {
            Some(Field::Reason(input)) => drop(input.press(key)),
            Some(Field::Parameters { values, at }) => {
                if let Some((_, _, input)) = values.get_mut(*at) {
                    input.press(key);
                }
            }
            None => {}
        }
    }

    fn go(&mut self, stage: Stage, lane: Lane) {
        self.stage = stage;
        self.scroll = 0;
        self.lock = Interlock::new(lane, self.about.letter, &self.about.name);
    }
}

/// Whether a plan lacks the approval without which nobody may confirm one of its tier.
pub fn wants_approval(preview: &Preview) -> bool {
    preview.plan.tier.row().approval && preview.approved_by.is_none()
}
