//! The rights that each kind of operation needs on its object, so that a missing one is named before the act (domain.md 6.7).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::kind::Kind;
use super::plan::Object;
use super::refusal::Refusal;
use crate::domain::authority::{Need, Verdict};
use crate::domain::permission::Governed;
use crate::domain::text;

/// Whose rights an act uses, and whether they are enough.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Who the credential speaks for; from outside.
    pub who: String,
    /// What is needed: `CAN_MANAGE_RUN on job 11`.
    pub needed: String,
    /// Whether it is there.
    pub verdict: Verdict,
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { who, needed, verdict } = self;
        match verdict {
            Verdict::Allowed { by } => write!(f, "{who} may: {needed}, by {by}"),
            Verdict::Refused => write!(f, "{who} lacks {needed}"),
            Verdict::Unknown { why } => write!(f, "as {who}, who needs {needed}: {why}"),
        }
    }
}

impl Rights {
    /// Of several needs the one that is told: the first that is surely not met, else the first that nobody can tell.
    pub fn worst(who: &str, judged: impl IntoIterator<Item = (Need, Verdict)>) -> Self {
        let rank = |verdict: &Verdict| match verdict {
            Verdict::Refused => 0,
            Verdict::Unknown { .. } => 1,
            Verdict::Allowed { .. } => 2,
        };
        let who = who.to_owned();
        match judged.into_iter().min_by_key(|(_, verdict)| rank(verdict)) {
            Some((need, verdict)) => Self { who, needed: need.to_string(), verdict },
            None => Self {
                who,
                needed: "nothing".to_owned(),
                verdict: Verdict::Unknown { why: "nothing is known to be needed".to_owned() },
            },
        }
    }

    /// That a right is surely lacking; what nobody can tell before is left to the platform.
    pub fn lacking(&self) -> Option<Refusal> {
        let Self { who, needed, verdict } = self;
        (*verdict == Verdict::Refused).then(|| Refusal::Lacks { who: text::line(who), needed: text::line(needed) })
    }
}

/// The rights that an operation needs of the principal that carries it out.
pub fn needs(kind: Kind, object: &Object) -> Vec<Need> {
    let level = match kind {
        Kind::RunNow | Kind::Cancel | Kind::Repair => "CAN_MANAGE_RUN",
        Kind::StartPipeline | Kind::StopPipeline => "CAN_RUN",
    };
    let (kind, id) = match object {
        Object::Job(job) => (Governed::Job, job.to_string()),
        Object::Pipeline(pipeline) => (Governed::Pipeline, pipeline.to_string()),
    };
    vec![Need::Level { kind, id, level: level.to_owned() }]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A level that its object's kind does not have would never be met.
    #[test]
    fn every_level_that_is_asked_for_exists() {
        for kind in Kind::ALL {
            let object = match kind {
                Kind::RunNow | Kind::Cancel | Kind::Repair => Object::Job(crate::domain::ids::JobId(7)),
                Kind::StartPipeline | Kind::StopPipeline => Object::Pipeline("p".into()),
            };
            for need in needs(kind, &object) {
                let Need::Level { kind: governed, level, .. } = need else { panic!("a level") };
                assert!(governed.levels().contains(&level.as_str()), "{kind:?} asks for {level}");
            }
        }
    }
}
