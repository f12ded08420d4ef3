//! What a person can do: one table from which the keymap, footer, help, palette and `docs/keys.md` are made.

use crate::app::model::Model;
pub use crate::domain::danger::Danger;
use crate::keymap::{DIALOG, GLOBAL, SHEET, Word};
use crate::operations::kind::Kind;
use crate::screens::{self, Target};

/// One thing that a person can do. Nothing about it is typed twice.
#[derive(Debug)]
pub struct Command {
    /// The name that the keymap binds.
    pub name: &'static str,
    /// One or two words for the footer.
    pub label: &'static str,
    /// One sentence for help and palette.
    pub sentence: &'static str,
    /// Under which heading help lists it.
    pub group: Group,
    /// What harm it may do.
    pub danger: Danger,
    /// Whether it can be done now.
    pub when: fn(&Model) -> bool,
    /// What it asks of the model or the screen.
    pub action: Action,
}

/// The headings of help, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// Only on this screen.
    Here,
    /// Moving the cursor.
    Move,
    /// Looking closer.
    Look,
    /// Changing the world.
    Act,
    /// From screen to screen.
    Go,
    /// The program itself.
    Console,
    /// Within the dialog of an act.
    Sheet,
    /// Within dialogs.
    Dialog,
}

impl Group {
    /// All, in the order of help.
    pub const ALL: [Self; 8] =
        [Self::Here, Self::Act, Self::Move, Self::Look, Self::Go, Self::Console, Self::Sheet, Self::Dialog];

    /// The heading.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Here => "On this screen",
            Self::Move => "Move",
            Self::Look => "Look",
            Self::Act => "Act",
            Self::Go => "Go",
            Self::Console => "Console",
            Self::Sheet => "Before an act",
            Self::Dialog => "In dialogs",
        }
    }
}

/// What a command asks of the model or of the screen on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Move the cursor.
    Move(Motion),
    /// Open what is under the cursor.
    Open,
    /// One step back.
    Back,
    /// Type a filter.
    Filter,
    /// Sort by the next column.
    Sort,
    /// Turn the order round.
    ReverseSort,
    /// Choose what to copy.
    Copy,
    /// Open in the browser.
    Browse,
    /// Poll now.
    Refresh,
    /// Listen to the mouse or not.
    Mouse,
    /// Show help.
    Help,
    /// Show the palette.
    Palette,
    /// Leave.
    Quit,
    /// Go to a screen.
    Go(Place),
    /// In a dialog.
    Dialog(DialogAction),
    /// Ask for an act on what is under the cursor.
    Act(Act),
    /// In the dialog of an act.
    Sheet(SheetAction),
    /// Of the Fleet screen.
    Fleet(screens::fleet::Action),
    /// Of the Run screen.
    Run(screens::run::Action),
    /// Of the Pipeline screen.
    Pipeline(screens::pipeline::Action),
    /// Of the Log screen.
    Log(screens::log::Action),
    /// Of the Audit screen.
    Audit(screens::audit::Action),
    /// Of the Operations screen.
    Operations(screens::operations::Action),
}

/// A screen that needs no object to be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The fleet.
    Fleet,
    /// The operations.
    Operations,
    /// Who did what.
    Audit,
    /// The requests.
    Log,
}

impl Place {
    /// The place as what is to be opened.
    pub fn target(self) -> Target {
        match self {
            Self::Fleet => Target::Fleet,
            Self::Operations => Target::Operations,
            Self::Audit => Target::Audit,
            Self::Log => Target::Log,
        }
    }
}

/// Where to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// One up.
    Up,
    /// One down.
    Down,
    /// One left.
    Left,
    /// One right.
    Right,
    /// To the first.
    Top,
    /// To the last.
    Bottom,
    /// One page up.
    PageUp,
    /// One page down.
    PageDown,
    /// To the next pane.
    NextPane,
    /// To the pane before.
    PreviousPane,
}

/// What can be done to what is under the cursor. Asking for it changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Run the job, start the pipeline.
    Start,
    /// Cancel the run, stop the pipeline.
    Stop,
    /// Run failed tasks again.
    Repair,
    /// Build a pipeline's tables anew from nothing.
    FullRefresh,
}

impl Act {
    /// The kinds of operations that it may lead to: what is under the cursor decides. None if it is never done from here.
    pub const fn kinds(self) -> &'static [Kind] {
        match self {
            Self::Start => &[Kind::RunNow, Kind::StartPipeline],
            Self::Stop => &[Kind::Cancel, Kind::StopPipeline],
            Self::Repair => &[Kind::Repair],
            Self::FullRefresh => &[],
        }
    }

    /// The tier of the most dangerous of its kinds.
    pub const fn danger(self) -> Danger {
        match self.kinds() {
            [] => Danger::Loss,
            [first, rest @ ..] => {
                let (mut worst, mut at) = (first.danger(), 0);
                while at < rest.len() {
                    if rest[at].danger() as u8 > worst as u8 {
                        worst = rest[at].danger();
                    }
                    at += 1;
                }
                worst
            }
        }
    }
}

/// What one can do in the dialog of an act besides typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SheetAction {
    /// Do it.
    Confirm,
    /// Leave it.
    Leave,
    /// Lift the lock from this object for this verb.
    Unlock,
    /// Set a job's parameters.
    Parameters,
    /// Choose which tasks.
    Scope,
    /// Say why.
    Reason,
    /// Read and plan again.
    Again,
    /// Go to the operation.
    Follow,
    /// Move in its text.
    Scroll(Motion),
}

/// What one can do in a dialog besides typing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialogAction {
    /// Take it.
    Accept,
    /// Leave it.
    Cancel,
    /// Move in its list.
    Move(Motion),
}

fn always(_: &Model) -> bool {
    true
}

fn has_filter(model: &Model) -> bool {
    model.screen().page().filter().is_some()
}

fn has_sort(model: &Model) -> bool {
    model.screen().page().spec().sorts
}

fn has_copies(model: &Model) -> bool {
    !model.screen().page().copies(&model.shared).is_empty()
}

fn has_url(model: &Model) -> bool {
    model.screen().page().url(&model.shared).is_some()
}

/// A command that changes the world once its dialog is confirmed.
pub const fn act(name: &'static str, label: &'static str, sentence: &'static str, action: Act) -> Command {
    Command { danger: action.danger(), ..plain(name, label, sentence, Group::Act, Action::Act(action)) }
}

const fn plain(
    name: &'static str,
    label: &'static str,
    sentence: &'static str,
    group: Group,
    action: Action,
) -> Command {
    Command { name, label, sentence, group, danger: Danger::Read, when: always, action }
}

impl Command {
    /// The command, to be done only while a condition holds.
    #[must_use]
    pub const fn given(self, condition: fn(&Model) -> bool) -> Self {
        Self { when: condition, ..self }
    }
}

/// A command of one screen that reads only and can always be done there.
pub const fn here(name: &'static str, label: &'static str, sentence: &'static str, action: Action) -> Command {
    plain(name, label, sentence, Group::Here, action)
}

/// What can be done on every screen.
pub static GLOBALS: [Command; 26] = [
    plain("up", "up", "Move the cursor up.", Group::Move, Action::Move(Motion::Up)),
    plain("down", "down", "Move the cursor down.", Group::Move, Action::Move(Motion::Down)),
    plain("left", "left", "Move the cursor left.", Group::Move, Action::Move(Motion::Left)),
    plain("right", "right", "Move the cursor right.", Group::Move, Action::Move(Motion::Right)),
    plain("top", "top", "Move to the first row.", Group::Move, Action::Move(Motion::Top)),
    plain("bottom", "bottom", "Move to the last row.", Group::Move, Action::Move(Motion::Bottom)),
    plain("page-up", "page up", "Move one page up.", Group::Move, Action::Move(Motion::PageUp)),
    plain("page-down", "page down", "Move one page down.", Group::Move, Action::Move(Motion::PageDown)),
    plain("next-pane", "next pane", "Move to the next pane.", Group::Move, Action::Move(Motion::NextPane)),
    plain("previous-pane", "pane before", "Move to the pane before.", Group::Move, Action::Move(Motion::PreviousPane)),
    plain("open", "open", "Open what is under the cursor.", Group::Look, Action::Open),
    plain(
        "back",
        "back",
        "Go one step back: within the screen, then clear the filter, then leave the screen.",
        Group::Go,
        Action::Back,
    ),
    plain("filter", "filter", "Show only rows that hold all words of a filter.", Group::Look, Action::Filter)
        .given(has_filter),
    plain("sort", "sort", "Sort by the next column.", Group::Look, Action::Sort).given(has_sort),
    plain("reverse-sort", "reverse", "Turn the order round.", Group::Look, Action::ReverseSort).given(has_sort),
    plain(
        "copy",
        "copy",
        "Copy the id, name, URL, JSON or API call of what is under the cursor.",
        Group::Look,
        Action::Copy,
    )
    .given(has_copies),
    plain("browse", "browser", "Open what is under the cursor in the browser.", Group::Look, Action::Browse)
        .given(has_url),
    plain("refresh", "refresh", "Poll now instead of at the next turn.", Group::Look, Action::Refresh),
    plain(
        "go-fleet",
        "fleet",
        "Go to the fleet: every job and pipeline of all workspaces.",
        Group::Go,
        Action::Go(Place::Fleet),
    ),
    plain(
        "go-operations",
        "operations",
        "Go to the operations: what was begun, how far it is, what it waits for.",
        Group::Go,
        Action::Go(Place::Operations),
    ),
    plain(
        "go-audit",
        "audit",
        "Go to the audit: who did what, and whether the record is whole.",
        Group::Go,
        Action::Go(Place::Audit),
    ),
    plain(
        "go-log",
        "log",
        "Go to the log: every request that this console has made.",
        Group::Go,
        Action::Go(Place::Log),
    ),
    plain(
        "palette",
        "palette",
        "Find anything that can be done and any object by name.",
        Group::Console,
        Action::Palette,
    ),
    plain("help", "help", "Show what every key does here.", Group::Console, Action::Help),
    plain(
        "mouse",
        "mouse",
        "Scroll with the mouse wheel, or give the mouse back to the terminal to select text.",
        Group::Console,
        Action::Mouse,
    ),
    plain("quit", "quit", "Leave the console. Nothing that runs is stopped.", Group::Console, Action::Quit),
];

/// What can be done in a dialog.
pub static DIALOGS: [Command; 6] = [
    plain("accept", "take", "Take what is under the cursor.", Group::Dialog, Action::Dialog(DialogAction::Accept)),
    plain("cancel", "leave it", "Leave the dialog.", Group::Dialog, Action::Dialog(DialogAction::Cancel)),
    plain("next", "next", "Move to the next entry.", Group::Dialog, Action::Dialog(DialogAction::Move(Motion::Down))),
    plain(
        "previous",
        "previous",
        "Move to the entry before.",
        Group::Dialog,
        Action::Dialog(DialogAction::Move(Motion::Up)),
    ),
    plain(
        "next-page",
        "page down",
        "Move one page down.",
        Group::Dialog,
        Action::Dialog(DialogAction::Move(Motion::PageDown)),
    ),
    plain(
        "previous-page",
        "page up",
        "Move one page up.",
        Group::Dialog,
        Action::Dialog(DialogAction::Move(Motion::PageUp)),
    ),
];

/// What can be done in the dialog of an act. Nothing else holds there.
pub static SHEETS: [Command; 12] = [
    Command {
        danger: Danger::Costly,
        ..sheet("confirm", "do it", "Do what the dialog says. Never on Enter or Space.", SheetAction::Confirm)
    },
    sheet("leave", "leave it", "Leave it. What was begun goes on.", SheetAction::Leave),
    sheet("unlock", "unlock", "Unlock this object for this verb, for five minutes.", SheetAction::Unlock),
    sheet("parameters", "parameters", "Set the parameters of the run.", SheetAction::Parameters),
    sheet("scope", "which tasks", "Choose between all that failed and the task under the cursor.", SheetAction::Scope),
    sheet("reason", "say why", "Say why; it is kept with the operation.", SheetAction::Reason),
    sheet("again", "look again", "Read the target again and plan anew.", SheetAction::Again),
    sheet("follow", "follow it", "Go to the operation that was begun.", SheetAction::Follow),
    sheet("down", "down", "Move down in the text.", SheetAction::Scroll(Motion::Down)),
    sheet("up", "up", "Move up in the text.", SheetAction::Scroll(Motion::Up)),
    sheet("page-down", "page down", "Move one page down.", SheetAction::Scroll(Motion::PageDown)),
    sheet("page-up", "page up", "Move one page up.", SheetAction::Scroll(Motion::PageUp)),
];

const fn sheet(name: &'static str, label: &'static str, sentence: &'static str, action: SheetAction) -> Command {
    plain(name, label, sentence, Group::Sheet, Action::Sheet(action))
}

/// Every context with its commands.
pub fn contexts() -> impl Iterator<Item = (&'static str, &'static [Command])> {
    std::iter::once((GLOBAL, &GLOBALS[..]))
        .chain(screens::SPECS.iter().map(|spec| (spec.context, spec.commands)))
        .chain([(SHEET, &SHEETS[..]), (DIALOG, &DIALOGS[..])])
}

/// The words that a keymap may use: what [`crate::keymap::Keymap::load`] checks against.
pub fn vocabulary() -> Vec<Word> {
    contexts()
        .flat_map(|(context, commands)| {
            commands.iter().map(move |command| Word {
                context,
                name: command.name,
                dangerous: command.danger > Danger::Read,
            })
        })
        .collect()
}

/// The command of a context by its name.
pub fn find(context: &str, name: &str) -> Option<&'static Command> {
    contexts().filter(|(of, _)| *of == context).flat_map(|(_, commands)| commands).find(|command| command.name == name)
}
