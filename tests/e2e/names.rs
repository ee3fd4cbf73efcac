//! Endpoints that a name server names: SRV records whose priorities move, a priority that dies and returns, hundreds of
//! addresses that come and go, and a name server that fails, all while traffic runs and none of it fails.

use std::net::IpAddr;

use bascule_testkit::name_server::SrvEntry;
use bascule_testkit::steady::{Clients, Outcome, Sample};
use bascule_testkit::{Crowd, Daemon, NameServer, Origin, wait};
use http::Method;
use serde_json::Value;

use crate::support::{cli, reload, start};

const NAME: &str = "_http._tcp.media.test";

/// A service at one backend that only the name server knows.
fn config(server: &NameServer) -> String {
    format!(
        "runtime: {{ workers: 2 }}
log: {{ access: {{ sample: 0.0 }} }}
dns: {{ servers: [\"{}\"], ttl_min: 50ms }}
listen:
  web: {{ address: \"127.0.0.1:0\" }}
services:
  meet:
    check: {{ interval: 500ms, timeout: 400ms, fall: 2, rise: 2 }}
    ramp: {{ duration: 1s }}
    backends:
      aws: {{ weight: 1, endpoints: [\"http+srv://{NAME}\"] }}
",
        server.address()
    )
}

fn entry(priority: u16, port: u16, target: &str) -> SrvEntry {
    SrvEntry {
        priority,
        weight: 1,
        port,
        target: target.to_owned(),
    }
}

fn local() -> IpAddr {
    IpAddr::from([127, 0, 0, 1])
}

/// The endpoints of the backend, as the API shows them.
fn endpoints(daemon: &Daemon) -> Vec<Value> {
    let backend = daemon.get("/v1/services/meet/backends/aws").unwrap();
    let list = backend.get("endpoints").and_then(Value::as_array);
    list.unwrap_or_else(|| panic!("{backend}")).clone()
}

/// Waits until exactly this port serves and is known to work.
#[track_caller]
fn until_serves(daemon: &Daemon, port: u16) {
    let serves = |endpoint: &Value| {
        let address = endpoint.get("address").and_then(Value::as_str);
        let is_it = address.is_some_and(|a| a.ends_with(&format!(":{port}")));
        let usable = endpoint.get("usable").and_then(Value::as_bool);
        let up = endpoint.get("observed_state").and_then(Value::as_str) == Some("up");
        usable == Some(is_it) && (up || !is_it)
    };
    let reached = wait::until("the priority that serves", || {
        let all = endpoints(daemon);
        (!all.is_empty() && all.iter().all(serves)).then_some(())
    });
    if let Err(error) = reached {
        panic!("{error}: port {port}: {:#?}", endpoints(daemon));
    }
}

#[track_caller]
fn until_there_are(daemon: &Daemon, count: usize) {
    let reached = wait::until_long("the endpoints", || {
        (endpoints(daemon).len() == count).then_some(())
    });
    if let Err(error) = reached {
        panic!(
            "{error}: {count} of {}\n{}",
            endpoints(daemon).len(),
            daemon.log()
        );
    }
}

/// Waits until so many more requests have ended.
fn let_pass(clients: &Clients, more: usize) {
    let before = clients.ended();
    wait::until("requests", || {
        (clients.ended() >= before + more).then_some(())
    })
    .unwrap();
}

#[track_caller]
fn assert_nothing_failed(samples: &[Sample], log: &str) {
    let failed = |s: &&Sample| s.outcome != Outcome::Status(200);
    let failed: Vec<&Sample> = samples.iter().filter(failed).collect();
    assert!(
        failed.is_empty(),
        "of {}: {failed:#?}\n{log}",
        samples.len()
    );
}

#[test]
fn priorities_move_and_a_priority_dies_and_returns_and_no_request_fails() {
    let server = NameServer::start().unwrap();
    let (mut one, two) = (Origin::start("one").unwrap(), Origin::start("two").unwrap());
    let (first, second) = (one.address().port(), two.address().port());
    server.set_host("a.media.test", &[local()]);
    server.give_addresses_of_targets(true);
    let say = |one: u16, two: u16| {
        let entries = [
            entry(one, first, "a.media.test"),
            entry(two, second, "a.media.test"),
        ];
        server.set_service(NAME, &entries);
    };
    say(10, 20);
    let daemon = start(&config(&server));
    until_serves(&daemon, first);
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, 200).unwrap();
    let_pass(&clients, 100);
    let in_reserve = two.requests();

    say(20, 10);
    until_serves(&daemon, second);
    assert!(one.requests() > 0 && in_reserve == 0, "{in_reserve}");
    let_pass(&clients, 100);

    say(10, 20);
    until_serves(&daemon, first);
    let before = two.requests();
    one.die();
    until_serves(&daemon, second);
    let_pass(&clients, 100);
    assert!(two.requests() > before);
    let shown = cli(&daemon, &["explain", "meet", "aws"]);
    assert!(
        shown.contains("priority 20 serves, 1 of others in reserve"),
        "{shown}"
    );

    one.revive().unwrap();
    until_serves(&daemon, first);

    server.fail(true);
    let asked = server.asked().udp;
    wait::until("failed look-ups", || {
        (server.asked().udp > asked + 20).then_some(())
    })
    .unwrap();
    server.set_service(NAME, &[]);
    server.fail(false);
    let asked = server.asked().udp;
    wait::until("empty look-ups", || {
        (server.asked().udp > asked + 20).then_some(())
    })
    .unwrap();
    until_serves(&daemon, first);
    let name = format!("{NAME}@127.0.0.1:{first}");
    let names = endpoints(&daemon);
    let names = names.iter().filter_map(|e| e.get("name")?.as_str());
    assert!(names.into_iter().any(|shown| shown == name));
    let_pass(&clients, 100);
    assert_nothing_failed(&clients.finish(), &daemon.log());
}

#[test]
fn a_name_grows_to_hundreds_of_addresses_and_shrinks_again_and_no_request_fails() {
    const MANY: u16 = 400;
    let server = NameServer::start().unwrap();
    let crowd = Crowd::start("crowd", MANY).unwrap();
    let all = crowd.addresses();
    server.set_service(NAME, &[entry(1, crowd.port(), "a.media.test")]);
    server.set_host("a.media.test", &all[..3]);
    let config = config(&server);
    let daemon = start(&config);
    until_there_are(&daemon, 3);
    let clients = Clients::start(daemon.listener("web").unwrap(), Method::GET, 300).unwrap();
    let_pass(&clients, 100);

    server.set_host("a.media.test", &all);
    until_there_are(&daemon, usize::from(MANY));
    assert!(server.asked().tcp > 0, "no datagram holds so many");
    wait::until_long("traffic at hundreds", || {
        let reached = crowd.requests().iter().filter(|count| **count > 0).count();
        (reached > 300).then_some(())
    })
    .unwrap();

    // Other bounds of TTLs take nothing away.
    reload(&daemon, &config.replace("ttl_min: 50ms", "ttl_min: 40ms"));
    until_there_are(&daemon, usize::from(MANY));

    let kept = &all[..2];
    server.set_host("a.media.test", kept);
    until_there_are(&daemon, kept.len());
    let_pass(&clients, 100);
    assert_nothing_failed(&clients.finish(), &daemon.log());
}
