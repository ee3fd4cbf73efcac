//! The record, `benches/instructions.toml`, and the judgement over a count: within three per cent of it, above (a failure),
//! below (the record should follow), or not comparable. Written only by `--update`, with a reason.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// Per cent that a count may move before somebody must say why. Six times what repeated counts differ by.
const TOLERANCE: u64 = 3;

const HEADER: &str = "\
# Instructions per request of the data plane: what `cargo xtask instructions` compares with. Written by
# `cargo xtask instructions --update --reason \"…\"`; how it is counted: benches/README.md.

";

/// One recorded count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    instructions_per_request: u64,
    /// Why it moved last.
    reason: String,
    machine: Machine,
}

impl Entry {
    /// A count made here.
    pub(crate) fn new(instructions_per_request: u64, machine: &Machine, reason: &str) -> Self {
        Self {
            instructions_per_request,
            reason: reason.to_owned(),
            machine: machine.clone(),
        }
    }
}

/// All recorded counts, by the name of the clients.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Record(BTreeMap<String, Entry>);

/// What a count is, beside the record.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing to do.
    Within { was: u64, is: u64 },
    /// A failure.
    Above { was: u64, is: u64 },
    /// Better: the record should be made anew, so that the gain is held.
    Below { was: u64, is: u64 },
    /// Nothing is recorded.
    New { is: u64 },
    /// Recorded with something else.
    Elsewhere { is: u64, differs: Vec<String> },
}

impl Record {
    /// Reads the file; one that is not there is empty.
    pub(crate) fn open(file: &Path) -> Result<Self> {
        match std::fs::read_to_string(file) {
            Ok(text) => toml::from_str(&text).with_context(|| file.display().to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| file.display().to_string()),
        }
    }

    /// Writes the file.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let text = format!("{HEADER}{}", toml::to_string(self)?);
        std::fs::write(file, text).with_context(|| file.display().to_string())
    }

    /// Replaces what is recorded under a name.
    pub(crate) fn set(&mut self, name: &str, entry: Entry) {
        self.0.insert(name.to_owned(), entry);
    }

    /// Judges a count made here.
    pub(crate) fn judge(&self, name: &str, is: u64, here: &Machine) -> Verdict {
        let Some(entry) = self.0.get(name) else {
            return Verdict::New { is };
        };
        let differs = here.differs_from(&entry.machine);
        if !differs.is_empty() {
            return Verdict::Elsewhere { is, differs };
        }
        let was = entry.instructions_per_request;
        let (hundred, of_was) = (is.saturating_mul(100), |percent: u64| {
            was.saturating_mul(percent)
        });
        if hundred > of_was(100 + TOLERANCE) {
            Verdict::Above { was, is }
        } else if hundred < of_was(100 - TOLERANCE) {
            Verdict::Below { was, is }
        } else {
            Verdict::Within { was, is }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Within { was, is } => write!(f, "{} per request, as recorded", Moved(*was, *is)),
            Self::Above { was, is } => {
                let limit = was.saturating_mul(100 + TOLERANCE) / 100;
                write!(f, "{} per request; the limit is {limit}", Moved(*was, *is))
            }
            Self::Below { was, is } => write!(
                f,
                "{} per request. Hold the gain: `cargo xtask instructions --update --reason \"…\"`",
                Moved(*was, *is)
            ),
            Self::New { is } => write!(
                f,
                "{is} instructions per request, and nothing to compare with: \
                 `cargo xtask instructions --update --reason \"first record\"`"
            ),
            Self::Elsewhere { is, differs } => write!(
                f,
                "WARNING: not compared, {is} instructions per request; the record was made with something else: {}",
                differs.join("; ")
            ),
        }
    }
}

/// From a recorded count to the one made.
struct Moved(u64, u64);

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(was, is) = *self;
        #[expect(
            clippy::cast_precision_loss,
            reason = "for people: a figure after the point"
        )]
        let percent = (is as f64 - was as f64) / was.max(1) as f64 * 100.0;
        write!(f, "was {was}, is {is} ({percent:+.1} %) instructions")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(rustc: &str) -> Machine {
        Machine {
            rustc: rustc.to_owned(),
            glibc: "glibc 2.36".to_owned(),
            valgrind: "valgrind-3.19.0".to_owned(),
            processor: "x86_64, avx2".to_owned(),
        }
    }

    fn recorded(was: u64) -> Record {
        let mut record = Record::default();
        record.set(
            "http1",
            Entry::new(was, &machine("rustc 1"), "first record"),
        );
        record
    }

    #[test]
    fn three_per_cent_are_within_and_one_instruction_more_is_not() {
        let judge = |is| recorded(10_000).judge("http1", is, &machine("rustc 1"));
        assert_eq!(
            judge(10_300),
            Verdict::Within {
                was: 10_000,
                is: 10_300
            }
        );
        assert_eq!(
            judge(10_301),
            Verdict::Above {
                was: 10_000,
                is: 10_301
            }
        );
        assert_eq!(
            judge(9_700),
            Verdict::Within {
                was: 10_000,
                is: 9_700
            }
        );
        assert_eq!(
            judge(9_699),
            Verdict::Below {
                was: 10_000,
                is: 9_699
            }
        );
    }

    #[test]
    fn another_compiler_is_said_and_not_compared() {
        let verdict = recorded(10_000).judge("http1", 20_000, &machine("rustc 2"));
        let differs = vec!["rustc 1 → rustc 2".to_owned()];
        assert_eq!(
            verdict,
            Verdict::Elsewhere {
                is: 20_000,
                differs
            }
        );
        assert!(verdict.to_string().starts_with("WARNING: not compared"));
    }

    #[test]
    fn a_failure_says_was_is_and_limit() {
        let verdict = recorded(10_000).judge("http1", 10_500, &machine("rustc 1"));
        let text = "was 10000, is 10500 (+5.0 %) instructions per request; the limit is 10300";
        assert_eq!(verdict.to_string(), text);
    }

    #[test]
    fn a_record_reads_as_it_was_written_and_a_missing_one_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("instructions.toml");
        assert_eq!(Record::open(&file).unwrap(), Record::default());
        recorded(1234).write(&file).unwrap();
        assert_eq!(Record::open(&file).unwrap(), recorded(1234));
        let verdict = Record::default().judge("http1", 5, &machine("rustc 1"));
        assert_eq!(verdict, Verdict::New { is: 5 });
    }
}
