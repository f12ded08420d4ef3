//! How the Fleet screen answers.

use crate::app::act::Wish;
use crate::app::command::{Act, Action};
use crate::app::copy::Copyable;
use crate::app::list::moved;
use crate::app::model::Shared;
use crate::domain::fleet::{Object, ObjectId, Source};
use crate::domain::ids::WorkspaceName;
use crate::screens::fleet::{Action as Here, SPEC, State};
use crate::screens::{Page, Spec, Step, Target};

impl Page for State {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn settle(&mut self, shared: &Shared, frozen: bool) {
        if frozen {
            self.renew(shared);
        } else {
            self.arrange(shared);
        }
    }

    fn perform(&mut self, action: Action, shared: &Shared) -> Vec<Step> {
        match action {
            Action::Move(motion) => self.select(moved(self.index, self.rows.len(), motion, shared.page_rows())),
            Action::Open => {
                // Who opens an object has chosen it: the way back leads to it, whatever became urgent meanwhile.
                self.select(self.index);
                return self.row().map(|row| Step::Open(Target::of(&row.id))).into_iter().collect();
            }
            Action::Sort => {
                self.sort = self.sort.next();
                self.reversed = false;
                self.arrange(shared);
            }
            Action::ReverseSort => {
                self.reversed = !self.reversed;
                self.arrange(shared);
            }
            Action::Fleet(here) => return self.seek(here),
            Action::Act(act) => {
                self.select(self.index);
                return self.act(act);
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
        self.fall_back_to_the_first();
    }

    fn copies(&self, shared: &Shared) -> Vec<Copyable> {
        let Some(row) = self.row() else { return Vec::new() };
        let Some(watched) = shared.fleet.workspace(&row.id.workspace) else { return Vec::new() };
        let host = &watched.snapshot.workspace.host;
        let call = match &row.id.object {
            Object::Job(id) => format!("/api/2.2/jobs/get?job_id={id}"),
            Object::Pipeline(id) => format!("/api/2.0/pipelines/{id}"),
        };
        let name = match &row.source {
            Source::Job { job, .. } => &job.name,
            Source::Pipeline { pipeline, .. } => &pipeline.name,
        };
        let mut copies =
            vec![Copyable::id(&row.id.object), Copyable::name(name), Copyable::url(page_of(host, &row.id))];
        copies.extend(Copyable::json(&row.source));
        copies.push(Copyable::call(host, &call));
        copies
    }

    fn url(&self, shared: &Shared) -> Option<String> {
        let row = self.row()?;
        Some(page_of(&shared.fleet.workspace(&row.id.workspace)?.snapshot.workspace.host, &row.id))
    }

    fn workspace(&self) -> Option<WorkspaceName> {
        self.row().map(|row| row.id.workspace.clone())
    }
}

/// The object's page in the vendor's UI.
fn page_of(host: &str, id: &ObjectId) -> String {
    match &id.object {
        Object::Job(id) => format!("{host}/jobs/{id}"),
        Object::Pipeline(id) => format!("{host}/pipelines/{id}"),
    }
}

impl State {
    /// What the act would be about: the row's object, and the run that is its newest now.
    fn act(&self, act: Act) -> Vec<Step> {
        let Some(row) = self.row() else { return Vec::new() };
        let wish = match (&row.source, act) {
            (Source::Job { job, .. }, Act::Start) => {
                Ok(Wish::RunNow { job: job.id, parameters: std::collections::BTreeMap::new() })
            }
            (Source::Job { job, latest, .. }, Act::Stop) => match latest {
                Some(run) if run.state.is_active() => Ok(Wish::Cancel { job: job.id, run: run.id }),
                _ => Err("no run of it is active"),
            },
            (Source::Job { job, latest, .. }, Act::Repair) => match latest {
                Some(run) if run.state.is_active() => Err("its newest run is not over"),
                Some(run) => Ok(Wish::Repair { job: job.id, run: run.id, task: None }),
                None => Err("no run of it is known"),
            },
            (Source::Pipeline { pipeline, .. }, Act::Start) => Ok(Wish::Start { pipeline: pipeline.id.clone() }),
            (Source::Pipeline { pipeline, .. }, Act::Stop) => Ok(Wish::Stop { pipeline: pipeline.id.clone() }),
            (Source::Pipeline { .. }, Act::Repair) => Err("a pipeline is not repaired: start it"),
            (_, Act::FullRefresh) => return Vec::new(),
        };
        match wish {
            Ok(wish) => vec![Step::Wish(row.id.clone(), wish)],
            Err(why) => vec![Step::Tell(why.to_owned())],
        }
    }

    /// Moves to the next row that somebody should look at, round and round.
    fn seek(&mut self, here: Here) -> Vec<Step> {
        let len = self.rows.len();
        let found = (1..=len)
            .map(|distance| match here {
                Here::NextProblem => (self.index + distance) % len,
                Here::PreviousProblem => (self.index + len - distance) % len,
            })
            .find(|index| self.rows[*index].urgency.is_problem());
        match found {
            Some(index) => {
                self.select(index);
                Vec::new()
            }
            None => vec![Step::Tell("nothing here failed, lags or takes too long".to_owned())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_addressed_by_kind() {
        let id = |object| ObjectId { workspace: "prod".into(), object };
        assert_eq!(page_of("https://h", &id(Object::Job(crate::domain::ids::JobId(11)))), "https://h/jobs/11");
        assert_eq!(page_of("https://h", &id(Object::Pipeline("6f".into()))), "https://h/pipelines/6f");
    }
}
