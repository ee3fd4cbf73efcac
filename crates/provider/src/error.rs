//! Why a call to a cloud failed: the call, what it was about, what may be done, and one of five kinds that callers match.
//! Nobody reads a text to decide. A secret is never part of it.

use std::error;
use std::fmt;
use std::time::Duration;

use crate::text;

/// A line of what was seen has this many characters at most: some messages of a cloud's, or a list of what differs.
const DETAIL_MAX: usize = 1500;

/// What may be done about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It may be well in a moment: a time-out, a broken connection, an answer of 500 to 504.
    Transient,
    /// Too many calls.
    Throttled {
        /// How long the cloud wants to be left alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// Not allowed: wrong or expired credentials, a permission that is missing, a clock that is wrong. A person is needed.
    Denied,
    /// What is there is not what was to be changed, or is being changed by another. To be read again first.
    Conflict,
    /// The call cannot be right: nothing of that name, a value that is refused, an answer that is none of the API's. A person
    /// is needed.
    Invalid,
}

impl Kind {
    /// The word used in logs, metrics and status.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Throttled { .. } => "throttled",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::Invalid => "invalid",
        }
    }

    /// Whether the same call may be well later without anybody's doing.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(
            self,
            Self::Transient | Self::Throttled { .. } | Self::Conflict
        )
    }
}

/// Why a call failed. Its text is one line, without the source's.
#[derive(Debug)]
pub struct Error {
    /// What may be done.
    pub kind: Kind,
    /// The call as the cloud's documentation names it: `route53:ChangeResourceRecordSets`, `GetBackendSet`.
    pub call: &'static str,
    /// The rest, for people.
    pub about: Box<About>,
}

/// What a person wants to know of a failure.
#[derive(Debug, Default)]
pub struct About {
    /// What it was about: an id, a name; empty where there is nothing to name.
    pub resource: String,
    /// What was seen: the status, the cloud's code and message.
    pub detail: String,
    /// What a person can do: the permission to give, the key to change.
    pub fix: Option<String>,
    /// The cloud's own number of the request, for its support.
    pub request_id: Option<String>,
    /// What was beneath.
    pub source: Option<Box<dyn error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of this kind.
    #[must_use]
    pub fn new(kind: Kind, call: &'static str, resource: impl Into<String>) -> Self {
        Self {
            kind,
            call,
            about: Box::new(About {
                resource: resource.into(),
                ..About::default()
            }),
        }
    }

    /// With what was seen; on one line and cut, whoever said it.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.about.detail = text::line(&detail.into(), DETAIL_MAX);
        self
    }

    /// With what a person can do.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.about.fix = Some(fix.into());
        self
    }

    /// With the cloud's own number of the request.
    #[must_use]
    pub fn request_id(mut self, id: Option<String>) -> Self {
        self.about.request_id = id.as_deref().map(text::shown);
        self
    }

    /// The same without what was beneath: for who is told of it after the first.
    #[must_use]
    pub fn again(&self) -> Self {
        let About {
            resource,
            detail,
            fix,
            request_id,
            source: _,
        } = &*self.about;
        Self {
            kind: self.kind,
            call: self.call,
            about: Box::new(About {
                resource: resource.clone(),
                detail: detail.clone(),
                fix: fix.clone(),
                request_id: request_id.clone(),
                source: None,
            }),
        }
    }

    /// With the error beneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        self.about.source = Some(source.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let About {
            resource,
            detail,
            fix,
            request_id,
            source: _,
        } = &*self.about;
        write!(f, "{}", self.call)?;
        if !resource.is_empty() {
            write!(f, " of {resource}")?;
        }
        write!(f, ": {}", self.kind.as_str())?;
        if !detail.is_empty() {
            write!(f, ": {detail}")?;
        }
        if let Some(fix) = fix {
            write!(f, "; {fix}")?;
        }
        if let Some(id) = request_id {
            write!(f, " (request {id})")?;
        }
        Ok(())
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        let source = self.about.source.as_deref();
        source.map(|source| source as &(dyn error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_ends_whatever_a_cloud_said() {
        let error = Error::new(Kind::Invalid, "GetWorkRequest", "ocid1")
            .detail(format!("one\ntwo\u{1b}[2J {}", "x".repeat(1 << 20)))
            .request_id(Some("a\rb".to_owned()));
        for error in [error.again(), error] {
            let text = error.to_string();
            assert!(text.starts_with("GetWorkRequest of ocid1: invalid: one two [2J x"));
            assert!(text.ends_with("… (request a b)"));
            assert!(text.chars().count() < 2 * DETAIL_MAX);
        }
    }
}
