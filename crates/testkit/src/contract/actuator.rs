//! What an `Apply` keeps, together with `provider::drive`: what was wanted is there when it says so, twice is once, nothing is
//! half applied for good, and an error says what to do.

use std::sync::Arc;
use std::time::Duration;

use bascule_model::{BackendName, Revision, Shares, TargetRow};
use bascule_provider::drive::{Brought, Done, Drive, OnDrift};
use bascule_provider::port::{Numbers, Setting};
use bascule_provider::{Apply, Error, Kind};

use super::{IMPATIENCE, PATIENCE, Wire, faults};
use crate::meddler::{Meddle, Meddler, Which};

/// An actuator of two members in a pretend cloud, behind a meddler.
pub trait Rig {
    /// The actuator; a call of its may take so long.
    fn actuator(&self, patience: Duration) -> Arc<dyn Apply>;
    /// What stands before the cloud.
    fn meddler(&self) -> &Meddler;
    /// How its errors look.
    fn wire(&self) -> &dyn Wire;
    /// Its two members.
    fn members(&self) -> [BackendName; 2];
    /// Which requests change something.
    fn changes(&self) -> Which;
    /// Another tool's doing, past the meddler: the second member gets another number.
    fn other_tool(&self) -> Box<dyn FnOnce() + Send>;
}

fn row(rig: &impl Rig, first: u64, second: u64) -> TargetRow {
    let [one, other] = rig.members();
    let shares = Shares::from_weights([(one, first), (other, second)]);
    TargetRow {
        shares: shares.unwrap(),
        off: [].into(),
    }
}

fn drive(rig: &impl Rig) -> Drive {
    Drive::new(rig.actuator(PATIENCE), OnDrift::Revert)
}

async fn bring(drive: &mut Drive, revision: u64, row: &TargetRow) -> Result<Brought, Error> {
    drive.bring(Revision(revision), row).await
}

/// The parts of the members as they are set, in percent of both.
async fn parts(rig: &impl Rig) -> [u32; 2] {
    let settings = rig.actuator(PATIENCE).read().await.unwrap();
    let part = |name: &BackendName| match settings.members[name].setting {
        Some(Setting::Weight(weight)) => weight * settings.members[name].size,
        Some(Setting::Off) => 0,
        None => panic!("{name} is not set"),
    };
    let [first, second] = rig.members().map(|name| part(&name));
    let both = first + second;
    [first, second].map(|part| (part * 100 + both / 2) / both)
}

fn changes(rig: &impl Rig) -> usize {
    let which = rig.changes();
    let asked = rig.meddler().take_asked();
    asked.iter().filter(|asked| which(asked)).count()
}

/// A row is set, read back, and found when it is wanted again.
///
/// # Panics
/// When it is not.
pub async fn sets_a_row_once(rig: &impl Rig) {
    let mut drive = drive(rig);
    let brought = bring(&mut drive, 1, &row(rig, 70, 30)).await.unwrap();
    assert_eq!((brought.done, parts(rig).await), (Done::Set, [70, 30]));
    assert!(changes(rig) > 0);
    let again = bring(&mut drive, 1, &row(rig, 70, 30)).await.unwrap();
    assert_eq!((again.done, changes(rig)), (Done::Nothing, 0));
    assert_eq!(again.settings, brought.settings);
    let next = bring(&mut drive, 2, &row(rig, 20, 80)).await.unwrap();
    assert_eq!((next.done, parts(rig).await), (Done::Set, [20, 80]));
    assert_ne!(next.settings.version, again.settings.version);
    assert!(!rig.actuator(PATIENCE).actuator().is_empty());
}

/// What is off is off, and comes back; all off is never asked for.
///
/// # Panics
/// When it is not so.
pub async fn turns_off_and_on(rig: &impl Rig) {
    let mut drive = drive(rig);
    let [first, second] = rig.members();
    let mut wanted = row(rig, 60, 40);
    wanted.off.insert(first.clone());
    let brought = bring(&mut drive, 1, &wanted).await.unwrap();
    let off = brought.settings.members[&first].setting;
    assert_eq!((off, parts(rig).await), (Some(Setting::Off), [0, 100]));
    drop(rig.meddler().take_asked());
    wanted.off.insert(second);
    let refused = bring(&mut drive, 2, &wanted).await.unwrap_err();
    assert_eq!((refused.kind, changes(rig)), (Kind::Invalid, 0));
    let zeros: Numbers = rig.members().map(|name| (name, Setting::Off)).into();
    let actuator = rig.actuator(PATIENCE);
    let over = actuator.read().await.unwrap();
    let refused = actuator.write(&over, &zeros).await.unwrap_err();
    assert_eq!((refused.kind, changes(rig)), (Kind::Invalid, 0));
    bring(&mut drive, 3, &row(rig, 60, 40)).await.unwrap();
    assert_eq!(parts(rig).await, [60, 40]);
}

/// When the answer to a change is lost, or the process ends before it has read back, who comes next finds out.
///
/// # Panics
/// When it does not.
pub async fn finds_out_what_became_of_a_change(rig: &impl Rig) {
    bring(&mut drive(rig), 1, &row(rig, 50, 50)).await.unwrap();
    rig.meddler().next_of(rig.changes(), Meddle::LoseAnswer);
    if let Err(error) = bring(&mut drive(rig), 2, &row(rig, 90, 10)).await {
        assert_eq!(error.kind, Kind::Transient, "{error:?}");
    }
    assert_eq!(rig.meddler().left(), 0);
    bring(&mut drive(rig), 2, &row(rig, 90, 10)).await.unwrap();
    assert_eq!(parts(rig).await, [90, 10]);
}

/// Another tool that writes between our reading and our writing does not have the last word, nor makes us fail.
///
/// # Panics
/// When it does.
pub async fn is_not_overtaken(rig: &impl Rig) {
    let mut drive = drive(rig);
    bring(&mut drive, 1, &row(rig, 50, 50)).await.unwrap();
    rig.meddler()
        .next_of(rig.changes(), Meddle::First(rig.other_tool()));
    bring(&mut drive, 2, &row(rig, 80, 20)).await.unwrap();
    assert_eq!((rig.meddler().left(), parts(rig).await), (0, [80, 20]));
    rig.other_tool()();
    let brought = bring(&mut drive, 2, &row(rig, 80, 20)).await.unwrap();
    assert_eq!((brought.done, parts(rig).await), (Done::Reverted, [80, 20]));
}

/// Whatever goes wrong, at whichever call: an error of the right kind, or what was wanted is there; and then it can be had.
///
/// # Panics
/// When there is another.
pub async fn fails_with_a_reason_and_goes_on(rig: &impl Rig) {
    bring(&mut drive(rig), 1, &row(rig, 50, 50)).await.unwrap();
    drop(rig.meddler().take_asked());
    bring(&mut drive(rig), 2, &row(rig, 40, 60)).await.unwrap();
    let calls = rig.meddler().take_asked().len();
    for (number, before) in (3..).step_by(2).zip(0..calls) {
        for (name, meddle, is_right) in faults(rig.wire()) {
            bring(&mut drive(rig), number, &row(rig, 50, 50))
                .await
                .unwrap();
            let passing = (0..before).map(|_| Meddle::Pass);
            rig.meddler().next(passing.chain([meddle]));
            match bring(&mut drive(rig), number + 1, &row(rig, 40, 60)).await {
                Ok(_) => assert_eq!(parts(rig).await, [40, 60], "{name} at call {before}"),
                Err(error) => assert!(is_right(&error), "{name} at call {before}: {error:?}"),
            }
            rig.meddler().next([]);
            bring(&mut drive(rig), number + 1, &row(rig, 40, 60))
                .await
                .unwrap();
            assert_eq!(parts(rig).await, [40, 60], "{name} at call {before}");
        }
    }
}

/// A call that is not answered ends, as what may be well in a moment.
///
/// # Panics
/// When it does not.
pub async fn waits_for_no_answer_for_ever(rig: &impl Rig) {
    rig.meddler().next((0..8).map(|_| Meddle::Silence));
    let error = rig.actuator(IMPATIENCE).read().await.unwrap_err();
    assert_eq!(error.kind, Kind::Transient, "{error:?}");
}

/// Makes a test of each law for a rig that `$start` starts.
#[macro_export]
macro_rules! actuator_contract {
    ($name:ident, $start:path) => {
        mod $name {
            $crate::laws!(actuator, $start,
                sets_a_row_once turns_off_and_on finds_out_what_became_of_a_change is_not_overtaken
                fails_with_a_reason_and_goes_on waits_for_no_answer_for_ever);
        }
    };
}

/// The tests that the macros for sources and actuators make.
#[macro_export]
macro_rules! laws {
    ($of:ident, $start:path, $($law:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn $law() {
                $crate::contract::$of::$law(&$start().await).await;
            }
        )+
    };
}
