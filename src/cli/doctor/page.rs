//! The round for people: scannable at 80 columns, and only what failed says more than a line.

use std::collections::BTreeMap;

use unicode_width::UnicodeWidthStr;

use super::super::failure::Failure;
use super::super::output::Output;
use super::super::sweep::environment_cell;
use super::super::table::{Cell, Paint};
use super::{Examination, ShownCheck, ShownFeature};
use crate::domain::proof::Check;
use crate::domain::text;
use crate::domain::workspace::Environment;

/// The width for which lines are broken.
const WIDTH: usize = 80;

/// Where names of checks begin, behind the word that says what came of them.
const NAMES: usize = 11;

/// Where findings begin, behind the longest name of a check.
const FINDINGS: usize = 29;

/// Where a failure is explained.
const EXPLAINED: usize = 22;

/// Where it is told why a feature is not on, behind the longest words for one.
const REASONS: usize = 47;

/// Prints a round.
pub(super) fn print(
    shown: &Examination,
    environments: &BTreeMap<String, Environment>,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let mut subject = None;
    for check in &shown.checks {
        if subject != Some((&check.subject, &check.place)) {
            if subject.is_some() {
                writeln!(output.out)?;
            }
            subject = Some((&check.subject, &check.place));
            heading(check, environments, output)?;
        }
        line(check, output)?;
    }
    if shown.checks.is_empty() {
        writeln!(output.out, "nothing was ever tried here: `lakeshift doctor` does")?;
    }
    writeln!(output.out, "\nwhat is on")?;
    for feature in grouped(&shown.features) {
        feature_line(&feature, output)?;
    }
    if let Some(why) = &shown.kept.waits_because {
        writeln!(output.out)?;
        let why = why.split(". ").next().unwrap_or_default();
        hang(0, 0, &format!("This round waits here for the ledger: {why}"), output)?;
    }
    Ok(())
}

fn heading(
    check: &ShownCheck,
    environments: &BTreeMap<String, Environment>,
    output: &mut Output<'_>,
) -> Result<(), Failure> {
    let name = text::line(&check.subject);
    let (kind, environment) = match environments.get(&check.subject) {
        Some(environment) => ("", Some(*environment)),
        None => ("ledger ", None),
    };
    write!(output.out, "{kind}{name}")?;
    if let Some(environment) = environment {
        write!(output.out, "  {}", environment_cell(environment).shown(output.color))?;
    }
    writeln!(output.out, "  {}", text::line(&check.place))?;
    Ok(())
}

/// The word that a line begins with, and the space up to what follows it.
fn lead(word: &Cell, output: &mut Output<'_>) -> Result<(), Failure> {
    let fill = " ".repeat(NAMES.saturating_sub(2 + word.width()));
    Ok(write!(output.out, "  {}{fill}", word.shown(output.color))?)
}

fn word(verdict: &str) -> Cell {
    match verdict {
        "proven" => Cell::painted("ok", Paint::Good),
        "failed" => Cell::painted("FAILED", Paint::Bad),
        _ => Cell::painted("open", Paint::Warning),
    }
}

fn line(check: &ShownCheck, output: &mut Output<'_>) -> Result<(), Failure> {
    let word = word(&check.verdict);
    lead(&word, output)?;
    write!(output.out, "{:<width$}", check.check, width = FINDINGS - NAMES)?;
    hang(FINDINGS, FINDINGS, &check.finding, output)?;
    if check.verdict == "failed" {
        let proves = check.check.parse::<Check>().map(|check| check.spec().proves).unwrap_or_default();
        let fix = check.fix.as_deref().unwrap_or_default();
        for (head, said) in [("must hold", proves), ("to do", fix)] {
            write!(output.out, "{}{head:<width$}", " ".repeat(NAMES), width = EXPLAINED - NAMES)?;
            hang(EXPLAINED, EXPLAINED, said, output)?;
        }
    }
    Ok(())
}

/// The same feature with the same standing is told once for all its subjects.
fn grouped(features: &[ShownFeature]) -> Vec<(Vec<&str>, &ShownFeature)> {
    let mut groups: Vec<(Vec<&str>, &ShownFeature)> = Vec::new();
    for feature in features {
        let same = |(_, known): &&mut (Vec<&str>, &ShownFeature)| {
            (&known.feature, known.standing, &known.brief) == (&feature.feature, feature.standing, &feature.brief)
        };
        match groups.iter_mut().find(same) {
            Some((subjects, _)) => subjects.push(&feature.subject),
            None => groups.push((vec![&feature.subject], feature)),
        }
    }
    groups
}

fn feature_line((subjects, feature): &(Vec<&str>, &ShownFeature), output: &mut Output<'_>) -> Result<(), Failure> {
    let word = match feature.standing {
        "on" => Cell::painted("on", Paint::Good),
        "assumed" => Cell::painted("assumed", Paint::Muted),
        "unproven" => Cell::painted("off", Paint::Warning),
        _ => Cell::painted("OFF", Paint::Bad),
    };
    lead(&word, output)?;
    let mut said = Vec::new();
    if feature.of_workspace {
        said.push(subjects.join(", "));
    }
    match (feature.standing, feature.brief.is_empty()) {
        (_, true) => {}
        ("unproven", false) => said.push(format!("until proven: {}", feature.brief.join(", "))),
        (_, false) => said.push(feature.brief.join(", ")),
    }
    if said.is_empty() {
        return Ok(writeln!(output.out, "{}", feature.words)?);
    }
    write!(output.out, "{:<width$}", feature.words, width = REASONS - NAMES)?;
    hang(REASONS, REASONS, &said.join(": "), output)
}

/// Writes a text from column `at` on, broken by words; further lines begin at `indent`.
fn hang(at: usize, indent: usize, said: &str, output: &mut Output<'_>) -> Result<(), Failure> {
    let said = text::line(said);
    let mut column = at;
    for (number, word) in said.split(' ').filter(|word| !word.is_empty()).enumerate() {
        if number > 0 && column + 1 + word.width() > WIDTH {
            write!(output.out, "\n{}", " ".repeat(indent))?;
            column = indent;
        } else if number > 0 {
            write!(output.out, " ")?;
            column += 1;
        }
        write!(output.out, "{word}")?;
        column += word.width();
    }
    writeln!(output.out)?;
    Ok(())
}
