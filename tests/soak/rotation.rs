//! The attacks that take turns, and how many connections each has at once. Fewer than in `tests/attacks`, where each is
//! stood alone and at its strongest: here they last, and what they leave behind counts.

use std::sync::Arc;
use std::time::Duration;

use bascule_testkit::attack::body::{
    EndlessExtension, EndlessTrailers, ExpectNothing, ManyExtensions, SlowBody, StalledBody,
    StalledReader, TinyChunks,
};
use bascule_testkit::attack::connection::{
    Churn, Garbage, Hammer, IdleConnections, PipelineFlood, Vanish,
};
use bascule_testkit::attack::http1::{EndlessHead, HugeField, HugeTarget, ManyFields, SlowHead};
use bascule_testkit::attack::http2::opening::{HalfOpen, HugeFrame, Stop};
use bascule_testkit::attack::http2::reset::{Fault, MadeYouReset, RapidReset};
use bascule_testkit::attack::http2::stream::{Dribble, Overrun, StalledUploads, WindowStalled};
use bascule_testkit::attack::http2::{Flood, Flooding, continuation, control, hpack};
use bascule_testkit::attack::origin::Ask;
use bascule_testkit::attack::tls::{
    HandshakeFlood, HandshakeJunk, Hang, HangingHandshake, Junk, KeyUpdateFlood,
};
use bascule_testkit::attack::{Attack, Ears};

use crate::ground::{ATTACKED, Ground, ILL};

/// Connections at once of an attack that works hard on each.
const FEW: usize = 4;
/// Of one that opens and closes, or waits.
const SOME: usize = 30;
/// Between two bytes of slow clients.
const PAUSE: Duration = Duration::from_millis(50);
/// More than any buffer between an origin and a client holds.
const BIG: &str = "/bytes/20000000";

/// One attack of the rotation.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) attack: Arc<dyn Attack>,
    pub(crate) listener: &'static str,
    pub(crate) host: &'static str,
    pub(crate) at_once: usize,
}

/// All of them. The seed is that of what is random in them.
pub(crate) fn all(ground: &Ground, seed: u64) -> Vec<Bad> {
    let mut all = connections(seed);
    all.extend(http1());
    all.extend(http2());
    all.extend(tls(ground));
    all.extend(origins());
    all
}

fn connections(seed: u64) -> Vec<Bad> {
    vec![
        web(IdleConnections, SOME),
        web(Churn, SOME),
        web(Vanish { path: BIG }, FEW),
        web(Hammer { requests: 200 }, FEW),
        web(
            PipelineFlood {
                path: "/bytes/10000",
            },
            FEW,
        ),
        web(Garbage { seed, bytes: 4_000 }, SOME),
    ]
}

fn http1() -> Vec<Bad> {
    vec![
        web(SlowHead { pause: PAUSE }, SOME),
        web(EndlessHead, FEW),
        web(HugeField, FEW),
        web(HugeTarget, FEW),
        web(ManyFields { fields: 2_000 }, FEW),
        web(SlowBody { pause: PAUSE }, SOME),
        web(StalledBody, SOME),
        web(ExpectNothing, SOME),
        web(StalledReader { path: BIG }, SOME),
        web(TinyChunks { chunks: 5_000 }, FEW),
        web(EndlessExtension, FEW),
        web(ManyExtensions, FEW),
        web(EndlessTrailers, FEW),
    ]
}

fn http2() -> Vec<Bad> {
    vec![
        flood(RapidReset, Ears::Open),
        flood(MadeYouReset(Fault::ZeroWindow), Ears::Open),
        flood(MadeYouReset(Fault::MalformedHead), Ears::Open),
        flood(control::Settings, Ears::Open),
        flood(control::Ping, Ears::Deaf),
        flood(control::EmptyData, Ears::Open),
        flood(continuation::Endless, Ears::Open),
        flood(continuation::Huge, Ears::Open),
        flood(hpack::Bomb, Ears::Open),
        flood(hpack::CookieCrumbs, Ears::Open),
        flood(Overrun, Ears::Open),
        web(
            WindowStalled {
                streams: 50,
                path: BIG,
            },
            FEW,
        ),
        web(
            Dribble {
                streams: 50,
                pause: PAUSE,
            },
            FEW,
        ),
        web(StalledUploads { streams: 50 }, FEW),
        web(HalfOpen(Stop::InHead), SOME),
        web(HugeFrame, FEW),
    ]
}

fn tls(ground: &Ground) -> Vec<Bad> {
    let config = || ground.tls_client(&["h2"]);
    let secure = |attack: Arc<dyn Attack>| Bad {
        attack,
        listener: "tls",
        host: ATTACKED,
        at_once: FEW,
    };
    vec![
        secure(Arc::new(HangingHandshake {
            config: config(),
            hang: Hang::AfterHello,
        })),
        secure(Arc::new(HandshakeFlood { config: config() })),
        secure(Arc::new(HandshakeJunk {
            config: config(),
            junk: Junk::Noise,
        })),
        secure(Arc::new(KeyUpdateFlood {
            config: config(),
            updates: 500,
        })),
    ]
}

fn origins() -> Vec<Bad> {
    let [one, two] = ILL;
    let ask = |name, host| Bad {
        host,
        ..web(
            Ask {
                name,
                body: 1_000,
                patience: Duration::from_secs(1),
            },
            FEW,
        )
    };
    vec![
        ask("ill origins, HTTP/1.1", one),
        ask("ill origins, HTTP/2", two),
    ]
}

fn web(attack: impl Attack + 'static, at_once: usize) -> Bad {
    Bad {
        attack: Arc::new(attack),
        listener: "web",
        host: ATTACKED,
        at_once,
    }
}

fn flood(flood: impl Flood + 'static, ears: Ears) -> Bad {
    web(Flooding(flood, ears), FEW)
}
