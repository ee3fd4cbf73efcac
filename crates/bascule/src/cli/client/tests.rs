//! Commands against a small server on a unix socket: a script of answers, and what was asked is kept.

use std::path::Path;

use bascule_admin::api::TurnedBy;
use clap::Parser as _;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;

use crate::cli::args::{Cli, Command};
use crate::cli::exit::{CliResult, Exit};
use crate::cli::follow::{self, Interrupt};
use crate::cli::output::{Output, Shared};
use crate::cli::samples;
use crate::cli::session::Session;

/// One answer of the script: what the request line must start with, the status, the body.
struct Answer(&'static str, u16, String);

fn ok(line: &'static str, body: &impl serde::Serialize) -> Answer {
    Answer(line, 200, serde_json::to_string(body).unwrap())
}

/// Answers the script in order, one request a connection; gives the requests back.
async fn serve(listener: UnixListener, script: Vec<Answer>) -> Vec<String> {
    let mut seen = Vec::new();
    for Answer(line, status, body) in script {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await;
        assert!(request.starts_with(line), "expected {line}, got {request}");
        seen.push(request);
        let kind = match status {
            200..=299 if body.starts_with("id:") => "text/event-stream",
            200..=299 => "application/json",
            _ => "application/problem+json",
        };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
    }
    seen
}

async fn read_request(stream: &mut tokio::net::UnixStream) -> String {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("content-length: "))
                .map_or(0, |n| n.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        let read = stream.read(&mut piece).await.unwrap();
        assert!(read > 0, "the client went away: {text}");
        bytes.extend_from_slice(&piece[..read]);
    }
}

/// What a command did: how it ended, standard output, standard error, the requests.
struct Done {
    result: CliResult,
    out: String,
    err: String,
    requests: Vec<String>,
}

impl Done {
    fn json(&self) -> Vec<Value> {
        serde_json::Deserializer::from_str(&self.out)
            .into_iter()
            .map(Result::unwrap)
            .collect()
    }
}

fn run(words: &[&str], script: Vec<Answer>) -> Done {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (out, err) = (Shared::default(), Shared::default());
    let cli = parse(words, &socket);
    let mut output = Output::of(
        cli.global.output,
        Box::new(out.clone()),
        Box::new(err.clone()),
    );
    let (result, requests) = runtime.block_on(async {
        let listener = UnixListener::bind(&socket).unwrap();
        let mut session = Session::open(&cli.global, &mut output).unwrap();
        session.clock = samples::clock();
        tokio::join!(
            crate::cli::ask(cli.command, &mut session),
            serve(listener, script)
        )
    });
    Done {
        result,
        out: out.text(),
        err: err.text(),
        requests,
    }
}

fn parse(words: &[&str], socket: &Path) -> Cli {
    let context = format!("--context=unix:{}", socket.display());
    Cli::try_parse_from(
        ["bascule", &context]
            .iter()
            .copied()
            .chain(words.iter().copied()),
    )
    .unwrap()
}

const SHIFT: &[&str] = &["shift", "meet", "aws=50", "oci=50", "--reason", "CHG-4412"];

fn with<'a>(words: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    words.iter().chain(more).copied().collect()
}

/// From the question to the last look.
fn shift_script() -> Vec<Answer> {
    let mut script = vec![
        ok("GET /v1/services/meet ", &samples::service()),
        ok("POST /v1/shifts?dry_run=true ", &samples::change()),
        Answer(
            "POST /v1/shifts ",
            202,
            serde_json::to_string(&samples::change()).unwrap(),
        ),
    ];
    script.extend(
        samples::ramp()
            .iter()
            .map(|shift| ok("GET /v1/shifts/s-0192 ", shift)),
    );
    script
}

#[test]
fn a_shift_is_shown_made_on_the_revision_shown_and_followed_to_its_end() {
    let done = run(&with(SHIFT, &["--yes"]), shift_script());
    assert_eq!(done.result, Ok(Exit::Ok));
    insta::assert_snapshot!(done.out);
    let (check, change) = (&done.requests[1], &done.requests[2]);
    for request in [check, change] {
        assert!(request.contains("if-match: \"1841\"\r\n"), "{request}");
        let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(
            body,
            json!({"service": "meet", "shares": {"aws": 50.0, "oci": 50.0}, "pace": "policy", "reason": "CHG-4412"})
        );
    }
}

#[test]
fn json_lines_carry_the_change_and_every_step_in_envelopes() {
    let done = run(&with(SHIFT, &["--yes", "-o", "jsonl"]), shift_script());
    assert_eq!(done.result, Ok(Exit::Ok));
    let lines: Vec<Value> = done
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = lines.iter().map(|l| l["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["Change", "Shift", "Shift", "Shift", "Shift", "Shift"]
    );
    assert!(lines.iter().all(|line| line["api"] == "v1"));
    assert_eq!(lines.last().unwrap()["data"]["phase"], "completed");
}

#[test]
fn an_api_that_does_not_answer_for_a_moment_is_asked_again() {
    let mut script = shift_script();
    script.insert(
        4,
        Answer(
            "GET /v1/shifts/s-0192 ",
            503,
            problem(503, "E0624", "the controller does not answer", &json!([])),
        ),
    );
    let done = run(&with(SHIFT, &["--yes"]), script);
    assert_eq!(done.result, Ok(Exit::Ok));
    assert_eq!(done.err, "the controller does not answer; asking again\n");
}

#[test]
fn json_is_one_document() {
    let done = run(&with(SHIFT, &["--yes", "-o", "json"]), shift_script());
    let documents = done.json();
    assert_eq!(documents.len(), 1);
    assert_eq!(documents[0]["data"]["revision"], 1847);
}

#[test]
fn nobody_to_ask_is_a_usage_error_before_anything_is_asked() {
    let done = run(SHIFT, Vec::new());
    let error = done.result.unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(error.to_string().contains("--yes"));
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut script = shift_script();
    script.truncate(2);
    let done = run(&with(SHIFT, &["--dry-run"]), script);
    assert_eq!(done.result, Ok(Exit::Ok));
    assert!(done.err.contains("nothing changed"));
}

#[test]
fn a_shift_that_a_guardrail_turned_back_exits_8_and_one_that_a_person_aborted_1() {
    for (by, exit) in [
        (TurnedBy::Guardrail, Exit::TurnedBack),
        (TurnedBy::Person, Exit::Failed),
    ] {
        let mut end = samples::ramp()[4].clone();
        end.phase = bascule_admin::api::ShiftPhase::Aborted;
        end.note = "oci p95 240 ms for 30 s (limit 196 ms)".to_owned();
        end.turned_by = Some(by);
        let mut script = shift_script();
        script.truncate(4);
        script.push(ok("GET /v1/shifts/s-0192 ", &end));
        let done = run(&with(SHIFT, &["--yes"]), script);
        assert_eq!(done.result, Ok(exit));
        assert!(done.out.contains("oci p95 240 ms for 30 s"), "{}", done.out);
    }
}

fn problem(status: u16, code: &str, detail: &str, errors: &Value) -> String {
    let rule = errors.pointer("/0/rule").cloned().unwrap_or(Value::Null);
    json!({"type": format!("urn:bascule:error:{code}"), "title": "t", "status": status, "detail": detail,
        "code": code, "rule": rule, "errors": errors, "nearest": errors.pointer("/0/nearest"), "revision": 1843, "retryable": false})
    .to_string()
}

#[test]
fn a_refusal_by_a_rail_exits_6_and_gives_the_command_that_passes() {
    let errors = json!([{"pointer": "/shares/oci", "detail": "65 points in one change, limit 20", "rule": "max_step",
        "suggestion": 50, "nearest": {"aws": 50, "oci": 50}}]);
    let script = vec![
        ok("GET /v1/services/meet ", &samples::service()),
        Answer(
            "POST /v1/shifts?dry_run=true ",
            409,
            problem(409, "E0612", "max_step", &errors),
        ),
    ];
    let error = run(&with(SHIFT, &["--yes"]), script).result.unwrap_err();
    assert_eq!(error.exit, Exit::Refused);
    insta::assert_snapshot!(error.to_string(), @r"
    refused by 1 safety rule, nothing changed
      max_step  65 points in one change, limit 20   most that passes: aws=50 oci=50
      → passes: bascule shift meet aws=50 oci=50
    ");
}

#[test]
fn a_stale_revision_exits_5_and_says_what_moved() {
    let mut history = samples::history();
    history.entries.truncate(1);
    let script = vec![
        ok("GET /v1/services/meet ", &samples::service()),
        Answer(
            "POST /v1/shifts?dry_run=true ",
            412,
            problem(
                412,
                "E0605",
                "the state is at revision 1842, not 1841",
                &json!([]),
            ),
        ),
        ok("GET /v1/history", &history),
    ];
    let error = run(&with(SHIFT, &["--yes"]), script).result.unwrap_err();
    assert_eq!(error.exit, Exit::Conflict);
    insta::assert_snapshot!(error.to_string(), @r"
    the state is at revision 1842, not 1841
      18:41 shift meet aws 70 → 50  oci 30 → 50 (uid:1000, CHG-4412)
      → look at it again: bascule status
    ");
}

fn stale(line: &'static str) -> Answer {
    Answer(
        line,
        412,
        problem(
            412,
            "E0605",
            "the state is at revision 1843, not 1841",
            &json!([]),
        ),
    )
}

#[test]
fn a_change_that_would_still_do_what_was_shown_is_made_on_the_new_state() {
    let mut script = shift_script();
    let again = ok("POST /v1/shifts?dry_run=true ", &samples::change());
    script.splice(2..2, [stale("POST /v1/shifts "), again]);
    let done = run(&with(SHIFT, &["--yes"]), script);
    assert_eq!(done.result, Ok(Exit::Ok));
    assert!(
        done.requests[4].contains("if-match: \"1843\"\r\n"),
        "{}",
        done.requests[4]
    );
}

#[test]
fn a_change_that_would_do_something_else_than_shown_exits_5() {
    let mut other = samples::change();
    other.rows.clear();
    let mut script = shift_script();
    script.truncate(2);
    script.extend([
        stale("POST /v1/shifts "),
        ok("POST /v1/shifts?dry_run=true ", &other),
        ok("GET /v1/history", &samples::history()),
    ]);
    let done = run(&with(SHIFT, &["--yes"]), script);
    assert_eq!(done.result.map_err(|error| error.exit), Err(Exit::Conflict));
}

#[test]
fn a_paused_shift_is_the_one_that_runs() {
    let list = json!({"revision": 1842, "shifts": [samples::ramp()[4], samples::ramp()[1]]});
    let script = vec![
        ok("GET /v1/shifts ", &list),
        ok("POST /v1/shifts/s-0192/pause ", &samples::change()),
    ];
    let done = run(&["pause"], script);
    assert_eq!(done.result, Ok(Exit::Ok));
    assert_eq!(
        done.out,
        "s-0192 is paused at aws 60  oci 40, rev 1842.   Go on: bascule resume s-0192\n"
    );
}

#[test]
fn drain_with_wait_ends_when_nothing_runs_there_on_workers_that_have_the_change() {
    let service = samples::service();
    let list = json!({"revision": 1841, "services": [service]});
    let look = |confirmed: u64, running: u64| {
        let mut status = samples::status();
        status.edge.confirmed_revision = confirmed;
        status.services[0].backends[0].endpoints[1].in_flight = running;
        ok("GET /v1/status ", &status)
    };
    let mut script = vec![
        ok("GET /v1/services ", &list),
        ok("GET /v1/services/meet ", &service),
        ok("PATCH /v1/services/meet/backends/aws ", &samples::change()),
        look(1841, 0),
        look(1842, 12),
    ];
    script.extend((0..5).map(|_| look(1842, 0)));
    let done = run(&["drain", "backend/aws", "--wait"], script);
    assert_eq!(done.result, Ok(Exit::Ok));
    assert!(
        done.out.ends_with("backend/meet/aws is empty\n"),
        "{}",
        done.out
    );
    assert_eq!(done.err, "12 run on backend/meet/aws\n");
}

#[test]
fn a_restore_does_not_tell_the_evacuation_again() {
    let provider = json!({"name": "aws", "revision": 1850, "admin_state": "ready", "admin": null,
        "observed_state": "up", "backends": [], "evacuation": "e-0001"});
    let mut away = samples::evacuation()[4].clone();
    away.shifts = vec!["s-0190".to_owned()];
    let mut back = away.clone();
    back.phase = bascule_admin::api::EvacuationPhase::Restored;
    back.shifts.push("s-0192".to_owned());
    let change = json!({"revision": 1851, "dry_run": false, "shifts": ["s-0192"], "evacuation": "e-0001", "rows": {},
        "warnings": []});
    let script = vec![
        ok("GET /v1/providers/aws ", &provider),
        ok("GET /v1/evacuations/e-0001 ", &away),
        ok("POST /v1/providers/aws/restore ", &change),
        ok("GET /v1/evacuations/e-0001 ", &back),
        ok("GET /v1/shifts/s-0192 ", &samples::ramp()[4]),
    ];
    let done = run(&["restore", "aws"], script);
    assert_eq!(done.result, Ok(Exit::Ok));
    assert_eq!(
        done.out,
        "shift s-0192 of meet by uid:1000  CHG-4412 cost rebalance\ne-0001 of aws: restored\naws is back\n"
    );
}

#[test]
fn leaving_a_shift_says_that_it_goes_on_and_exits_130() {
    let (out, err) = (Shared::default(), Shared::default());
    let dir = tempfile::tempdir().unwrap();
    let cli = parse(&["status"], &dir.path().join("admin.sock"));
    let mut output = Output::of(cli.global.output, Box::new(out), Box::new(err.clone()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let ended = runtime.block_on(async {
        let mut session = Session::open(&cli.global, &mut output).unwrap();
        follow::shifts(
            &mut session,
            &["s-0192".to_owned()],
            1841,
            Interrupt::at_once(),
        )
        .await
    });
    assert_eq!(ended, Ok(Exit::Interrupted));
    assert!(
        err.text().contains("s-0192 goes on without this terminal"),
        "{}",
        err.text()
    );
}

#[test]
fn history_reads_pages_until_it_is_old_enough() {
    let mut first = samples::history();
    first.next = Some("1840/x".to_owned());
    let mut second = samples::history();
    second.entries[2].at = "2026-11-01T00:00:00Z".parse().unwrap();
    second.next = Some("old".to_owned());
    let script = vec![
        ok("GET /v1/history?limit=50 ", &first),
        ok("GET /v1/history?limit=200&before=1840%2Fx ", &second),
    ];
    let done = run(&["history", "-o", "json", "--since", "7d"], script);
    assert_eq!(done.result, Ok(Exit::Ok));
    assert_eq!(
        done.json()[0]["data"]["entries"].as_array().unwrap().len(),
        5
    );
}

#[test]
fn events_that_are_kept_are_printed_and_the_command_ends() {
    let event = serde_json::to_string(&samples::event()).unwrap();
    let stream = format!("id: 7\nevent: weight_changed\ndata: {event}\n\n: heartbeat\n\n");
    let done = run(
        &["events", "--service", "meet"],
        vec![Answer("GET /v1/events?service=meet&since=0 ", 200, stream)],
    );
    assert_eq!(done.result, Ok(Exit::Ok));
    assert_eq!(
        done.out,
        "2026-11-20 18:41:00  weight_changed    meet/aws      70 → 65\n"
    );
}

#[test]
fn a_socket_without_a_process_behind_it_exits_4() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("admin.sock");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let cli = parse(&["status"], &socket);
    let mut output = Output::silent();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let error = runtime.block_on(async {
        let Command::Status(args) = cli.command else {
            panic!()
        };
        let mut session = Session::open(&cli.global, &mut output).unwrap();
        crate::cli::status::run(&mut session, &args)
            .await
            .unwrap_err()
    });
    assert_eq!(error.exit, Exit::Unreachable);
    assert!(
        error.to_string().contains("is bascule running there?"),
        "{error}"
    );
}

#[test]
fn errors_for_programs_are_documents_too() {
    let (out, err) = (Shared::default(), Shared::default());
    let mut output = Output::of(
        crate::cli::args::Format::Json,
        Box::new(out.clone()),
        Box::new(err.clone()),
    );
    output.error(&crate::cli::exit::CliError::new(Exit::Refused, "no").with_help("yes"));
    let document: Value = serde_json::from_str(&out.text()).unwrap();
    assert_eq!(
        (&document["kind"], &document["data"]["exit"]),
        (&json!("Error"), &json!(6))
    );
    assert_eq!(err.text(), "error: no\n  → yes\n");
}
