//! Brings one actuator to a row and proves that it is there: reads, writes only where something is to be changed, and reads
//! back. An older row than one that was set, or may have been, is refused. What another tool changed in between is seen, told,
//! and set back or left, by policy. Decides no share, nor when: it is called when there is a new row, and now and then to see
//! whether the old one still holds. `docs/life-of-a-shift.md` has its place in the whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BackendName, BasisPoints, Revision, TargetRow};
use bascule_telemetry::clock;

use crate::port::{Apply, Member, Numbers, Setting, Settings};
use crate::round::{RoundError, round};
use crate::{Error, Kind};

/// How often a write that met a conflict is made anew over what is there now.
const CONFLICTS_MAX: u32 = 3;
/// The longest pause after the first conflict; twice as long after each further one, and by chance down to half of it: a cloud
/// that is busy with the change before needs some seconds, and two who write in turn must not meet again.
const CONFLICT_PAUSE: Duration = Duration::from_secs(1);

/// What becomes of what another tool changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnDrift {
    /// The row is set again.
    #[default]
    Revert,
    /// It stays until there is a new row, and is shown.
    Adopt,
}

/// One actuator, and what it was brought to.
#[derive(Debug)]
pub struct Drive {
    port: Arc<dyn Apply>,
    on_drift: OnDrift,
    last: Option<Last>,
}

/// The newest row that was written, or may have been.
#[derive(Debug)]
struct Last {
    revision: Revision,
    /// What it came to, once it was read back; `None` while it is not known what became of writing it.
    numbers: Option<Numbers>,
}

/// What bringing it to a row came to; it has been read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brought {
    /// Of which row.
    pub revision: Revision,
    /// What was done.
    pub done: Done,
    /// What is set there now.
    pub settings: Settings,
    /// By how much a share is off as the actuator's numbers cannot say it better.
    pub error: BasisPoints,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Nothing: it was so already.
    Nothing,
    /// It was set.
    Set,
    /// Another tool had changed it since it was set, and it was set again.
    Reverted,
    /// Another tool has changed it since it was set, and that was left.
    Adopted,
}

impl Drive {
    /// Of this actuator, which nobody has brought anywhere yet.
    #[must_use]
    pub fn new(port: Arc<dyn Apply>, on_drift: OnDrift) -> Self {
        Self {
            port,
            on_drift,
            last: None,
        }
    }

    /// Brings it to a row. Nothing is changed where an error comes of reading; where one comes of writing it is not known what
    /// became of it, and the next call finds out. So it is where this future is dropped.
    ///
    /// # Errors
    /// [`Invalid`](Kind::Invalid) for an older row than was written or may have been, and for one that its numbers cannot say,
    /// [`Conflict`](Kind::Conflict) when it is not what was set although that went well, and those of the cloud.
    pub async fn bring(&mut self, revision: Revision, row: &TargetRow) -> Result<Brought, Error> {
        if let Some(last) = self.last.as_ref().filter(|last| revision < last.revision) {
            let seen = format!("revision {} was written before", last.revision);
            return Err(self.error(Kind::Invalid).detail(seen));
        }
        let mut conflicts = 0;
        loop {
            let before = self.port.read().await?;
            let rounded = round(row, &sizes(&before), self.port.unit().max);
            let rounded = rounded.map_err(|why| self.cannot_say(&why))?;
            let brought = |done, settings| Brought {
                revision,
                done,
                settings,
                error: rounded.error,
            };
            if before.is_set_to(&rounded.numbers) {
                // It may be so by a write of ours that was not seen to its end.
                self.port.settle().await?;
                self.keep(revision, Some(rounded.numbers));
                return Ok(brought(Done::Nothing, before));
            }
            let is_drift = self.is_drift(revision, &rounded.numbers);
            if is_drift && self.on_drift == OnDrift::Adopt {
                return Ok(brought(Done::Adopted, before));
            }
            if !is_drift {
                // From here on it may be written, whatever comes of the call.
                self.keep(revision, None);
            }
            match self.port.write(&before, &rounded.numbers).await {
                Ok(()) => {}
                Err(error) if error.kind == Kind::Conflict && conflicts < CONFLICTS_MAX => {
                    let longest = CONFLICT_PAUSE * (1 << conflicts);
                    let pause = longest.mul_f64(1.0 - fastrand::f64() / 2.0);
                    clock::sleep_until(clock::now() + pause).await;
                    conflicts += 1;
                    continue;
                }
                Err(error) => return Err(error),
            }
            let after = self.port.read().await?;
            if !after.is_set_to(&rounded.numbers) {
                let seen = differences(&after.members, &rounded.numbers);
                return Err(self.error(Kind::Conflict).detail(seen));
            }
            self.keep(revision, Some(rounded.numbers));
            let done = if is_drift { Done::Reverted } else { Done::Set };
            return Ok(brought(done, after));
        }
    }

    /// Whether what is there now, which is not these numbers, once was.
    fn is_drift(&self, revision: Revision, numbers: &Numbers) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|last| last.revision == revision && last.numbers.as_ref() == Some(numbers))
    }

    fn keep(&mut self, revision: Revision, numbers: Option<Numbers>) {
        self.last = Some(Last { revision, numbers });
    }

    fn error(&self, kind: Kind) -> Error {
        Error::new(kind, "apply", self.port.actuator())
    }

    fn cannot_say(&self, why: &RoundError) -> Error {
        let error = self.error(Kind::Invalid).detail(why.to_string());
        match why {
            RoundError::AllOff => {
                error.fix("leave one of its members on, or take the actuator out of `apply`")
            }
            RoundError::Empty(_) => error.fix("add its machines there, or set the backend to off"),
        }
    }
}

impl Settings {
    /// Whether these numbers are set, all of them.
    #[must_use]
    pub fn is_set_to(&self, numbers: &Numbers) -> bool {
        numbers.iter().all(|(name, wanted)| {
            let member = self.members.get(name);
            member.is_some_and(|member| member.setting == Some(*wanted))
        })
    }

    /// The part of the traffic that goes to what is not ours to set.
    #[must_use]
    pub fn foreign_part(&self) -> BasisPoints {
        let ours = |member: &Member| match member.setting {
            Some(Setting::Weight(weight)) => u64::from(weight) * u64::from(member.size),
            Some(Setting::Off) | None => 0,
        };
        let ours: u64 = self.members.values().map(ours).sum();
        let foreign: u64 = self.foreign.values().map(|w| u64::from(*w)).sum();
        #[expect(clippy::cast_precision_loss, reason = "for display")]
        let ratio = foreign as f64 / (ours + foreign).max(1) as f64;
        BasisPoints::from_ratio(ratio)
    }
}

fn sizes(settings: &Settings) -> BTreeMap<BackendName, u32> {
    let members = settings.members.iter();
    members
        .map(|(name, member)| (name.clone(), member.size))
        .collect()
}

/// What is not as it should be, in words.
fn differences(members: &BTreeMap<BackendName, Member>, wanted: &Numbers) -> String {
    let differs = wanted.iter().filter_map(|(name, wanted)| {
        let found = members.get(name).and_then(|member| member.setting);
        (found != Some(*wanted)).then(|| {
            format!(
                "{name} is {} and was set to {}",
                word(found),
                word(Some(*wanted))
            )
        })
    });
    differs.collect::<Vec<_>>().join(", ")
}

fn word(setting: Option<Setting>) -> String {
    match setting {
        Some(Setting::Off) => "off".to_owned(),
        Some(Setting::Weight(weight)) => weight.to_string(),
        None => "not set".to_owned(),
    }
}

#[cfg(test)]
mod tests;
