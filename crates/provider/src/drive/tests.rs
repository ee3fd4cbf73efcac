//! An actuator in memory that is overtaken, loses answers, and is changed by others.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bascule_model::{Instant, Shares};
use bascule_telemetry::clock;

use super::*;
use crate::port::{Call, Unit};

/// An actuator in memory. What happens to the next writes is written down beforehand.
#[derive(Debug, Default)]
struct Cloud {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    writes: u32,
    /// When a write was tried.
    tried: Vec<Instant>,
    /// What is set is not yet where traffic is.
    is_under_way: bool,
    next: Vec<Fault>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Another tool writes just before.
    Overtaken,
    /// It is written, and the answer does not come.
    AnswerLost,
    /// It is not written.
    Refused(Kind),
    /// It says that it is written.
    Ignored,
    /// It is written, and no answer comes, ever.
    Silent,
}

impl Cloud {
    fn of(members: &[&str]) -> Arc<Self> {
        let member = Member {
            setting: None,
            size: 1,
        };
        let cloud = Self::default();
        let members = members.iter().map(|name| (name.parse().unwrap(), member));
        cloud.state().settings.members = members.collect();
        Arc::new(cloud)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn set(&self, name: &str, setting: Setting) {
        let mut state = self.state();
        let setting = Some(setting);
        state.settings.version.push('x');
        let member = Member { setting, size: 1 };
        state.settings.members.insert(name.parse().unwrap(), member);
    }

    fn is(&self, name: &str) -> Option<Setting> {
        self.state().settings.members[name].setting
    }

    fn try_write(&self, over: &Settings, wanted: &Numbers) -> Result<(), Error> {
        self.state().tried.push(clock::now());
        let fault = self.state().next.pop();
        let error = |kind| Error::new(kind, "Write", "memory");
        match fault {
            Some(Fault::Overtaken) => self.set("oci", Setting::Weight(3)),
            Some(Fault::Refused(kind)) => return Err(error(kind)),
            Some(Fault::Ignored) => return Ok(()),
            Some(Fault::AnswerLost | Fault::Silent) | None => {}
        }
        if self.state().settings.version != over.version {
            return Err(error(Kind::Conflict));
        }
        wanted
            .iter()
            .for_each(|(name, setting)| self.set(name.as_str(), *setting));
        self.state().writes += 1;
        match fault {
            Some(Fault::AnswerLost) => Err(error(Kind::Transient)),
            _ => Ok(()),
        }
    }
}

impl Apply for Cloud {
    fn actuator(&self) -> &'static str {
        "memory"
    }

    fn unit(&self) -> Unit {
        Unit {
            max: 255,
            delay: Duration::ZERO,
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async { Ok(self.state().settings.clone()) })
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(async {
            let is_silent = self.state().next.last() == Some(&Fault::Silent);
            let written = self.try_write(over, wanted);
            if is_silent {
                std::future::pending::<()>().await;
            }
            written
        })
    }

    fn settle(&self) -> Call<'_, ()> {
        Box::pin(async {
            let is_under_way = self.state().is_under_way;
            let error = || Error::new(Kind::Transient, "Settle", "memory");
            if is_under_way { Err(error()) } else { Ok(()) }
        })
    }
}

fn row(aws: u64, oci: u64) -> TargetRow {
    let weights = [("aws".parse().unwrap(), aws), ("oci".parse().unwrap(), oci)];
    TargetRow {
        shares: Shares::from_weights(weights).unwrap(),
        off: [].into(),
    }
}

fn drive(cloud: &Arc<Cloud>, on_drift: OnDrift) -> Drive {
    let port: Arc<dyn Apply> = cloud.clone();
    Drive::new(port, on_drift)
}

async fn done(drive: &mut Drive, revision: u64, row: &TargetRow) -> Result<Done, Kind> {
    let brought = drive.bring(Revision(revision), row).await;
    brought
        .map(|brought| brought.done)
        .map_err(|error| error.kind)
}

#[tokio::test]
async fn a_row_is_set_once_and_then_found() {
    let cloud = Cloud::of(&["aws", "oci"]);
    let mut drive = drive(&cloud, OnDrift::Revert);
    assert_eq!(done(&mut drive, 1, &row(70, 30)).await, Ok(Done::Set));
    assert_eq!(cloud.is("oci"), Some(Setting::Weight(30)));
    for revision in [1, 2] {
        assert_eq!(
            done(&mut drive, revision, &row(70, 30)).await,
            Ok(Done::Nothing)
        );
    }
    assert_eq!(cloud.state().writes, 1);
}

#[tokio::test]
async fn an_older_row_is_refused() {
    let cloud = Cloud::of(&["aws", "oci"]);
    let mut drive = drive(&cloud, OnDrift::Revert);
    done(&mut drive, 5, &row(70, 30)).await.unwrap();
    assert_eq!(done(&mut drive, 4, &row(10, 90)).await, Err(Kind::Invalid));
    assert_eq!(cloud.is("oci"), Some(Setting::Weight(30)));
}

#[tokio::test]
async fn off_is_set_as_off_and_all_off_is_refused_before_anything_is_written() {
    let cloud = Cloud::of(&["aws", "oci"]);
    let mut drive = drive(&cloud, OnDrift::Revert);
    let mut off = row(70, 30);
    off.off.insert("oci".parse().unwrap());
    done(&mut drive, 1, &off).await.unwrap();
    assert_eq!(cloud.is("oci"), Some(Setting::Off));
    off.off.insert("aws".parse().unwrap());
    let refused = drive.bring(Revision(2), &off).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "apply of memory: invalid: every member would be off; leave one of its members on, or take the actuator out of `apply`"
    );
    assert_eq!(cloud.state().writes, 1);
}

#[tokio::test(start_paused = true)]
async fn who_is_overtaken_by_another_tool_writes_over_what_that_wrote() {
    let cloud = Cloud::of(&["aws", "oci"]);
    cloud.state().next = vec![Fault::Overtaken, Fault::Overtaken];
    let mut drive = drive(&cloud, OnDrift::Revert);
    assert_eq!(done(&mut drive, 1, &row(70, 30)).await, Ok(Done::Set));
    assert_eq!(cloud.is("oci"), Some(Setting::Weight(30)));
    cloud.state().next = vec![Fault::Overtaken; 9];
    assert_eq!(done(&mut drive, 2, &row(50, 50)).await, Err(Kind::Conflict));
    assert_eq!(cloud.state().next.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_met_again_after_pauses_that_grow() {
    let cloud = Cloud::of(&["aws", "oci"]);
    cloud.state().next = vec![Fault::Refused(Kind::Conflict); 9];
    let mut drive = drive(&cloud, OnDrift::Revert);
    assert_eq!(done(&mut drive, 1, &row(70, 30)).await, Err(Kind::Conflict));
    let tried = cloud.state().tried.clone();
    let pauses: Vec<Duration> = tried.windows(2).map(|w| w[1].since(w[0])).collect();
    assert_eq!(pauses.len(), 3);
    for (pause, longest) in pauses.iter().zip([1000, 2000, 4000]) {
        // A paused clock goes on in whole milliseconds.
        let range = Duration::from_millis(longest / 2)..=Duration::from_millis(longest + 2);
        assert!(range.contains(pause), "{pauses:?}");
    }
}

#[tokio::test]
async fn an_older_row_is_refused_as_soon_as_a_newer_one_may_have_been_written() {
    for fault in [
        Fault::AnswerLost,
        Fault::Refused(Kind::Transient),
        Fault::Ignored,
    ] {
        let cloud = Cloud::of(&["aws", "oci"]);
        let mut drive = drive(&cloud, OnDrift::Revert);
        done(&mut drive, 4, &row(50, 50)).await.unwrap();
        cloud.state().next = vec![fault];
        done(&mut drive, 5, &row(70, 30)).await.unwrap_err();
        assert_eq!(done(&mut drive, 4, &row(50, 50)).await, Err(Kind::Invalid));
        done(&mut drive, 5, &row(70, 30)).await.unwrap();
        assert_eq!(cloud.is("oci"), Some(Setting::Weight(30)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_broken_off_holds_the_fence_too() {
    let cloud = Cloud::of(&["aws", "oci"]);
    cloud.state().next = vec![Fault::Silent];
    let mut drive = drive(&cloud, OnDrift::Adopt);
    let newer = row(70, 30);
    let bringing = drive.bring(Revision(5), &newer);
    let within = Duration::from_secs(1);
    tokio::time::timeout(within, bringing).await.unwrap_err();
    assert_eq!(done(&mut drive, 4, &row(50, 50)).await, Err(Kind::Invalid));
    assert_eq!(done(&mut drive, 5, &newer).await, Ok(Done::Nothing));
}

#[tokio::test]
async fn what_was_written_without_an_answer_is_not_taken_for_another_tools_doing() {
    let cloud = Cloud::of(&["aws", "oci"]);
    let mut drive = drive(&cloud, OnDrift::Adopt);
    done(&mut drive, 5, &row(70, 30)).await.unwrap();
    // Of the same row other numbers may come, as where machines join a member.
    cloud.state().next = vec![Fault::AnswerLost];
    done(&mut drive, 5, &row(60, 40)).await.unwrap_err();
    assert_eq!(done(&mut drive, 5, &row(70, 30)).await, Ok(Done::Set));
}

#[tokio::test]
async fn after_an_answer_that_was_lost_it_is_found_set() {
    let cloud = Cloud::of(&["aws", "oci"]);
    cloud.state().next = vec![Fault::AnswerLost];
    let mut first = drive(&cloud, OnDrift::Revert);
    assert_eq!(
        done(&mut first, 1, &row(70, 30)).await,
        Err(Kind::Transient)
    );
    // So it is by who begins anew, as after a crash.
    for drive in [&mut first, &mut drive(&cloud, OnDrift::Revert)] {
        assert_eq!(done(drive, 1, &row(70, 30)).await, Ok(Done::Nothing));
    }
    assert_eq!(cloud.state().writes, 1);
}

#[tokio::test]
async fn what_is_set_and_not_yet_followed_is_not_called_done() {
    let cloud = Cloud::of(&["aws", "oci"]);
    cloud.state().next = vec![Fault::AnswerLost];
    cloud.state().is_under_way = true;
    let mut drive = drive(&cloud, OnDrift::Revert);
    for _ in 0..2 {
        let failed = done(&mut drive, 1, &row(70, 30)).await;
        assert_eq!(failed, Err(Kind::Transient));
    }
    cloud.state().is_under_way = false;
    assert_eq!(done(&mut drive, 1, &row(70, 30)).await, Ok(Done::Nothing));
    assert_eq!(cloud.state().writes, 1);
}

#[tokio::test]
async fn what_was_refused_is_told_and_what_was_only_said_to_be_set_is_found_out() {
    let cloud = Cloud::of(&["aws", "oci"]);
    cloud.state().next = vec![Fault::Ignored, Fault::Refused(Kind::Denied)];
    let mut drive = drive(&cloud, OnDrift::Revert);
    assert_eq!(done(&mut drive, 1, &row(70, 30)).await, Err(Kind::Denied));
    let error = drive.bring(Revision(1), &row(70, 30)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "apply of memory: conflict: aws is not set and was set to 70, oci is not set and was set to 30"
    );
}

#[tokio::test]
async fn what_another_tool_changed_is_set_again_or_left_by_policy() {
    for (policy, expected, oci) in [
        (OnDrift::Revert, Done::Reverted, 30),
        (OnDrift::Adopt, Done::Adopted, 99),
    ] {
        let cloud = Cloud::of(&["aws", "oci"]);
        let mut drive = drive(&cloud, policy);
        done(&mut drive, 1, &row(70, 30)).await.unwrap();
        cloud.set("oci", Setting::Weight(99));
        for again in [
            expected,
            if policy == OnDrift::Revert {
                Done::Nothing
            } else {
                expected
            },
        ] {
            assert_eq!(done(&mut drive, 1, &row(70, 30)).await, Ok(again));
        }
        assert_eq!(cloud.is("oci"), Some(Setting::Weight(oci)));
        // A new row is set in any case.
        assert_eq!(done(&mut drive, 2, &row(60, 40)).await, Ok(Done::Set));
        assert_eq!(cloud.is("oci"), Some(Setting::Weight(40)));
    }
}

#[test]
fn what_goes_to_others_is_told() {
    let member = |setting, size| Member { setting, size };
    let settings = Settings {
        members: [
            ("aws".parse().unwrap(), member(Some(Setting::Weight(10)), 3)),
            ("oci".parse().unwrap(), member(Some(Setting::Off), 2)),
        ]
        .into(),
        foreign: [("old".to_owned(), 10)].into(),
        ..Settings::default()
    };
    assert_eq!(settings.foreign_part().get(), 2_500);
}
