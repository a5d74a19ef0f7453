//! Simulation runs of many seeds, on all cores.
//!
//! `JETON_SEED=n` repeats the run of one seed. `JETON_SEEDS=n` runs n seeds, beginning with
//! `JETON_FIRST_SEED`, which is 0 by default.

use std::any::Any;
use std::io::{Write as _, stderr};
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::thread;

/// How many runs lie between two lines of progress.
const PROGRESS_EVERY: u64 = 1_000;

/// The seeds to run and the results so far, shared by all threads.
struct SeedQueue<T> {
    left: Range<u64>,
    results: Vec<T>,
    /// The first seed that failed, and its panic.
    failed: Option<(u64, Box<dyn Any + Send>)>,
}

/// Runs `simulation` for each seed that the environment asks for, or for the first `default` seeds;
/// returns the results. If one panics, prints its seed and panics.
pub(super) fn run_seeds<T: Send>(default: u64, simulation: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let left = requested_seeds(default);
    let queue = Mutex::new(SeedQueue { left, results: Vec::new(), failed: None });
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| while run_next(&queue, &simulation) {});
        }
    });
    let queue = queue.into_inner().unwrap();
    if let Some((seed, panic)) = queue.failed {
        print_line(&format!("JETON_SEED={seed} repeats this run"));
        resume_unwind(panic);
    }
    queue.results
}

fn requested_seeds(default: u64) -> Range<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
    };
    let (first, count) = match number("JETON_SEED") {
        Some(seed) => (seed, 1),
        None => {
            let first = number("JETON_FIRST_SEED").unwrap_or(0);
            (first, number("JETON_SEEDS").unwrap_or(default))
        }
    };
    first..first + count
}

/// Runs the next seed. Returns `false` if none is left or one has failed.
fn run_next<T>(queue: &Mutex<SeedQueue<T>>, simulation: impl Fn(u64) -> T) -> bool {
    let Some(seed) = queue.lock().unwrap().left.next() else { return false };
    let result = catch_unwind(AssertUnwindSafe(|| simulation(seed)));
    let mut queue = queue.lock().unwrap();
    match result {
        Ok(result) => queue.results.push(result),
        Err(panic) => {
            queue.left = 0..0;
            queue.failed.get_or_insert((seed, panic));
        }
    }
    let count = queue.results.len() as u64;
    if count.is_multiple_of(PROGRESS_EVERY) && queue.failed.is_none() {
        print_line(&format!("{count} runs passed, the last with seed {seed}"));
    }
    true
}

/// Prints to stderr at once; `eprintln!` would be captured by the test harness.
fn print_line(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

#[test]
fn each_seed_runs_once_and_a_failed_seed_is_reported() {
    let queue = |left| Mutex::new(SeedQueue { left, results: Vec::new(), failed: None });
    let passing = queue(7..11);
    while run_next(&passing, |seed| seed) {}
    assert_eq!(passing.into_inner().unwrap().results, [7, 8, 9, 10]);

    let failing = queue(7..11);
    while run_next(&failing, |seed| if seed == 9 { panic!("expected") } else { seed }) {}
    let failing = failing.into_inner().unwrap();
    assert_eq!(failing.failed.map(|(seed, _)| seed), Some(9));
    assert_eq!(failing.results.len(), 2, "no seed runs after a failed one");
}
