//! What is tried again, and what never is: counted at the origins.

use std::collections::BTreeSet;

use bascule_testkit::breaking::{Fate, Record};
use bascule_testkit::faulty::{Ailment, Faulty};
use bascule_testkit::frames::hpack::Block;
use bascule_testkit::frames::origin::{Origin, Script, When};
use bascule_testkit::frames::{END_HEADERS, Frame};
use bascule_testkit::steady::{Clients, Outcome, Sample};
use bascule_testkit::wait;
use http::Method;

use crate::support::{metric, start};

/// As eager to try again as can be written without naming a status of gRPC, which says that calls may be made twice.
const EAGER: &str = "attempts: 5, try_timeout: 200ms, replay_body: 1MiB, budget: { ratio: 100%, min: 1000000/s },
      when: [connect_failure, reset_before_response, refused_stream, silence, 429, 500, 502, 503, 504]";

fn service(more: &str, aws: &[String], oci: &[String]) -> String {
    let list = |urls: &[String]| format!("{urls:?}");
    format!(
        "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
listen: {{ web: {{ address: \"127.0.0.1:0\" }} }}
services:
  meet:
    check: {{ interval: 10s, timeout: 10s }}
{more}
    backends:
      aws: {{ weight: 1, endpoints: {} }}
      oci: {{ weight: 1, endpoints: {} }}
",
        list(aws),
        list(oci)
    )
}

fn not_answered(samples: &[Sample]) -> Vec<&Sample> {
    let answered = |sample: &&Sample| sample.outcome != Outcome::Status(200);
    samples.iter().filter(answered).collect()
}

#[test]
fn a_post_that_may_have_arrived_is_never_sent_twice_and_every_get_is_answered() {
    let record = Record::default();
    let origins = [(); 4].map(|()| record.origin().unwrap());
    let [a, b, c, d] = origins.each_ref().map(|origin| origin.url().to_owned());
    // Nobody is taken out, so that every request meets what it is to meet; a try that stalls is given up late.
    let more = format!(
        "    outlier: {{ enabled: false }}
    timeouts: {{ connect: 15s, response_headers: 15s, stream_idle: 16s }}
    retry:
      {{ {EAGER} }}"
    );
    let daemon = start(&service(&more, &[a, b], &[c, d]));
    let web = daemon.listener("web").unwrap();
    let gets = Clients::start(web, Method::GET, 50).unwrap();
    let posts = Clients::start(web, Method::POST, 50).unwrap();
    wait::until("enough of them", || {
        (gets.ended() >= 300 && posts.ended() >= 300).then_some(())
    })
    .unwrap();
    let (gets, posts) = (gets.finish(), posts.finish());
    let arrivals = record.arrivals();
    let of = |method| {
        arrivals
            .iter()
            .filter(move |(request, _)| request.starts_with(method))
    };

    let twice: Vec<_> = of("POST ").filter(|(_, came)| came.len() > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    // They met everything there is to meet.
    let met: BTreeSet<Fate> = of("POST ")
        .flat_map(|(_, came)| came)
        .filter_map(|f| *f)
        .collect();
    assert_eq!(met, Fate::all().into_iter().collect());
    // None was answered but those that nothing happened to.
    for sample in posts
        .iter()
        .filter(|post| post.outcome == Outcome::Status(200))
    {
        let came = arrivals.get(&format!("POST /post/{}", sample.number));
        assert_eq!(came.map(Vec::as_slice), Some(&[None][..]), "{sample:?}");
    }
    assert!(posts.len() > not_answered(&posts).len());

    let came = |get: &&Sample| arrivals.get(&format!("GET /get/{}", get.number));
    let failed = not_answered(&gets);
    let met: Vec<_> = failed.iter().map(came).collect();
    assert!(failed.is_empty(), "{failed:?} met {met:?}");
    // Those that failed twice were tried a third time; on a slow machine more may be.
    let most = of("GET ").map(|(_, came)| came.len()).max();
    assert!(most >= Some(3), "{most:?}");
}

/// What an HTTP/2 origin can do to a stream, or to its connection, that does not say that nothing was done.
fn harm() -> Vec<(Vec<Frame>, bool)> {
    const INTERNAL_ERROR: u32 = 2;
    const CANCEL: u32 = 8;
    const LAST: u32 = u32::MAX >> 1;
    let status = |status| Frame::headers(0, END_HEADERS, Block::new().field(":status", status));
    vec![
        (vec![Frame::reset(0, INTERNAL_ERROR)], false),
        (vec![Frame::reset(0, CANCEL)], false),
        (vec![Frame::goaway(LAST, INTERNAL_ERROR)], true),
        (vec![], true),
        (vec![], false),
        (vec![status("503"), Frame::reset(0, CANCEL)], false),
        (
            vec![
                status("200"),
                Frame::data(0, 0, *b"half"),
                Frame::reset(0, CANCEL),
            ],
            false,
        ),
        (vec![status("200"), Frame::data(0, 0, *b"half")], true),
    ]
}

#[test]
fn a_post_over_http2_that_may_have_arrived_is_never_sent_twice() {
    let origins = [Origin::start().unwrap(), Origin::start().unwrap()];
    let [aws, oci] = origins
        .each_ref()
        .map(|origin| vec![format!("h2c://{}", origin.address())]);
    let more = format!(
        "    outlier: {{ enabled: false }}
    timeouts: {{ response_headers: 3s, stream_idle: 4s }}
    retry:
      {{ {EAGER} }}"
    );
    let daemon = start(&service(&more, &aws, &oci));
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::POST, 100).unwrap();
    let came = || origins.iter().map(Origin::heads).sum::<usize>();
    let meets = |script: &Script| {
        for origin in &origins {
            origin.play(script.clone());
        }
        let before = came();
        wait::until(&format!("requests that meet {script:?}"), || {
            (came() >= before + 20).then_some(())
        })
        .unwrap();
    };
    for when in [When::Head, When::Whole] {
        for (frames, closes) in harm() {
            meets(&Script {
                when,
                frames,
                closes,
            });
        }
    }
    meets(&Script::default());
    let samples = clients.finish();
    let requests = origins.iter().flat_map(Origin::take_requests);
    let paths: Vec<_> = requests
        .filter_map(|r| r.field(":path").map(<[u8]>::to_vec))
        .collect();
    let once: BTreeSet<_> = paths.iter().collect();
    assert_eq!(paths.len(), once.len(), "{samples:?}");
    assert!(
        samples
            .iter()
            .any(|sample| sample.outcome == Outcome::Status(200))
    );
}

/// So many requests a second while everything fails; the long run takes the least that the promise is for.
fn rate() -> u32 {
    let said = std::env::var("BASCULE_FAILING_RATE").ok();
    said.map_or(400, |said| said.parse().unwrap())
}

#[test]
fn with_everything_failing_endpoints_get_a_quarter_more_at_most() {
    let (aws, oci) = (
        Faulty::start("aws", 1).unwrap(),
        Faulty::start("oci", 2).unwrap(),
    );
    aws.suffer(Ailment::Resets);
    oci.suffer(Ailment::Unavailable);
    let url = |origin: &Faulty| vec![format!("http://{}", origin.address())];
    // Checks only connect, and so pass. What there is by default is tried again.
    let daemon = start(&service("", &url(&aws), &url(&oci)));
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, rate()).unwrap();
    // At the least rate a minute and a tenth. At more the minimum counts for less, so that ten seconds tell.
    let enough = usize::try_from(rate() * 66).unwrap().min(4_000);
    wait::until_long("enough of them", || {
        (clients.ended() >= enough).then_some(())
    })
    .unwrap();
    let asked = clients.finish().len();
    let seen = [&aws, &oci].map(|origin| origin.seen().len());
    let tried: usize = seen.iter().sum();
    let by_reason = metric(&daemon, "bascule_retries_total");
    let retries: u64 = by_reason.iter().map(|(_, count)| count).sum();
    let retries = usize::try_from(retries).unwrap();
    let told = format!("{asked} asked, {seen:?} seen, {by_reason:?}");
    // What ten seconds always grant was granted. Not every try arrives: a slow machine may make it late.
    assert!(retries >= 100 && retries * 4 <= asked, "{told}");
    assert!(tried * 4 <= asked * 5, "{told}");
}
