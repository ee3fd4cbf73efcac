//! Questions to name servers on loopback: what they answer, in turn, and what does not count as an answer.

use bascule_testkit::NameServer;
use bascule_testkit::name_server::Weighted;
use hickory_resolver::proto::op::{Message, MessageType, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::CNAME;
use hickory_resolver::proto::rr::{Name, RData, Record};

use super::*;

const NAME: &str = "meet.example.org";

fn question(servers: &[SocketAddr], times: u32) -> Question {
    Question {
        servers: servers.to_vec(),
        name: NAME.to_owned(),
        kind: RecordType::A,
        times,
        timeout: Duration::from_secs(5),
    }
}

fn set(values: &[&str]) -> BTreeSet<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

/// A server that always has this one record.
fn server(values: &[&str]) -> NameServer {
    let server = NameServer::start().unwrap();
    server.set_weighted(NAME, 1, vec![Weighted::new(1, values)]);
    server
}

#[tokio::test]
async fn servers_are_asked_in_turn_and_each_answer_is_a_set() {
    let (one, two) = (server(&["192.0.2.1", "192.0.2.2"]), server(&["192.0.2.3"]));
    let asked = ask(&question(&[one.address(), two.address()], 10)).await;
    assert!(asked.failures.is_empty(), "{asked:?}");
    let of = |wanted: &BTreeSet<String>| asked.answers.iter().filter(|a| *a == wanted).count();
    let counts = [
        of(&set(&["192.0.2.1", "192.0.2.2"])),
        of(&set(&["192.0.2.3"])),
    ];
    assert_eq!(counts, [5, 5]);
}

#[tokio::test]
async fn names_are_heard_as_names_in_lower_case_and_what_is_not_there_as_nothing() {
    let server = server(&["LB.Example.net."]);
    let mut question = question(&[server.address()], 2);
    question.kind = RecordType::Cname;
    assert_eq!(
        ask(&question).await.answers,
        vec![set(&["lb.example.net"]); 2]
    );
    question.kind = RecordType::Aaaa;
    assert_eq!(
        ask(&question).await.answers,
        vec![set(&["lb.example.net"]); 2]
    );
    question.name = "other.example.org".to_owned();
    assert_eq!(ask(&question).await.answers, vec![set(&[]); 2]);
}

#[tokio::test]
async fn what_does_not_fit_into_a_datagram_is_asked_for_over_tcp() {
    let many: Vec<String> = (0..200).map(|n| format!("10.0.0.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let server = server(&many);
    let asked = ask(&question(&[server.address()], 1)).await;
    assert_eq!(asked.answers, [set(&many)]);
    assert_eq!((server.asked().udp, server.asked().tcp), (1, 1));
}

#[tokio::test]
async fn a_server_that_fails_is_told_and_asked_no_more_and_the_others_answer() {
    let (well, ill) = (server(&["192.0.2.1"]), server(&["192.0.2.1"]));
    ill.fail(true);
    let asked = ask(&question(&[well.address(), ill.address()], 40)).await;
    let failures: Vec<(&SocketAddr, &str)> = asked
        .failures
        .iter()
        .map(|(server, why)| (server, why.as_str()))
        .collect();
    assert_eq!(failures, [(&ill.address(), "it answers Server Failure")]);
    // Those that were under way when it failed are lost, and no more.
    assert!(ill.asked().udp <= AT_ONCE, "{:?}", ill.asked());
    assert_eq!(asked.answers.len(), 40 - ill.asked().udp);
}

#[tokio::test]
async fn one_that_is_silent_is_waited_for_twice_and_no_longer() {
    // The socket is bound and never read.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut question = question(&[silent.local_addr().unwrap()], 1_000);
    question.timeout = Duration::from_millis(20);
    let asked = ask(&question).await;
    let failures: Vec<&str> = asked.failures.values().map(String::as_str).collect();
    assert_eq!(
        (asked.answers.len(), failures),
        (0, vec!["no answer in 20ms, twice"])
    );
}

/// An answer to a question, made different by `change`.
fn answer(asking: &Asking, change: impl FnOnce(&mut Message)) -> Option<Answered> {
    let question = Message::from_vec(&asking.bytes).unwrap();
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.authoritative = true;
    answer.queries = question.queries;
    let owner = answer.queries[0].name().clone();
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    answer.answers = vec![Record::from_rdata(owner, 30, RData::from(address))];
    change(&mut answer);
    asking.answered(&answer.to_vec().unwrap())
}

#[test]
fn only_an_answer_to_what_was_asked_counts() {
    let asking = Asking::new(NAME, RecordType::A).unwrap();
    let question = Message::from_vec(&asking.bytes).unwrap();
    assert!(!question.metadata.recursion_desired);
    let heard = Some(Answered::Values(set(&["192.0.2.1"])));
    assert_eq!(answer(&asking, |_| ()), heard);
    let other = Asking::new("other.example.org", RecordType::A).unwrap();
    let other = Message::from_vec(&other.bytes).unwrap().queries;
    assert_eq!(answer(&asking, |answer| answer.queries = other), None);
    assert_eq!(answer(&asking, |answer| answer.metadata.id ^= 1), None);
    let echo = |answer: &mut Message| answer.metadata.message_type = MessageType::Query;
    assert_eq!(answer(&asking, echo), None);
    assert_eq!(asking.answered(b"HTTP/1.1 400 Bad Request"), None);
}

#[test]
fn a_cache_a_refusal_and_a_flood_are_told_apart_from_an_answer() {
    let asking = Asking::new(NAME, RecordType::A).unwrap();
    let told = "it does not answer with authority: not a name server of the zone";
    let refused = Some(Answered::Refused(told.to_owned()));
    let cached = |answer: &mut Message| answer.metadata.authoritative = false;
    assert_eq!(answer(&asking, cached), refused);
    let refuse = |answer: &mut Message| answer.metadata.response_code = ResponseCode::Refused;
    let refused = Some(Answered::Refused("it answers Query Refused".to_owned()));
    assert_eq!(answer(&asking, refuse), refused);
    let swell = |answer: &mut Message| answer.answers = vec![answer.answers[0].clone(); 401];
    let refused = Some(Answered::Refused(
        "its answer has more than 400 records".to_owned(),
    ));
    assert_eq!(answer(&asking, swell), refused);
    let cut = |answer: &mut Message| answer.metadata.truncation = true;
    assert_eq!(answer(&asking, cut), Some(Answered::Cut));
}

#[test]
fn an_alias_in_front_is_the_answer_and_not_what_stands_behind_it() {
    let asking = Asking::new(NAME, RecordType::A).unwrap();
    let heard = answer(&asking, |answer| {
        let target = Name::from_ascii("cdn.example.net.").unwrap();
        let owner = answer.queries[0].name().clone();
        for record in &mut answer.answers {
            record.name = target.clone();
        }
        let alias = RData::CNAME(CNAME(target));
        answer
            .answers
            .insert(0, Record::from_rdata(owner, 30, alias));
    });
    assert_eq!(heard, Some(Answered::Values(set(&["cdn.example.net"]))));
}
