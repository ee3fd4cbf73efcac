//! An actuator in memory that follows rows in paused time.

use std::sync::{Mutex, MutexGuard};

use bascule_model::{BackendName, Shares};
use bascule_provider::Kind;
use bascule_provider::port::{Call, Member, Numbers, Setting, Unit};
use tokio::task::LocalSet;

use super::*;

mod hear;

#[derive(Debug, Default)]
struct Cloud {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    written: Vec<u32>,
    reads: u32,
    failing: Option<Kind>,
}

impl Cloud {
    fn new() -> Arc<Self> {
        let cloud = Self::default();
        let member = Member {
            setting: None,
            size: 1,
        };
        cloud.state().settings.members = names().map(|name| (name, member)).into();
        Arc::new(cloud)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn set(&self, wanted: &Numbers) {
        let mut state = self.state();
        for (name, setting) in wanted {
            let setting = Some(*setting);
            let member = Member { setting, size: 1 };
            state.settings.members.insert(name.clone(), member);
        }
    }

    /// The number of aws each time that it was written.
    fn written(&self) -> Vec<u32> {
        self.state().written.clone()
    }
}

impl Apply for Cloud {
    fn actuator(&self) -> &'static str {
        "memory"
    }

    fn unit(&self) -> Unit {
        Unit {
            max: 255,
            delay: Duration::from_secs(30),
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async {
            let mut state = self.state();
            state.reads += 1;
            match state.failing {
                Some(kind) => Err(Error::new(kind, "Read", "memory")),
                None => Ok(state.settings.clone()),
            }
        })
    }

    fn write<'a>(&'a self, _over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(async {
            self.set(wanted);
            let weight = match wanted["aws"] {
                Setting::Weight(weight) => weight,
                Setting::Off => 0,
            };
            self.state().written.push(weight);
            Ok(())
        })
    }
}

fn names() -> [BackendName; 2] {
    ["aws", "oci"].map(|name| name.parse().unwrap())
}

fn rows(revision: u64, aws: u64) -> Arc<Rows> {
    let [first, second] = names();
    let shares = Shares::from_weights([(first, aws), (second, 100 - aws)]).unwrap();
    let row = TargetRow {
        shares,
        off: [].into(),
    };
    Arc::new(Rows {
        revision: Revision(revision),
        services: [("meet".parse().unwrap(), row)].into(),
    })
}

fn place() -> Place {
    Place {
        service: "meet".parse().unwrap(),
        account: "a".into(),
        actuator: "memory".into(),
    }
}

fn wanted(cloud: &Arc<Cloud>, on_drift: OnDrift) -> Wanted {
    Wanted {
        port: cloud.clone(),
        on_drift,
        verify: Duration::from_secs(60),
        dns: None,
    }
}

struct World {
    rows: watch::Sender<Arc<Rows>>,
    applier: Applier,
    bus: Bus,
}

impl World {
    fn standing(&self) -> Standing {
        self.applier.board().all()[&place()].clone()
    }

    fn said(&self) -> Vec<&'static str> {
        let events = self.bus.since(0).events;
        events.iter().map(|event| event.kind).collect()
    }
}

async fn pass(seconds: u64) {
    clock::sleep_until(clock::now() + Duration::from_secs(seconds)).await;
}

async fn with(cloud: &Arc<Cloud>, on_drift: OnDrift, test: impl AsyncFnOnce(World)) {
    with_one(wanted(cloud, on_drift), test).await;
}

async fn with_one(wanted: Wanted, test: impl AsyncFnOnce(World)) {
    let bus = Bus::new();
    let (rows, receiver) = watch::channel(Arc::new(Rows::default()));
    let local = LocalSet::new();
    let run = async {
        let mut applier = Applier::start(receiver, bus.clone());
        applier.follow([(place(), wanted)].into());
        test(World { rows, applier, bus }).await;
    };
    local.run_until(run).await;
}

#[tokio::test(start_paused = true)]
async fn an_actuator_follows_each_row_and_nothing_before_the_first() {
    let cloud = Cloud::new();
    with(&cloud, OnDrift::Revert, async |world| {
        pass(120).await;
        assert_eq!(cloud.state().reads, 0);
        for (revision, aws) in [(1, 70), (2, 60), (3, 60), (4, 50)] {
            world.rows.send_replace(rows(revision, aws));
            pass(1).await;
        }
        // The third has the same row: there is nothing to do.
        assert_eq!(cloud.written(), [70, 60, 50]);
        let standing = world.standing();
        assert_eq!(standing.confirmed, Some(Revision(4)));
        assert_eq!(
            (standing.delay, standing.failing),
            (Duration::from_secs(30), None)
        );
        assert_eq!(world.said(), ["actuator_set"; 3]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_another_tool_changed_is_seen_and_set_again_or_left() {
    for (policy, said) in [
        (OnDrift::Revert, "actuator_reverted"),
        (OnDrift::Adopt, "actuator_drifted"),
    ] {
        let cloud = Cloud::new();
        with(&cloud, policy, async |world| {
            world.rows.send_replace(rows(1, 70));
            pass(1).await;
            let [first, _] = names();
            cloud.set(&[(first, Setting::Weight(1))].into());
            pass(180).await;
            assert_eq!(world.said(), ["actuator_set", said]);
            let is_left = world.standing().drifted_since.is_some();
            assert_eq!(is_left, policy == OnDrift::Adopt);
            world.rows.send_replace(rows(2, 50));
            pass(1).await;
            assert_eq!(cloud.written().last(), Some(&50));
            assert_eq!(world.standing().drifted_since, None);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_once_tried_again_and_over_when_it_works() {
    let cloud = Cloud::new();
    cloud.state().failing = Some(Kind::Denied);
    with(&cloud, OnDrift::Revert, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(30).await;
        let failing = world.standing().failing.unwrap();
        assert_eq!(
            (failing.kind, failing.message.as_str()),
            ("denied", "Read of memory: denied")
        );
        assert!((3..=5).contains(&failing.count), "{failing:?}");
        assert_eq!(
            (world.standing().confirmed, world.said()),
            (None, vec!["actuator_failed"])
        );
        cloud.state().failing = None;
        pass(60).await;
        assert_eq!(
            (world.standing().failing, cloud.written()),
            (None, vec![70])
        );
        assert_eq!(world.said(), ["actuator_failed", "actuator_set"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_left_out_stays_as_it_is() {
    let cloud = Cloud::new();
    with(&cloud, OnDrift::Revert, async |mut world| {
        world.rows.send_replace(rows(1, 70));
        pass(1).await;
        assert_eq!(world.applier.follow(BTreeMap::new()), [place()]);
        world.rows.send_replace(rows(2, 50));
        pass(120).await;
        assert_eq!(cloud.written(), [70]);
        assert!(world.applier.board().all().is_empty());
    })
    .await;
}
