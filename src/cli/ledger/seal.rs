//! `lakeshift ledger seal` and `ledger verify`.

use std::sync::Arc;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::super::Context;
use super::super::failure::{Failure, Kind};
use super::super::output::{Document, Format};
use super::super::sweep::block_on;
use super::status::ShownSeal;
use super::{is_on, ledger, of_trouble, wait};
use crate::domain::clock::Clock;
use crate::domain::proof::Feature;
use crate::ledger::export::time;
use crate::ledger::lease::SEALER;
use crate::ledger::seal::{Report, Sealed, gather, seal, verify as compare};
use crate::runtime::clock::SystemClock;
use crate::runtime::entropy::{Ids, SystemIds};
use crate::runtime::ledger::{NotHeld, Ticks, give_back, hold};

/// What `ledger seal` is asked.
#[derive(Args, Clone, Debug)]
pub struct SealFlags {
    /// Where the previous seal's hash was kept outside of the lakehouse, such as a signed tag; it is noted in the seal.
    #[arg(long, value_name = "WHERE")]
    pub anchor: Option<String>,
}

/// What `ledger verify` is asked.
#[derive(Args, Clone, Debug)]
pub struct VerifyFlags {
    /// A seal's hash that was kept elsewhere: it must still be in the chain. May be given several times.
    #[arg(long, value_name = "HASH")]
    pub expect: Vec<String>,
}

/// A seal that was made, or the last one if nothing was new.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SealMade {
    /// The newest seal. Keep its hash outside of the lakehouse.
    seal: ShownSeal,
    /// How many rows it seals; none if there was nothing new.
    rows: Option<usize>,
}

impl Document for SealMade {
    const SCHEMA: &'static str = "lakeshift.ledger_seal/1";
}

/// What a verification found.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Verified {
    /// Whether nothing is wrong.
    ok: bool,
    /// How many seals there are.
    seals: usize,
    /// How many rows were compared with a seal.
    sealed_rows: usize,
    /// How many rows are newer than the last seal.
    unsealed_rows: usize,
    /// How many commits are older than what a history tells, and were seen by no sealer.
    unseen_commits: u64,
    /// The newest seal.
    head: Option<ShownSeal>,
    /// Everything that is wrong, by table and row.
    findings: Vec<ShownFinding>,
}

impl Document for Verified {
    const SCHEMA: &'static str = "lakeshift.ledger_verify/1";
}

/// One thing that is wrong.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownFinding {
    /// It in a sentence.
    says: String,
    /// Its parts: `table`, `finding` (`deleted`, `edited`, `reordered`, `added`, `contradicted`, `seal_altered`,
    /// `seal_missing`, `seal_forked`, `anchor_missing`, `commit`, `replaced`) and what belongs to it, such as `id`.
    parts: Value,
}

impl Verified {
    /// A report for programs.
    pub(super) fn of(report: &Report) -> Self {
        let shown = |(seq, hash): &(i64, String)| ShownSeal {
            seq: *seq,
            seal_hash: hash.clone(),
            upto: report.sealed_upto_us.map(time).unwrap_or_default(),
        };
        Self {
            ok: report.findings.is_empty(),
            seals: report.seals,
            sealed_rows: report.sealed_rows,
            unsealed_rows: report.unsealed_rows,
            unseen_commits: report.unseen_commits,
            head: report.head.as_ref().map(shown),
            findings: report
                .findings
                .iter()
                .map(|finding| ShownFinding {
                    says: finding.to_string(),
                    parts: serde_json::to_value(finding).unwrap_or_default(),
                })
                .collect(),
        }
    }
}

/// Runs `lakeshift ledger seal`.
pub(super) fn run(flags: &SealFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let (config, ledger) = ledger(context)?;
    is_on(Feature::Leases, &config)?;
    let ticks = Ticks::new(Arc::new(SystemClock));
    let mut ids = SystemIds::default();
    let mut id = || ids.ulid(SystemClock.now()).to_string();
    let (seal_id, nonce) = (id(), id());
    let Sealed { seal: made, rows } = block_on(async {
        let mut tenure = hold(&ledger, SEALER, &seal_id, &nonce, &ticks).await.map_err(|error| not_held(&error))?;
        let sealed = seal(&ledger, &seal_id, flags.anchor.as_deref()).await;
        give_back(&mut tenure, &ledger, &ticks).await;
        sealed.map_err(|trouble| of_trouble(&trouble))
    })??;
    let upto = time(made.upto_us);
    let shown = SealMade { seal: ShownSeal { seq: made.seq, seal_hash: made.seal_hash, upto }, rows };
    let output = &mut context.output;
    match (output.format, shown.rows) {
        (Format::Json | Format::Ndjson, _) => output.document(&shown),
        (Format::Text, Some(rows)) => {
            let ShownSeal { seq, seal_hash, upto } = &shown.seal;
            Ok(writeln!(output.out, "seal {seq}: {rows} rows until {upto}\n{seal_hash}")?)
        }
        (Format::Text, None) => {
            let ShownSeal { seq, seal_hash, .. } = &shown.seal;
            Ok(writeln!(output.out, "nothing new since seal {seq}\n{seal_hash}")?)
        }
    }
}

fn not_held(error: &NotHeld) -> Failure {
    match error {
        NotHeld::Held { .. } => {
            Failure::new(Kind::Refused, error.to_string()).hint("Whoever it is seals the same rows; try again later.")
        }
        NotHeld::Trouble(_) => Failure::new(Kind::Remote, error.to_string()),
    }
}

/// Runs `lakeshift ledger verify`.
pub(super) fn verify(flags: &VerifyFlags, context: &mut Context<'_>) -> Result<(), Failure> {
    let (_, ledger) = ledger(context)?;
    let evidence = wait(gather(&ledger))?;
    let report = compare(&evidence, &flags.expect, ledger.place().is_direct());
    let output = &mut context.output;
    match output.format {
        Format::Json | Format::Ndjson => output.document(&Verified::of(&report))?,
        Format::Text => {
            for finding in &report.findings {
                writeln!(output.out, "{finding}")?;
            }
            let Report { seals, sealed_rows, unsealed_rows, .. } = &report;
            writeln!(output.out, "{seals} seals, {sealed_rows} sealed rows, {unsealed_rows} newer rows")?;
            if report.unseen_commits > 0 {
                let unseen = report.unseen_commits;
                writeln!(output.out, "{unseen} commits are older than what a history tells, and were seen by no seal")?;
            }
            if let Some((seq, hash)) = &report.head {
                writeln!(output.out, "seal {seq} has the hash {}", crate::domain::text::line(hash))?;
            }
        }
    }
    output.out.flush()?;
    match report.findings.len() {
        0 => Ok(()),
        found => Err(Failure::new(Kind::Finding, format!("the ledger is not what was sealed: {found} findings"))
            .hint("Restore nothing yet: keep the tables' history, and compare with the hashes kept elsewhere.")),
    }
}
