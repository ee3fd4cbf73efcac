//! What every cloud must keep of the port, whatever it is made of: one suite for all, run against each with a [`Meddler`] before
//! its fake. [`actuator`] is for `Apply`, [`source`] for `Discover`. A rig says how the cloud's errors look on the wire; what is
//! asked of the provider is the same for all. The macros make one named test of each law.

use std::time::Duration;

use bascule_provider::{Error, Kind};

use crate::meddler::{Answer, Meddle};

pub mod actuator;
pub mod source;

/// Long enough for a slow machine; calls that are to time out get less.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// For calls that are never answered.
pub const IMPATIENCE: Duration = Duration::from_millis(300);

/// What who has made too many calls is asked to wait, in seconds: some of what is tried waits so long.
const RETRY_AFTER: u32 = 1;

/// How a cloud's errors look on the wire.
pub trait Wire {
    /// Too many calls; come back in so many seconds.
    fn throttled(&self, retry_after: u32) -> Answer;
    /// A fault of its own, with this status.
    fn broken(&self, status: u16) -> Answer;
    /// A permission is missing.
    fn denied(&self) -> Answer;
    /// The credentials have ended.
    fn expired(&self) -> Answer;
    /// The caller's clock is wrong.
    fn skewed(&self) -> Answer;
}

/// What answers in place of an API: a sign-in page, a proxy's own page.
#[must_use]
pub fn page() -> Answer {
    Answer {
        status: 200,
        headers: vec![("content-type", "text/html".to_owned())],
        body: "<html><body>Please sign in</body></html>".to_owned(),
    }
}

/// Something that goes wrong on the way to a cloud: its name, what is done, and whether an error is the right one.
type Fault = (&'static str, Meddle, fn(&Error) -> bool);

/// Each of them.
fn faults(wire: &dyn Wire) -> Vec<Fault> {
    let answer = Meddle::Answer;
    let transient = |error: &Error| error.kind == Kind::Transient;
    let denied = |error: &Error| error.kind == Kind::Denied && error.about.fix.is_some();
    vec![
        ("throttled", answer(wire.throttled(RETRY_AFTER)), |error| {
            let retry_after = Some(Duration::from_secs(RETRY_AFTER.into()));
            error.kind == Kind::Throttled { retry_after }
        }),
        ("500", answer(wire.broken(500)), transient),
        ("503", answer(wire.broken(503)), transient),
        ("no permission", answer(wire.denied()), denied),
        ("expired credentials", answer(wire.expired()), denied),
        ("a wrong clock", answer(wire.skewed()), |error| {
            error.kind == Kind::Denied && error.to_string().contains("clock")
        }),
        ("a page", answer(page()), |error| {
            error.kind == Kind::Invalid
        }),
        ("a closed connection", Meddle::Close, transient),
        ("half an answer", Meddle::CutAnswer, |error| {
            matches!(error.kind, Kind::Transient | Kind::Invalid)
        }),
    ]
}
