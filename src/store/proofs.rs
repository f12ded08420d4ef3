//! What `lakeshift doctor` has proven on this machine: the newest proof of each check and subject, for all who ask whether
//! a feature may be used.

use rusqlite::params;

use super::codec::ms;
use super::journal::Journal;
use super::{Error, failed};
use crate::domain::proof::{Proof, Verdict};

impl Journal {
    /// Keeps proofs. A check that could not be decided takes the place of none that was: what was proven stays proven, and
    /// what failed stays failed, until a check says otherwise.
    ///
    /// # Errors
    /// The database's; then none was kept.
    pub fn keep_proofs(&mut self, proofs: &[Proof]) -> Result<(), Error> {
        let attempt = failed("keep the proofs");
        let transaction = self.connection.transaction().map_err(&attempt)?;
        for proof in proofs {
            let sql = match proof.verdict {
                Verdict::Undecided => {
                    "INSERT INTO proofs (check_name, subject, place, at, body) VALUES (?1, ?2, ?3, ?4, ?5)
                    ON CONFLICT DO UPDATE SET at = ?4, body = ?5 WHERE json_extract(body, '$.verdict') = 'undecided'"
                }
                Verdict::Proven | Verdict::Failed => {
                    "INSERT INTO proofs (check_name, subject, place, at, body) VALUES (?1, ?2, ?3, ?4, ?5)
                    ON CONFLICT DO UPDATE SET at = ?4, body = ?5"
                }
            };
            let body = crate::operations::canonical(proof).map_err(Error::Plan)?;
            let subject = &proof.subject;
            let row = params![proof.check.name(), subject.name, subject.place, ms(proof.at), body];
            transaction.execute(sql, row).map_err(&attempt)?;
        }
        transaction.commit().map_err(attempt)
    }

    /// Keeps what was proven in other homes, where it is newer than what is kept.
    ///
    /// # Errors
    /// The database's; then none was kept.
    pub fn take_proofs(&mut self, proofs: &[Proof]) -> Result<(), Error> {
        let known = self.proofs()?;
        let is_news = |proof: &&Proof| {
            let own = known.iter().find(|own| own.check == proof.check && own.subject == proof.subject);
            own.is_none_or(|own| own.verdict == Verdict::Undecided || own.at < proof.at)
        };
        let news: Vec<Proof> = proofs.iter().filter(is_news).cloned().collect();
        if news.is_empty() { Ok(()) } else { self.keep_proofs(&news) }
    }

    /// The newest proof of each check and subject, in the order of the checks' names. What a newer version has kept and this
    /// one does not know is left out: its checks are not ours to judge by.
    ///
    /// # Errors
    /// The database's.
    pub fn proofs(&self) -> Result<Vec<Proof>, Error> {
        let attempt = failed("read the proofs");
        let sql = "SELECT body FROM proofs ORDER BY check_name, subject, place";
        let mut statement = self.connection.prepare_cached(sql).map_err(&attempt)?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0));
        let bodies: Vec<String> = rows.and_then(Iterator::collect).map_err(attempt)?;
        Ok(bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::fixture::now;
    use crate::domain::proof::{Check, Subject};
    use crate::domain::ulid::Ulid;

    fn proof(check: Check, verdict: Verdict, finding: &str) -> Proof {
        Proof {
            check,
            subject: Subject::ledger("ops.release", "prod", "w"),
            verdict,
            finding: finding.to_owned(),
            fix: None,
            figures: BTreeMap::from([("skew_ms".to_owned(), -7)]),
            at: now(),
            fleet_hash: "f".to_owned(),
        }
    }

    #[test]
    fn the_newest_decision_of_each_check_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), Ulid::new(1, 1), "test").expect("opens");
        assert_eq!(journal.proofs().expect("reads"), []);
        let clock = proof(Check::Clock, Verdict::Undecided, "no answer");
        journal.keep_proofs(&[proof(Check::LeaseConflict, Verdict::Failed, "both"), clock]).expect("kept");
        let proven = proof(Check::Clock, Verdict::Proven, "0 ms");
        let asked = proof(Check::LeaseConflict, Verdict::Undecided, "no rights");
        journal.keep_proofs(&[asked, proven.clone()]).expect("kept");
        drop(journal);
        let journal = Journal::open(folder.path(), Ulid::new(1, 2), "test").expect("opens");
        let both = proof(Check::LeaseConflict, Verdict::Failed, "both");
        assert_eq!(journal.proofs().expect("reads"), [proven, both]);
    }

    #[test]
    fn what_other_homes_have_proven_counts_where_it_is_newer() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), Ulid::new(1, 1), "test").expect("opens");
        let at = |verdict, seconds| Proof {
            at: now() + chrono::TimeDelta::seconds(seconds),
            ..proof(Check::LeaseConflict, verdict, "both")
        };
        journal.take_proofs(&[at(Verdict::Failed, 10)]).expect("taken");
        assert_eq!(journal.proofs().expect("reads"), [at(Verdict::Failed, 10)], "nothing was known here");
        journal.keep_proofs(&[at(Verdict::Proven, 20)]).expect("kept");
        journal.take_proofs(&[at(Verdict::Failed, 10)]).expect("taken");
        assert_eq!(journal.proofs().expect("reads"), [at(Verdict::Proven, 20)], "it was put right since");
        journal.take_proofs(&[at(Verdict::Failed, 30)]).expect("taken");
        assert_eq!(journal.proofs().expect("reads"), [at(Verdict::Failed, 30)]);
    }

    #[test]
    fn a_check_of_a_newer_version_is_left_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut journal = Journal::open(folder.path(), Ulid::new(1, 1), "test").expect("opens");
        journal.keep_proofs(&[proof(Check::Clock, Verdict::Proven, "0 ms")]).expect("kept");
        let foreign = "INSERT INTO proofs VALUES ('moon', 'a', 'b', 1, '{\"check\":\"moon\"}')";
        journal.connection.execute(foreign, []).expect("written");
        assert_eq!(journal.proofs().expect("reads").len(), 1);
    }
}
