//! The checks on a workspace: does it answer, who are we there, what may we do, what time is it there.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::{Finding, Round};
use crate::databricks::{Client, Error, EventsQuery, Kind as ErrorKind};
use crate::domain::authority::{Need, Verdict};
use crate::domain::credential::Role;
use crate::domain::identity::Identity;
use crate::domain::pipeline::{Pipeline, PipelineState};
use crate::domain::proof::{Check, Proof, Subject};
use crate::domain::request::Lane;
use crate::operations::Kind;
use crate::operations::needs::needs;
use crate::operations::plan::Object;
use crate::runtime::authority::judge_all;
use crate::runtime::connect::{ConnectError, Link};

/// How far the clocks may be apart before a person is told, in milliseconds (domain.md 0.3, T12).
pub(super) const SKEW_MS: i64 = 5_000;

/// How many jobs, and how many pipelines, are looked at for rights: a sample, not a sweep.
const SAMPLE: usize = 4;

/// How many running pipelines are looked at for figures.
const WATCHED: usize = 3;

/// How many of a pipeline's newest events are looked at.
const EVENTS: usize = 100;

/// A role's credential, and what came of it.
struct Signed {
    role: Role,
    result: Result<(Client, Identity), Trouble>,
}

enum Trouble {
    NoWay(std::sync::Arc<ConnectError>),
    Refused(Error),
}

impl Trouble {
    fn says(&self) -> String {
        match self {
            Self::NoWay(error) => error.to_string(),
            Self::Refused(error) => error.brief(),
        }
    }

    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoWay(error) => match &**error {
                ConnectError::Credential(error) => error.hint(),
                ConnectError::Host(_) => Some("correct the host of this workspace in the fleet's file"),
                ConnectError::Network(_) | ConnectError::Bundle { .. } => {
                    Some("correct ca_bundle in [connections], or HTTPS_PROXY")
                }
            },
            Self::Refused(error) => error.hint(),
        }
    }

    /// Whether the credential is at fault, rather than the way.
    fn is_about_credentials(&self) -> bool {
        match self {
            Self::NoWay(error) => matches!(**error, ConnectError::Credential(_)),
            Self::Refused(error) => error.is_about_credentials(),
        }
    }
}

/// Tries all checks on a workspace.
pub(super) async fn examine(round: &Round<'_>, link: &Link) -> Vec<Proof> {
    let subject = Subject::workspace(link.workspace());
    let mut proofs = Vec::new();
    let mut note = |check: Check, finding: Finding| {
        if round.wants(check) {
            proofs.push(round.proof(check, &subject, finding));
        }
    };
    let begun = Instant::now();
    let mut signed = vec![sign_in(link, Role::Reader).await];
    let took_ms = i64::try_from(begun.elapsed().as_millis()).unwrap_or(i64::MAX);
    let connectivity = connectivity(&signed[0], took_ms);
    let answers = connectivity.verdict != crate::domain::proof::Verdict::Failed;
    note(Check::Connectivity, connectivity);
    if !answers {
        // Whoever is not reached can be asked nothing: three more waits would say the same.
        for check in [Check::SignIn, Check::Permissions, Check::Clock, Check::PipelineEvents] {
            note(check, Finding::undecided("not tried: the workspace does not answer"));
        }
        return proofs;
    }
    for role in [Role::Operator, Role::Publisher, Role::Ledger] {
        signed.push(sign_in(link, role).await);
    }
    note(Check::SignIn, signed_in(&signed));
    let reader = signed[0].result.as_ref().ok();
    if round.wants(Check::Permissions) {
        let operator = signed.iter().find(|signed| signed.role == Role::Operator);
        note(Check::Permissions, permissions(operator).await);
    }
    note(Check::Clock, clock(signed.iter().find_map(|signed| signed.result.as_ref().ok()).map(|(client, _)| client)));
    if round.wants(Check::PipelineEvents) {
        note(Check::PipelineEvents, pipeline_events(reader.map(|(client, _)| client)).await);
    }
    proofs
}

async fn sign_in(link: &Link, role: Role) -> Signed {
    let result = match link.client(role) {
        Err(error) => Err(Trouble::NoWay(error)),
        Ok(client) => {
            // Once: a doctor tells how it is, and does not wait until it is better.
            let client = client.in_lane(Lane::Look).once();
            client.me().await.map(|identity| (client, identity)).map_err(Trouble::Refused)
        }
    };
    Signed { role, result }
}

fn connectivity(reader: &Signed, took_ms: i64) -> Finding {
    match &reader.result {
        Ok(_) => Finding::proven(format!("answers in {took_ms} ms")).figure("took_ms", took_ms),
        Err(trouble @ Trouble::NoWay(_)) if trouble.is_about_credentials() => {
            Finding::undecided(format!("there is no credential to ask with: {}", trouble.says()))
        }
        Err(Trouble::Refused(error)) if matches!(error.kind(), ErrorKind::Refused(_)) => {
            let status = error.status().unwrap_or_default();
            Finding::proven(format!("answers in {took_ms} ms, with status {status}")).figure("took_ms", took_ms)
        }
        Err(Trouble::Refused(error)) if matches!(error.kind(), ErrorKind::Auth(_)) && error.is_about_credentials() => {
            Finding::undecided(format!("there is no token to ask with: {}", error.brief()))
        }
        Err(trouble) => Finding::failed(match trouble {
            Trouble::NoWay(error) => error.to_string(),
            Trouble::Refused(error) => format!("{}: {}", error.brief(), error.message()),
        })
        .fix_if(trouble.hint()),
    }
}

/// Who each role is; what keeps those out that are not in.
fn signed_in(signed: &[Signed]) -> Finding {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut out, mut fix) = (Vec::new(), None);
    for Signed { role, result } in signed {
        match result {
            Ok((_, identity)) if identity.active => {
                names.entry(identity.name().to_owned()).or_default().push(role.to_string());
            }
            Ok((_, identity)) => out.push(format!("{role}: {} is deactivated", identity.name())),
            Err(trouble) => {
                out.push(format!("{role}: {}", trouble.says()));
                fix = fix.or_else(|| trouble.hint());
            }
        }
    }
    if !out.is_empty() {
        return Finding::failed(out.join("; ")).fix_if(fix);
    }
    let said: Vec<String> = names.iter().map(|(name, roles)| format!("{} as {name}", roles.join(", "))).collect();
    Finding::proven(said.join("; "))
}

fn clock(client: Option<&Client>) -> Finding {
    let Some(client) = client else { return Finding::undecided("not tried: no role signs in") };
    let skew_ms = client.clock_offset_ms();
    skew(skew_ms)
}

/// What a difference of clocks means; positive if the server is ahead.
pub(super) fn skew(skew_ms: i64) -> Finding {
    let seconds = skew_ms.unsigned_abs().div_ceil(1_000);
    if skew_ms.abs() <= SKEW_MS {
        return Finding::proven(format!("{seconds} s apart at most")).figure("skew_ms", skew_ms);
    }
    let which = if skew_ms > 0 { "behind" } else { "ahead of" };
    Finding::failed(format!("this machine is {seconds} s {which} the server")).figure("skew_ms", skew_ms)
}

/// Spreads a sample over all.
fn sample<T>(all: &[T], count: usize) -> impl Iterator<Item = &T> {
    let stride = all.len().div_ceil(count).max(1);
    all.iter().step_by(stride)
}

async fn permissions(operator: Option<&Signed>) -> Finding {
    let (client, identity) = match operator.map(|signed| &signed.result) {
        Some(Ok((client, identity))) => (client, identity),
        Some(Err(trouble)) => {
            return Finding::failed(format!("the operator does not sign in: {}", trouble.says()))
                .fix_if(trouble.hint());
        }
        None => return Finding::undecided("not tried: there is no operator"),
    };
    let (jobs, pipelines) = match futures::future::join(client.jobs(false), client.pipelines()).await {
        (Ok(jobs), Ok(pipelines)) => (jobs, pipelines),
        (Err(error), _) | (_, Err(error)) => {
            return Finding::undecided(format!("jobs and pipelines cannot be listed: {}", error.brief()))
                .fix_if(error.hint());
        }
    };
    let of_jobs = sample(&jobs, SAMPLE).flat_map(|job| needs(Kind::Repair, &Object::Job(job.id)));
    let of_pipelines = sample(&pipelines, SAMPLE)
        .flat_map(|pipeline| needs(Kind::StartPipeline, &Object::Pipeline(pipeline.id.clone())));
    let needs: Vec<Need> = of_jobs.chain(of_pipelines).collect();
    rights(identity.name(), &judge_all(client, identity, &needs).await)
}

/// What the rights on a sample come to. Who lacks some may be meant to: only who has none is told to ask for them.
fn rights(who: &str, judged: &[(Need, Verdict)]) -> Finding {
    let total = judged.len();
    let lacking: Vec<&Need> =
        judged.iter().filter(|(_, verdict)| *verdict == Verdict::Refused).map(|(need, _)| need).collect();
    let allowed = judged.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Allowed { .. })).count();
    let unknown = judged.iter().find_map(|(_, verdict)| match verdict {
        Verdict::Unknown { why } => Some(why.as_str()),
        _ => None,
    });
    match (allowed, lacking.first(), unknown) {
        (0, None, None) => Finding::undecided("there is nothing to look at"),
        (0, None, Some(why)) => Finding::undecided(format!("cannot be told before an act: {why}")),
        (0, Some(need), _) => {
            let rest = if lacking.len() > 1 { format!(", and {} more", lacking.len() - 1) } else { String::new() };
            Finding::failed(format!("{who} lacks {need}{rest}"))
        }
        (_, Some(need), _) => Finding::proven(format!("{who} may act on {allowed} of {total} looked at; not: {need}")),
        (_, None, _) => Finding::proven(format!("{who} may act on {allowed} of {total} looked at")),
    }
    .figure("allowed", i64::try_from(allowed).unwrap_or(i64::MAX))
    .figure("looked_at", i64::try_from(total).unwrap_or(i64::MAX))
}

async fn pipeline_events(reader: Option<&Client>) -> Finding {
    let Some(client) = reader else { return Finding::undecided("not tried: the reader does not sign in") };
    let pipelines = match client.pipelines().await {
        Ok(pipelines) => pipelines,
        Err(error) => return Finding::undecided(format!("pipelines cannot be listed: {}", error.brief())),
    };
    let running: Vec<&Pipeline> = pipelines.iter().filter(|one| one.state == PipelineState::Running).collect();
    let (mut events, mut with_figures) = (0, 0);
    for pipeline in sample(&running, WATCHED) {
        let query = EventsQuery { kinds: vec!["flow_progress".to_owned()], ..EventsQuery::newest(EVENTS) };
        match client.pipeline_events(&pipeline.id, &query).await {
            Ok(found) => {
                events += found.len();
                with_figures += found.iter().filter(|event| event.progress.as_ref().is_some_and(has_figures)).count();
            }
            Err(error) => {
                return Finding::undecided(format!(
                    "the events of {} cannot be read: {}",
                    pipeline.name,
                    error.brief()
                ))
                .fix_if(error.hint());
            }
        }
    }
    match (events, with_figures) {
        (0, _) => Finding::undecided("no running pipeline told of its flows"),
        (_, 0) => Finding::failed(format!("none of {events} events of flows has rows or backlog where they should be")),
        (_, some) => Finding::proven(format!("{some} of {events} events of flows have figures")),
    }
    .figure("events", i64::try_from(events).unwrap_or(i64::MAX))
    .figure("with_figures", i64::try_from(with_figures).unwrap_or(i64::MAX))
}

fn has_figures(progress: &crate::domain::pipeline::FlowProgress) -> bool {
    let backlog = &progress.backlog;
    progress.output_rows.is_some()
        || backlog.records.is_some()
        || backlog.bytes.is_some()
        || backlog.seconds.is_some()
        || backlog.files.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::permission::Governed;
    use crate::domain::proof::Verdict as Found;

    fn need(id: &str) -> Need {
        Need::Level { kind: Governed::Job, id: id.to_owned(), level: "CAN_MANAGE_RUN".to_owned() }
    }

    fn judged(verdicts: &[Verdict]) -> Finding {
        let judged: Vec<_> = verdicts.iter().enumerate().map(|(at, v)| (need(&at.to_string()), v.clone())).collect();
        rights("ana", &judged)
    }

    #[test]
    fn who_has_some_rights_is_told_which_lack_and_who_has_none_fails() {
        let allowed = || Verdict::Allowed { by: "x".into() };
        let unknown = || Verdict::Unknown { why: "403".into() };
        assert_eq!(judged(&[allowed(), allowed()]).says, "ana may act on 2 of 2 looked at");
        let some = judged(&[allowed(), Verdict::Refused, unknown()]);
        assert_eq!((some.verdict, some.says.ends_with("not: CAN_MANAGE_RUN on job 1")), (Found::Proven, true));
        let none = judged(&[Verdict::Refused, Verdict::Refused, unknown()]);
        assert_eq!(none.verdict, Found::Failed);
        assert_eq!(none.says, "ana lacks CAN_MANAGE_RUN on job 0, and 1 more");
        assert_eq!(judged(&[unknown()]).verdict, Found::Undecided);
        assert_eq!(judged(&[]).says, "there is nothing to look at");
    }

    #[test]
    fn clocks_may_be_five_seconds_apart() {
        assert_eq!(skew(-5_000).verdict, Found::Proven);
        assert_eq!(skew(61_000).says, "this machine is 61 s behind the server");
        assert_eq!(skew(-5_001).says, "this machine is 6 s ahead of the server");
    }

    #[test]
    fn a_sample_is_spread_and_never_larger_than_asked() {
        let all: Vec<u32> = (0..9).collect();
        assert_eq!(sample(&all, 4).copied().collect::<Vec<_>>(), [0, 3, 6]);
        assert_eq!(sample(&all[..2], 4).count(), 2);
        assert_eq!(sample(&all[..0], 4).count(), 0);
    }
}
