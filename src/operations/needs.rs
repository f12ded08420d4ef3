//! The rights that each kind of operation needs on its object, so that a missing one is named before the act (domain.md 6.7).

use super::kind::Kind;
use super::plan::Object;
use crate::domain::authority::Need;
use crate::domain::permission::Governed;

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
