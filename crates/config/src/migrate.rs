//! From the shape of one version of the configuration to that of another: a table of steps, each of which rewrites the
//! text in places and keeps the rest, comments included. Today there is one version, so that a step has nothing to do but
//! write it down. A file of a version that this program does not know is refused: what it says is not guessed.

use crate::diagnostic::{Diagnostic, Diagnostics, Edit};
use crate::fix::apply;
use crate::node::{Core, Kind, Node};
use crate::origin::Span;
use crate::yaml;

/// The version of the shape that this program reads.
pub const VERSION: u64 = 1;

/// One step between two versions that follow each other.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// The version it reads.
    pub from: u64,
    /// What it does, for people: `check.http is check.path`.
    pub what: &'static str,
    /// The places to rewrite in a text of version `from`. The version itself is written by the caller.
    pub edits: fn(&str) -> Vec<Edit>,
}

/// All steps, by version.
const MIGRATIONS: &[Migration] = &[];

/// What came of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The version the file said; `None`: it said none, which is 1.
    pub from: Option<u64>,
    /// The version it says now.
    pub to: u64,
    /// What was done, one line each.
    pub done: Vec<&'static str>,
    /// The text.
    pub text: String,
}

/// Why a file is not migrated.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// It cannot be read as far as its version, or its version is not known here.
    #[error("{0}")]
    Refused(Diagnostics),
    /// A version was asked for that there is no way to.
    #[error(
        "there is no way from version {from} to version {to}; this program knows version 1 to {known}"
    )]
    NoWay {
        /// The file's.
        from: u64,
        /// The one asked for.
        to: u64,
        /// The newest.
        known: u64,
    },
}

/// The text in another version; `None`: the newest.
///
/// # Errors
/// [`MigrateError`].
pub fn migrate(file: &str, text: &str, to: Option<u64>) -> Result<Migrated, MigrateError> {
    migrate_by((MIGRATIONS, VERSION), file, text, to)
}

/// As [`migrate`], by a table and the newest version it leads to.
fn migrate_by(
    (table, newest): (&[Migration], u64),
    file: &str,
    text: &str,
    to: Option<u64>,
) -> Result<Migrated, MigrateError> {
    let refused = |items| MigrateError::Refused(Diagnostics::new(file.into(), text.into(), items));
    let (root, problems) = yaml::parse(text);
    let root = root
        .filter(|_| problems.is_empty())
        .ok_or_else(|| refused(problems))?;
    let said = version(&root).map_err(|node| refused(vec![not_a_version(&node)]))?;
    let from = said.map_or(1, |(version, _)| version);
    if let Some((version, span)) = said.filter(|(version, _)| *version > newest || *version == 0) {
        return Err(refused(vec![unknown(version, newest, span)]));
    }
    let to = to.unwrap_or(newest);
    if to < from || to > newest {
        return Err(MigrateError::NoWay {
            from,
            to,
            known: newest,
        });
    }
    let mut migrated = Migrated {
        from: said.map(|(version, _)| version),
        to,
        done: Vec::new(),
        text: text.to_owned(),
    };
    for version in from..to {
        for step in table.iter().filter(|step| step.from == version) {
            migrated.text = apply(&migrated.text, &(step.edits)(&migrated.text));
            migrated.done.push(step.what);
        }
    }
    migrated.write_version(file)?;
    Ok(migrated)
}

impl Migrated {
    /// Writes the version: over the one that is there, or as the first key.
    fn write_version(&mut self, file: &str) -> Result<(), MigrateError> {
        let (root, problems) = yaml::parse(&self.text);
        let Some(root) = root.filter(|_| problems.is_empty()) else {
            let text = self.text.as_str();
            let found = Diagnostics::new(file.into(), text.into(), problems);
            return Err(MigrateError::Refused(found));
        };
        let edit = match version(&root) {
            Ok(Some((version, _))) if version == self.to => return Ok(()),
            Ok(Some((_, span))) => Edit {
                span,
                text: self.to.to_string(),
            },
            _ => insert(&root, &self.text, self.to),
        };
        self.text = apply(&self.text, &[edit]);
        Ok(())
    }
}

fn insert(root: &Node, text: &str, version: u64) -> Edit {
    let at = root.span.start;
    let is_flow = text.get(at..).is_some_and(|rest| rest.starts_with('{'));
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (at, text) = if is_flow {
        (at + 1, format!(" version: {version},"))
    } else {
        let indent = " ".repeat(root.span.column.saturating_sub(1) as usize);
        (at, format!("version: {version}{line_end}{indent}"))
    };
    Edit {
        span: Span {
            start: at,
            end: at,
            ..root.span
        },
        text,
    }
}

/// The version that a file says and where; an error: something that is none.
fn version(root: &Node) -> Result<Option<(u64, Span)>, Node> {
    let Kind::Map(entries) = &root.kind else {
        return Ok(None);
    };
    let Some(entry) = entries.iter().find(|entry| entry.key == "version") else {
        return Ok(None);
    };
    let value = &entry.value;
    let number = match &value.kind {
        Kind::Scalar(scalar) => match scalar.core {
            Core::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        },
        _ => None,
    };
    number.map_or_else(|| Err(value.clone()), |n| Ok(Some((n, value.span))))
}

fn not_a_version(node: &Node) -> Diagnostic {
    Diagnostic::error(
        "E0201",
        node.span,
        "/version",
        "`version` is a whole number",
    )
    .label(format!("not a whole number from 1 to {VERSION}"))
}

/// A version that this program does not know.
pub(crate) fn unknown(version: u64, newest: u64, span: Span) -> Diagnostic {
    let message = format!("version {version} is not known to this program");
    Diagnostic::error("E0121", span, "/version", message)
        .label(format!("known: 1 to {newest}"))
        .help("read it with the bascule it was written for, or a newer one")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "# ours\nlisten: { web: { address: \":80\" } } # kept\n";

    fn of(text: &str) -> Migrated {
        migrate("meet.yaml", text, None).unwrap()
    }

    #[test]
    fn a_file_without_a_version_gets_it_and_keeps_its_comments() {
        let migrated = of(PLAIN);
        assert_eq!((migrated.from, migrated.to), (None, 1));
        assert_eq!(
            migrated.text,
            "# ours\nversion: 1\nlisten: { web: { address: \":80\" } } # kept\n"
        );
        assert_eq!(of(&migrated.text).text, migrated.text);
    }

    #[test]
    fn every_form_of_a_map_takes_it() {
        for (text, wanted) in [
            ("{listen: {}}", "{ version: 1,listen: {}}"),
            ("---\nlisten: {}\n", "---\nversion: 1\nlisten: {}\n"),
            (
                "  listen: {}\n  log: {}\n",
                "  version: 1\n  listen: {}\n  log: {}\n",
            ),
            ("listen: {}\r\n", "version: 1\r\nlisten: {}\r\n"),
        ] {
            assert_eq!(of(text).text, wanted, "{text:?}");
        }
    }

    #[test]
    fn a_newer_version_and_no_version_are_refused_with_their_place() {
        for (text, code) in [
            ("log: {}\nversion: 2\n", "E0121"),
            ("version: 0\n", "E0121"),
            ("version: one\n", "E0201"),
            ("a: [\n", "E0101"),
        ] {
            let error = migrate("meet.yaml", text, None).unwrap_err();
            let MigrateError::Refused(found) = &error else {
                panic!("{error}")
            };
            assert_eq!(found.items.first().map(|d| d.code), Some(code), "{found}");
        }
        let error = migrate("meet.yaml", PLAIN, Some(2)).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("no way from version 1 to version 2"),
            "{error}"
        );
    }

    #[test]
    fn steps_are_made_in_order_up_to_the_version_asked_for() {
        fn rename(text: &str, from: &str, to: &str) -> Vec<Edit> {
            let at = text.find(from).unwrap();
            let span = Span {
                start: at,
                end: at + from.len(),
                ..Span::default()
            };
            vec![Edit {
                span,
                text: to.to_owned(),
            }]
        }
        let table = [
            Migration {
                from: 2,
                what: "b is c",
                edits: |t| rename(t, "b:", "c:"),
            },
            Migration {
                from: 1,
                what: "a is b",
                edits: |t| rename(t, "a:", "b:"),
            },
        ];
        let to = |version| migrate_by((&table, 3), "f", "a: 1 # mine\n", version).unwrap();
        assert_eq!(to(None).text, "version: 3\nc: 1 # mine\n");
        assert_eq!(to(None).done, ["a is b", "b is c"]);
        assert_eq!(to(Some(2)).text, "version: 2\nb: 1 # mine\n");
        let back = migrate_by((&table, 3), "f", "version: 3\nc: 1\n", Some(2));
        assert!(matches!(
            back,
            Err(MigrateError::NoWay {
                from: 3,
                to: 2,
                known: 3
            })
        ));
    }
}
