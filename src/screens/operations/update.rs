//! How the Operations screen answers.

use crate::app::act::Steer;
use crate::app::command::Action;
use crate::app::copy::Copyable;
use crate::app::model::Shared;
use crate::app::operations::OwnerHealth;
use crate::domain::ids::WorkspaceName;
use crate::operations::engine::Phase;
use crate::screens::operations::{Action as Here, SPEC, State};
use crate::screens::{Page, Spec, Step};

impl Page for State {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn settle(&mut self, shared: &Shared, frozen: bool) {
        if !frozen {
            self.arrange(shared);
        }
        let text = self.prose(shared);
        self.list.settle(&text, shared);
    }

    fn perform(&mut self, action: Action, shared: &Shared) -> Vec<Step> {
        match action {
            Action::Move(motion) => {
                let text = if self.is_zoomed() { self.prose(shared) } else { Vec::new() };
                self.list.go(motion, &text, shared);
            }
            Action::Open => self.list.zoom(),
            Action::Operations(Here::OnlyOpen) => {
                self.only_open = !self.only_open;
                self.arrange(shared);
            }
            Action::Operations(Here::Steer(steer)) => return self.steer(steer, shared),
            _ => {}
        }
        Vec::new()
    }

    fn back(&mut self, _shared: &Shared) -> bool {
        self.list.leave()
    }

    fn filter(&self) -> Option<&str> {
        Some(self.list.filter())
    }

    fn set_filter(&mut self, text: &str, shared: &Shared) {
        self.list.set_filter(text);
        self.arrange(shared);
    }

    fn copies(&self, shared: &Shared) -> Vec<Copyable> {
        let Some(operation) = self.operation(shared) else { return Vec::new() };
        let mut copies = vec![Copyable::id(operation.record.id)];
        copies.extend(operation.plan().map(|plan| Copyable::name(&plan.subject.name)));
        copies.extend(Copyable::json(operation.record.as_ref()));
        copies
    }

    fn workspace(&self) -> Option<WorkspaceName> {
        // Steering is judged by the operation itself: what was begun may be ended wherever it runs.
        None
    }
}

impl State {
    /// Asks for another course, or tells why there is none.
    fn steer(&mut self, steer: Steer, shared: &Shared) -> Vec<Step> {
        let Some(operation) = self.operation(shared) else { return Vec::new() };
        let id = operation.record.id;
        let phase = operation.phase(shared.now);
        let owner = operation.record.owner.as_ref();
        let ours = owner.is_some_and(|owner| owner.health == OwnerHealth::Us);
        let elsewhere = owner.filter(|owner| owner.health == OwnerHealth::Alive);
        let held = matches!(phase, Some(Phase::Paused | Phase::Stuck));
        let why = if operation.record.is_over {
            Some("it is over".to_owned())
        } else if let Some(owner) = elsewhere {
            Some(format!("{} works on it: ask there", owner.who))
        } else {
            match steer {
                Steer::Resume if ours && !held => Some("it goes on already".to_owned()),
                Steer::Pause if held => Some("it is held already".to_owned()),
                Steer::Close if !held => {
                    Some("only what is paused or stuck is closed: abort it, or pause it first".to_owned())
                }
                _ => None,
            }
        };
        match why {
            Some(why) => vec![Step::Tell(crate::domain::text::line(&why))],
            None => {
                self.list.hold(self.list.index());
                vec![Step::Steer(id, steer)]
            }
        }
    }
}
