//! What is asked of the control plane, and how its refusals look.

use std::time::Duration;

use bascule_model::share::Percent;
use bascule_model::{AdminState, AdminTarget, BasisPoints, ProviderName, Revision};
use bascule_plan::command::BrokenRail;
use bascule_plan::{Command, Pace, Refusal};
use serde_json::json;

use crate::client::{To, mutation, with_site};
use crate::world::{backend, endpoint_target, row, service};

const WEIGHTS: &str = "/v1/services/meet/weights";

#[test]
fn a_shift_is_asked_for_as_it_was_written() {
    with_site(async |site| {
        let body = json!({
            "service": "meet",
            "shares": {"aws": 50, "oci": 49.99},
            "pace": {"steps": {"step": 5, "bake_seconds": 1.5}},
            "expires_in_seconds": 3600,
            "reason": "CHG-4412",
        });
        let answer = site
            .change(To::Socket, "POST", "/v1/shifts", &body.to_string())
            .await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (202, "/v1/shifts/s-0007")
        );
        assert_eq!(answer.header("etag"), "\"42\"");
        assert_eq!(
            answer.json()["warnings"][0],
            "gcp has no endpoint that is up"
        );
        let asked = site.world.control.last_asked();
        assert_eq!(asked.reason, "CHG-4412");
        assert!(asked.actor.starts_with("uid:"));
        assert_eq!((asked.if_match, asked.dry_run), (None, false));
        let point = |n| BasisPoints::new(n).unwrap();
        assert_eq!(
            asked.command,
            Command::Shift {
                service: service("meet"),
                set: vec![(backend("aws"), point(5000)), (backend("oci"), point(4999))],
                pace: Pace::Steps {
                    step: point(500),
                    bake: Duration::from_millis(1500),
                },
                expires_in: Some(Duration::from_secs(3600)),
            }
        );
    });
}

#[test]
fn a_dry_run_is_passed_on_and_begins_nothing() {
    with_site(async |site| {
        let body = r#"{"shares":{"aws":50},"pace":"now"}"#;
        let path = format!("{WEIGHTS}?dry_run=true");
        let answer = site
            .send(To::Socket, mutation("PUT", &path, "\"41\""), body)
            .await;
        assert_eq!((answer.status, answer.header("location")), (200, ""));
        let asked = site.world.control.last_asked();
        assert_eq!((asked.dry_run, asked.if_match), (true, Some(Revision(41))));
        assert_eq!(site.world.control.state.load().revision, Revision(41));
    });
}

#[test]
fn who_looked_at_an_older_revision_is_told_the_current_one() {
    with_site(async |site| {
        let body = r#"{"shares":{"aws":50}}"#;
        let answer = site
            .send(To::Socket, mutation("PUT", WEIGHTS, "\"40\""), body)
            .await;
        assert_eq!(answer.refusal(), (412, "E0605".to_owned()));
        assert_eq!(answer.json()["revision"], 41);
        let text = r#"{"text":"services: {}"}"#;
        let answer = site
            .send(To::Socket, mutation("PUT", "/v1/config", "40"), text)
            .await;
        assert_eq!(answer.refusal(), (412, "E0605".to_owned()));
        for bad in ["\"41", "W/\"41\"", "\"41\", \"42\"", "x"] {
            let answer = site
                .send(To::Socket, mutation("PUT", WEIGHTS, bad), body)
                .await;
            assert_eq!(answer.refusal(), (400, "E0606".to_owned()), "{bad}");
        }
    });
}

#[test]
fn an_operator_must_say_why_and_an_admin_need_not() {
    with_site(async |site| {
        let body = r#"{"shares":{"aws":50}}"#;
        let ops = To::As("operator-secret");
        let answer = site.change(ops, "PUT", WEIGHTS, body).await;
        assert_eq!(answer.refusal(), (400, "E0627".to_owned()));
        let request = mutation("PUT", WEIGHTS, "*").header("x-reason", "CHG-1");
        assert_eq!(site.send(ops, request, body).await.status, 202);
        let asked = site.world.control.last_asked();
        assert_eq!(
            (asked.actor.as_str(), asked.reason.as_str()),
            ("token:operator", "CHG-1")
        );
        assert_eq!(
            site.change(To::As("admin-secret"), "PUT", WEIGHTS, body)
                .await
                .status,
            202
        );
        let config = r#"{"text":"services: {}","reason":"x"}"#;
        let answer = site.change(ops, "PUT", "/v1/config", config).await;
        assert_eq!(answer.refusal(), (403, "E0602".to_owned()));
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_command_has_its_path() {
    with_site(async |site| {
        let aws = ProviderName::parse("aws").unwrap();
        let shift = || "s-0007".to_owned();
        let state = AdminState::Drain;
        let drain = r#"{"admin_state":"drain"}"#;
        let target = AdminTarget::Backend(service("meet"), backend("oci"));
        let on_provider = AdminTarget::Provider(aws.clone());
        let cases = [
            (
                "DELETE",
                "/v1/services/meet/overrides?pace=now",
                "",
                Command::ClearOverride {
                    service: service("meet"),
                    pace: Pace::Now,
                },
            ),
            (
                "PATCH",
                "/v1/services/meet/backends/oci",
                drain,
                Command::SetAdmin { target, state },
            ),
            (
                "PATCH",
                "/v1/services/meet/backends/oci/endpoints/10.2.4.11:8080",
                drain,
                Command::SetAdmin {
                    target: endpoint_target(),
                    state,
                },
            ),
            (
                "PATCH",
                "/v1/providers/aws",
                drain,
                Command::SetAdmin {
                    target: on_provider,
                    state,
                },
            ),
            (
                "POST",
                "/v1/shifts/s-0007/pause",
                "",
                Command::Pause { shift: shift() },
            ),
            (
                "POST",
                "/v1/shifts/s-0007/resume",
                "{}",
                Command::Resume { shift: shift() },
            ),
            (
                "POST",
                "/v1/shifts/s-0007/abort",
                "",
                Command::Abort { shift: shift() },
            ),
            (
                "POST",
                "/v1/providers/aws/evacuate",
                r#"{"fast":true}"#,
                Command::Evacuate {
                    provider: aws.clone(),
                    fast: true,
                    expires_in: None,
                },
            ),
            (
                "POST",
                "/v1/providers/aws/restore",
                "",
                Command::Restore { provider: aws },
            ),
            (
                "POST",
                "/v1/history/previous/restore",
                "",
                Command::Undo { to: None },
            ),
            (
                "POST",
                "/v1/history/39/restore",
                "",
                Command::Undo {
                    to: Some(Revision(39)),
                },
            ),
        ];
        for (method, path, body, command) in cases {
            let answer = site.change(To::Socket, method, path, body).await;
            assert!(answer.status < 300, "{method} {path}: {}", answer.text);
            assert_eq!(
                site.world.control.last_asked().command,
                command,
                "{method} {path}"
            );
        }
    });
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn every_refusal_has_its_code() {
    with_site(async |site| {
        let percent = Percent(11_000);
        let cases = [
            (
                Refusal::UnknownService {
                    service: service("meat"),
                    known: vec![service("meet")],
                },
                404,
                "E0613",
            ),
            (
                Refusal::UnknownBackend {
                    service: service("meet"),
                    backend: backend("ocl"),
                    known: vec![backend("oci")],
                },
                422,
                "E0628",
            ),
            (
                Refusal::UnknownProvider {
                    provider: ProviderName::parse("x").unwrap(),
                    known: Vec::new(),
                },
                404,
                "E0615",
            ),
            (
                Refusal::UnknownTarget {
                    target: endpoint_target(),
                },
                404,
                "E0616",
            ),
            (
                Refusal::NotFound {
                    what: "shift",
                    id: "s-9".to_owned(),
                },
                404,
                "E0617",
            ),
            (
                Refusal::Sum {
                    sum: percent,
                    above: true,
                },
                422,
                "E0618",
            ),
            (
                Refusal::AllOff {
                    service: service("meet"),
                },
                422,
                "E0619",
            ),
            (
                Refusal::Busy {
                    shift: "s-0001".to_owned(),
                },
                409,
                "E0620",
            ),
            (
                Refusal::WrongPhase {
                    shift: "s-0001".to_owned(),
                    phase: "completed",
                },
                409,
                "E0621",
            ),
            (
                Refusal::TooLong {
                    asked: Duration::ZERO,
                    max: Duration::from_secs(60),
                },
                422,
                "E0622",
            ),
            (Refusal::Store("disk full".to_owned()), 503, "E0623"),
            (Refusal::Unavailable, 503, "E0624"),
        ];
        for (refusal, status, code) in cases {
            *site.world.control.refusal.lock().unwrap() = Some(refusal.clone());
            let answer = site
                .change(To::Socket, "PUT", WEIGHTS, r#"{"shares":{"aws":1}}"#)
                .await;
            assert_eq!(answer.refusal(), (status, code.to_owned()), "{refusal}");
            let problem = answer.json();
            assert_eq!(
                (&problem["revision"], &problem["status"]),
                (&json!(41), &json!(status))
            );
            assert_eq!(problem["type"], format!("urn:bascule:error:{code}"));
        }
    });
}

#[test]
fn a_broken_rail_says_its_numbers_and_what_would_pass() {
    with_site(async |site| {
        let nearest = Some(row(&[("aws", 50), ("gcp", 0), ("oci", 50)]));
        *site.world.control.refusal.lock().unwrap() = Some(Refusal::Rails {
            broken: vec![BrokenRail {
                rule: "max_step".to_owned(),
                service: service("meet"),
                backend: Some(backend("oci")),
                detail: "65 points in one change, limit 20".to_owned(),
                nearest: nearest.clone(),
            }],
            nearest,
        });
        let answer = site
            .change(To::Socket, "PUT", WEIGHTS, r#"{"shares":{"oci":95}}"#)
            .await;
        assert_eq!(answer.refusal(), (409, "E0612".to_owned()));
        let problem = answer.json();
        assert_eq!(problem["rule"], "max_step");
        assert_eq!(
            problem["nearest"],
            json!({"aws": 50.0, "gcp": 0.0, "oci": 50.0})
        );
        assert_eq!(problem["errors"][0]["pointer"], "/shares/oci");
        assert_eq!(problem["errors"][0]["suggestion"], 50.0);
        assert_eq!(
            problem["errors"][0]["detail"],
            "65 points in one change, limit 20"
        );
    });
}

#[test]
fn an_unknown_name_comes_with_the_one_that_was_meant() {
    with_site(async |site| {
        let patch = r#"{"admin_state":"drain"}"#;
        for (method, path, body, code, meant) in [
            ("GET", "/v1/services/meat", "", "E0613", "meet"),
            ("GET", "/v1/services/meet/explain/ocl", "", "E0614", "oci"),
            (
                "PATCH",
                "/v1/services/meet/backends/ocl",
                patch,
                "E0614",
                "oci",
            ),
            ("PATCH", "/v1/providers/awz", patch, "E0615", "aws"),
            ("POST", "/v1/providers/awz/evacuate", "", "E0615", "aws"),
            (
                "GET",
                "/v1/services/meet/backends/oci/endpoints/10.2.4.1:8080",
                "",
                "E0616",
                "10.2.4.10:8080",
            ),
        ] {
            let answer = site.change(To::Socket, method, path, body).await;
            assert_eq!(answer.refusal(), (404, code.to_owned()), "{path}");
            assert_eq!(answer.json()["errors"][0]["suggestion"], meant, "{path}");
        }
    });
}

#[test]
fn fields_that_cannot_be_are_refused_with_their_place() {
    with_site(async |site| {
        for (body, pointer) in [
            (json!({"shares": {}}), "/shares"),
            (json!({"shares": {"aws": 33.333}}), "/shares/aws"),
            (json!({"shares": {"aws": -1}}), "/shares/aws"),
            (json!({"shares": {"a b": 1}}), "/shares/a b"),
            (json!({"shares": {"aws": 1}, "expire": 5}), "/expire"),
            (
                json!({"shares": {"aws": 1}, "pace": {"steps": {"step": 0, "bake_seconds": 1}}}),
                "/pace/steps/step",
            ),
            (
                json!({"shares": {"aws": 1}, "pace": {"steps": {"step": 1, "bake_seconds": -1}}}),
                "/pace/steps/bake_seconds",
            ),
        ] {
            let answer = site
                .change(To::Socket, "PUT", WEIGHTS, &body.to_string())
                .await;
            assert_eq!(answer.status, 422, "{body}");
            assert_eq!(answer.json()["errors"][0]["pointer"], pointer, "{body}");
        }
        let request = mutation("PUT", WEIGHTS, "*").header("x-reason", "a".repeat(2000));
        let answer = site
            .send(To::Socket, request, r#"{"shares":{"aws":1}}"#)
            .await;
        assert_eq!(answer.refusal(), (400, "E0606".to_owned()));
        let request = http::Request::put(WEIGHTS).header("if-match", "*");
        let answer = site
            .send(To::Socket, request, r#"{"shares":{"aws":1}}"#)
            .await;
        assert_eq!(answer.refusal(), (415, "E0611".to_owned()));
        assert!(site.world.control.asked.lock().unwrap().is_empty());
    });
}

#[test]
fn a_bad_configuration_is_refused_with_all_its_errors_and_changes_nothing() {
    with_site(async |site| {
        let bad = r#"{"text":"wieght: 1","file_name":"meet.yaml"}"#;
        let answer = site
            .change(To::Socket, "POST", "/v1/config/validate", bad)
            .await;
        assert_eq!(answer.status, 200);
        let result = answer.json();
        assert_eq!(
            (&result["valid"], &result["diagnostics"][0]["line"]),
            (&json!(false), &json!(14))
        );
        let answer = site.change(To::Socket, "PUT", "/v1/config", bad).await;
        assert_eq!(answer.refusal(), (422, "E0625".to_owned()));
        let problem = answer.json();
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("keeps running"),
            "{problem}"
        );
        let detail = problem["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("meet.yaml:14:9: E0104"), "{detail}");
        let good = r#"{"text":"services: {}","reason":"CHG-2"}"#;
        let answer = site
            .change(To::Socket, "PUT", "/v1/config?dry_run=true", good)
            .await;
        assert_eq!(
            (answer.status, &answer.json()["applied"]),
            (200, &json!(false))
        );
        assert!(site.world.config.applied.lock().unwrap().is_empty());
        let answer = site.change(To::Socket, "PUT", "/v1/config", good).await;
        assert_eq!(
            (answer.status, &answer.json()["applied"]),
            (200, &json!(true))
        );
        assert_eq!(site.world.config.applied.lock().unwrap()[0].reason, "CHG-2");
    });
}

#[test]
fn an_edge_is_drained_and_ready_again_and_nothing_else() {
    with_site(async |site| {
        let edge = async || site.get(To::Tcp, "/v1/edge").await.json();
        assert_eq!(edge().await["admin_state"], "ready");
        let patch = async |state: &str, query: &str| {
            let body = json!({"admin_state": state, "reason": "CHG-1"}).to_string();
            site.change(To::Socket, "PATCH", &format!("/v1/edge{query}"), &body)
                .await
        };
        assert_eq!(patch("drain", "?dry_run=true").await.status, 200);
        assert_eq!(edge().await["admin_state"], "ready");
        let answer = patch("drain", "").await;
        assert_eq!(
            (answer.status, answer.json()["revision"].clone()),
            (200, json!(41))
        );
        let drained = edge().await;
        assert_eq!(drained["admin_state"], "drain");
        assert_eq!(
            drained["leaving"],
            json!({"running": 5, "eta_seconds": null})
        );
        assert_eq!(patch("offline", "").await.status, 422);
        assert_eq!(patch("ready", "").await.status, 200);
        assert_eq!(edge().await["leaving"], json!(null));
        assert!(site.world.control.asked.lock().unwrap().is_empty());
    });
}
