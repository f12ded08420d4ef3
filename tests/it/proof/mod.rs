//! The proof: the deterministic simulation of operations.
//!
//! The real engine, the real operator, the real journal on SQLite and the real client (retry, paging, token refresh) run
//! against the simulated world in memory: one thread, paused time, and one seeded source of chance that orders everything.
//! Each seed aims at one cell of a matrix (deed x fault x crash point) and adds trouble by chance; at every step the
//! [`judge`] compares what is durable, what is live and what has happened in the world.
//!
//! `cargo test --test it proof` runs as many seeds as there are cells. For long runs, and to replay a seed that failed:
//! `LAKESHIFT_PROOF_FIRST=17 LAKESHIFT_PROOF_SEEDS=100000 cargo test --test it proof::seeds -- --nocapture`.

mod bugs;
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

use bugs::Bug;
use course::Wrong;
use matrix::{Cell, Happenings, Matrix};

/// Seeds of an ordinary test run: about a minute on one core of a build without optimization.
const SEEDS: u64 = 1_200;

/// From so many seeds for each cell on, every cell must have happened; before that every pair.
const WHOLE: u64 = 10;

/// Seeds that go wrong until a thread stops.
const ENOUGH: usize = 10;

/// Seeds within which a planted bug must be found, of those that aim where it can show.
const FEW: usize = 60;

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text}")))
}

/// The cell that a seed aims at: neighbors aim at different deeds.
fn cell(cells: &[Cell], seed: u64) -> Cell {
    let stride = 101;
    cells[usize::try_from(seed.wrapping_mul(stride) % cells.len() as u64).unwrap()]
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
}

/// Runs every so many-th seed of a range. A few that go wrong are enough.
fn run_some(cells: &[Cell], seeds: impl Iterator<Item = u64>) -> Tally {
    let mut tally = Tally::default();
    for seed in seeds {
        let cell = cell(cells, seed);
        match run(seed, cell, Bug::None) {
            Ok(happened) => tally.matrix.add(&happened),
            Err(wrong) => tally.wrongs.push((seed, cell, wrong)),
        }
        if tally.wrongs.len() == ENOUGH {
            break;
        }
    }
    tally
}

#[test]
fn seeds() {
    let first = number("LAKESHIFT_PROOF_FIRST").unwrap_or(0);
    let count = number("LAKESHIFT_PROOF_SEEDS").unwrap_or(SEEDS);
    let cells = Cell::all();
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get).min(4);
    let began = std::time::Instant::now();
    let tallies: Vec<Tally> = std::thread::scope(|scope| {
        let share = |thread: u64| (first + thread..first + count).step_by(threads);
        let workers: Vec<_> = (0..threads as u64)
            .map(|thread| {
                let seeds = share(thread);
                let cells = &cells;
                scope.spawn(move || run_some(cells, seeds))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).collect()
    });
    let took_s = began.elapsed().as_secs_f64();
    let mut all = Tally::default();
    for tally in tallies {
        all.matrix.merge(&tally.matrix);
        all.wrongs.extend(tally.wrongs);
    }
    let (missed, of) = (all.matrix.missing().len(), cells.len());
    println!("{}\n{} of {of} cells happened", all.matrix, of - missed);
    println!("{count} seeds in {took_s:.1} s, {:.0} a minute", count as f64 * 60.0 / took_s);
    all.wrongs.sort_by_key(|(_, _, wrong)| wrong.trace.len());
    let told: Vec<String> = all.wrongs.iter().map(|(seed, cell, wrong)| tell(*seed, *cell, wrong)).collect();
    assert!(told.is_empty(), "{}", told.join("\n\n"));
    if count >= cells.len() as u64 {
        let missing = all.matrix.missing_pairs();
        assert!(missing.is_empty(), "pairs that never happened: {missing:?}");
    }
    if count >= WHOLE * cells.len() as u64 {
        let missing: Vec<String> = all.matrix.missing().iter().map(ToString::to_string).collect();
        let (missed, of) = (missing.len(), cells.len());
        assert!(missing.is_empty(), "{missed} of {of} cells never happened:\n{}", missing.join("\n"));
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
