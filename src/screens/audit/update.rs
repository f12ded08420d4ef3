//! How the Audit screen answers.

use crate::app::audit;
use crate::app::command::{Action, Motion};
use crate::app::copy::Copyable;
use crate::app::effect::Effect;
use crate::app::list::moved;
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
        self.scroll = self.scroll.min(self.reach(shared).0);
    }

    fn perform(&mut self, action: Action, shared: &Shared) -> Vec<Step> {
        match action {
            Action::Move(motion) if self.zoomed => self.go(motion, shared),
            Action::Move(motion) => self.select(moved(self.index, self.rows.len(), motion, shared.page_rows())),
            Action::Open => self.zoomed = !self.zoomed && self.entry(shared).is_some(),
            Action::Audit(Here::OnlyDeeds) => {
                self.only_deeds = !self.only_deeds;
                self.arrange(shared);
            }
            Action::Audit(Here::Follow) => {
                let target = self.rows.get(self.index).map(|row| Target::Operation(row.operation));
                return target.map(Step::Open).into_iter().collect();
            }
            Action::Audit(Here::Export) => return self.export(shared),
            _ => {}
        }
        Vec::new()
    }

    fn back(&mut self, _shared: &Shared) -> bool {
        std::mem::take(&mut self.zoomed)
    }

    fn filter(&self) -> Option<&str> {
        Some(&self.filter)
    }

    fn set_filter(&mut self, text: &str, shared: &Shared) {
        text.clone_into(&mut self.filter);
        self.zoomed = false;
        self.arrange(shared);
    }

    fn copies(&self, shared: &Shared) -> Vec<Copyable> {
        let Some(known) = self.entry(shared) else { return Vec::new() };
        let mut copies = vec![Copyable::id(known.recorded.event_id)];
        copies.extend(Copyable::json(known.recorded));
        copies
    }
}

impl State {
    fn go(&mut self, motion: Motion, shared: &Shared) {
        let (furthest, page) = self.reach(shared);
        match motion {
            Motion::Left => self.select(moved(self.index, self.rows.len(), Motion::Up, 1)),
            Motion::Right => self.select(moved(self.index, self.rows.len(), Motion::Down, 1)),
            _ => self.scroll = moved(self.scroll, furthest + 1, motion, page.saturating_sub(1)),
        }
    }

    fn export(&self, shared: &Shared) -> Vec<Step> {
        if self.rows.is_empty() {
            return vec![Step::Tell("there is nothing to export".to_owned())];
        }
        let name = format!("audit-{}.csv", shared.now.format("%Y%m%dT%H%M%S%3fZ"));
        vec![Step::Order(Effect::Export { name, text: audit::csv(&self.rows, &shared.operations) })]
    }
}
