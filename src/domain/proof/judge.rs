//! The judgement: features against proofs.

use std::fmt;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::check::Check;
use super::feature::Feature;
use super::{Proof, Subject, Verdict};
use crate::domain::Instant;
use crate::domain::text;

/// How long a proof counts. After that the platform may have changed: what was proven is assumed again. A failure does not
/// grow old: only a proof ends it.
pub const KEPT: TimeDelta = TimeDelta::days(30);

/// Why something is assumed rather than proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doubt {
    /// It was never tried.
    Never,
    /// It could not be decided.
    Undecided {
        /// Why.
        finding: String,
    },
    /// It was proven too long ago.
    Old {
        /// When.
        at: Instant,
    },
    /// It was proven under another configuration of the fleet.
    OtherFleet {
        /// When.
        at: Instant,
    },
}

/// A proof that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Which check.
    pub check: Check,
    /// What was found.
    pub finding: String,
    /// When, in local time.
    pub at: Instant,
}

/// Where a feature stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// All that it stands on was proven.
    On,
    /// Nothing speaks against it, and not all of it was proven.
    Assumed(Vec<(Check, Doubt)>),
    /// It wants proof, and has none.
    Unproven(Vec<(Check, Doubt)>),
    /// A proof failed.
    Off(Vec<Failed>),
}

impl Standing {
    /// Whether it may be used.
    pub fn is_usable(&self) -> bool {
        matches!(self, Self::On | Self::Assumed(_))
    }
}

/// Where a feature stands with a subject, by the newest proof of each check.
pub fn judge(feature: Feature, subject: &Subject, proofs: &[Proof], now: Instant, fleet_hash: &str) -> Standing {
    let (mut failed, mut doubts) = (Vec::new(), Vec::new());
    for check in feature.stands_on().iter().copied() {
        let newest = proofs
            .iter()
            .filter(|proof| proof.check == check && proof.subject == *subject)
            .max_by_key(|proof| proof.at);
        match newest {
            None => doubts.push((check, Doubt::Never)),
            Some(proof) => match proof.verdict {
                Verdict::Failed => {
                    failed.push(Failed { check, finding: text::line(&proof.finding), at: proof.at });
                }
                Verdict::Undecided => doubts.push((check, Doubt::Undecided { finding: text::line(&proof.finding) })),
                Verdict::Proven if now.signed_duration_since(proof.at) > KEPT => {
                    doubts.push((check, Doubt::Old { at: proof.at }));
                }
                Verdict::Proven if proof.fleet_hash != fleet_hash => {
                    doubts.push((check, Doubt::OtherFleet { at: proof.at }));
                }
                Verdict::Proven => {}
            },
        }
    }
    match (failed.is_empty(), doubts.is_empty()) {
        (false, _) => Standing::Off(failed),
        (true, true) => Standing::On,
        (true, false) if feature.wants_proof() => Standing::Unproven(doubts),
        (true, false) => Standing::Assumed(doubts),
    }
}

/// A feature that is off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Off {
    /// Which one.
    pub feature: Feature,
    /// With what.
    pub subject: Subject,
    /// The first proof that failed.
    pub failed: Failed,
}

/// What is off of the features that are in use. What each use proves anew is not among them: it tells by itself.
pub fn off(in_use: &[(Feature, Subject)], proofs: &[Proof], now: Instant, fleet_hash: &str) -> Vec<Off> {
    let asked = in_use.iter().filter(|(feature, _)| !feature.is_proven_by_use());
    let judged = asked.filter_map(|(feature, subject)| match judge(*feature, subject, proofs, now, fleet_hash) {
        Standing::Off(failed) => {
            Some(Off { feature: *feature, subject: subject.clone(), failed: failed.into_iter().next()? })
        }
        Standing::On | Standing::Assumed(_) | Standing::Unproven(_) => None,
    });
    judged.collect()
}

impl Off {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        if self.failed.check.spec().writes {
            "Put it right, then try it again: `lakeshift doctor --write`."
        } else {
            "Put it right, then try it again: `lakeshift doctor`."
        }
    }
}

impl fmt::Display for Off {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "off: {} (in {}): {}", self.feature.words(), text::line(&self.subject.name), self.failed)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("never tried"),
            Self::Undecided { .. } => f.write_str("not decided"),
            Self::Old { at } => write!(f, "proven on {}, too long ago", at.format("%Y-%m-%d")),
            Self::OtherFleet { at } => write!(f, "proven on {} for another fleet's file", at.format("%Y-%m-%d")),
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed on {}: {}", self.check, self.at.format("%Y-%m-%d %H:%M UTC"), self.finding)
    }
}
