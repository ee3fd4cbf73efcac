//! The contract of the port, kept by the plainest cloud there can be, and broken by ones with a flaw each: a law that nothing
//! breaks would say nothing of the real ones. `plain` is the cloud and its provider.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot go on says where"
)]

mod plain;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::Set;
use bascule_provider::{Apply, Discover};
use bascule_testkit::contract::{Wire, actuator, source};
use bascule_testkit::meddler::{Answer, Meddler, Which};
use futures_util::FutureExt as _;

use plain::{Cloud, Flaw, Provider};

/// The cloud behind a meddler, and how its provider is flawed.
struct Rig {
    cloud: Cloud,
    meddler: Meddler,
    flaw: Flaw,
}

impl Rig {
    fn with(flaw: Flaw) -> Self {
        let cloud = Cloud::start().unwrap();
        let meddler = Meddler::start(cloud.address()).unwrap();
        Self {
            cloud,
            meddler,
            flaw,
        }
    }

    fn provider(&self, patience: Duration) -> Arc<Provider> {
        Arc::new(Provider {
            address: self.meddler.address(),
            patience,
            flaw: self.flaw,
        })
    }
}

async fn start() -> Rig {
    Rig::with(Flaw::None)
}

impl source::Rig for Rig {
    fn source(&self, patience: Duration) -> Arc<dyn Discover> {
        self.provider(patience)
    }
    fn meddler(&self) -> &Meddler {
        &self.meddler
    }
    fn wire(&self) -> &dyn Wire {
        &Plain
    }
    fn all(&self) -> Set {
        self.cloud.all()
    }
    fn empty(&self) {
        self.cloud.empty();
    }
}

impl actuator::Rig for Rig {
    fn actuator(&self, patience: Duration) -> Arc<dyn Apply> {
        self.provider(patience)
    }
    fn meddler(&self) -> &Meddler {
        &self.meddler
    }
    fn wire(&self) -> &dyn Wire {
        &Plain
    }
    fn members(&self) -> [BackendName; 2] {
        ["aws", "oci"].map(|name| name.parse().unwrap())
    }
    fn changes(&self) -> Which {
        |asked| asked.method == http::Method::PUT
    }
    fn other_tool(&self) -> Box<dyn FnOnce() + Send> {
        self.cloud.setter("oci", 77)
    }
}

/// How its errors look: a status, and a word.
struct Plain;

impl Wire for Plain {
    fn throttled(&self, retry_after: u32) -> Answer {
        let headers = vec![("retry-after", retry_after.to_string())];
        Answer {
            headers,
            ..said(429, "slower")
        }
    }
    fn broken(&self, status: u16) -> Answer {
        said(status, "broken")
    }
    fn denied(&self) -> Answer {
        said(403, "permission")
    }
    fn expired(&self) -> Answer {
        said(401, "expired")
    }
    fn skewed(&self) -> Answer {
        said(401, "clock")
    }
}

fn said(status: u16, word: &str) -> Answer {
    Answer {
        status,
        headers: Vec::new(),
        body: format!("\"{word}\""),
    }
}

bascule_testkit::source_contract!(sources, super::start);
bascule_testkit::actuator_contract!(actuators, super::start);

/// Whether a law finds the flaw.
async fn is_found(law: impl Future<Output = ()>) -> bool {
    AssertUnwindSafe(law).catch_unwind().await.is_err()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn half_a_set_an_error_of_the_wrong_kind_and_one_without_a_way_out_are_found() {
    for flaw in [Flaw::HalfOnError, Flaw::AllInvalid, Flaw::NoFix] {
        let law = async { source::gives_all_or_an_error(&Rig::with(flaw)).await };
        assert!(is_found(law).await, "{flaw:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_write_that_is_not_made_one_that_is_made_always_and_all_off_are_found() {
    let law = async { actuator::sets_a_row_once(&Rig::with(Flaw::WritesNothing)).await };
    assert!(is_found(law).await);
    let law = async { actuator::sets_a_row_once(&Rig::with(Flaw::NoVersion)).await };
    assert!(is_found(law).await);
    let law = async { actuator::turns_off_and_on(&Rig::with(Flaw::AllOff)).await };
    assert!(is_found(law).await);
    for flaw in [Flaw::AllInvalid, Flaw::NoFix] {
        let law = async { actuator::fails_with_a_reason_and_goes_on(&Rig::with(flaw)).await };
        assert!(is_found(law).await, "{flaw:?}");
    }
}
