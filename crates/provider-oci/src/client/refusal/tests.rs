//! What each refusal becomes.

use http::HeaderMap;

use super::*;
use crate::client::operation::UPDATE_BACKEND_SET;

const NOW: Timestamp = Timestamp::from_millis(784_111_777_000);

fn refused(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> Error {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.insert(*name, value.parse().unwrap());
    }
    let answer = Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: map,
        body: body.into(),
    };
    let ask = Ask::new(&UPDATE_BACKEND_SET, "ocid1.lb/web", "/");
    let (who, now) = (Who::Group, NOW);
    error(&ask, &answer, Context { who, now })
}

#[test]
fn a_thing_that_may_not_be_seen_is_denied_with_the_policy_that_allows_it() {
    let body = r#"{"code":"NotAuthorizedOrNotFound","message":"Authorization failed"}"#;
    let error = refused(404, &[("opc-request-id", "A/B/C")], body);
    assert_eq!(error.kind, Kind::Denied);
    insta::assert_snapshot!(error.to_string(), @"UpdateBackendSet of ocid1.lb/web: denied: 404 NotAuthorizedOrNotFound: Authorization failed; if ocid1.lb/web is right and in this region: add the policy `Allow group GROUP to use load-balancers in compartment COMPARTMENT` (request A/B/C)");
}

#[test]
fn a_clock_that_is_wrong_is_named_before_a_key_is_doubted() {
    let body = r#"{"code":"NotAuthenticated","message":"The required information…"}"#;
    let fix = |date| refused(401, &[("date", date)], body).about.fix.unwrap();
    let behind = fix("Sun, 06 Nov 1994 08:56:17 GMT");
    assert!(behind.contains("clock is 400 s behind OCI's"), "{behind}");
    let ahead = fix("Sun, 06 Nov 1994 08:42:57 GMT");
    assert!(ahead.contains("clock is 400 s ahead of OCI's"), "{ahead}");
    let right = fix("Sun, 06 Nov 1994 08:49:00 GMT");
    assert!(right.contains("fingerprint"), "{right}");
}

#[test]
fn kinds_are_told_by_status_and_code() {
    let said = r#"{"code":"X","message":"y"}"#;
    let kind = |status, body| refused(status, &[], body).kind;
    let throttled = |retry_after| Kind::Throttled { retry_after };
    assert_eq!(kind(400, said), Kind::Invalid);
    assert_eq!(kind(401, said), Kind::Denied);
    assert_eq!(kind(403, said), Kind::Denied);
    assert_eq!(kind(404, said), Kind::Invalid);
    assert_eq!(kind(409, said), Kind::Conflict);
    assert_eq!(kind(412, said), Kind::Conflict);
    assert_eq!(kind(429, said), throttled(None));
    assert_eq!(kind(500, said), Kind::Transient);
    assert_eq!(kind(503, "<html>"), Kind::Transient);
    assert_eq!(kind(404, "<html>"), Kind::Invalid);
    assert_eq!(kind(403, "<html>"), Kind::Invalid);
    assert_eq!(kind(302, ""), Kind::Invalid);
    let after = |value| refused(429, &[("retry-after", value)], said).kind;
    assert_eq!(after("7"), throttled(Some(Duration::from_secs(7))));
    let date = "Sun, 06 Nov 1994 08:50:37 GMT";
    assert_eq!(after(date), throttled(Some(Duration::from_secs(60))));
}

#[test]
fn what_is_no_answer_of_the_api_is_said_to_be_none_and_not_shown() {
    let html = [("content-type", "text/html")];
    let error = refused(403, &html, "<html>\u{1b}[31mblocked</html>").to_string();
    assert!(
        error.contains("answered 403 with 25 bytes of text/html"),
        "{error}"
    );
    assert!(!error.contains("blocked"), "{error}");
    let error = refused(400, &[], r#"{"code":"A","message":"one\ntwo"}"#).to_string();
    assert!(error.contains("400 A: one two"), "{error}");
}
