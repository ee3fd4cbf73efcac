//! What is read: states are never better than what is known, rows are never mixed, and the numbers of `explain` add up.

use bascule_control::failing::Failing;
use bascule_control::{discover, observe};
use bascule_health::{AgentDown, AgentState};
use bascule_model::{BasisPoints, Timestamp};
use bascule_provider::port::{CloudHealth, Observation, Seen};
use bascule_telemetry::names;
use bascule_traffic::Gate;
use bascule_traffic::explain::Sight;
use serde_json::{Value, json};

use crate::client::{To, until, with_site};
use crate::world::{begin_shift, evacuated};

#[test]
fn what_nobody_has_seen_is_unknown_and_what_is_down_sorts_first() {
    with_site(async |site| {
        let answer = site.get(To::Tcp, "/v1/status").await;
        let status = answer.json();
        assert_eq!(
            (answer.header("etag"), &status["state"]),
            ("\"41\"", &json!("unknown"))
        );
        site.world.break_endpoints("oci", 2);
        let status = site.get(To::Tcp, "/v1/status").await.json();
        assert_eq!(status["state"], "degraded");
        let meet = &status["services"][0];
        assert_eq!(
            (&meet["name"], &meet["backends"][0]["name"]),
            (&json!("meet"), &json!("oci"))
        );
        assert_eq!(meet["summary"][0], "oci works in part: 2 of 4 endpoints up");
        let broken = &meet["backends"][0]["endpoints"][0];
        assert_eq!(broken["observed_state"], "down");
        assert_eq!(
            broken["reasons"][0],
            json!({"reason": "status", "status": 503})
        );
        assert!(broken["since"].is_string() && broken["checked_at"].is_string());
        assert_eq!(status["providers"][0]["name"], "oci");
        assert_eq!(
            status["instance"]["listeners"][0]["address"],
            "127.0.0.1:8080"
        );
    });
}

#[test]
fn the_rows_are_never_mixed() {
    with_site(async |site| {
        begin_shift(&site.world);
        site.world.break_endpoints("oci", 2);
        let weights = site.get(To::Tcp, "/v1/services/meet/weights").await.json();
        assert_eq!(
            weights["declared"],
            json!({"aws": 70.0, "gcp": 0.0, "oci": 30.0})
        );
        assert_eq!(
            weights["override"]["shares"],
            json!({"aws": 50.0, "gcp": 0.0, "oci": 50.0})
        );
        assert_eq!(
            weights["target"],
            json!({"aws": 60.0, "gcp": 0.0, "oci": 40.0})
        );
        // 40 × 0.7 = 28 of 88.
        assert_eq!(
            weights["effective"],
            json!({"aws": 68.18, "gcp": 0.0, "oci": 31.82})
        );
        assert_eq!(weights["measured"]["requests"], json!({}));
        assert_eq!(weights["shift"], "s-0007");
        let overrides = site
            .get(To::Tcp, "/v1/services/meet/overrides")
            .await
            .json();
        assert_eq!(
            overrides["overrides"][0]["reason"],
            "CHG-4412 cost rebalance"
        );
    });
}

#[test]
fn measured_shares_are_of_what_really_happened() {
    with_site(async |site| {
        let measured = async || {
            let weights = site.get(To::Socket, "/v1/services/meet/weights").await;
            weights.json()["measured"]["requests"].clone()
        };
        // Two readings at least lie between the first request and the answer.
        until(async || {
            site.world.edge.serve("meet", "aws", 3, 0);
            site.world.edge.serve("meet", "oci", 1, 0);
            measured().await == json!({"aws": 75.0, "gcp": 0.0, "oci": 25.0})
        })
        .await;
        let backend = site
            .get(To::Socket, "/v1/services/meet/backends/oci")
            .await
            .json();
        assert_eq!(backend["shares"]["requests"], 25.0);
        assert!(backend["load"]["latency_p95_seconds"].as_f64().unwrap() > 0.05);
    });
}

#[test]
fn what_traffic_took_out_is_shown_with_its_numbers_and_what_brings_it_back() {
    with_site(async |site| {
        site.world.eject_endpoints("oci", 2);
        let path = "/v1/services/meet/backends/oci";
        let backend = site.get(To::Tcp, path).await.json();
        let endpoint = &backend["endpoints"][0];
        assert_eq!(endpoint["observed_state"], "down");
        assert_eq!(endpoint["by_checks"], "up");
        let ejection = &endpoint["ejection"];
        assert_eq!(ejection["details"], "5 of 6 tries failed (unavailable)");
        assert_eq!(
            (&ejection["times"], &ejection["trials_passed"]),
            (&json!(2), &json!(1))
        );
        let path = "/v1/services/meet/explain/oci";
        let explained = site.get(To::Tcp, path).await.json();
        let why = explained["factors"][0]["why"].as_str().unwrap();
        assert!(
            why.contains("took 10.2.4.10:8080 out: 5 of 6 tries failed"),
            "{why}"
        );
        let back = explained["would_return"].as_str().unwrap();
        assert!(
            back.contains("when trial requests to 10.2.4.10:8080 and"),
            "{back}"
        );
    });
}

#[test]
fn what_agents_say_is_shown_and_what_they_must_say_to_undo_it() {
    with_site(async |site| {
        let down = AgentState {
            down: Some(AgentDown::Fail),
            text: "disk full".to_owned(),
            ..AgentState::default()
        };
        let drained = AgentState {
            admin: bascule_model::AdminState::Drain,
            weight: BasisPoints::saturating(5_000),
            ..AgentState::default()
        };
        site.world.agents_say(&[("aws", drained), ("oci", down)]);
        for (backend, state, admin, says, undone) in [
            ("oci", "down", "ready", "fail, disk full", "says up."),
            ("aws", "up", "drain", "drain, 50 %", "says ready."),
        ] {
            let path = format!("/v1/services/meet/backends/{backend}");
            let shown = site.get(To::Tcp, &path).await.json();
            let endpoint = &shown["endpoints"][0];
            assert_eq!(endpoint["observed_state"], state);
            assert_eq!(endpoint["admin_state"], admin);
            assert_eq!(endpoint["by_checks"], "up");
            assert_eq!(endpoint["agent"]["says"], says);
            assert_eq!(endpoint["usable"], false);
            assert_eq!(shown["endpoints"][1]["agent"], Value::Null);
            let path = format!("/v1/services/meet/explain/{backend}");
            let explained = site.get(To::Tcp, &path).await.json();
            let why = explained["factors"][0]["why"].as_str().unwrap();
            assert!(why.ends_with(&format!("says {says}")), "{why}");
            let back = explained["would_return"].as_str().unwrap();
            assert!(back.contains("when the agent of 10."), "{back}");
            assert!(back.ends_with(undone), "{back}");
        }
    });
}

#[test]
fn explain_says_where_each_number_comes_from() {
    with_site(async |site| {
        site.world.break_endpoints("oci", 2);
        let explained = site
            .get(To::Tcp, "/v1/services/meet/explain/oci")
            .await
            .json();
        assert_eq!(
            (&explained["declared"], &explained["effective"]),
            (&json!(30.0), &json!(23.08))
        );
        assert_eq!(
            (&explained["product"], &explained["product_sum"]),
            (&json!(21.0), &json!(91.0))
        );
        let text: Vec<&str> = explained["text"]
            .as_array()
            .unwrap()
            .iter()
            .map(|l| l.as_str().unwrap())
            .collect();
        insta::assert_snapshot!("explain", text.join("\n"));
        begin_shift(&site.world);
        let explained = site
            .get(To::Tcp, "/v1/services/meet/explain/aws")
            .await
            .json();
        let why = explained["target_why"].as_str().unwrap();
        assert!(
            why.starts_with("override by token:ops, CHG-4412 cost rebalance"),
            "{why}"
        );
    });
}

#[test]
fn shifts_and_evacuations_are_shown_with_their_proof() {
    with_site(async |site| {
        begin_shift(&site.world);
        evacuated(&site.world);
        let shift = site.get(To::Tcp, "/v1/shifts/s-0007").await.json();
        assert_eq!(
            (&shift["phase"], &shift["progress_ratio"]),
            (&json!("baking"), &json!(0.5))
        );
        let list = site.get(To::Tcp, "/v1/shifts?service=turn").await.json();
        assert_eq!(list["shifts"], json!([]));
        let evidence = site
            .get(To::Tcp, "/v1/evacuations/e-0002/evidence")
            .await
            .json();
        assert_eq!(evidence["evacuation"]["proof"]["holds"], true);
        assert_eq!(evidence["shifts"][0]["id"], "s-0007");
        assert_eq!(
            site.get(To::Tcp, "/v1/evacuations/e-9").await.refusal().0,
            404
        );
        let provider = site.get(To::Tcp, "/v1/providers/gcp").await.json();
        assert_eq!(provider["evacuation"], "e-0002");
    });
}

#[test]
fn history_is_read_page_by_page() {
    with_site(async |site| {
        for revision in 1..=7 {
            site.world
                .control
                .record("shift", "meet", revision, "CHG-1");
        }
        let page = site.get(To::Tcp, "/v1/history?limit=3").await.json();
        let revisions = |page: &serde_json::Value| -> Vec<u64> {
            let entries = page["entries"].as_array().unwrap();
            entries
                .iter()
                .map(|e| e["revision"].as_u64().unwrap())
                .collect()
        };
        assert_eq!(
            (revisions(&page), &page["next"]),
            (vec![7, 6, 5], &json!("5"))
        );
        let page = site
            .get(To::Tcp, "/v1/history?limit=4&before=5")
            .await
            .json();
        assert_eq!(
            (revisions(&page), &page["next"]),
            (vec![4, 3, 2, 1], &json!(null))
        );
        let one = site.get(To::Tcp, "/v1/history/4").await.json();
        assert_eq!(one["rows"]["meet"]["after"]["oci"], 40.0);
        assert_eq!(site.get(To::Tcp, "/v1/history/9").await.refusal().0, 404);
    });
}

#[test]
fn the_configuration_tells_why_the_last_one_was_refused() {
    with_site(async |site| {
        site.world.config.fail();
        let config = site.get(To::Tcp, "/v1/config").await.json();
        assert_eq!(config["text"], "services: {}\n");
        let error = &config["state"]["last_error"];
        assert_eq!(error["diagnostics"][0]["code"], "E0104");
        assert!(error["rendered"].as_str().unwrap().contains("unknown key"));
    });
}

#[test]
fn everybody_learns_who_they_are() {
    with_site(async |site| {
        let who = site.get(To::Tcp, "/v1/whoami").await.json();
        assert_eq!(
            (&who["actor"], &who["role"]),
            (&json!("anonymous"), &json!("viewer"))
        );
        let who = site
            .get(To::As("operator-secret"), "/v1/whoami")
            .await
            .json();
        assert_eq!(
            (&who["actor"], &who["role"]),
            (&json!("token:operator"), &json!("operator"))
        );
        let who = site.get(To::Socket, "/v1/whoami").await.json();
        assert_eq!(
            (&who["auth"], &who["role"]),
            (&json!("peer_uid"), &json!("admin"))
        );
    });
}

#[test]
fn probes_and_metrics_need_no_credentials() {
    with_site(async |site| {
        begin_shift(&site.world);
        for to in [To::Socket, To::Tcp, To::Metrics] {
            assert_eq!(site.get(to, "/livez").await.status, 200);
            assert_eq!(site.get(to, "/readyz").await.status, 200);
            let metrics = site.get(to, "/metrics").await.text;
            for line in [
                "bascule_weight_ratio{service=\"meet\",backend=\"oci\",provider=\"oci\",kind=\"effective\"} 0.4",
                "bascule_weight_factor_ratio{service=\"meet\",backend=\"oci\",provider=\"oci\",factor=\"health\"} 1",
            ] {
                let has = |l: &str| same_series(l, line);
                assert!(metrics.lines().any(has), "{line}\n{metrics}");
            }
        }
        *site.world.not_ready.lock().unwrap() = Some("stopping".to_owned());
        let answer = site.get(To::Metrics, "/readyz").await;
        assert_eq!((answer.status, answer.text.as_str()), (503, "stopping\n"));
        assert_eq!(site.get(To::Metrics, "/v1/status").await.status, 404);
    });
}

#[test]
fn the_age_of_a_price_is_counted_from_the_day_it_is_of_and_a_backend_without_one_has_none() {
    with_site(async |site| {
        let metrics = site.get(To::Metrics, "/metrics").await.text;
        let lines = metrics.lines();
        let ages: Vec<&str> = lines
            .filter_map(|line| line.strip_prefix("bascule_price_age_seconds"))
            .collect();
        let [age] = ages.as_slice() else {
            panic!("{metrics}");
        };
        let (labels, seconds) = age.split_once("} ").unwrap();
        assert!(same_series(
            &format!("x{labels}}} 1"),
            "x{service=\"meet\",backend=\"aws\",provider=\"aws\"} 1"
        ));
        // The world's price is of the second day of 1970, so that its age is the clock less one day.
        let counted = seconds.parse::<f64>().unwrap() + 86_400.0;
        let since = bascule_telemetry::clock::wall().since(Timestamp::from_millis(0));
        let now = since.as_secs_f64();
        assert!(counted <= now && counted > 1.7e9, "{counted} {now}");
    });
}

#[test]
fn what_a_cloud_says_is_shown_with_its_age_and_how_late_it_was_and_stays_while_it_fails() {
    with_site(async |site| {
        let place = discover::Place {
            account: "main".into(),
            source: "target-group/a".into(),
        };
        let now = bascule_telemetry::clock::wall();
        let ago = |seconds: u64| Timestamp::from_millis(now.as_millis() - seconds * 1000);
        let seen = |of: &str, what, seconds| Observation {
            of: of.into(),
            what,
            at: ago(seconds),
        };
        let seeing = observe::Seeing {
            observations: vec![
                seen("i-1", Seen::Health(CloudHealth::Healthy), 300),
                seen("i-2", Seen::Health(CloudHealth::Unhealthy), 300),
                seen("target-group/a", Seen::Cpu(0.25), 420),
            ],
            read_at: Some(ago(300)),
            failing: Some(Failing {
                kind: "denied",
                message: "no longer".to_owned(),
                since: ago(240),
                count: 4,
            }),
        };
        site.world
            .sources
            .set(place.clone(), discover::Standing::default(), None);
        let status = site.get(To::Tcp, "/v1/status").await.json();
        assert_eq!(status["sources"][0]["observed"], Value::Null);

        site.world.observed.set(place.clone(), seeing);
        let status = site.get(To::Tcp, "/v1/status").await.json();
        let observed = &status["sources"][0]["observed"];
        let health = &observed["health"];
        assert_eq!(health["instances"], json!({ "healthy": 1, "unhealthy": 1 }));
        assert_eq!(health["not_healthy"], json!({ "i-2": "unhealthy" }));
        assert_eq!(observed["failing"]["count"], 4);
        let value = &observed["values"][0];
        assert_eq!(
            (&value["what"], &value["value"]),
            (&json!("cpu_ratio"), &json!(0.25))
        );
        // Whenever it is asked for, the value had been two minutes old when it came.
        assert_eq!(value["lag_seconds"], 120.0);
        assert!(value["age_seconds"].as_f64().unwrap() >= 420.0, "{value}");

        let metrics = site.get(To::Metrics, "/metrics").await.text;
        let of = |name: &str, more: &str| {
            let labels = format!("{name}{{account=\"main\",source=\"target-group/a\"{more}}}");
            let split = |line: &str| {
                line.rsplit_once(' ')
                    .map(|(a, b)| (a.to_owned(), b.to_owned()))
            };
            let mut series = metrics.lines().filter_map(split);
            let found = series.find(|(found, _)| same_series(found, &labels));
            let (_, value) = found.unwrap_or_else(|| panic!("{labels}\n{metrics}"));
            value.parse::<f64>().unwrap()
        };
        let instances = "bascule_provider_observed_instances";
        assert!(of(instances, ",health=\"unhealthy\"") > 0.9);
        assert!(of(instances, ",health=\"draining\"") < 0.1);
        assert!((of("bascule_provider_observed_cpu_ratio", "") - 0.25).abs() < 1e-9);
        let age = "bascule_provider_observed_age_seconds";
        assert!(of(age, ",what=\"health\"") >= 300.0 && of(age, ",what=\"cpu_ratio\"") >= 420.0);
    });
}

#[test]
fn a_gauge_of_what_is_no_more_is_no_more() {
    with_site(async |site| {
        let recorder = site.world.registry.shared();
        metrics::with_local_recorder(&recorder, || {
            metrics::gauge!(names::FAIL_OPEN, "service" => "gone").set(1.0);
            metrics::gauge!(names::SHED_RATIO, "service" => "meet", "class" => "bulk").set(0.5);
        });
        let metrics = site.get(To::Metrics, "/metrics").await.text;
        assert!(metrics.contains("bascule_fail_open{service=\"meet\"} 0"));
        assert!(!metrics.contains("service=\"gone\""), "{metrics}");
        assert!(
            !metrics.contains("bascule_shed_ratio"),
            "it has no capacity"
        );
    });
}

/// Whether two lines of the exposition are the same, whatever the order of labels.
fn same_series(a: &str, b: &str) -> bool {
    let parts = |line: &str| {
        let mut parts: Vec<String> = line
            .split(['{', '}', ',', ' '])
            .map(str::to_owned)
            .collect();
        parts.sort();
        parts
    };
    parts(a) == parts(b)
}

#[test]
fn what_still_runs_on_a_drained_target_is_told_with_what_waits_for_it() {
    with_site(async |site| {
        let status = site.get(To::Tcp, "/v1/status").await.json();
        let aws = &status["services"][0]["backends"][0];
        assert_eq!(aws["leaving"], json!(null), "it takes its part");
        site.world.drain_backend("meet", "oci");
        site.world.run("meet", "oci", 7, 2);
        let oci = site
            .get(To::Tcp, "/v1/services/meet/backends/oci")
            .await
            .json();
        assert_eq!(oci["leaving"]["running"], 9);
        assert_eq!(oci["pending"], 2);
        // Nothing has ended yet, so how long it takes cannot be told.
        assert_eq!(oci["leaving"]["eta_seconds"], json!(null));
        assert_eq!(oci["endpoints"][0]["in_flight"], 7);
        site.world.run("meet", "oci", 0, 0);
        let oci = site
            .get(To::Tcp, "/v1/services/meet/backends/oci")
            .await
            .json();
        assert_eq!(oci["leaving"], json!({"running": 0, "eta_seconds": 0.0}));
    });
}

#[test]
fn a_request_is_explained_to_whoever_may_look_and_spends_nothing() {
    with_site(async |site| {
        site.world.break_endpoints("oci", 2);
        let ask = async |query: &str| {
            let path = format!("/v1/explain/request?{query}");
            site.get(To::Tcp, &path).await
        };
        let url = "url=http%3A%2F%2Fmeet.example.org%3A8080%2Froom%2F42";
        let explained = ask(url).await.json();
        assert_eq!(explained["service"], "meet");
        let shares: Vec<f64> = explained["candidates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|candidate| candidate["share"].as_f64().unwrap())
            .collect();
        assert!(
            (shares.iter().sum::<f64>() - 100.0).abs() < 1e-9,
            "{shares:?}"
        );
        assert_eq!(explained["pick"]["why"], "weight");
        assert_eq!(explained["attempts"]["idempotent"], true);
        assert_eq!(ask(url).await.json(), explained, "asking changes nothing");

        let other = ask(&format!("{url}&method=POST&host=else.example.org"))
            .await
            .json();
        assert_eq!(other["host"], "else.example.org");
        assert_eq!(ask("url=%2Froom").await.status, 400);
        assert_eq!(ask(&format!("{url}&listener=wbe")).await.status, 400);
        assert_eq!(ask(&format!("{url}&hsot=a")).await.status, 400);
    });
}

#[test]
fn what_workers_suspect_and_where_a_request_belongs_is_part_of_its_explanation() {
    with_site(async |site| {
        let ask = async |query: &str| {
            let url = "url=http%3A%2F%2Fmeet.example.org%2Froom";
            let path = format!("/v1/explain/request?{url}{query}");
            site.get(To::Tcp, &path).await
        };
        let plain = ask("").await.json();
        assert_eq!(
            (&plain["affinity"], &plain["key"]),
            (&json!(null), &json!(null))
        );
        let backends = plain["candidates"].as_array().unwrap().len();
        let suspected = Sight {
            gates: vec![vec![Gate::Suspect; 8]; backends],
            ..Sight::default()
        };
        *site.world.edge.sight.lock().unwrap() = suspected;
        let told = ask("").await.json();
        let usable = |endpoint: &&Value| endpoint["gate"] != "unusable";
        let endpoints = told["candidates"][0]["endpoints"].as_array().unwrap();
        let gates: Vec<&Value> = endpoints
            .iter()
            .filter(usable)
            .map(|e| &e["gate"])
            .collect();
        assert!(
            !gates.is_empty() && gates.iter().all(|g| *g == "suspect"),
            "{told}"
        );
        assert_eq!(told["candidates"][0]["against"], "suspect");

        let trial = Sight {
            trial: Some((0, 1)),
            ..Sight::default()
        };
        *site.world.edge.sight.lock().unwrap() = trial;
        let told = ask("").await.json();
        assert_eq!(
            (&told["pick"]["why"], &told["pick"]["by"]),
            (&json!("trial"), &json!("trial"))
        );
        assert_eq!(
            told["pick"]["endpoint"],
            told["candidates"][0]["endpoints"][1]["name"]
        );

        *site.world.edge.sight.lock().unwrap() = Sight::default();
        site.world.eject_endpoints("oci", 1);
        let told = ask("&headers=Cookie%3A%20secret").await.json();
        let oci = told["candidates"].as_array().unwrap().iter();
        let oci = oci.clone().find(|c| c["backend"] == "oci").unwrap();
        let out = oci["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .find(|e| e["gate"] == "unusable");
        let out = out.unwrap();
        assert_eq!(out["state"], "ejected");
        let said = format!("{} ejected", out["name"].as_str().unwrap());
        assert!(told["text"].to_string().contains(&said), "{told}");
        assert!(
            !told.to_string().contains("secret"),
            "what a cookie says is not repeated"
        );

        assert_eq!(ask("&headers=Cookie%20secret").await.status, 400);
        assert_eq!(ask("&client=nowhere").await.status, 400);
        assert_eq!(ask("&client=2001:db8::1").await.status, 200);
    });
}
