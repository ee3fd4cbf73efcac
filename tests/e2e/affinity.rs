//! Requests that belong together stay together: over a shift, a reload, a crash, a flap and a drain. Keys are chosen so
//! that each bucket has exactly one; so what shares say of buckets is counted in keys, without rounding.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use bascule_testkit::{Daemon, Origin, wait};
use bascule_traffic::hash::Key;
use bascule_traffic::keys::bucket;

use crate::support::{cli, make_private, reload, start, two_clouds, until_row};

const BY_HEADER: &str = "    affinity: { by: { header: x-room } }\n";

/// A kept connection that asks for one room after the other.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).unwrap()))
    }

    /// Asks with this header line, and gives the answering origin's name and the cookie that came with it.
    fn ask(&mut self, line: &str) -> (String, Option<String>) {
        let request = format!("GET / HTTP/1.1\r\nhost: meet\r\n{line}\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let (mut length, mut cookie, mut head) = (0, None, String::new());
        let mut origin = None;
        self.0.read_line(&mut head).unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "set-cookie" => cookie = Some(value.to_owned()),
                "x-provider" => origin = Some(value.to_owned()),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (origin.unwrap(), cookie)
    }

    fn room(&mut self, room: &str) -> String {
        self.ask(&format!("x-room: {room}")).0
    }
}

/// One room for each bucket, in the order of buckets.
fn rooms() -> Vec<String> {
    let mut rooms = BTreeMap::new();
    let mut number = 0;
    while rooms.len() < 10_000 {
        let room = format!("room-{number}");
        rooms
            .entry(bucket(Key::of(room.as_bytes())))
            .or_insert(room);
        number += 1;
    }
    rooms.into_values().collect()
}

/// Who answers each room: over several connections, so that every worker is asked.
fn owners(daemon: &Daemon, rooms: &[String]) -> Vec<String> {
    let address = daemon.listener("web").unwrap();
    let mut owners = Vec::new();
    for some in rooms.chunks(500) {
        let mut client = Client::new(address);
        owners.extend(some.iter().map(|room| client.room(room)));
    }
    owners
}

/// How many are with another, as (from aws, from oci).
fn moved(before: &[String], after: &[String]) -> (usize, usize) {
    let moved = |from: &str| {
        let pairs = before.iter().zip(after);
        pairs.filter(|(a, b)| *a == from && a != b).count()
    };
    (moved("aws"), moved("oci"))
}

fn map(daemon: &Daemon) -> String {
    let service = daemon.get("/v1/services/meet").unwrap();
    let map = service
        .pointer("/affinity/map")
        .and_then(|map| map.as_str());
    map.unwrap_or_else(|| panic!("{service}")).to_owned()
}

/// The value of a series that has these labels.
fn metric(daemon: &Daemon, name: &str, labels: &[&str]) -> Option<f64> {
    let metrics = daemon.api(http::Method::GET, "/metrics", "").unwrap();
    let text = String::from_utf8_lossy(metrics.body()).into_owned();
    let is_it = |line: &&str| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    };
    let line = text.lines().find(is_it)?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_shift_moves_exactly_its_part_of_the_keys_and_a_reload_and_a_crash_move_none() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let config = two_clouds(&aws.url(), &oci.url(), BY_HEADER);
    let mut daemon = start(&config);
    let rooms = rooms();
    let first = owners(&daemon, &rooms);
    assert_eq!(first.iter().filter(|owner| *owner == "aws").count(), 7_000);

    cli(
        &daemon,
        &["shift", "meet", "aws=50", "oci=50", "--now", "--yes"],
    );
    until_row(&daemon, "effective", 50.0, 50.0);
    let shifted = owners(&daemon, &rooms);
    assert_eq!(moved(&first, &shifted), (2_000, 0));

    let hash = map(&daemon);
    let shown = metric(&daemon, "bascule_affinity_map_hash", &["service=\"meet\""]);
    assert_eq!(
        shown,
        u64::from_str_radix(&hash, 16).ok().map(|hash| hash as f64)
    );
    let config = config.replace("duration: 1s", "duration: 2s");
    reload(&daemon, &config);
    assert_eq!(moved(&shifted, &owners(&daemon, &rooms)), (0, 0));

    daemon.crash_and_restart(&config).unwrap();
    until_row(&daemon, "effective", 50.0, 50.0);
    assert_eq!(map(&daemon), hash);
    assert_eq!(moved(&shifted, &owners(&daemon, &rooms)), (0, 0));
    let labels = ["backend=\"aws\"", "why=\"affinity\""];
    let picks = metric(&daemon, "bascule_picks_total", &labels);
    assert_eq!(picks, Some(5_000.0));
}

#[test]
fn a_changed_weight_moves_its_part_and_its_reverse_brings_it_back() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let config = two_clouds(&aws.url(), &oci.url(), BY_HEADER);
    let daemon = start(&config);
    let rooms = rooms();
    let first = owners(&daemon, &rooms);
    let hash = map(&daemon);
    let changed = config
        .replace("weight: 70", "weight: 60")
        .replace("weight: 30", "weight: 40");
    reload(&daemon, &changed);
    until_row(&daemon, "effective", 60.0, 40.0);
    assert_eq!(moved(&first, &owners(&daemon, &rooms)), (1_000, 0));
    assert_ne!(map(&daemon), hash);
    reload(&daemon, &config);
    until_row(&daemon, "effective", 70.0, 30.0);
    assert_eq!(moved(&first, &owners(&daemon, &rooms)), (0, 0));
    assert_eq!(map(&daemon), hash);
}

#[test]
fn keys_of_a_provider_that_is_lost_go_elsewhere_and_come_home() {
    let (aws, mut oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), BY_HEADER));
    let rooms: Vec<String> = rooms().into_iter().step_by(10).collect();
    let first = owners(&daemon, &rooms);
    let hash = map(&daemon);
    oci.die();
    until_row(&daemon, "effective", 100.0, 0.0);
    assert_eq!(moved(&first, &owners(&daemon, &rooms)), (0, 300));
    oci.revive().unwrap();
    until_row(&daemon, "effective", 70.0, 30.0);
    assert_eq!(moved(&first, &owners(&daemon, &rooms)), (0, 0));
    assert_eq!(map(&daemon), hash, "a loss is no change of the map");
}

#[test]
fn a_drained_backend_keeps_the_rooms_that_are_in_use_and_gets_no_new_one() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let daemon = start(&two_clouds(&aws.url(), &oci.url(), BY_HEADER));
    let rooms: Vec<String> = rooms().into_iter().step_by(20).collect();
    let first = owners(&daemon, &rooms);
    cli(
        &daemon,
        &["drain", "backend/oci", "--yes", "--reason", "test"],
    );
    until_row(&daemon, "effective", 100.0, 0.0);
    // Another leg of each room, on connections that other workers may have.
    assert_eq!(moved(&first, &owners(&daemon, &rooms)), (0, 0));
    let new: Vec<String> = rooms.iter().map(|room| format!("new-{room}")).collect();
    assert!(owners(&daemon, &new).iter().all(|owner| owner == "aws"));
    // Off is more: nothing stays.
    cli(&daemon, &["shift", "meet", "oci=0", "--now", "--yes"]);
    until_row(&daemon, "target", 100.0, 0.0);
    wait::until("nobody at oci", || {
        let before = oci.requests();
        owners(&daemon, &rooms);
        (oci.requests() == before).then_some(())
    })
    .unwrap();
}

#[test]
fn a_cookie_keeps_a_client_at_its_endpoint_and_a_forged_one_is_ignored() {
    let (aws, oci) = (Origin::start("aws").unwrap(), Origin::start("oci").unwrap());
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").unwrap();
    make_private(&secret);
    let file = secret.display();
    let more = format!("    affinity: {{ by: {{ cookie: seat }}, secret_file: \"{file}\" }}\n");
    let config = two_clouds(&aws.url(), &oci.url(), &more);
    let daemon = start(&config);
    let mut client = Client::new(daemon.listener("web").unwrap());
    let mut seats = Vec::new();
    let mut counts = BTreeMap::new();
    for _ in 0..100 {
        let (owner, cookie) = client.ask("x-nothing: 1");
        let cookie = cookie.unwrap();
        assert!(
            cookie.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax"),
            "{cookie}"
        );
        *counts.entry(owner.clone()).or_insert(0) += 1;
        seats.push((owner, cookie.split(';').next().unwrap().to_owned()));
    }
    assert_eq!(counts["aws"], 70, "new clients go by the shares");
    let stay = |client: &mut Client| {
        for (owner, cookie) in &seats {
            let (answered, again) = client.ask(&format!("cookie: x=1; {cookie}"));
            assert_eq!((&answered, again), (owner, None));
        }
    };
    stay(&mut client);

    let (owner, cookie) = seats.iter().find(|(owner, _)| owner == "oci").unwrap();
    let forged = format!(
        "{}{}",
        &cookie[..cookie.len() - 1],
        if cookie.ends_with('0') { '1' } else { '0' }
    );
    let (_, instead) = client.ask(&format!("cookie: {forged}"));
    assert!(instead.is_some(), "a new one takes its place");
    let ignored = metric(
        &daemon,
        "bascule_affinity_ignored_total",
        &["reason=\"forged\""],
    );
    assert_eq!(ignored, Some(1.0));
    // Beside a good one it counts as well, and changes nothing.
    for both in [format!("{forged}; {cookie}"), format!("{cookie}; {forged}")] {
        let (answered, again) = client.ask(&format!("cookie: {both}"));
        assert_eq!((&answered, again), (owner, None));
    }
    let ignored = metric(
        &daemon,
        "bascule_affinity_ignored_total",
        &["reason=\"forged\""],
    );
    assert_eq!(ignored, Some(3.0));

    // A new secret in front, the old one behind it: what was sealed before still counts.
    let both = "ffffffffffffffffffffffffffffffff\n0123456789abcdef0123456789abcdef\n";
    std::fs::write(&secret, both).unwrap();
    reload(&daemon, &config.replace("duration: 1s", "duration: 2s"));
    stay(&mut client);
    cli(
        &daemon,
        &["drain", "backend/oci", "--yes", "--reason", "test"],
    );
    until_row(&daemon, "effective", 100.0, 0.0);
    assert_eq!(&client.ask(&format!("cookie: {cookie}")).0, owner);
    stay(&mut client);
}
