//! What holds for every route, walked through the OpenAPI document: nobody changes anything without the right to, or
//! without having looked; no GET changes anything.

use serde_json::Value;

use crate::client::{To, mutation, with_site};

/// Every path and method of the document, with example values in place of parameters.
fn operations() -> Vec<(String, String)> {
    let document = serde_json::to_value(bascule_admin::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let filled = [
            ("{service}", "meet"),
            ("{backend}", "oci"),
            ("{endpoint}", "10.2.4.10:8080"),
            ("{provider}", "aws"),
            ("{id}", "s-0007"),
            ("{revision}", "41"),
        ]
        .iter()
        .fold(path.clone(), |path, (name, value)| {
            path.replace(name, value)
        });
        let filled = match filled.as_str() {
            "/v1/explain/request" => format!("{filled}?url=http://meet.example.org/"),
            _ => filled,
        };
        for method in item.as_object().unwrap().keys() {
            all.push((method.to_uppercase(), filled.clone()));
        }
    }
    assert!(all.len() > 30, "{all:?}");
    all
}

#[test]
fn the_document_is_as_it_was() {
    insta::assert_json_snapshot!("openapi", bascule_admin::openapi());
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = serde_json::to_value(bascule_admin::openapi()).unwrap();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut names = Vec::new();
    references(&document, &mut names);
    assert!(names.len() > 50);
    for name in names {
        assert!(schemas.contains_key(&name), "{name} is not in the document");
    }
}

fn references(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(to)) = map.get("$ref") {
                names.extend(to.strip_prefix("#/components/schemas/").map(str::to_owned));
            }
            map.values().for_each(|v| references(v, names));
        }
        Value::Array(list) => list.iter().for_each(|v| references(v, names)),
        _ => {}
    }
}

#[test]
fn every_mutating_route_refuses_whoever_may_not() {
    with_site(async |site| {
        for (method, path) in operations().into_iter().filter(|(m, _)| m != "GET") {
            let answer = site.change(To::Tcp, &method, &path, "{}").await;
            assert_eq!(
                answer.refusal(),
                (401, "E0601".to_owned()),
                "{method} {path}"
            );
            assert_eq!(answer.header("www-authenticate"), "Bearer");
            let answer = site
                .change(To::As("viewer-secret"), &method, &path, "{}")
                .await;
            assert_eq!(
                answer.refusal(),
                (403, "E0602".to_owned()),
                "{method} {path}"
            );
            let answer = site.change(To::As("guess"), &method, &path, "{}").await;
            assert_eq!(
                answer.refusal(),
                (401, "E0601".to_owned()),
                "{method} {path}"
            );
        }
        assert!(site.world.control.asked.lock().unwrap().is_empty());
        assert!(site.world.config.applied.lock().unwrap().is_empty());
    });
}

#[test]
fn every_mutating_route_needs_if_match() {
    with_site(async |site| {
        for (method, path) in operations().into_iter().filter(|(m, _)| m != "GET") {
            let request = http::Request::builder().method(&*method).uri(&path);
            let answer = site.send(To::Socket, request, "").await;
            if path == "/v1/config/validate" {
                assert_eq!(answer.status, 422, "a text is missing, nothing else");
                continue;
            }
            assert_eq!(
                answer.refusal(),
                (428, "E0604".to_owned()),
                "{method} {path}"
            );
        }
        assert!(site.world.control.asked.lock().unwrap().is_empty());
    });
}

#[test]
fn no_get_changes_anything() {
    with_site(async |site| {
        for (_, path) in operations().into_iter().filter(|(m, _)| m == "GET") {
            let request = http::Request::get(&path);
            let answer = site.open_answer(To::Socket, request, "").await;
            let status = answer.status().as_u16();
            assert!(matches!(status, 200 | 404), "{path}: {status}");
        }
        assert!(site.world.control.asked.lock().unwrap().is_empty());
        assert!(site.world.config.applied.lock().unwrap().is_empty());
        assert_eq!(site.world.control.state.load().revision.0, 41);
    });
}

#[test]
fn a_misspelt_dry_run_is_refused_not_ignored() {
    with_site(async |site| {
        for query in ["dryrun=true", "dry_run=yes", "dry_run=true&x=1", "pace=now"] {
            let path = format!("/v1/services/meet/weights?{query}");
            let answer = site
                .change(To::Socket, "PUT", &path, r#"{"shares":{"aws":50}}"#)
                .await;
            assert_eq!(answer.refusal(), (400, "E0606".to_owned()), "{query}");
        }
        assert!(site.world.control.asked.lock().unwrap().is_empty());
    });
}

#[test]
fn foreign_hosts_and_origins_are_refused_on_tcp() {
    with_site(async |site| {
        for (name, value) in [
            ("host", "evil.example"),
            ("origin", "http://evil.example"),
            ("origin", "null"),
        ] {
            let request = http::Request::get("/v1/status").header(name, value);
            let answer = site.send(To::Tcp, request, "").await;
            assert_eq!(
                answer.refusal(),
                (403, "E0603".to_owned()),
                "{name} {value}"
            );
        }
        let request = http::Request::get("/v1/status").header("host", "whatever");
        assert_eq!(site.send(To::Socket, request, "").await.status, 200);
    });
}

#[test]
fn what_is_not_there_is_a_problem_too() {
    with_site(async |site| {
        let answer = site.get(To::Tcp, "/v1/nothing").await;
        assert_eq!(answer.refusal(), (404, "E0609".to_owned()));
        let answer = site
            .send(To::Socket, mutation("DELETE", "/v1/status", "*"), "")
            .await;
        assert_eq!(answer.refusal(), (405, "E0610".to_owned()));
    });
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    with_site(async |site| {
        let text = "x".repeat(1024 * 1024 + 1);
        let answer = site.change(To::Socket, "PUT", "/v1/config", &text).await;
        assert_eq!(answer.refusal(), (413, "E0608".to_owned()));
    });
}
