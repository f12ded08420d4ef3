//! How facts change the model.

use std::sync::Arc;

use chrono::TimeDelta;

use crate::app::act::Order;
use crate::app::command::{self, Action, Command, DialogAction, Motion, SheetAction};
use crate::app::effect::Effect;
use crate::app::interlock::REPEAT_MS;
use crate::app::list::{Finder, moved};
use crate::app::message::{Fact, Feed, Message, Observed};
use crate::app::modal::Modal;
use crate::app::model::{LOG_LENGTH, Logged, Model, Notice};
use crate::app::palette::{self, Choice};
use crate::app::text_input::TextInput;
use crate::domain::request::RequestRecord;
use crate::domain::snapshot::FeedFailure;
use crate::domain::text;
use crate::keymap::{GLOBAL, Key};
use crate::screens::{Screen, Step, Target};

/// The same key within this time is a held key.
const HELD: TimeDelta = TimeDelta::milliseconds(REPEAT_MS);

/// How many rows one notch of the wheel may move at most.
const WHEEL_ROWS: u16 = 50;

/// Changes the model by one fact; what the runtime is to do because of it.
pub fn update(model: &mut Model, message: Message) -> Vec<Effect> {
    // Facts may arrive slightly out of order; the present never goes back.
    model.shared.now = model.shared.now.max(message.at);
    let (visible, mut effects) = model.take(message.fact);
    if visible {
        model.revision += 1;
    }
    effects.extend(model.watch());
    effects.extend(model.visit_record());
    effects
}

impl Model {
    /// Takes a fact; whether anything visible may have changed, and what to do.
    fn take(&mut self, fact: Fact) -> (bool, Vec<Effect>) {
        match fact {
            Fact::KeyPressed(key) => return (true, self.key_pressed(key.normal())),
            Fact::Pasted(pasted) => self.pasted(&pasted),
            Fact::Scrolled { rows } => self.scrolled(rows),
            Fact::Observed { feed, epoch, result } => return (self.observed(&feed, epoch, result), Vec::new()),
            Fact::RequestEnded(record) => return (self.request_ended(record), Vec::new()),
            Fact::SignedIn { workspace, user } => {
                self.shared.users.insert(workspace, text::line(&user));
            }
            Fact::Exported { path } => self.tell(format!("written to {}", text::line(&path))),
            Fact::EffectFailed(reason) => self.tell(text::line(&reason)),
            Fact::Ticked => return (self.ages(), Vec::new()),
            Fact::Answered { number, answer } => return (self.answered(number, answer), Vec::new()),
            Fact::OperationsAdvanced(snapshot) => return (true, self.operations_advanced(&snapshot)),
            Fact::OrderFailed { operation, why } => self.order_failed(operation, &why),
            Fact::RecordRead(read) => {
                self.shared.operations.shared_record.observe(&read, self.shared.now);
                self.settle();
            }
            Fact::Drawn => {
                self.drawn();
                return (false, Vec::new());
            }
            Fact::Resized { columns, rows } => {
                self.shared.columns = columns;
                self.shared.rows = rows;
            }
        }
        (true, Vec::new())
    }

    fn key_pressed(&mut self, key: Key) -> Vec<Effect> {
        self.notice = None;
        let now = self.shared.now;
        self.is_held = self.last_key.is_some_and(|(last, at)| last == key && now - at < HELD);
        self.last_key = Some((key, now));
        let context = self.modal().map_or_else(|| self.screen().page().spec().context, Modal::context);
        let called = self.shared.keymap.command(context, key).and_then(|(context, name)| command::find(context, name));
        match called {
            Some(command) => self.call(command),
            None => self.typed(key),
        }
    }

    /// Does what a command says, if it can be done now.
    fn call(&mut self, command: &Command) -> Vec<Effect> {
        if self.can(command) { self.perform(command.action) } else { Vec::new() }
    }

    fn perform(&mut self, action: Action) -> Vec<Effect> {
        match action {
            Action::Quit => return vec![Effect::Quit],
            Action::Back => self.back(),
            Action::Go(place) => self.go(&place.target()),
            Action::Help => self.modals.push(Modal::Help(palette::help(self))),
            Action::Palette => self.modals.push(Modal::Palette(palette::choices(self))),
            Action::Filter => {
                let before = self.screen().page().filter().unwrap_or_default().to_owned();
                self.modals.push(Modal::Filter { input: TextInput::new(&before), before });
            }
            Action::Copy => {
                let copies = self.screen().page().copies(&self.shared);
                self.modals.push(Modal::Copy { copies, selected: 0 });
            }
            Action::Browse => {
                return self.screen().page().url(&self.shared).map(Effect::Open).into_iter().collect();
            }
            Action::Mouse => {
                self.mouse = !self.mouse;
                self.tell(if self.mouse {
                    "the wheel scrolls; hold shift to select text".to_owned()
                } else {
                    "the mouse is the terminal's again".to_owned()
                });
                return vec![Effect::CaptureMouse(self.mouse)];
            }
            Action::Refresh => {
                self.tell("asked again".to_owned());
                self.visits_record = false;
                let fleet = self.shared.fleet.workspaces().iter();
                let fleet = fleet.map(|watched| Feed::Fleet(watched.snapshot.workspace.name.clone()));
                return self.watched.iter().cloned().chain(fleet).map(Effect::Refresh).collect();
            }
            Action::Dialog(action) => return self.dialog(action),
            Action::Sheet(action) => return self.on_sheet(action),
            Action::Move(_)
            | Action::Act(_)
            | Action::Open
            | Action::Sort
            | Action::ReverseSort
            | Action::Fleet(_)
            | Action::Run(_)
            | Action::Pipeline(_)
            | Action::Log(_)
            | Action::Operations(_)
            | Action::Audit(_) => {
                return self.on_screen(action);
            }
        }
        Vec::new()
    }

    /// Reads the shared record when a screen that shows it is come to, and no more: each look keeps a warehouse awake.
    fn visit_record(&mut self) -> Option<Effect> {
        let operations = &mut self.shared.operations;
        let shown = matches!(self.screens.last(), Some(Screen::Audit(_) | Screen::Operations(_)));
        let visits = std::mem::replace(&mut self.visits_record, shown && operations.ledger.configured);
        if visits || !self.visits_record {
            return None;
        }
        operations.shared_record.reading = true;
        Some(Effect::Act(Order::ReadRecord { verify: false }))
    }

    /// Hands an action to the visible screen and follows the steps that it answers.
    fn on_screen(&mut self, action: Action) -> Vec<Effect> {
        let last = self.screens.len() - 1;
        let steps = self.screens[last].page_mut().perform(action, &self.shared);
        let mut effects = Vec::new();
        for step in steps {
            match step {
                Step::Open(target) => self.open(&target),
                Step::Tell(text) => self.tell(text),
                Step::Order(effect) => effects.push(effect),
                Step::Wish(object, wish) => effects.extend(self.wish(&object, wish)),
                Step::Never { object, verb, danger, why } => self.never(&object, verb, danger, why),
                Step::Steer(operation, steer) => self.steer(operation, steer),
            }
        }
        effects
    }

    pub(super) fn open(&mut self, target: &Target) {
        let screen = Screen::open(target, &self.shared);
        self.screens.push(screen);
    }

    /// Goes to a screen that needs no object: back to it if it is open, else on top of the fleet.
    fn go(&mut self, target: &Target) {
        let screen = Screen::open(target, &self.shared);
        let id = screen.page().spec().context;
        match self.screens.iter().position(|open| open.page().spec().context == id) {
            Some(open) => self.screens.truncate(open + 1),
            None => {
                self.screens.truncate(1);
                self.screens.push(screen);
            }
        }
    }

    /// One step back: within the screen first, then the filter, then the screen.
    fn back(&mut self) {
        let last = self.screens.len() - 1;
        let page = self.screens[last].page_mut();
        if page.back(&self.shared) {
            // The screen went back within itself.
        } else if page.filter().is_some_and(|filter| !filter.is_empty()) {
            page.set_filter("", &self.shared);
        } else if last > 0 {
            self.screens.pop();
        } else {
            let quit = self.shared.key(GLOBAL, "quit");
            self.tell(format!("this is the first screen; {quit} leaves the console"));
        }
    }

    fn dialog(&mut self, action: DialogAction) -> Vec<Effect> {
        match action {
            DialogAction::Move(motion) => self.move_in_dialog(motion),
            DialogAction::Cancel if matches!(self.modal(), Some(Modal::Sheet(_))) => self.leave_field(),
            DialogAction::Accept if matches!(self.modal(), Some(Modal::Sheet(_))) => return self.take_field(),
            DialogAction::Cancel => {
                if let Some(Modal::Filter { before, .. }) = self.close() {
                    self.filter(&before);
                }
            }
            DialogAction::Accept => match self.close() {
                Some(Modal::Palette(finder)) => return self.choose(&finder),
                Some(Modal::Copy { copies, selected }) => {
                    if let Some(copy) = copies.into_iter().nth(selected) {
                        return self.copied(copy.label, copy.text);
                    }
                }
                Some(Modal::Help(_) | Modal::Filter { .. } | Modal::Sheet(_)) | None => {}
            },
        }
        Vec::new()
    }

    fn move_in_dialog(&mut self, motion: Motion) {
        let page = self.shared.page_rows();
        match self.modals.last_mut() {
            Some(Modal::Help(finder)) => finder.go(motion, page),
            Some(Modal::Palette(finder)) => finder.go(motion, page),
            Some(Modal::Copy { copies, selected }) => *selected = moved(*selected, copies.len(), motion, page),
            Some(Modal::Sheet(_)) => self.move_on_sheet(motion),
            Some(Modal::Filter { .. }) | None => {}
        }
    }

    /// Closes the dialog on top; rows that changed meanwhile find their places.
    pub(super) fn close(&mut self) -> Option<Modal> {
        let closed = self.modals.pop();
        self.settle();
        closed
    }

    fn choose(&mut self, finder: &Finder<Choice>) -> Vec<Effect> {
        match finder.chosen() {
            Some(Choice::Command { command, .. }) => self.call(command),
            Some(Choice::Object { id, .. }) => {
                self.open(&Target::of(id));
                Vec::new()
            }
            None => Vec::new(),
        }
    }

    fn copied(&mut self, label: &str, text: String) -> Vec<Effect> {
        self.tell(format!("{label} sent to the clipboard"));
        vec![Effect::Copy(text)]
    }

    /// A key without a command: text, where text is wanted.
    fn typed(&mut self, key: Key) -> Vec<Effect> {
        let changed = match self.modals.last_mut() {
            Some(Modal::Copy { copies, .. }) => {
                let chosen = key.typed().and_then(|letter| copies.iter().find(|copy| copy.letter == letter)).cloned();
                let Some(copy) = chosen else { return Vec::new() };
                self.close();
                return self.copied(copy.label, copy.text);
            }
            Some(Modal::Filter { input, .. }) => input.press(key),
            Some(Modal::Help(finder)) => finder.input.press(key),
            Some(Modal::Palette(finder)) => finder.input.press(key),
            Some(Modal::Sheet(_)) => return self.typed_on_sheet(key),
            None => false,
        };
        if changed {
            self.narrow();
        }
        Vec::new()
    }

    fn pasted(&mut self, pasted: &str) {
        match self.modals.last_mut() {
            Some(Modal::Filter { input, .. }) => input.paste(pasted),
            Some(Modal::Help(finder)) => finder.input.paste(pasted),
            Some(Modal::Palette(finder)) => finder.input.paste(pasted),
            Some(Modal::Sheet(sheet)) => {
                if !sheet.pasted(pasted) {
                    self.tell("pasted text ignored: an act is confirmed by hand".to_owned());
                }
                return;
            }
            Some(Modal::Copy { .. }) | None => {
                return self.tell("pasted text ignored: no text is asked for here".to_owned());
            }
        }
        self.narrow();
    }

    /// Applies what was typed in the dialog on top.
    fn narrow(&mut self) {
        match self.modals.last_mut() {
            Some(Modal::Filter { input, .. }) => {
                let filter = input.text().to_owned();
                self.filter(&filter);
            }
            Some(Modal::Help(finder)) => finder.narrow(),
            Some(Modal::Palette(finder)) => finder.narrow(),
            Some(Modal::Copy { .. } | Modal::Sheet(_)) | None => {}
        }
    }

    fn scrolled(&mut self, rows: i16) {
        let motion = if rows < 0 { Motion::Up } else { Motion::Down };
        for _ in 0..rows.unsigned_abs().min(WHEEL_ROWS) {
            if self.modals.is_empty() {
                self.on_screen(Action::Move(motion));
            } else if matches!(self.modal(), Some(Modal::Sheet(sheet)) if sheet.field.is_none()) {
                self.on_sheet(SheetAction::Scroll(motion));
            } else {
                self.move_in_dialog(motion);
            }
        }
    }

    fn filter(&mut self, text: &str) {
        let last = self.screens.len() - 1;
        self.screens[last].page_mut().set_filter(text, &self.shared);
    }

    pub(super) fn tell(&mut self, text: String) {
        self.notice = Some(Notice { text, at: self.shared.now });
    }

    fn observed(&mut self, feed: &Feed, epoch: u64, result: Result<Observed, FeedFailure>) -> bool {
        if let Feed::Fleet(_) = feed {
            let Ok(Observed::Fleet(snapshot)) = result else { return false };
            let known = self.shared.fleet.observe(snapshot, &self.shared.inventory, self.shared.now);
            if known {
                self.settle();
            }
            return known;
        }
        if epoch != self.epoch || !self.watched.contains(feed) {
            return false;
        }
        let last = self.screens.len() - 1;
        self.screens[last].page_mut().observed(feed, result, &self.shared);
        true
    }

    /// Lets every screen follow what is shared; their order stands still under a dialog.
    pub(super) fn settle(&mut self) {
        let frozen = self.modals.iter().any(Modal::freezes);
        for screen in &mut self.screens {
            screen.page_mut().settle(&self.shared, frozen);
        }
    }

    fn request_ended(&mut self, record: RequestRecord) -> bool {
        self.requests += 1;
        self.shared.log.push_front(Arc::new(Logged { number: self.requests, record }));
        self.shared.log.truncate(LOG_LENGTH);
        let shows_log = matches!(self.screen(), Screen::Log(_));
        if shows_log {
            self.settle();
        }
        shows_log
    }

    /// Asks for what the visible screen needs, if that is not what was asked for last.
    fn watch(&mut self) -> Option<Effect> {
        let feeds = self.screen().page().feeds(&self.shared);
        if feeds == self.watched {
            return None;
        }
        self.watched.clone_from(&feeds);
        self.epoch += 1;
        Some(Effect::Watch { feeds, epoch: self.epoch })
    }
}
