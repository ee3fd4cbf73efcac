//! What the state directory promises.

use bascule_model::{Revision, Timestamp};
use bascule_plan::steer::{Persisted, Record};
use bascule_plan::view::HistoryEntry;
use redb::{Database, TableDefinition};

use super::*;

fn entry(revision: u64) -> HistoryEntry {
    HistoryEntry {
        revision: Revision(revision),
        at: Timestamp::from_millis(1),
        actor: "ops".to_owned(),
        action: "shift".to_owned(),
        object: "meet".to_owned(),
        reason: String::new(),
        refused: None,
        rows: std::collections::BTreeMap::new(),
    }
}

fn record(revision: u64) -> Record {
    Record {
        number: revision,
        at: Timestamp::from_millis(1),
        state: Persisted {
            revision: Revision(revision),
            ..Persisted::default()
        },
        history: vec![entry(revision)],
    }
}

fn holds_what_was_written(store: &dyn Store) {
    let sequences = |before| -> Vec<u64> {
        let lines = store.history(2, before).unwrap();
        lines.into_iter().map(|line| line.sequence).collect()
    };
    assert_eq!(store.load().unwrap().unwrap().revision, Revision(3));
    assert_eq!((sequences(None), sequences(Some(2))), (vec![3, 2], vec![1]));
    assert_eq!(store.verify().unwrap(), 3);
    assert_eq!(
        store.last_good_config().unwrap().as_deref(),
        Some("listen: {}")
    );
    assert_eq!(store.sets().unwrap(), [set()]);
}

fn set() -> Kept {
    use bascule_provider::port::{Instance, Lifecycle, Set};
    let instance = Instance {
        address: [10, 0, 0, 1].into(),
        port: Some(8080),
        zone: Some("ad-1".into()),
        lifecycle: Lifecycle::Running,
    };
    Kept {
        account: "main".into(),
        source: "instance-pool/ocid1.x".into(),
        at: Timestamp::from_millis(7),
        set: Set {
            instances: [("i-1".into(), instance)].into(),
        },
    }
}

fn write_three(store: &dyn Store) {
    assert_eq!(store.load().unwrap(), None);
    for revision in 1..=3 {
        store.write(&record(revision)).unwrap();
    }
    let at = Timestamp::from_millis(5);
    store.save_config(at, "listen: {}").unwrap();
    assert_eq!(store.sets().unwrap(), []);
    store.save_sets(&[set()]).unwrap();
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    write_three(&Disk::open(dir.path()).unwrap());
    holds_what_was_written(&Disk::open(dir.path()).unwrap());
    let text = last_good_config(dir.path()).unwrap();
    assert_eq!(text.as_deref(), Some("listen: {}"));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(last_good_config(empty.path()).unwrap(), None);
}

#[test]
fn memory_keeps_the_same_chain() {
    let memory = Memory::default();
    write_three(&memory);
    holds_what_was_written(&memory);
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path()).unwrap();
    write_three(&disk);
    assert_eq!(
        memory.history(9, None).unwrap(),
        disk.history(9, None).unwrap()
    );
}

#[test]
fn a_second_process_is_told_that_the_state_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let first = Disk::open(dir.path()).unwrap();
    let second = Disk::open(dir.path()).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    drop(first);
    Disk::open(dir.path()).unwrap();
}

#[test]
fn a_file_of_a_later_version_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(Disk::open(dir.path()).unwrap());
    let file = dir.path().join(disk::FILE_NAME);
    let database = Database::open(&file).unwrap();
    let write = database.begin_write().unwrap();
    let meta = TableDefinition::<&str, u64>::new("meta");
    write.open_table(meta).unwrap().insert("format", 9).unwrap();
    write.commit().unwrap();
    drop(database);
    // Refused each time: the first refusal changed nothing.
    for _ in 0..2 {
        let error = Disk::open(dir.path()).unwrap_err();
        let is_newer = matches!(
            error,
            StoreError::Newer {
                found: 9,
                known: 1,
                ..
            }
        );
        assert!(is_newer, "{error}");
    }
}

#[test]
fn what_is_no_state_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join(disk::FILE_NAME);
    let text = "this is no database, but somebody may want it\n".repeat(100);
    std::fs::write(&file, &text).unwrap();
    let error = Disk::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn state_that_cannot_be_understood_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    drop(Disk::open(dir.path()).unwrap());
    change(dir.path(), "state", |write| {
        let state = TableDefinition::<&str, &[u8]>::new("state");
        let mut table = write.open_table(state).unwrap();
        table.insert("state", b"{\"revision\":".as_slice()).unwrap();
    });
    let error = Disk::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

fn change(dir: &std::path::Path, _table: &str, with: impl FnOnce(&redb::WriteTransaction)) {
    let database = Database::open(dir.join(disk::FILE_NAME)).unwrap();
    let write = database.begin_write().unwrap();
    with(&write);
    write.commit().unwrap();
}

#[test]
fn a_line_of_history_that_was_changed_shows() {
    let dir = tempfile::tempdir().unwrap();
    write_three(&Disk::open(dir.path()).unwrap());
    change(dir.path(), "history", |write| {
        let history = TableDefinition::<u64, &[u8]>::new("history");
        let mut table = write.open_table(history).unwrap();
        let line = table.remove(2).unwrap().unwrap().value().to_vec();
        let text = String::from_utf8_lossy(line.get(32..).unwrap()).replace("ops", "eve");
        let changed = [line.get(..32).unwrap(), text.as_bytes()].concat();
        table.insert(2, changed.as_slice()).unwrap();
    });
    let error = Disk::open(dir.path()).unwrap().verify().unwrap_err();
    assert!(error.to_string().contains("line 2 of history"), "{error}");
}
