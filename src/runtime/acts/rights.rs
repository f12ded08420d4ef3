//! Whether the operator's credential may do what is asked: told before the act, with what is missing by name.

use crate::app::act::Rights;
use crate::databricks::Client;
use crate::domain::authority::Verdict;
use crate::domain::fleet;
use crate::operations::kind::Kind;
use crate::operations::needs::needs;
use crate::operations::plan::Object;
use crate::runtime::authority::judge_all;

/// Reads who we are and what we hold on an object, and judges it. Of several needs the first that is not met is told.
pub(super) async fn rights(client: &Client, kind: Kind, object: &fleet::Object) -> Rights {
    let object = match object {
        fleet::Object::Job(job) => Object::Job(*job),
        fleet::Object::Pipeline(pipeline) => Object::Pipeline(pipeline.clone()),
    };
    let needs = needs(kind, &object);
    let words = || needs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let identity = match client.me().await {
        Ok(identity) => identity,
        Err(error) => {
            let verdict = Verdict::Unknown { why: error.brief() };
            return Rights { who: "the operator".to_owned(), needed: words(), verdict };
        }
    };
    let who = identity.name().to_owned();
    let judged = judge_all(client, &identity, &needs).await;
    let rank = |verdict: &Verdict| match verdict {
        Verdict::Refused => 0,
        Verdict::Unknown { .. } => 1,
        Verdict::Allowed { .. } => 2,
    };
    match judged.into_iter().min_by_key(|(_, verdict)| rank(verdict)) {
        Some((need, verdict)) => Rights { who, needed: need.to_string(), verdict },
        None => Rights {
            who,
            needed: words(),
            verdict: Verdict::Unknown { why: "nothing is known to be needed".to_owned() },
        },
    }
}
