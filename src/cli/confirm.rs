//! How an act that was asked for on the command line goes ahead: by its tier's interlock, as in the console.
//!
//! The lanes are those of the table of danger tiers, and the machine that watches the keys is the console's: what was typed
//! ahead is read and dropped, a held key and a paste do not count, and neither Enter nor Space goes ahead.

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use chrono::TimeDelta;
use futures::{Stream, StreamExt};

use super::failure::{Failure, Kind};
use super::operate::stop_asked;
use crate::app::Fact;
use crate::app::interlock::{Interlock, READING_MS, REPEAT_MS, Turn};
use crate::domain::Instant;
use crate::domain::clock::Clock;
use crate::domain::danger::{Danger, Interlock as Lane};
use crate::domain::text;
use crate::domain::units::age;
use crate::keymap::{Code, Key};
use crate::operations::needs::Rights;
use crate::operations::outlook::Outlook;
use crate::operations::plan::Plan;
use crate::operations::planning::outdated;
use crate::operations::refusal::Refusal;
use crate::runtime::console::{Raw, facts};

/// A plan with all that a person is told before they confirm it.
#[derive(Clone, Debug)]
pub(super) struct Proposal {
    /// Exactly this is done.
    pub(super) plan: Plan,
    /// What it does and leaves alone.
    pub(super) outlook: Outlook,
    /// Whose rights are used; none where they were judged when it was planned.
    pub(super) rights: Option<Rights>,
    /// The key that confirms in the workspace's environment.
    pub(super) letter: char,
    /// Who approved exactly this plan. Nobody can approve one yet.
    pub(super) approved_by: Option<String>,
    /// The workspace's time when it was planned.
    pub(super) world_now: Instant,
}

impl Proposal {
    /// What is about to be done, for a person to judge.
    pub(super) fn print(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let (plan, subject) = (&self.plan, &self.plan.subject);
        let (verb, name) = (plan.kind.words(), text::line(&subject.name));
        writeln!(out, "{verb} in {} ({}): {name}", subject.workspace, subject.environment)?;
        for (index, step) in plan.steps.iter().enumerate() {
            let back = if step.point_of_no_return { "; no way back" } else { "" };
            writeln!(out, "  {}. {}{back}", index + 1, text::line(&step.action.words()))?;
        }
        for line in &self.outlook.warnings {
            writeln!(out, "  ! {}", text::line(line))?;
        }
        for line in &self.outlook.effects {
            writeln!(out, "  {}", text::line(line))?;
        }
        if let Some(upcoming) = &self.outlook.upcoming {
            let sign = if upcoming.is_in_danger(None) { "! " } else { "" };
            writeln!(out, "  {sign}{}", text::line(&upcoming.words(self.world_now, None)))?;
        }
        for (name, value) in plan.observed.iter().filter(|(_, value)| !value.is_empty()) {
            writeln!(out, "  {name}: {}", text::line(value))?;
        }
        if let Some(rights) = &self.rights {
            writeln!(out, "  rights: {}", text::line(&rights.to_string()))?;
        }
        if let Some(reason) = &plan.reason {
            writeln!(out, "  reason: {}", text::line(reason))?;
        }
        writeln!(out, "  tier {}: {}", plan.tier.tier(), plan.tier.meaning())
    }
}

/// Who is asked.
pub(super) trait Person {
    /// Whether anybody is there.
    fn is_there(&self) -> bool;

    /// Shows a proposal and what changed since the one before, and waits until the person confirms it through the lock, or
    /// leaves it. Gives the key that confirmed.
    async fn judges(&mut self, proposal: &Proposal, news: &[String], lock: Interlock) -> Result<Option<Key>, Failure>;
}

/// Lets a proposal go ahead, or not, by what the table says of its tier. One that the person took too long over is made again
/// and shown with what changed. Gives what was confirmed, and how.
pub(super) async fn settled(
    first: Proposal,
    again: impl AsyncFn() -> Result<Proposal, Failure>,
    yes: bool,
    person: &mut impl Person,
    clock: &dyn Clock,
) -> Result<(Plan, String), Failure> {
    let (mut proposal, mut news) = (first, Vec::new());
    loop {
        let Some(lock) = lock(&proposal, yes, person.is_there())? else {
            return Ok((proposal.plan, "--yes".to_owned()));
        };
        let Some(key) = person.judges(&proposal, &news, lock).await? else {
            return Err(Failure::new(Kind::Refused, "not confirmed: nothing was done"));
        };
        match outdated(&proposal.plan, clock.now()) {
            Some(Refusal::Stale { age_s, .. }) => {
                let next = again().await?;
                news = next.plan.news_since(&proposal.plan);
                let old = format!("Read again, since what was shown was {} old:", age(age_s));
                news.insert(0, if news.is_empty() { format!("{old} nothing has changed.") } else { old });
                proposal = next;
            }
            _ => return Ok((proposal.plan, format!("confirmed with {key} on the command line"))),
        }
    }
}

/// The lock that a person has to open; none where nobody needs to be asked.
///
/// # Errors
/// Where it cannot go ahead at all: nobody has approved it, nobody is there, or the tier wants more than `--yes`.
fn lock(proposal: &Proposal, yes: bool, is_there: bool) -> Result<Option<Interlock>, Failure> {
    let plan = &proposal.plan;
    let row = plan.tier.row();
    let tier = format!("tier {} ({})", row.letter, row.meaning);
    if row.approval && proposal.approved_by.is_none() {
        let digest: String = plan.digest().map(|digest| digest.chars().take(12).collect()).unwrap_or_default();
        return Err(Failure::new(Kind::Refused, format!("{tier} needs an approval of exactly this plan ({digest})")));
    }
    if yes && row.unattended {
        return Ok(None);
    }
    if yes {
        return Err(Failure::new(Kind::Refused, format!("--yes is not enough for {tier}"))
            .hint(format!("Run it at a terminal without --yes: it asks for {}.", wanted(plan.tier))));
    }
    if matches!(row.interlock, Lane::Free | Lane::Notice) {
        return Ok(None);
    }
    if !is_there {
        let hint = if row.unattended {
            "Give --yes, or --dry-run to see what would be done.".to_owned()
        } else {
            format!("Run it at a terminal: it asks for {}.", wanted(plan.tier))
        };
        return Err(Failure::new(Kind::Refused, "nobody is there to confirm it").hint(hint));
    }
    Ok(Some(Interlock::new(row.interlock, proposal.letter, &text::line(&plan.subject.name))))
}

/// What a tier's interlock asks for.
fn wanted(tier: Danger) -> &'static str {
    match tier.interlock() {
        Lane::Free | Lane::Notice => "nothing",
        Lane::Sheet => "y",
        Lane::Letter | Lane::Rollback => "the environment's letter",
        Lane::Name => "the object's name, typed by hand, and the environment's letter",
    }
}

/// The person at the terminal of this process.
pub(super) struct AtTerminal {
    pub(super) clock: Arc<dyn Clock>,
}

impl Person for AtTerminal {
    fn is_there(&self) -> bool {
        std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    async fn judges(&mut self, proposal: &Proposal, news: &[String], lock: Interlock) -> Result<Option<Key>, Failure> {
        let mut err = std::io::stderr();
        let said = news.iter().try_for_each(|line| writeln!(err, "{}", text::line(line)));
        said.and_then(|()| proposal.print(&mut err)).map_err(Failure::from)?;
        let raw = Raw::take().map_err(|error| Failure::of_system("the terminal cannot be read by key", &error))?;
        let opened = tokio::select! {
            opened = opens(lock, facts(), &mut err, self.clock.as_ref()) => opened,
            () = stop_asked() => Ok(None),
        };
        drop(raw);
        writeln!(err).map_err(Failure::from)?;
        opened.map_err(|error| Failure::of_system("the answer could not be read", &error))
    }
}

/// Waits until the lock is opened or left. Everything typed before the prompt is there is dropped.
async fn opens(
    mut lock: Interlock,
    facts: impl Stream<Item = std::io::Result<Fact>>,
    out: &mut dyn Write,
    clock: &dyn Clock,
) -> std::io::Result<Option<Key>> {
    let mut facts = std::pin::pin!(facts);
    let mut last: Option<(Key, Instant)> = None;
    lock.drawn(clock.now());
    let mut armed = std::pin::pin!(tokio::time::sleep(reading()));
    let mut is_armed = false;
    loop {
        let fact = tokio::select! {
            // What is already typed first: it counts for nothing.
            biased;
            fact = facts.next() => fact,
            () = &mut armed, if !is_armed => {
                is_armed = true;
                prompt(&lock, out)?;
                continue;
            }
        };
        let now = clock.now();
        let key = match fact {
            None => return Ok(None),
            Some(Err(error)) => return Err(error),
            Some(Ok(Fact::KeyPressed(key))) => key,
            Some(Ok(Fact::Pasted(_))) if is_armed => return Ok(None),
            Some(Ok(_)) => continue,
        };
        let held = last.is_some_and(|(last, at)| last == key && now - at < TimeDelta::milliseconds(REPEAT_MS));
        last = Some((key, now));
        if key == Key::ctrl('c') {
            return Ok(None);
        }
        // By the clock of the lock as well as by the prompt: whichever is later.
        if !is_armed || !lock.is_armed(now) || held {
            continue;
        }
        let typing = lock.wants_name();
        let turn = match lock.lane() {
            Lane::Sheet if key == Key::char('y') => lock.confirm_pressed(held, now),
            _ => lock.pressed(key, held, now),
        };
        match turn {
            Turn::Confirmed => return Ok(Some(key)),
            Turn::Changed => {
                // The name stands, and the last question is another one.
                lock.disarm();
                lock.drawn(now);
                is_armed = false;
                armed.set(tokio::time::sleep(reading()));
                write!(out, "\r\n")?;
            }
            Turn::Ignored if typing && (key.typed().is_some() || key == Key::plain(Code::Backspace)) => {
                prompt(&lock, out)?;
            }
            Turn::Ignored => return Ok(None),
        }
    }
}

fn reading() -> std::time::Duration {
    std::time::Duration::from_millis(READING_MS.unsigned_abs())
}

fn prompt(lock: &Interlock, out: &mut dyn Write) -> std::io::Result<()> {
    match (lock.letter(), lock.wants_name()) {
        (_, true) => write!(out, "\r\u{1b}[KType the object's name: {}", lock.typed())?,
        (Some(letter), false) => write!(out, "\r\u{1b}[K{letter} goes ahead, any other key leaves it: ")?,
        (None, false) => write!(out, "\r\u{1b}[Ky goes ahead, any other key leaves it: ")?,
    }
    out.flush()
}

#[cfg(test)]
mod tests;
