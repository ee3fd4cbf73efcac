//! How calls fail when told, as seen on the wire.

/// What happens to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// This status, with a code as OCI has them.
    Refused {
        /// The status.
        status: u16,
        /// The code.
        code: String,
    },
    /// 429, with `Retry-After` in seconds where there is one.
    Throttled(Option<u64>),
    /// A page of a proxy, with 200.
    Html,
    /// No answer, ever.
    Silent,
    /// The answer breaks off.
    Half,
    /// The connection closes.
    Closed,
    /// It is done, but the answer never comes: the connection closes.
    Lost,
    /// It is accepted, and its work fails.
    WorkFails,
}

impl Fault {
    /// A refusal.
    #[must_use]
    pub fn refused(status: u16, code: &str) -> Self {
        Self::Refused {
            status,
            code: code.to_owned(),
        }
    }
}

/// Which calls fail, and how often.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// A part of `METHOD /path`.
    pub(super) calls: String,
    pub(super) fault: Fault,
    /// So many that would fail do not, at first.
    pub(super) after: usize,
    pub(super) times: usize,
}

/// The fault of this call, if it has one; counts it.
pub(super) fn of(rules: &mut [Rule], call: &str) -> Option<Fault> {
    let rule = rules
        .iter_mut()
        .find(|rule| rule.times > 0 && call.contains(&rule.calls))?;
    if rule.after > 0 {
        rule.after -= 1;
        return None;
    }
    rule.times -= 1;
    Some(rule.fault.clone())
}
