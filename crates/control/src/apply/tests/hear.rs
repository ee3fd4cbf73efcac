//! What name servers in memory answer, held against what is set, in paused time.

use std::pin::Pin;

use bascule_model::RecordType;
use bascule_provider::heard::Verdict;
use bascule_provider::port::{Answers, Values};

use super::*;

/// Name servers whose answers are so many of aws and so many of oci.
#[derive(Debug, Default)]
struct Names {
    answers: Mutex<[usize; 2]>,
    failures: Mutex<Vec<String>>,
    asked: Mutex<Vec<bascule_model::Instant>>,
}

impl Names {
    fn answer(&self, aws: usize, oci: usize) {
        *self.answers.lock().unwrap() = [aws, oci];
    }

    fn fail(&self, failures: &[&str]) {
        *self.failures.lock().unwrap() = failures.iter().map(|f| (*f).to_owned()).collect();
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

impl Ask for Names {
    fn ask(&self, kind: RecordType) -> Pin<Box<dyn Future<Output = Asked> + '_>> {
        assert_eq!(kind, RecordType::A);
        self.asked.lock().unwrap().push(clock::now());
        let counts = names().into_iter().zip(*self.answers.lock().unwrap());
        let answers = counts.flat_map(|(name, count)| vec![value(&name); count]);
        let asked = Asked {
            answers: answers.collect(),
            failures: self.failures.lock().unwrap().clone(),
        };
        Box::pin(async { asked })
    }
}

fn value(name: &BackendName) -> Values {
    [name.to_string()].into()
}

/// A cloud whose members answer with their names.
fn cloud() -> Arc<Cloud> {
    let cloud = Cloud::new();
    let values = names().map(|name| (name.clone(), value(&name)));
    cloud.state().settings.dns = Answers {
        kind: Some(RecordType::A),
        members: values.into(),
        ..Answers::default()
    };
    cloud
}

async fn hearing(cloud: &Arc<Cloud>, names: &Arc<Names>, test: impl AsyncFnOnce(World)) {
    let wanted = Wanted {
        dns: Some(Arc::clone(names) as _),
        ..wanted(cloud, OnDrift::Revert)
    };
    with_one(wanted, test).await;
}

impl World {
    fn dns(&self) -> Dns {
        self.standing().dns.unwrap()
    }
}

const TOLD: [&str; 2] = ["actuator_set", "actuator_not_heard"];

#[tokio::test(start_paused = true)]
async fn dns_is_asked_once_with_each_look_while_it_answers_as_is_set() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    names.answer(72, 28);
    hearing(&cloud, &names, async |world| {
        pass(120).await;
        assert_eq!(names.asked(), 0);
        world.rows.send_replace(rows(1, 70));
        pass(1).await;
        assert_eq!(names.asked(), 1);
        let dns = world.dns();
        assert_eq!(
            (dns.verdict, dns.heard.answers),
            (Some(Verdict::Agrees), 100)
        );
        pass(300).await;
        let reads = cloud.state().reads;
        // The first look reads twice, as it writes.
        assert_eq!(names.asked(), usize::try_from(reads - 1).unwrap());
        assert_eq!(
            (world.said(), world.dns().differs_since),
            (vec!["actuator_set"], None)
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_difference_is_asked_about_again_before_it_is_told_once_and_is_over_once() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    names.answer(70, 30);
    hearing(&cloud, &names, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(100).await;
        names.answer(12, 88);
        let before = names.asked();
        while names.asked() == before {
            pass(1).await;
        }
        // Heard once: a name server may have drawn oddly.
        assert!(matches!(world.dns().verdict, Some(Verdict::Differs(_))));
        assert_eq!(world.dns().differs_since, None);
        pass(6).await;
        assert_eq!(names.asked(), before + 2);
        assert_eq!(world.said(), TOLD);
        assert!(world.dns().differs_since.is_some());
        pass(200).await;
        assert_eq!(world.said(), TOLD);
        // Nothing is set for it: the numbers are as wanted.
        assert_eq!(cloud.written(), [70]);
        // So near that it would not have been told, and not so near that it is over.
        names.answer(50, 50);
        pass(120).await;
        assert_eq!(world.said(), TOLD);
        names.answer(65, 35);
        pass(60).await;
        assert_eq!(world.said(), [TOLD[0], TOLD[1], "actuator_heard"]);
        assert_eq!(world.dns().differs_since, None);
        let events = world.bus.since(0).events;
        assert_eq!(
            events[1].message,
            "meet: DNS answers aws 12 of 100, where 70 % is set (a memory)"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_is_gone_when_it_is_asked_about_again_is_not_told() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    names.answer(70, 30);
    hearing(&cloud, &names, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(100).await;
        names.answer(12, 88);
        let before = names.asked();
        while names.asked() == before {
            pass(1).await;
        }
        names.answer(70, 30);
        pass(200).await;
        assert_eq!(world.said(), ["actuator_set"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn after_a_write_name_servers_have_a_minute_to_hear_of_it() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    names.answer(12, 88);
    hearing(&cloud, &names, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(59).await;
        assert_eq!((world.said(), names.asked()), (vec!["actuator_set"], 12));
        pass(2).await;
        assert_eq!(world.said(), TOLD);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_new_row_ends_what_was_asked_about_the_row_before() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    names.answer(12, 88);
    hearing(&cloud, &names, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(30).await;
        let differs = world.dns().verdict.unwrap();
        world.rows.send_replace(rows(2, 12));
        // Before it is asked nothing is said of the new numbers.
        let is_read = || world.standing().confirmed == Some(Revision(2));
        while !is_read() {
            tokio::task::yield_now().await;
        }
        assert_ne!(world.dns().verdict, Some(differs));
        pass(120).await;
        assert_eq!(world.said(), ["actuator_set"; 2]);
        assert_eq!(world.dns().verdict, Some(Verdict::Agrees));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_to_ask_is_shown_and_is_neither_a_difference_nor_the_actuators() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    let failures = ["192.0.2.53:53: no answer in 2s, twice"];
    names.fail(&failures);
    hearing(&cloud, &names, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(300).await;
        assert_eq!(world.said(), ["actuator_set"]);
        let standing = world.standing();
        assert_eq!(
            (standing.confirmed, standing.failing),
            (Some(Revision(1)), None)
        );
        assert_eq!(
            (world.dns().verdict, world.dns().failures.as_slice()),
            (None, failures.map(str::to_owned).as_slice())
        );
        // What is told stays told while nobody answers.
        names.fail(&[]);
        names.answer(12, 88);
        pass(120).await;
        names.answer(0, 0);
        names.fail(&failures);
        pass(120).await;
        assert_eq!(world.said(), TOLD);
        assert!(world.dns().differs_since.is_some());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn dns_is_not_asked_while_it_is_not_known_what_is_set() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    names.answer(70, 30);
    hearing(&cloud, &names, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(1).await;
        cloud.state().failing = Some(Kind::Transient);
        pass(120).await;
        assert_eq!(names.asked(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_can_be_judged_no_more_is_no_difference_any_more() {
    let (cloud, names) = (cloud(), Arc::new(Names::default()));
    names.answer(12, 88);
    hearing(&cloud, &names, async |world| {
        world.rows.send_replace(rows(1, 70));
        pass(100).await;
        assert_eq!(world.said(), TOLD);
        names.answer(70, 30);
        let [aws, _] = super::names();
        cloud.state().settings.dns.members.remove(&aws);
        pass(70).await;
        assert_eq!(world.said().last(), Some(&"actuator_heard"));
        // Answers of two types cannot be asked for together.
        cloud.state().settings.dns.kind = None;
        pass(70).await;
        assert_eq!(
            world.dns().failures,
            ["its answers are not all of one type"]
        );
    })
    .await;
}
