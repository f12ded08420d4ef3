//! `docs/doctor.md`: every check with what it proves, on what it rests, what is off when it fails and what to do.

use std::fmt::Write;

use crate::domain::proof::{Check, Feature, KEPT};

/// The page.
pub fn page() -> String {
    let mut page = String::from(INTRODUCTION);
    let _ = writeln!(page, "A proof counts for {} days.\n", KEPT.num_days());
    page.push_str("## Checks\n\n| check | test | writes | off when it fails |\n|---|---|---|---|\n");
    for check in Check::ALL.iter().copied() {
        let spec = check.spec();
        let off: Vec<&str> = carried(check).map(Feature::words).collect();
        let off = if off.is_empty() { "nothing".to_owned() } else { off.join("; ") };
        let (test, writes) = (spec.test.unwrap_or_default(), if spec.writes { "`--write`" } else { "" });
        let _ = writeln!(page, "| [{name}](#{name}) | {test} | {writes} | {off} |", name = spec.name);
    }
    for check in Check::ALL.iter().copied() {
        let spec = check.spec();
        let test = spec.test.map(|test| format!("Self-test {test}. ")).unwrap_or_default();
        let _ = write!(page, "\n### {}\n\n{test}{}\n\n", spec.name, spec.proves);
        for fact in spec.facts {
            let _ = writeln!(page, "- Rests on: {} ({}).", fact.says, fact.source);
        }
        let _ = writeln!(page, "- When it fails: {}", spec.fix);
    }
    page.push_str("\n## Features\n\n| feature | stands on | while that was never tried |\n|---|---|---|\n");
    for feature in Feature::ALL {
        let checks: Vec<&str> = feature.stands_on().iter().map(|check| check.name()).collect();
        let untried = match (feature.is_proven_by_use(), feature.wants_proof()) {
            (true, _) => "on: each act asks the workspace again, and tells what is missing",
            (false, true) => "off",
            (false, false) => "on, as an assumption",
        };
        let _ = writeln!(page, "| {} (`{}`) | {} | {untried} |", feature.words(), name(feature), checks.join(", "));
    }
    page.push_str("\n## Assumptions\n\nWhat nobody promises, and lakeshift relies on until a check has tried it:\n\n");
    for check in Check::ALL.iter().copied() {
        for fact in check.spec().facts.iter().filter(|fact| fact.source.contains("assumption")) {
            let _ = writeln!(page, "- {} (`{}`).", fact.says, check.name());
        }
    }
    page.push_str(UNTRIED);
    page
}

fn carried(check: Check) -> impl Iterator<Item = Feature> {
    Feature::ALL.into_iter().filter(move |feature| feature.stands_on().contains(&check))
}

fn name(feature: Feature) -> String {
    serde_json::to_value(feature).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

const INTRODUCTION: &str = "# Doctor

Generated from the program: `LAKESHIFT_REGENERATE=1 cargo test --test it reference`.

`lakeshift doctor` tries what must hold of your workspaces and of the platform, says what it found, and explains each failure
and what to do about it. What it finds is kept in this home and, where there is one, told to the ledger as a row of
`audit_event` (`verb` is `doctor`). A feature that stands on something that failed is off, and says so where it is used.

```
lakeshift doctor                        # everything that only reads
lakeshift doctor --write                # also what needs objects of its own
lakeshift doctor --check lease-conflict --write
lakeshift doctor --last                 # what was found last, without asking
lakeshift doctor --output json          # schema lakeshift.doctor/1
```

It ends with 0 when nothing failed and with 8 when something did; what could not be decided is no failure. With `--write` it
makes a schema `lakeshift_selftest_<id>` in the ledger's catalog, works in it alone, and drops it again, whatever happened; a
schema of that name that is still there was left by a doctor that was killed, and may be dropped. A stopped warehouse is started
by the first statement, as by every command that speaks to the ledger.

What counts as what:

- **proven**: the check passed. It counts for the workspace's address, or the ledger's warehouse, with which it was made, under the
  same fleet's file, and for a time; then it is an assumption again.
- **failed**: what stands on it is off until the check passes. A failure does not grow old.
- **undecided**: it could not be tried: no right, no running pipeline, nothing to look at. What was found before counts on.
- **never tried**: an assumption. What stands on it is on, and marked as assumed; but what would change production without
  anybody noticing is off until it is proven.

";

const UNTRIED: &str = "
What no check can try, since it would take a failure of the platform or a person's act: how long a request whose answer was lost may
still take effect (`late_bound` of `[operations]`, 90 s unless the fleet's file says otherwise), that an idempotency token outlives that time, and
that a run that was told to cancel ends.
";
