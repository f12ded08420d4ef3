//! The palette: everything that can be done here and every object, in one list.

use std::collections::HashSet;

use crate::app::command::{self, Command, Group};
use crate::app::list::{Finder, Words};
use crate::app::model::Model;
use crate::domain::fleet::{Object, ObjectId, SortKey};
use crate::domain::text;
use crate::keymap::{DIALOG, GLOBAL, Key, SHEET};

/// Something that the palette offers.
#[derive(Clone, Debug)]
pub enum Choice {
    /// Do it.
    Command {
        /// The context in which the keymap binds it.
        context: &'static str,
        /// What to do.
        command: &'static Command,
    },
    /// Go there.
    Object {
        /// Which one.
        id: ObjectId,
        /// As the list shows it.
        label: String,
        /// What it is and where.
        note: String,
    },
}

/// All that can be chosen now: what can be done first, then objects by urgency.
pub fn choices(model: &Model) -> Finder<Choice> {
    let context = model.screen().page().spec().context;
    let commands = command::contexts()
        .filter(|(of, _)| *of == context || *of == GLOBAL)
        .flat_map(|(of, commands)| commands.iter().map(move |command| (of, command)))
        // Moving the cursor by name would be of no use, and the palette is open already.
        .filter(|(_, command)| command.group != Group::Move && command.name != "palette")
        .filter(|(_, command)| model.can(command))
        .map(|(context, command)| {
            let words = Words { name: command.name.replace('-', " "), about: command.sentence.to_owned() };
            (words, Choice::Command { context, command })
        });
    let mut rows: Vec<_> = model.shared.fleet.rows().collect();
    rows.sort_by(|a, b| SortKey::Urgency.compare(a, b, model.shared.now));
    let objects = rows.into_iter().map(|row| {
        let note = format!("{}  {}", row.environment.label(), row.status.word());
        let words = Words { name: row.name.clone(), about: row.words.clone() };
        (words, Choice::Object { id: row.id.clone(), label: row.name.clone(), note })
    });
    Finder::new(commands.chain(objects).chain(folded(model)).collect())
}

/// Pipelines that have no row of their own, because a job updates them: whoever knows one by its name finds it by its name.
fn folded(model: &Model) -> impl Iterator<Item = (Words, Choice)> {
    model.shared.fleet.workspaces().iter().flat_map(|watched| {
        let rows: HashSet<&Object> = watched.rows.iter().map(|row| &row.id.object).collect();
        let workspace = &watched.snapshot.workspace;
        let pipelines = watched.snapshot.pipelines.value.iter().flat_map(|pipelines| pipelines.iter());
        pipelines
            .map(|watch| (Object::Pipeline(watch.pipeline.id.clone()), text::line(&watch.pipeline.name)))
            .filter(move |(object, _)| !rows.contains(object))
            .map(move |(object, name)| {
                let environment = workspace.environment.label();
                let words =
                    Words { name: name.clone(), about: format!("{environment} pipeline {object}").to_lowercase() };
                let id = ObjectId { workspace: workspace.name.clone(), object };
                (words, Choice::Object { id, label: name, note: format!("{environment}  pipeline of a job") })
            })
    })
}

/// How many keys of a command help shows; it is found by all of them.
const HELP_KEYS: usize = 2;

/// One line of help.
#[derive(Clone, Debug)]
pub struct HelpLine {
    /// The heading that it stands under.
    pub group: Group,
    /// The keys, as a person reads them.
    pub keys: String,
    /// What they do.
    pub sentence: &'static str,
    /// Whether it can be done now.
    pub available: bool,
}

/// What every key does here, by heading.
pub fn help(model: &Model) -> Finder<HelpLine> {
    let context = model.screen().page().spec().context;
    let mut lines: Vec<(Words, HelpLine)> = command::contexts()
        .filter(|(of, _)| [context, GLOBAL, SHEET, DIALOG].contains(of))
        .flat_map(|(of, commands)| commands.iter().map(move |command| (of, command)))
        .filter_map(|(of, command)| {
            let keys: Vec<String> = model.shared.keymap.keys(of, command.name).map(Key::sign).collect();
            let shown = keys.get(..HELP_KEYS).unwrap_or(&keys).join("  ");
            let line = HelpLine {
                group: command.group,
                keys: shown,
                sentence: command.sentence,
                available: model.can(command),
            };
            let about = format!("{} {}", keys.join(" "), command.sentence);
            (!keys.is_empty()).then(|| (Words { about, ..Words::default() }, line))
        })
        .collect();
    lines.sort_by_key(|(_, line)| line.group);
    Finder::new(lines)
}
