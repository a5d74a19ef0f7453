//! Many stories, on all cores.
//!
//! `JETON_SEED=n` tells one story again. `JETON_SEEDS=n` tells n of them, from
//! `JETON_FIRST_SEED` on, or from 0.

use std::any::Any;
use std::io::{Write as _, stderr};
use std::num::NonZero;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::thread;

/// After how many seeds there is a line that says how far it has come.
const LINE_EVERY: u64 = 1_000;

/// What all threads share.
struct Desk<T> {
    left: Range<u64>,
    told: Vec<T>,
    failed: Option<(u64, Box<dyn Any + Send>)>,
}

/// Tells the story of each seed that is asked for, of `default` seeds if nothing
/// is, and returns what came of them. The first that fails is named, and fails.
pub(super) fn tell<T: Send>(default: u64, story: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let left = seeds(default);
    let desk = Mutex::new(Desk { left, told: Vec::new(), failed: None });
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| while tell_next(&desk, &story) {});
        }
    });
    let desk = desk.into_inner().unwrap();
    if let Some((seed, panic)) = desk.failed {
        say(&format!("JETON_SEED={seed} tells this story again"));
        resume_unwind(panic);
    }
    desk.told
}

fn seeds(default: u64) -> Range<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(text.parse::<u64>().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
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

/// Tells one more story, unless there is none left or one has failed.
fn tell_next<T>(desk: &Mutex<Desk<T>>, story: impl Fn(u64) -> T) -> bool {
    let Some(seed) = desk.lock().unwrap().left.next() else { return false };
    let told = catch_unwind(AssertUnwindSafe(|| story(seed)));
    let mut desk = desk.lock().unwrap();
    match told {
        Ok(end) => desk.told.push(end),
        Err(panic) => {
            desk.left = 0..0;
            desk.failed.get_or_insert((seed, panic));
        }
    }
    let count = desk.told.len() as u64;
    if count.is_multiple_of(LINE_EVERY) && desk.failed.is_none() {
        say(&format!("{count} seeds told, up to {seed}"));
    }
    true
}

/// Says it at once, also where the output of tests is kept back.
fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

#[test]
fn each_seed_is_told_once_and_the_one_that_fails_is_named() {
    let desk = |seeds| Mutex::new(Desk { left: seeds, told: Vec::new(), failed: None });
    let all = desk(7..11);
    while tell_next(&all, |seed| seed) {}
    assert_eq!(all.into_inner().unwrap().told, [7, 8, 9, 10]);

    let failing = desk(7..11);
    while tell_next(&failing, |seed| if seed == 9 { panic!("as it should") } else { seed }) {}
    let failing = failing.into_inner().unwrap();
    assert_eq!(failing.failed.map(|(seed, _)| seed), Some(9));
    assert_eq!(failing.told.len(), 2, "the rest is left");
}
