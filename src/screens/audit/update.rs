//! How the Audit screen answers.

use crate::app::act::Order;
use crate::app::audit_export::{Form, export};
use crate::app::command::Action;
use crate::app::copy::Copyable;
use crate::app::effect::Effect;
use crate::app::model::Shared;
use crate::screens::audit::{Action as Here, SPEC, State};
use crate::screens::{Page, Spec, Step, Target};

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
            Action::Audit(Here::OnlyDeeds) => {
                self.only_deeds = !self.only_deeds;
                self.arrange(shared);
            }
            Action::Audit(Here::Follow) => {
                let operation = self.entry(shared).and_then(|known| known.operation());
                let target = operation.map(|operation| Target::Operation(operation.record.id));
                let none = || Step::Tell("its operation is not among those that are known here".to_owned());
                return vec![target.map_or_else(none, Step::Open)];
            }
            Action::Audit(Here::Verify) => {
                if !shared.operations.ledger.configured {
                    return vec![Step::Tell(
                        "there is no ledger to verify; journals here are checked as they are read".to_owned(),
                    )];
                }
                let order = Step::Order(Effect::Act(Order::ReadRecord { verify: true }));
                return vec![Step::Tell("comparing all that was sealed with what is there".to_owned()), order];
            }
            Action::Audit(Here::Export(form)) => return self.export(form, shared),
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
        let Some(known) = self.entry(shared) else { return Vec::new() };
        let mut copies = vec![Copyable::id(known.id())];
        match known {
            crate::app::audit::Known::Journal { recorded, .. } => copies.extend(Copyable::json(recorded)),
            crate::app::audit::Known::Row(row, _) => copies.extend(Copyable::json(row)),
        }
        copies
    }
}

impl State {
    fn export(&self, form: Form, shared: &Shared) -> Vec<Step> {
        if self.list.rows().is_empty() {
            return vec![Step::Tell("there is nothing to export".to_owned())];
        }
        let name = format!("audit-{}.{}", shared.now.format("%Y%m%dT%H%M%S%3fZ"), form.extension());
        let text = export(form, self.list.rows(), &shared.operations, shared.now);
        vec![Step::Order(Effect::Export { name, text })]
    }
}
