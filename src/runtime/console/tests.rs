//! The loop without a terminal, in paused time.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;

use super::{Ended, Error, Feeder, Parts, Stop, Surface, drive};
use crate::app::act::Order;
use crate::app::{Fact, Feed, Message, Model, Observed, Settings, vocabulary};
use crate::domain::clock::Clock;
use crate::domain::inventory::Inventory;
use crate::domain::snapshot::WorkspaceSnapshot;
use crate::domain::workspace::{Environment, Workspace};
use crate::keymap::{Key, Keymap};
use crate::runtime::clock::tests::TimerClock;
use crate::runtime::recording::{self, Keys, Recorder};

/// What the loop did to its surroundings, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    Drew,
    Started,
    Copied(String),
    Resumed,
    Refreshed(Feed),
    Watched(u64),
    Ordered(Order),
}

#[derive(Clone, Default)]
struct Deeds(Arc<std::sync::Mutex<Vec<Deed>>>);

impl Deeds {
    fn add(&self, deed: Deed) {
        self.0.lock().expect("no test panics while it holds this").push(deed);
    }

    fn count(&self, deed: &Deed) -> usize {
        self.0.lock().expect("no test panics while it holds this").iter().filter(|done| *done == deed).count()
    }

    fn any(&self, fits: impl Fn(&Deed) -> bool) -> bool {
        self.0.lock().expect("no test panics while it holds this").iter().any(fits)
    }
}

impl Surface for Deeds {
    fn draw(&mut self, _: &Model) -> std::io::Result<()> {
        self.add(Deed::Drew);
        Ok(())
    }

    fn copy(&mut self, text: &str) -> std::io::Result<()> {
        self.add(Deed::Copied(text.to_owned()));
        Ok(())
    }

    fn capture_mouse(&mut self, _: bool) -> std::io::Result<()> {
        Ok(())
    }

    fn resume(&mut self) -> std::io::Result<()> {
        self.add(Deed::Resumed);
        Ok(())
    }
}

impl Feeder for Deeds {
    fn start(&mut self) {
        self.add(Deed::Started);
    }

    fn watch(&mut self, _: Vec<Feed>, epoch: u64) {
        self.add(Deed::Watched(epoch));
    }

    fn refresh(&mut self, feed: &Feed) {
        self.add(Deed::Refreshed(feed.clone()));
    }

    fn act(&mut self, order: Order) {
        self.add(Deed::Ordered(order));
    }
}

fn workspace() -> Workspace {
    Workspace { name: "dev".into(), environment: Environment::Dev, letter: 'D', host: "http://127.0.0.1:1".into() }
}

fn settings(size: (u16, u16)) -> Settings {
    Settings {
        workspaces: vec![workspace()],
        inventory: Arc::new(Inventory::default()),
        keymap: Keymap::load(&vocabulary(), &std::collections::BTreeMap::new()).expect("the default keymap"),
        zone: chrono_tz::UTC,
        read_only: std::collections::BTreeSet::new(),
        unlockable: true,
        size,
        now: "2026-03-02T12:00:00Z".parse().expect("an instant"),
    }
}

/// The loop, running, with the hands that feed it.
struct Rig {
    deeds: Deeds,
    clock: Arc<TimerClock>,
    keys: mpsc::UnboundedSender<Fact>,
    facts: mpsc::Sender<Message>,
    signals: mpsc::UnboundedSender<Stop>,
    parts: Parts<Deeds>,
    typed: mpsc::UnboundedReceiver<Fact>,
    raised: mpsc::UnboundedReceiver<Stop>,
}

impl Rig {
    fn new(size: (u16, u16)) -> Self {
        let deeds = Deeds::default();
        let clock = Arc::new(TimerClock::new());
        let (keys, typed) = mpsc::unbounded_channel();
        let (signals, raised) = mpsc::unbounded_channel();
        let (facts, waiting) = mpsc::channel(1_024);
        let parts = Parts {
            model: Model::new(settings(size)),
            facts: waiting,
            back: facts.clone(),
            feeder: deeds.clone(),
            keeper: None,
            recorder: None,
            clock: clock.clone(),
            exports: std::path::PathBuf::from("exports"),
            has_browser: false,
        };
        Self { deeds, clock, keys, facts, signals, parts, typed, raised }
    }

    /// Runs the loop beside a script, until the loop ends or the script does.
    async fn play(
        mut self,
        script: impl AsyncFnOnce(&Deeds, &Hands),
    ) -> (Parts<Deeds>, Option<Result<Ended, Error>>, Deeds) {
        let hands = Hands { keys: self.keys, facts: self.facts, signals: self.signals, clock: self.clock };
        let input = FirstWaker::of(self.typed).map(Ok);
        let signals = tokio_stream_of(self.raised);
        let mut surface = self.deeds.clone();
        let ended = tokio::select! {
            biased;
            ended = drive(&mut self.parts, &mut surface, input, signals) => Some(ended),
            () = script(&self.deeds, &hands) => None,
        };
        (self.parts, ended, self.deeds)
    }
}

struct Hands {
    keys: mpsc::UnboundedSender<Fact>,
    facts: mpsc::Sender<Message>,
    signals: mpsc::UnboundedSender<Stop>,
    clock: Arc<TimerClock>,
}

impl Hands {
    fn press(&self, key: Key) {
        self.keys.send(Fact::KeyPressed(key)).expect("the loop lives");
    }

    fn snapshot(&self) -> Message {
        let snapshot = Arc::new(WorkspaceSnapshot::unknown(workspace()));
        let fact = Fact::Observed { feed: Feed::Fleet("dev".into()), epoch: 0, result: Ok(Observed::Fleet(snapshot)) };
        Message { at: self.clock.now(), fact }
    }
}

fn tokio_stream_of<T>(receiver: mpsc::UnboundedReceiver<T>) -> impl futures::Stream<Item = T> {
    futures::stream::unfold(
        receiver,
        |mut receiver| async move { receiver.recv().await.map(|value| (value, receiver)) },
    )
}

/// Keys as the terminal's stream gives them: it keeps the first waker that it was given, and takes another only after that
/// one was used (crossterm 0.29, `EventStream`).
struct FirstWaker {
    typed: mpsc::UnboundedReceiver<Fact>,
    kept: Option<std::task::Waker>,
}

impl FirstWaker {
    fn of(typed: mpsc::UnboundedReceiver<Fact>) -> Self {
        Self { typed, kept: None }
    }
}

impl futures::Stream for FirstWaker {
    type Item = Fact;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Fact>> {
        let waker = self.kept.get_or_insert_with(|| context.waker().clone()).clone();
        let polled = self.typed.poll_recv(&mut std::task::Context::from_waker(&waker));
        if polled.is_ready() {
            self.kept = None;
        }
        polled
    }
}

async fn forever() {
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_at_the_start_belongs_to_the_first_frame() {
    let rig = Rig::new((100, 30));
    let hands = Hands {
        keys: rig.keys.clone(),
        facts: rig.facts.clone(),
        signals: rig.signals.clone(),
        clock: rig.clock.clone(),
    };
    rig.facts.send(hands.snapshot()).await.expect("room");
    let (parts, _, deeds) = rig.play(async |_, _| tokio::task::yield_now().await).await;
    assert_eq!(deeds.count(&Deed::Drew), 1);
    assert!(parts.facts.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_before_the_first_frame() {
    let rig = Rig::new((100, 30));
    let (_, _, deeds) = rig
        .play(async |_, hands| {
            tokio::task::yield_now().await;
            hands.keys.send(Fact::KeyPressed(Key::char('9'))).expect("the loop listens");
            tokio::task::yield_now().await;
        })
        .await;
    let deeds = deeds.0.lock().expect("no test panics while it holds this");
    assert_eq!(deeds[..2], [Deed::Drew, Deed::Started], "{deeds:?}");
}

#[tokio::test(start_paused = true)]
async fn visible_ages_cost_a_frame_a_second_and_nothing_visible_costs_none() {
    for (size, frames) in [((100, 30), 60..=61), ((20, 5), 1..=1)] {
        let rig = Rig::new(size);
        let (_, _, deeds) = rig.play(async |_, _| tokio::time::sleep(Duration::from_mins(1)).await).await;
        let drawn = deeds.count(&Deed::Drew);
        assert!(frames.contains(&drawn), "{size:?}: {drawn} frames in a minute");
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_snapshots_is_one_frame_and_no_key_is_lost_in_it() {
    let rig = Rig::new((100, 30));
    let (parts, _, deeds) = rig
        .play(async |deeds, hands| {
            tokio::task::yield_now().await;
            for _ in 0..200 {
                hands.facts.send(hands.snapshot()).await.expect("room");
            }
            // Opens the filter and types into it.
            for key in "/revenue".chars().map(Key::char) {
                hands.press(key);
            }
            let before = deeds.count(&Deed::Drew);
            tokio::time::sleep(Duration::from_millis(10)).await;
            assert_eq!(deeds.count(&Deed::Drew), before + 1);
        })
        .await;
    assert_eq!(parts.model.screen().page().filter(), Some("revenue"));
    assert!(deeds.any(|deed| *deed == Deed::Drew));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_typed_for_is_gathered_into_one_frame_and_no_key_waits_for_it() {
    let (_, _, deeds) = Rig::new((20, 5))
        .play(async |deeds, hands| {
            let pause = async |ms| tokio::time::sleep(Duration::from_millis(ms)).await;
            pause(10).await;
            let before = deeds.count(&Deed::Drew);
            for _ in 0..4 {
                hands.facts.send(hands.snapshot()).await.expect("room");
                pause(20).await;
            }
            assert_eq!(deeds.count(&Deed::Drew), before, "drawn before the rest of the answer came");
            pause(30).await;
            assert_eq!(deeds.count(&Deed::Drew), before + 1);
            hands.facts.send(hands.snapshot()).await.expect("room");
            pause(10).await;
            hands.press(Key::char('?'));
            pause(1).await;
            assert_eq!(deeds.count(&Deed::Drew), before + 2, "the key waits for facts");
        })
        .await;
    assert!(deeds.any(|deed| *deed == Deed::Drew));
}

#[tokio::test(start_paused = true)]
async fn a_key_is_answered_at_once_not_at_the_next_tick() {
    let (_, _, deeds) = Rig::new((100, 30))
        .play(async |deeds, hands| {
            // Past the first turn, which looked for keys when there were none.
            tokio::time::sleep(Duration::from_millis(1_100)).await;
            for _ in 0..3 {
                let before = deeds.count(&Deed::Drew);
                hands.press(Key::char('?'));
                tokio::time::sleep(Duration::from_millis(1)).await;
                assert_eq!(deeds.count(&Deed::Drew), before + 1, "the key waits for something else");
            }
        })
        .await;
    assert!(deeds.any(|deed| *deed == Deed::Drew));
}

#[tokio::test(start_paused = true)]
async fn quitting_ends_the_loop() {
    let (_, ended, _) = Rig::new((100, 30))
        .play(async |_, hands| {
            hands.press(Key::char('q'));
            forever().await;
        })
        .await;
    assert!(matches!(ended, Some(Ok(Ended::Quit))), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_signal_ends_the_loop_and_being_woken_redraws() {
    let (_, ended, deeds) = Rig::new((20, 5))
        .play(async |deeds, hands| {
            hands.signals.send(Stop::Continued).expect("the loop lives");
            while deeds.count(&Deed::Drew) < 2 {
                tokio::task::yield_now().await;
            }
            hands.signals.send(Stop::Terminated).expect("the loop lives");
            forever().await;
        })
        .await;
    assert!(matches!(ended, Some(Ok(Ended::Stopped(Stop::Terminated)))), "{ended:?}");
    assert_eq!(deeds.count(&Deed::Resumed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_terminal_that_fails_ends_the_loop_with_its_error() {
    let mut rig = Rig::new((100, 30));
    let input = futures::stream::iter([Err(std::io::Error::other("gone"))]);
    let mut surface = rig.deeds.clone();
    let ended = drive(&mut rig.parts, &mut surface, input, futures::stream::pending()).await;
    assert!(matches!(ended, Err(Error::Terminal(_))), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_page_is_shown_as_an_address_where_no_browser_is() {
    let rig = Rig::new((100, 30));
    rig.parts.browse("https://x.example/run/1".into());
    let mut parts = rig.parts;
    let Message { fact, .. } = parts.facts.try_recv().expect("told");
    assert_eq!(fact, Fact::EffectFailed("open it yourself: https://x.example/run/1".into()));
    // What is no page is never handed to the system, browser or not.
    parts.has_browser = true;
    parts.browse("file:///etc/passwd".into());
    assert!(matches!(parts.facts.try_recv().expect("told").fact, Fact::EffectFailed(_)));
}

#[tokio::test(start_paused = true)]
async fn a_recording_replays_to_the_same_screen() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.jsonl");
    let mut rig = Rig::new((100, 30));
    rig.parts.recorder = Some(Recorder::start(&path, &settings((100, 30)), &Keys::new()).expect("made"));
    let (mut parts, ..) = rig
        .play(async |_, hands| {
            hands.facts.send(hands.snapshot()).await.expect("room");
            for key in "/rev".chars().map(Key::char) {
                hands.press(key);
            }
            tokio::time::sleep(Duration::from_secs(3)).await;
        })
        .await;
    parts.recorder.take().expect("recorded").finish().expect("written");
    let (model, played) = recording::replay(&path).expect("replays");
    assert!(played >= 8, "{played} messages");
    assert_eq!(model.revision(), parts.model.revision());
    assert_eq!(model.screen().page().filter(), Some("rev"));
    assert_eq!(model.shared.now, parts.model.shared.now);
    assert!(Recorder::start(&path, &settings((1, 1)), &Keys::new()).is_err(), "a recording is never overwritten");
}

#[tokio::test(start_paused = true)]
async fn what_a_feed_repeats_is_not_recorded_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.jsonl");
    let mut rig = Rig::new((100, 30));
    rig.parts.recorder = Some(Recorder::start(&path, &settings((100, 30)), &Keys::new()).expect("made"));
    let (mut parts, ..) = rig
        .play(async |_, hands| {
            for _ in 0..3 {
                hands.facts.send(hands.snapshot()).await.expect("room");
                tokio::time::sleep(Duration::from_secs(3)).await;
            }
        })
        .await;
    parts.recorder.take().expect("recorded").finish().expect("written");
    let text = std::fs::read_to_string(&path).expect("reads");
    let answers: Vec<usize> = text.lines().filter(|line| line.contains("feed")).map(str::len).collect();
    assert_eq!(answers.len(), 3, "{text}");
    assert!(answers[1] * 2 < answers[0] && answers[2] * 2 < answers[0], "{answers:?}");
    let (model, _) = recording::replay(&path).expect("replays");
    let freshness = |model: &Model| model.shared.fleet.workspaces()[0].snapshot.clone();
    assert_eq!(freshness(&model), freshness(&parts.model));
}

#[test]
fn a_recording_that_is_none_says_where() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.jsonl");
    drop(Recorder::start(&path, &settings((80, 24)), &Keys::new()).expect("made").finish());
    let opening = std::fs::read_to_string(&path).expect("reads");
    let replayed = |text: String| {
        std::fs::write(&path, text).expect("writes");
        recording::replay(&path).map(|(_, played)| played)
    };
    let tick = r#"{"at":"2026-03-02T12:00:01Z","fact":"Ticked"}"#;
    assert_eq!(replayed(format!("{opening}{tick}\n{tick}\n")).expect("replays"), 2);
    assert_eq!(replayed(format!("{opening}{tick}\n{{\"at\":\"2026-")).expect("a crash cuts the last line"), 1);
    let error = replayed(format!("{opening}{{}}\n{tick}\n")).expect_err("refused");
    assert!(error.to_string().contains("session.jsonl:2:"), "{error}");
    let error = replayed(opening.replace("\"recording\":2", "\"recording\":9")).expect_err("refused");
    assert!(matches!(error, recording::Error::Form { found: 9, .. }), "{error}");
}
