//! One thing that was looked at, and what came of it; a group of them; and all groups as a report. Decides how it counts,
//! never how it is printed.

use serde::Serialize;

/// How it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Level {
    /// Fine.
    Ok,
    /// It could not be seen from here.
    Unknown,
    /// Somebody should look.
    Warning,
    /// It will not work, or does not.
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// How it is.
    pub(crate) level: Level,
    /// The code of what is wrong; none for what is fine or unknown.
    pub(crate) code: Option<&'static str>,
    /// What was found, on one line. Of what is fine it is short and may be empty.
    pub(crate) text: String,
    /// What to do.
    pub(crate) help: Option<String>,
    /// The JSON pointer of what it is about, where it is about a configuration.
    pub(crate) pointer: Option<String>,
}

impl Finding {
    fn new(level: Level, code: Option<&'static str>, text: impl Into<String>) -> Self {
        Self {
            level,
            code,
            text: text.into(),
            help: None,
            pointer: None,
        }
    }

    /// Fine; `text` is worth showing when all is, or empty.
    pub(crate) fn ok(text: impl Into<String>) -> Self {
        Self::new(Level::Ok, None, text)
    }

    /// Not to be seen from here.
    pub(crate) fn unknown(text: impl Into<String>) -> Self {
        Self::new(Level::Unknown, None, text)
    }

    /// Something wrong, as bad as its code says: `W…` is a warning.
    pub(crate) fn wrong(code: &'static str, text: impl Into<String>) -> Self {
        let level = if code.starts_with('W') {
            Level::Warning
        } else {
            Level::Error
        };
        Self::new(level, Some(code), text)
    }

    /// With what to do.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With where it is about.
    #[must_use]
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }
}

/// What belongs together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Group {
    /// `host`, `config`, `providers`, …
    pub(crate) name: &'static str,
    /// Inside the group: the provider; empty where there is only one part.
    pub(crate) part: String,
    /// In the order they were looked at.
    pub(crate) findings: Vec<Finding>,
}

impl Group {
    /// A group of one part.
    pub(crate) fn new(name: &'static str, findings: Vec<Finding>) -> Self {
        let part = String::new();
        Self {
            name,
            part,
            findings,
        }
    }

    /// How many are so.
    pub(crate) fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|f| f.level == level).count()
    }
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Report {
    /// Parts of one group follow each other.
    pub(crate) groups: Vec<Group>,
}

impl Report {
    /// How many are so.
    pub(crate) fn count(&self, level: Level) -> usize {
        self.groups.iter().map(|group| group.count(level)).sum()
    }

    /// All that was found.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.groups.iter().flat_map(|group| &group.findings)
    }
}
