//! The proof: the deterministic simulation of operations.
//!
//! The real engine, the real operator, the real journal on SQLite and the real client (retry, paging, token refresh) run
//! against the simulated world in memory: one thread, paused time, and one seeded source of chance that orders everything.
//! Each seed aims at one cell of a matrix (deed x fault x crash point) and adds trouble by chance; at every step the
//! [`judge`] compares what is durable, what is live and what has happened in the world.
//!
//! `cargo test --test it proof` runs 2,400 seeds and then aims at each cell that has not happened until it has. For long
//! runs, and to replay a seed that failed:
//! `LAKESHIFT_PROOF_FIRST=17 LAKESHIFT_PROOF_SEEDS=100000 cargo test --test it proof::seeds -- --nocapture`.

mod bugs;
mod case;
mod chance;
mod course;
mod judge;
mod lease;
mod ledger;
mod matrix;
mod network;
mod order;
mod process;
mod stage;
mod time;

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use bugs::Bug;
use course::Wrong;
use matrix::{Cell, Happenings, Matrix};

/// Seeds of an ordinary test run, before it aims again at what has not happened in them.
const SEEDS: u64 = 2_400;

/// Further seeds that aim at a cell until it has happened.
const TRIES: usize = 100;

/// Seeds that go wrong until a thread stops.
const ENOUGH: usize = 10;

/// Seeds within which a planted bug must be found, of those that aim where it can show.
const FEW: usize = 60;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
}

/// The cell that a seed aims at: neighbors aim at different deeds, and every so many-th at the same.
fn cell(cells: &[Cell], seed: u64) -> Cell {
    let stride = 101;
    cells[usize::try_from(seed % cells.len() as u64 * stride % cells.len() as u64).unwrap()]
}

/// The seeds from a number on that aim at a cell.
fn aiming_at(cells: &[Cell], wanted: Cell, from: u64) -> impl Iterator<Item = u64> {
    let all = cells.len() as u64;
    let first = (0..all).map(|offset| from + offset).find(|seed| cell(cells, *seed) == wanted);
    let first = first.expect("the stride has no factor in common with the number of cells");
    (0..).map(move |times| first + times * all)
}

/// Runs one seed in a time of its own.
fn run(seed: u64, cell: Cell, bug: Bug) -> Result<Happenings, Wrong> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(course::run(seed, cell, bug))
}

fn tell(seed: u64, cell: Cell, wrong: &Wrong) -> String {
    format!(
        "seed {seed} ({cell}): {}\n{}\nreplay: LAKESHIFT_PROOF_FIRST={seed} LAKESHIFT_PROOF_SEEDS=1 cargo test --test it \
         proof::seeds -- --nocapture",
        wrong.what,
        wrong.trace.join("\n")
    )
}

/// What many seeds came to.
#[derive(Default)]
struct Tally {
    matrix: Matrix,
    wrongs: Vec<(u64, Cell, Wrong)>,
    seeds: u64,
}

impl Tally {
    fn run(&mut self, cells: &[Cell], seed: u64) {
        let cell = cell(cells, seed);
        self.seeds += 1;
        match run(seed, cell, Bug::None) {
            Ok(happened) => self.matrix.add(&happened),
            Err(wrong) => self.wrongs.push((seed, cell, wrong)),
        }
    }

    fn merge(&mut self, other: Self) {
        self.matrix.merge(&other.matrix);
        self.wrongs.extend(other.wrongs);
        self.seeds += other.seeds;
    }
}

/// Does jobs on all processors, in no order. A few runs that go wrong are enough.
fn spread<J: Sync>(jobs: &[J], work: impl Fn(&J, &mut Tally) + Sync) -> Tally {
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(4);
    let next = AtomicUsize::new(0);
    let work_on = || {
        let mut tally = Tally::default();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(job, &mut tally);
            if tally.wrongs.len() >= ENOUGH {
                break;
            }
        }
        tally
    };
    let mut all = Tally::default();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work_on)).collect();
        workers.into_iter().for_each(|worker| all.merge(worker.join().unwrap()));
    });
    all
}

#[test]
fn seeds() {
    let first = number("LAKESHIFT_PROOF_FIRST").unwrap_or(0);
    let count = number("LAKESHIFT_PROOF_SEEDS").unwrap_or(SEEDS);
    let cells = Cell::all();
    let began = std::time::Instant::now();
    let seeds: Vec<u64> = (first..first + count).collect();
    let mut all = spread(&seeds, |seed, tally| tally.run(&cells, *seed));
    let is_whole = count >= cells.len() as u64;
    if is_whole && all.wrongs.is_empty() {
        let missing = all.matrix.missing();
        println!("{} of {} cells did not happen in {count} seeds: they are aimed at again", missing.len(), cells.len());
        all.merge(spread(&missing, |wanted, tally| {
            // By seeds of its own alone, so that a run is the same whatever the number of processors.
            let mut own = Tally::default();
            for seed in aiming_at(&cells, *wanted, first + count).take(TRIES) {
                own.run(&cells, seed);
                if own.matrix.has(*wanted) || !own.wrongs.is_empty() {
                    break;
                }
            }
            tally.merge(own);
        }));
    }
    let took_s = began.elapsed().as_secs_f64();
    let (missing, of, seeds) = (all.matrix.missing(), cells.len(), all.seeds);
    println!("{}\n{} of {of} cells happened", all.matrix, of - missing.len());
    println!("{seeds} seeds in {took_s:.1} s, {:.0} a minute", seeds as f64 * 60.0 / took_s);
    all.wrongs.sort_by_key(|(_, _, wrong)| wrong.trace.len());
    let told: Vec<String> = all.wrongs.iter().map(|(seed, cell, wrong)| tell(*seed, *cell, wrong)).collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
    if is_whole {
        let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
        assert!(missing.is_empty(), "{} of {of} cells never happened:\n{}", missing.len(), missing.join("\n"));
    }
}

#[test]
fn every_planted_bug_is_found_within_few_seeds() {
    let cells = Cell::all();
    for bug in Bug::PLANTED {
        let aimed = (0..).map(|seed| (seed, cell(&cells, seed))).filter(|(_, cell)| bug.shows_in(*cell));
        let found = aimed.take(FEW).zip(1..).find_map(|((seed, cell), tried)| {
            let wrong = run(seed, cell, bug).err()?;
            Some((seed, cell, tried, wrong))
        });
        let (seed, cell, tried, wrong) = found.unwrap_or_else(|| panic!("{bug:?} was not found within {FEW} seeds"));
        println!("{bug:?}: found by seed {seed} ({cell}), the {tried}. that was tried: {:.120}", wrong.what);
    }
}

#[test]
fn a_seed_runs_the_same_again() {
    let cells = Cell::all();
    let story = |seed: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(course::story(seed, cell(&cells, seed)))
    };
    for seed in 0..12 {
        assert_eq!(story(seed), story(seed), "seed {seed}");
    }
}
