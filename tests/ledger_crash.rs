//! Checks that an acknowledged record is replayed, or the log refuses to open: under power failures
//! and errors at every operation, torn writes and flipped bits.
#![expect(
    clippy::cast_possible_truncation,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and its numbers are small"
)]

#[path = "support/sim_disk.rs"]
mod sim_disk;

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::mpsc;

use jeton::ledger::log::{
    Damage, Disk as _, LedgerId, Log, LogError, LogState, Record, Recovery, SegmentLen, Writer,
};
use proptest::prelude::*;

use sim_disk::{Dice, DiskFailure, SimDisk, Survivors};

const LEDGER: LedgerId = LedgerId([7; 16]);
const SEED_COUNT: u64 = 4;

fn segment_len() -> SegmentLen {
    SegmentLen::new(4096).unwrap()
}

fn create(disk: &SimDisk) -> Result<Log, LogError> {
    Log::create(Box::new(disk.handle()), LEDGER, segment_len())
}

fn open(disk: &SimDisk) -> Result<(Log, LogState, Recovery), LogError> {
    Log::open(Box::new(disk.handle()), LEDGER, segment_len())
}

fn entry(index: u64, len: usize) -> Record {
    Record::Entry { index, bytes: vec![b'a' + (index % 26) as u8; len].into() }
}

fn purge(index: u64) -> Record {
    Record::Purge { index, bytes: index.to_string().into_bytes().into() }
}

fn vote(term: u64) -> Record {
    Record::Vote(term.to_le_bytes().into())
}

/// Votes, short and long entries, truncations and purges, in batches that fill several small
/// segments. One batch takes several frames.
fn script() -> Vec<Vec<Record>> {
    let mut batches = vec![vec![vote(1)], vec![entry(0, 10), entry(1, 600)]];
    batches.extend((2..8).map(|index| vec![entry(index, 700)]));
    batches.push(vec![Record::TruncateAfter(Some(5)), vote(2), entry(6, 30)]);
    batches.push(vec![vote(9), purge(3)]);
    batches.push((7..13).map(|index| entry(index, 500)).collect());
    batches.push(vec![purge(9), vote(3)]);
    batches.push((13..16).map(|index| entry(index, 0)).collect());
    batches.push(vec![purge(20)]);
    batches.extend((21..25).map(|index| vec![entry(index, 900)]));
    batches.push(vec![purge(24), Record::TruncateAfter(Some(24))]);
    batches.push(vec![vote(4), entry(25, 1000)]);
    batches.extend((26..30).map(|index| vec![entry(index, 900)]));
    batches
}

fn state_of(records: &[Record]) -> LogState {
    let mut state = LogState::default();
    records.iter().for_each(|record| state.apply(record).unwrap());
    state
}

/// Runs the script until something fails. Returns the number of acknowledged batches and the
/// failure.
fn run(disk: &SimDisk, batches: &[Vec<Record>]) -> (usize, Option<LogError>) {
    let mut log = match create(disk) {
        Ok(log) => log,
        Err(error) => return (0, Some(error)),
    };
    for (acknowledged, batch) in batches.iter().enumerate() {
        if let Err(error) = log.append(batch) {
            assert!(matches!(log.append(batch), Err(LogError::Poisoned(_))));
            assert!(matches!(log.append(&[vote(9)]), Err(LogError::Poisoned(_))));
            return (acknowledged, Some(error));
        }
    }
    (batches.len(), None)
}

/// Opens the log and checks that it contains all acknowledged batches, and perhaps the first
/// records of the next one. Returns `false` if there is no log.
fn assert_kept(disk: &SimDisk, batches: &[Vec<Record>], acknowledged: usize, case: &str) -> bool {
    let (mut log, state, _) = match open(disk) {
        Ok(opened) => opened,
        Err(LogError::Missing) if acknowledged == 0 => return false,
        Err(error) => panic!("{case}: {error:?}"),
    };
    let kept: Vec<Record> = batches[..acknowledged].concat();
    let more = batches.get(acknowledged).map_or(&[][..], Vec::as_slice);
    let is_prefix = (0..=more.len()).any(|n| state == state_of(&[&kept, &more[..n]].concat()));
    assert!(is_prefix, "{case}: {state:?}");
    assert!(disk.files().keys().all(|name| !name.ends_with(".tmp")), "{case}");
    // It can be appended to.
    let mut after = state;
    let next = after.head().last_index().map_or(0, |last| last + 1);
    log.append(&[entry(next, 20)]).unwrap();
    after.apply(&entry(next, 20)).unwrap();
    drop(log);
    assert_eq!(open(disk).unwrap().1, after, "{case}");
    true
}

fn all_survivors() -> Vec<Survivors> {
    let mut all = vec![Survivors::Nothing, Survivors::Everything];
    all.extend((0..SEED_COUNT).map(Survivors::Sectors));
    all.extend((0..SEED_COUNT).map(Survivors::Prefix));
    all
}

/// Returns the number of operations of the script on a disk that never fails.
fn script_operations() -> u64 {
    let disk = SimDisk::new();
    let (acknowledged, error) = run(&disk, &script());
    assert_eq!((acknowledged, error.is_none()), (script().len(), true));
    disk.operations()
}

#[test]
fn the_script_fills_and_deletes_segments() {
    let disk = SimDisk::new();
    run(&disk, &script());
    let names: Vec<u64> = disk.files().keys().map(|name| name.parse().unwrap()).collect();
    assert!(names.len() > 1, "{names:?}");
    assert!(names[0] > 2, "{names:?}");
    assert_eq!(open(&disk).unwrap().1, state_of(&script().concat()));
}

#[test]
fn a_power_failure_at_any_operation_keeps_acknowledged_records() {
    let batches = script();
    for n in 0..script_operations() {
        let disk = SimDisk::new();
        disk.plan(n, DiskFailure::PowerFailure);
        let (acknowledged, _) = run(&disk, &batches);
        for survivors in all_survivors() {
            let case = format!("operation {n}, {survivors:?}");
            assert_kept(&disk.reboot(survivors), &batches, acknowledged, &case);
        }
    }
}

#[test]
fn a_power_failure_while_opening_keeps_acknowledged_records() {
    let batches = script();
    let all = script_operations();
    for n in (0..all).rev().step_by(3) {
        let disk = SimDisk::new();
        disk.plan(n, DiskFailure::PowerFailure);
        let (acknowledged, _) = run(&disk, &batches);
        let torn = disk.reboot(Survivors::Sectors(n));
        for m in 0.. {
            let disk = torn.reboot(Survivors::Everything);
            disk.plan(m, DiskFailure::PowerFailure);
            let is_open = open(&disk).is_ok();
            for survivors in [Survivors::Nothing, Survivors::Sectors(m), Survivors::Prefix(m)] {
                let case = format!("operation {n}, then {m} of the open, {survivors:?}");
                assert_kept(&disk.reboot(survivors), &batches, acknowledged, &case);
            }
            if is_open || disk.operations() <= m {
                break;
            }
        }
    }
}

#[test]
fn an_error_at_any_operation_poisons_the_log_and_keeps_acknowledged_records() {
    let batches = script();
    for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
        for n in 0..script_operations() {
            let disk = SimDisk::new();
            disk.plan(n, DiskFailure::Error(kind));
            let (acknowledged, error) = run(&disk, &batches);
            assert!(matches!(error, Some(LogError::Io { .. })), "operation {n}: {error:?}");
            // The power fails, too, before the log is opened again ...
            for survivors in all_survivors() {
                let case = format!("{kind} at operation {n}, {survivors:?}");
                assert_kept(&disk.reboot(survivors), &batches, acknowledged, &case);
            }
            // ... or it is opened in the same boot, from the page cache.
            assert_kept(&disk, &batches, acknowledged, &format!("{kind} at operation {n}"));
        }
    }
}

#[test]
fn the_state_after_a_failed_sync_and_an_open_is_durable() {
    let batches = script();
    for n in 0..script_operations() {
        let disk = SimDisk::new();
        disk.plan(n, DiskFailure::Error(ErrorKind::Other));
        run(&disk, &batches);
        let Ok((log, shown, _)) = open(&disk) else { continue };
        for survivors in all_survivors() {
            let (_, state, _) = open(&disk.reboot(survivors)).unwrap();
            assert_eq!(state, shown, "error at operation {n}, {survivors:?}");
        }
        drop(log);
    }
}

#[test]
fn an_error_while_opening_loses_nothing() {
    let batches = script();
    let whole = SimDisk::new();
    run(&whole, &batches);
    for n in 0.. {
        let disk = whole.reboot(Survivors::Everything);
        disk.plan(n, DiskFailure::Error(ErrorKind::StorageFull));
        if open(&disk).is_ok() {
            break;
        }
        assert!(assert_kept(&disk, &batches, batches.len(), &format!("operation {n}")));
    }
}

#[test]
fn a_replaced_file_is_the_old_or_the_whole_new_one_after_any_failure() {
    let (old, new) = (vec![b'o'; 700], vec![b'n'; 1300]);
    for n in 0..=5 {
        for failure in [DiskFailure::PowerFailure, DiskFailure::Error(ErrorKind::Other)] {
            for survivors in all_survivors() {
                let disk = SimDisk::with_files(&BTreeMap::from([("a".to_owned(), old.clone())]));
                disk.plan(n, failure);
                let replaced = disk.replace("a", "a.tmp", &new);
                assert_eq!(replaced.is_ok(), n == 5, "five operations: {replaced:?}");
                let file = disk.reboot(survivors).files().remove("a").unwrap();
                assert!(file == new || file == old && replaced.is_err(), "{n}, {survivors:?}");
            }
        }
    }
}

/// The files of a log with two segments and several frames, and its state.
fn small_log() -> (BTreeMap<String, Vec<u8>>, LogState) {
    let disk = SimDisk::new();
    let mut log = create(&disk).unwrap();
    let batches =
        [vec![vote(1), entry(0, 900)], vec![entry(1, 990)], vec![entry(2, 990)], vec![purge(0)]];
    batches.iter().for_each(|batch| log.append(batch).unwrap());
    log.append(&[entry(3, 900)]).unwrap();
    log.append(&[entry(4, 700), vote(2)]).unwrap();
    drop(log);
    assert_eq!(disk.files().len(), 2);
    let state = open(&disk).unwrap().1;
    (disk.files(), state)
}

/// Returns the error of opening these files, which must change nothing.
fn refusal(files: &BTreeMap<String, Vec<u8>>) -> LogError {
    let disk = SimDisk::with_files(files);
    let error = open(&disk).map(|(_, state, recovery)| (state, recovery)).unwrap_err();
    assert_eq!(disk.operations(), 0, "a refused open changed the disk");
    assert_eq!(disk.files(), *files);
    error
}

fn damage(files: &BTreeMap<String, Vec<u8>>) -> Damage {
    let error = refusal(files);
    let LogError::Damaged(damage) = error else { panic!("refused as {error:?}") };
    damage
}

#[test]
fn a_flipped_bit_is_refused_or_after_all_frames_and_cut() {
    let (mut files, whole) = small_log();
    let last_frame_end = last_byte(&files) + 1;
    let names: Vec<String> = files.keys().cloned().collect();
    for name in &names {
        for bit in 0..4096 * 8 {
            let flip = |files: &mut BTreeMap<String, Vec<u8>>| {
                files.get_mut(name).unwrap()[bit / 8] ^= 1 << (bit % 8);
            };
            flip(&mut files);
            match open(&SimDisk::with_files(&files)) {
                Err(LogError::Damaged(damage)) => {
                    assert!(damage.path.ends_with(name), "{damage}");
                    assert!(damage.offset <= bit as u64 / 8, "bit {bit}: {damage}");
                }
                Err(LogError::Version { .. }) => assert_eq!(bit / 8 / 4, 2),
                Ok((_, state, recovery)) => {
                    assert_eq!(state, whole);
                    assert_eq!(recovery.cut.unwrap().offset, last_frame_end as u64);
                    assert!(*name == names[1] && bit / 8 >= last_frame_end.next_multiple_of(512));
                }
                Err(other) => panic!("bit {bit} of {name}: {other:?}"),
            }
            flip(&mut files);
        }
    }
}

#[test]
fn a_refused_open_changes_nothing_and_names_file_and_byte() {
    let (files, _) = small_log();
    let mut dice = Dice(1);
    for _ in 0..200 {
        let mut files = files.clone();
        let segment = files.values_mut().nth(dice.roll(2)).unwrap();
        segment[dice.roll(1024)] ^= 1 << dice.roll(8);
        refusal(&files);
    }
    let mut files = files;
    files.values_mut().next_back().unwrap()[1000] ^= 1;
    let damage = damage(&files);
    assert_eq!(damage.path.to_str(), Some("sim/00000000000000000002"));
    let text = damage.to_string();
    assert!(text.starts_with("sim/00000000000000000002 is damaged at byte "), "{text}");
}

#[test]
fn refuses_a_file_of_another_length() {
    let (files, _) = small_log();
    for name in files.keys() {
        for len in (0..4096).step_by(17).chain([4095, 4097, 4608, 8192]) {
            let mut files = files.clone();
            files.get_mut(name).unwrap().resize(len, 0);
            assert!(damage(&files).path.ends_with(name));
        }
    }
}

#[test]
fn refuses_missing_or_swapped_segments_and_those_of_another_ledger() {
    let (files, _) = small_log();
    let (first, second) = ("00000000000000000001", "00000000000000000002");
    let third = "00000000000000000003";
    let with = |from: &str, to: &str| {
        let mut changed = files.clone();
        changed.insert(to.into(), files[from].clone());
        changed
    };
    assert!(damage(&with(first, second)).path.ends_with(second));
    assert!(damage(&with(second, first)).path.ends_with(first));
    assert!(damage(&with(second, third)).path.ends_with(third));
    let mut without_first = files.clone();
    without_first.remove(first);
    assert!(damage(&without_first).path.ends_with(second));
    let mut with_gap = with(second, third);
    with_gap.remove(second);
    assert!(damage(&with_gap).path.ends_with(second));

    let other = LedgerId([8; 16]);
    let error = Log::open(Box::new(SimDisk::with_files(&files)), other, segment_len()).unwrap_err();
    assert!(matches!(error, LogError::OtherLedger(path) if path.ends_with(first)));
}

#[test]
fn every_torn_form_of_the_last_frame_is_cut_and_reported() {
    for (entry_len, filler) in [(10, 0), (990, 0), (990, 200), (990, 330), (600, 431)] {
        let disk = SimDisk::new();
        let mut log = create(&disk).unwrap();
        log.append(&[vote(1), entry(0, filler)]).unwrap();
        let before = disk.files();
        let start = last_byte(&before) + 1;
        log.append(&[entry(1, entry_len)]).unwrap();
        let after = disk.files();
        let end = last_byte(&after) + 1;
        drop(log);
        let kept = state_of(&[vote(1), entry(0, filler)]);

        // Every prefix with all of its sectors, then any sectors of some prefixes.
        let mut torn: Vec<Vec<usize>> = (start..end).map(|cut| (cut..end).collect()).collect();
        let first = start / 512;
        for lost in 1_u32..1 << (end.div_ceil(512) - first) {
            let is_lost = |at: &usize| lost & (1 << (at / 512 - first)) != 0;
            for cut in (start..=end).rev().step_by(37) {
                torn.push((start..end).filter(|at| is_lost(at) || *at >= cut).collect());
            }
        }
        for lost in torn {
            let mut files = after.clone();
            let segment = files.values_mut().next().unwrap();
            lost.iter().for_each(|at| segment[*at] = 0);
            let arrived = segment.iter().rposition(|byte| *byte != 0).unwrap() + 1;
            let disk = SimDisk::with_files(&files);
            let (_, state, recovery) = open(&disk).unwrap();
            assert_eq!(state, kept);
            let cut = recovery.cut.map(|cut| (cut.offset as usize, cut.bytes as usize));
            assert_eq!(cut, (arrived > start).then_some((start, arrived.saturating_sub(start))));
            assert_eq!(disk.files(), before, "the cut restores the files before the frame");
        }
    }
}

/// Returns the offset of the last byte that is not zero in the last segment.
fn last_byte(files: &BTreeMap<String, Vec<u8>>) -> usize {
    files.values().next_back().unwrap().iter().rposition(|byte| *byte != 0).unwrap()
}

#[test]
fn create_and_open_report_a_missing_existing_or_locked_log() {
    let disk = SimDisk::new();
    assert!(matches!(open(&disk), Err(LogError::Missing)));
    let log = create(&disk).unwrap();
    assert!(matches!(open(&disk), Err(LogError::Locked)));
    assert!(matches!(create(&disk), Err(LogError::Exists)));
    drop(log);
    assert!(matches!(create(&disk), Err(LogError::Exists)));
    open(&disk).unwrap();
}

#[test]
fn a_refused_batch_is_not_written_and_does_not_poison_the_log() {
    let disk = SimDisk::new();
    let mut log = create(&disk).unwrap();
    let before = disk.files();
    let gap = [entry(0, 1), entry(2, 1)];
    assert!(matches!(log.append(&gap), Err(LogError::Rejected(_))));
    let long = [entry(0, 1), entry(1, log.record_len_max() - 16)];
    assert!(matches!(log.append(&long), Err(LogError::TooLong { .. })));
    assert_eq!(disk.files(), before);
    log.append(&[entry(0, log.record_len_max() - 17)]).unwrap();
}

#[test]
fn the_writer_fails_every_submission_after_the_first_failure() {
    let disk = SimDisk::new();
    let writer = Writer::start(create(&disk).unwrap(), LogState::default()).unwrap();
    let submit = |records| {
        let (sender, receiver) = mpsc::channel();
        writer.submit(records, Box::new(move |result| sender.send(result).unwrap()));
        receiver.recv().unwrap()
    };
    submit(vec![entry(0, 1)]).unwrap();
    assert!(writer.failure().is_none());
    disk.plan(1, DiskFailure::Error(ErrorKind::Other));
    assert!(matches!(submit(vec![entry(1, 1)]), Err(LogError::Io { doing: "sync", .. })));
    assert!(matches!(writer.failure().as_deref(), Some(LogError::Io { doing: "sync", .. })));
    let syncs = disk.syncs();
    assert!(matches!(submit(vec![entry(2, 1)]), Err(LogError::Poisoned(_))));
    assert_eq!(disk.syncs(), syncs, "a sync was retried");
    drop(writer);
    open(&disk).unwrap();
}

/// One step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// Entries of these lengths.
    Append(Vec<usize>),
    Vote(u64),
    /// Drops this many of the last entries.
    Truncate(u64),
    /// Purges up to this many indexes after the last purged one.
    Purge(u64),
    Reopen,
    /// The power fails at this operation of the next append; a seed says what survives.
    PowerFailure(u64, u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => proptest::collection::vec(0..1000_usize, 0..6).prop_map(Step::Append),
        1 => any::<u64>().prop_map(Step::Vote),
        1 => (0..5_u64).prop_map(Step::Truncate),
        2 => (0..12_u64).prop_map(Step::Purge),
        1 => Just(Step::Reopen),
        2 => (0..8_u64, any::<u64>()).prop_map(|(n, seed)| Step::PowerFailure(n, seed)),
    ];
    proptest::collection::vec(step, 1..40)
}

/// Returns the records of a step.
fn records_of(step: &Step, model: &LogState) -> Vec<Record> {
    let head = model.head();
    let (last, purged) = (head.last_index(), head.purged_index());
    match step {
        Step::Append(lens) => {
            let first = last.map_or(0, |last| last + 1);
            (first..).zip(lens).map(|(index, len)| entry(index, *len)).collect()
        }
        Step::Vote(term) => vec![vote(*term)],
        Step::Truncate(back) => {
            let kept = last.and_then(|last| last.checked_sub(*back)).max(purged);
            vec![Record::TruncateAfter(kept)]
        }
        Step::Purge(on) => vec![purge(purged.map_or(*on, |purged| purged + on))],
        Step::Reopen | Step::PowerFailure(..) => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_a_log_equals_that_of_the_model(steps in steps()) {
        let mut disk = SimDisk::new();
        let mut log = create(&disk).unwrap();
        let mut model = LogState::default();
        for step in &steps {
            let mut records = records_of(step, &model);
            if let Step::PowerFailure(n, seed) = step {
                records = records_of(&Step::Append(vec![300, 800, 600]), &model);
                disk.plan(*n, DiskFailure::PowerFailure);
                let acknowledged = if log.append(&records).is_ok() { records.len() } else { 0 };
                drop(log);
                disk = disk.reboot(Survivors::Sectors(*seed));
                let (reopened, state, _) = open(&disk).unwrap();
                log = reopened;
                let arrived = (acknowledged..=records.len()).find(|n| {
                    let mut model = model.clone();
                    records[..*n].iter().for_each(|record| model.apply(record).unwrap());
                    model == state
                });
                prop_assert!(arrived.is_some(), "{:?}", state);
                model = state;
                continue;
            }
            log.append(&records).unwrap();
            records.iter().for_each(|record| model.apply(record).unwrap());
            if matches!(step, Step::Reopen) {
                let bytes = log.bytes_since_purge();
                drop(log);
                let (reopened, state, recovery) = open(&disk).unwrap();
                log = reopened;
                prop_assert_eq!(&state, &model);
                prop_assert_eq!(recovery.cut, None);
                prop_assert!(log.bytes_since_purge() <= bytes);
            }
        }
        drop(log);
        prop_assert_eq!(open(&disk).unwrap().1, model);
    }
}
