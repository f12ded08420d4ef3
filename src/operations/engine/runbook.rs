//! What a person should do when an operation can go neither on nor back.

use crate::operations::plan::{Object, Plan};

fn place(plan: &Plan) -> String {
    let (name, workspace) = (&plan.subject.name, &plan.subject.workspace);
    match (&plan.subject.object, plan.subject.run) {
        (Object::Job(job), None) => format!("job {job} ({name}) in {workspace}"),
        (Object::Job(job), Some(run)) => format!("run {run} of job {job} ({name}) in {workspace}"),
        (Object::Pipeline(pipeline), _) => format!("pipeline {pipeline} ({name}) in {workspace}"),
    }
}

fn step_words(plan: &Plan, step: usize) -> String {
    plan.steps.get(step).map(|step| step.action.words()).unwrap_or_default()
}

fn ending(plan: &Plan) -> String {
    format!("When it is as you want it, give the operation up: `lakeshift operations close {} --reason ...`.", plan.id)
}

pub(super) fn ambiguous(plan: &Plan, step: usize) -> Vec<String> {
    vec![
        format!("Look at {}: {} may have happened, perhaps more than once.", place(plan), step_words(plan, step)),
        "Compare the times with the operation's journal, and end by hand what should not run.".to_owned(),
        format!("If only one is left, let it look again: `lakeshift operations resume {}`.", plan.id),
        ending(plan),
    ]
}

pub(super) fn not_surely_ours(plan: &Plan, step: usize) -> Vec<String> {
    vec![
        format!(
            "Look at {}: {} was asked, the answer was lost, and what is there now may be a colleague's.",
            place(plan),
            step_words(plan, step)
        ),
        "Ask whether somebody else started it. If nobody did, end it by hand.".to_owned(),
        ending(plan),
    ]
}

pub(super) fn not_taken_back(plan: &Plan, step: usize) -> Vec<String> {
    vec![
        format!("Look at {}: {} happened and is to be taken back.", place(plan), step_words(plan, step)),
        format!("Remove what is in the way, then let it try again: `lakeshift operations resume {}`.", plan.id),
        ending(plan),
    ]
}
