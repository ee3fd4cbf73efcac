//! State in one redb file. Every write is one transaction with an fsync before it returns. What cannot be understood is
//! never repaired by guessing or overwritten: opening it is refused, and the file stays as it is.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bascule_model::Timestamp;
use bascule_plan::steer::{Persisted, Record};
use redb::{
    Database, DatabaseError, Durability, ReadableDatabase as _, ReadableTable as _, StorageError,
    TableDefinition, TableError, WriteTransaction,
};

use super::{Kept, ORIGIN, Recorded, Store, StoreError, chain, hexadecimal};

/// The file in the state directory.
pub const FILE_NAME: &str = "bascule.redb";
/// The format of what is inside; a later one is refused.
const FORMAT: u64 = 1;

/// `format` of the file.
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
/// `state` as JSON.
const STATE: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("state");
/// By sequence: 32 bytes of hash, then the line as JSON.
const HISTORY: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("history");
/// `text` and `at` of the last configuration that was applied.
const CONFIG: TableDefinition<'_, &str, &str> = TableDefinition::new("config");

/// `all` as JSON: what was believed of sources of endpoints.
const SETS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("sets");

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A store in a file.
#[derive(Debug)]
pub struct Disk {
    path: PathBuf,
    /// `None` after an error of the disk: the file is opened anew, as redb asks for.
    database: Mutex<Option<Database>>,
}

impl Disk {
    /// Opens the state directory, made when it does not exist.
    ///
    /// # Errors
    /// [`StoreError`] when it is in use, damaged, of a later version, or cannot be read or written.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let path = state_dir.join(FILE_NAME);
        let made = std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(state_dir);
        made.map_err(|source| io("make", state_dir, source))?;
        let disk = Self {
            database: Mutex::new(Some(open(&path)?)),
            path,
        };
        disk.check_format()?;
        // Found now, not when somebody needs it.
        disk.load()?;
        Ok(disk)
    }

    fn check_format(&self) -> Result<(), StoreError> {
        let found = self.read(META, |table| {
            Ok(table.get("format")?.map(|format| format.value()))
        })?;
        match found {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known: FORMAT,
            }),
            None => self.write_all(|write| {
                write.open_table(META)?.insert("format", FORMAT)?;
                Ok(())
            }),
        }
    }

    /// Reads from a table; the default when the table was never written.
    fn read<K, V, T>(
        &self,
        table: TableDefinition<'_, K, V>,
        read: impl FnOnce(&redb::ReadOnlyTable<K, V>) -> Result<T, Cause>,
    ) -> Result<T, StoreError>
    where
        K: redb::Key + 'static,
        V: redb::Value + 'static,
        T: Default,
    {
        self.with("read", |database| {
            let transaction = database.begin_read()?;
            match transaction.open_table(table) {
                Ok(table) => read(&table),
                Err(TableError::TableDoesNotExist(_)) => Ok(T::default()),
                Err(error) => Err(error.into()),
            }
        })
    }

    fn write_all(
        &self,
        write: impl FnOnce(&WriteTransaction) -> Result<(), Cause>,
    ) -> Result<(), StoreError> {
        self.with("write", |database| {
            let mut transaction = database.begin_write()?;
            transaction.set_durability(Durability::Immediate)?;
            write(&transaction)?;
            transaction.commit()?;
            Ok(())
        })
    }

    /// Uses the database, opened anew when the disk failed before.
    fn with<T>(
        &self,
        doing: &'static str,
        using: impl FnOnce(&Database) -> Result<T, Cause>,
    ) -> Result<T, StoreError> {
        let mut guard = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = match guard.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        match using(&database) {
            Ok(value) => {
                *guard = Some(database);
                Ok(value)
            }
            Err(cause) => {
                // What is damaged by content stays open; after an error of the disk redb wants to be opened anew.
                if cause.is::<serde_json::Error>() || cause.is::<Misfit>() {
                    *guard = Some(database);
                }
                Err(self.refused(doing, cause))
            }
        }
    }

    fn refused(&self, doing: &'static str, cause: Cause) -> StoreError {
        let path = self.path.clone();
        if cause.is::<serde_json::Error>() || cause.is::<Misfit>() {
            let what = cause.to_string();
            return StoreError::Damaged { path, what };
        }
        match cause.downcast_ref::<StorageError>() {
            Some(StorageError::Corrupted(what)) => StoreError::Damaged {
                path,
                what: what.clone(),
            },
            _ => StoreError::Io {
                doing,
                path,
                source: cause,
            },
        }
    }
}

/// A line of history that does not fit the one before, or is no line.
#[derive(Debug, thiserror::Error)]
#[error("line {0} of history does not fit the one before it")]
struct Misfit(u64);

fn open(path: &Path) -> Result<Database, StoreError> {
    Database::create(path).map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse {
            path: path.to_owned(),
        },
        DatabaseError::Storage(StorageError::Corrupted(what)) => StoreError::Damaged {
            path: path.to_owned(),
            what,
        },
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::InvalidData =>
        {
            StoreError::Damaged {
                path: path.to_owned(),
                what: error.to_string(),
            }
        }
        error => io("open", path, error),
    })
}

fn io(doing: &'static str, path: &Path, source: impl Into<Cause>) -> StoreError {
    StoreError::Io {
        doing,
        path: path.to_owned(),
        source: source.into(),
    }
}

/// Divides a kept line into its hash and its content.
fn parts(sequence: u64, line: &[u8]) -> Result<(&[u8], &[u8]), Misfit> {
    line.split_at_checked(ORIGIN.len()).ok_or(Misfit(sequence))
}

/// The hash of a line that follows the one before it.
fn fits(sequence: u64, line: &[u8], wanted: u64, before: &[u8]) -> Result<[u8; 32], Misfit> {
    let (kept, content) = parts(sequence, line)?;
    let hash = chain(before, content);
    if sequence == wanted && kept == hash {
        Ok(hash)
    } else {
        Err(Misfit(sequence))
    }
}

impl Store for Disk {
    fn load(&self) -> Result<Option<Persisted>, StoreError> {
        self.read(STATE, |table| {
            let kept = table.get("state")?;
            let parsed = kept.map(|state| serde_json::from_slice(state.value()));
            Ok(parsed.transpose()?)
        })
    }

    fn write(&self, record: &Record) -> Result<(), StoreError> {
        self.write_all(|write| {
            let state = serde_json::to_vec(&record.state)?;
            write.open_table(STATE)?.insert("state", state.as_slice())?;
            let mut table = write.open_table(HISTORY)?;
            let last = table
                .last()?
                .map(|(at, line)| (at.value(), line.value().to_vec()));
            let (mut sequence, mut hash) = (0, ORIGIN.to_vec());
            if let Some((at, line)) = last {
                hash = parts(at, &line)?.0.to_vec();
                sequence = at;
            }
            for entry in &record.history {
                let content = serde_json::to_vec(entry)?;
                hash = chain(&hash, &content).to_vec();
                sequence += 1;
                let line = [hash.as_slice(), &content].concat();
                table.insert(sequence, line.as_slice())?;
            }
            Ok(())
        })
    }

    fn history(&self, limit: usize, before: Option<u64>) -> Result<Vec<Recorded>, StoreError> {
        self.read(HISTORY, |table| {
            let lines = table.range(..before.unwrap_or(u64::MAX))?.rev().take(limit);
            let mut found = Vec::new();
            for line in lines {
                let (at, line) = line?;
                let (hash, content) = parts(at.value(), line.value())?;
                found.push(Recorded {
                    sequence: at.value(),
                    hash: hexadecimal(hash),
                    entry: serde_json::from_slice(content)?,
                });
            }
            Ok(found)
        })
    }

    fn verify(&self) -> Result<u64, StoreError> {
        self.read(HISTORY, |table| {
            let (mut count, mut before) = (0, ORIGIN);
            for line in table.iter()? {
                let (at, line) = line?;
                before = fits(at.value(), line.value(), count + 1, &before)?;
                count = at.value();
            }
            Ok(count)
        })
    }

    fn save_config(&self, at: Timestamp, text: &str) -> Result<(), StoreError> {
        self.write_all(|write| {
            let mut table = write.open_table(CONFIG)?;
            table.insert("text", text)?;
            table.insert("at", at.as_millis().to_string().as_str())?;
            Ok(())
        })
    }

    fn last_good_config(&self) -> Result<Option<String>, StoreError> {
        self.read(CONFIG, |table| {
            Ok(table.get("text")?.map(|text| text.value().to_owned()))
        })
    }

    fn save_sets(&self, sets: &[Kept]) -> Result<(), StoreError> {
        self.write_all(|write| {
            let all = serde_json::to_vec(sets)?;
            write.open_table(SETS)?.insert("all", all.as_slice())?;
            Ok(())
        })
    }

    fn sets(&self) -> Result<Vec<Kept>, StoreError> {
        self.read(SETS, |table| {
            let kept = table.get("all")?;
            let parsed = kept.map(|all| serde_json::from_slice(all.value()));
            Ok(parsed.transpose()?.unwrap_or_default())
        })
    }
}
