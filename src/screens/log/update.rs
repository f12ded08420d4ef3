//! How the Log screen answers.

use crate::app::command::Action;
use crate::app::copy::Copyable;
use crate::app::list::moved;
use crate::app::model::Shared;
use crate::domain::ids::WorkspaceName;
use crate::screens::log::{Action as Here, SPEC, State};
use crate::screens::{Page, Spec, Step};

impl Page for State {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn settle(&mut self, shared: &Shared, frozen: bool) {
        if !frozen {
            self.arrange(shared);
        }
    }

    fn perform(&mut self, action: Action, shared: &Shared) -> Vec<Step> {
        match action {
            Action::Move(motion) => self.select(moved(self.index, self.rows.len(), motion, shared.page_rows())),
            Action::Log(Here::OnlyFailures) => {
                self.only_failures = !self.only_failures;
                self.arrange(shared);
            }
            _ => {}
        }
        Vec::new()
    }

    fn filter(&self) -> Option<&str> {
        Some(&self.filter)
    }

    fn set_filter(&mut self, text: &str, shared: &Shared) {
        text.clone_into(&mut self.filter);
        self.arrange(shared);
    }

    fn copies(&self, shared: &Shared) -> Vec<Copyable> {
        let Some(logged) = self.row() else { return Vec::new() };
        let record = &logged.record;
        let mut copies: Vec<Copyable> = record.request_id.iter().map(Copyable::id).collect();
        copies.extend(Copyable::json(record));
        // A call of which something was left out would ask for something else.
        let can_repeat = record.method == "GET" && record.is_whole;
        if let Some(watched) = shared.fleet.workspace(&record.workspace).filter(|_| can_repeat) {
            let query = if record.query.is_empty() { String::new() } else { format!("?{}", record.query) };
            copies.push(Copyable::call(&watched.snapshot.workspace.host, &format!("{}{query}", record.path)));
        }
        copies
    }

    fn workspace(&self) -> Option<WorkspaceName> {
        self.row().map(|logged| logged.record.workspace.clone())
    }
}
