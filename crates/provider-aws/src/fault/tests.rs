//! Answers as AWS gives them, and what each is judged to be.

use super::*;
use crate::service::Service;

/// 2026-11-24T12:00:00Z.
const NOW: Timestamp = Timestamp::from_millis(1_795_521_600_000);

fn head(status: u16) -> Head {
    Head {
        status,
        date: Some("Tue, 24 Nov 2026 12:00:30 GMT".to_owned()),
        ..Head::default()
    }
}

fn judge(head: &Head, body: &str) -> Error {
    let resource = "arn:aws:route53:::hostedzone/Z1";
    let call = "route53:ChangeResourceRecordSets";
    let request = Request::get(Service::Route53, call, resource, "/".to_owned());
    judged(&request, head, Bytes::copy_from_slice(body.as_bytes()), NOW).unwrap_err()
}

fn coded(code: &str) -> String {
    format!(
        "<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error><RequestId>r-1</RequestId></ErrorResponse>"
    )
}

#[test]
fn each_code_has_its_kind() {
    let throttled = Kind::Throttled { retry_after: None };
    for (status, code, kind) in [
        (400, "Throttling", throttled),
        (503, "RequestLimitExceeded", throttled),
        (400, "PriorRequestNotComplete", Kind::Conflict),
        (400, "InvalidInstanceID.NotFound", Kind::Conflict),
        (403, "AccessDenied", Kind::Denied),
        (403, "UnauthorizedOperation", Kind::Denied),
        (403, "ExpiredToken", Kind::Denied),
        (400, "RequestExpired", Kind::Denied),
        (403, "SomethingNew", Kind::Denied),
        (404, "NoSuchHostedZone", Kind::Invalid),
        (400, "InvalidInput", Kind::Invalid),
        (400, "LimitExceededException", Kind::Invalid),
        (500, "InternalFailure", Kind::Transient),
        (503, "ServiceUnavailable", Kind::Transient),
        (400, "RequestTimeout", Kind::Transient),
    ] {
        let error = judge(&head(status), &coded(code));
        assert_eq!(error.kind, kind, "{code}");
        assert_eq!(error.about.request_id.as_deref(), Some("r-1"));
        assert!(error.about.detail.contains(code), "{error}");
    }
}

#[test]
fn a_missing_permission_is_named_with_what_it_is_for() {
    let error = judge(&head(403), &coded("AccessDenied"));
    assert_eq!(
        error.to_string(),
        "route53:ChangeResourceRecordSets of arn:aws:route53:::hostedzone/Z1: denied: 403 AccessDenied: m; allow \
         route53:ChangeResourceRecordSets on arn:aws:route53:::hostedzone/Z1 in the IAM policy of this identity (request r-1)"
    );
}

#[test]
fn a_signature_that_does_not_match_is_a_wrong_clock_only_when_the_clock_is_wrong() {
    let near = judge(&head(403), &coded("SignatureDoesNotMatch"));
    assert!(near.to_string().contains("AWS_SECRET_ACCESS_KEY"), "{near}");
    for (date, says) in [
        (
            "Tue, 24 Nov 2026 12:10:00 GMT",
            "clock is 600 s behind AWS's",
        ),
        (
            "Tue, 24 Nov 2026 11:55:00 GMT",
            "clock is 300 s ahead of AWS's",
        ),
    ] {
        let far = Head {
            date: Some(date.to_owned()),
            ..head(403)
        };
        let error = judge(&far, &coded("SignatureDoesNotMatch"));
        assert_eq!(error.kind, Kind::Denied);
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn what_aws_repeats_of_a_signed_request_is_not_shown() {
    for between in ["\n\n", " "] {
        let body = format!(
            "<ErrorResponse><Error><Code>SignatureDoesNotMatch</Code><Message>It does not match.{between}The Canonical String \
             for this request should have been\n'POST\n/\n\nx-amz-security-token:the-token\n'</Message></Error></ErrorResponse>"
        );
        let error = judge(&head(403), &body);
        assert_eq!(
            error.about.detail,
            "403 SignatureDoesNotMatch: It does not match."
        );
        assert!(!format!("{error:?}").contains("the-token"), "{error:?}");
    }
    let long = coded("AccessDenied").replace(">m<", &format!(">{}<", "é".repeat(100_000)));
    assert!(judge(&head(403), &long).to_string().chars().count() < 1_000);
}

#[test]
fn the_ways_of_ec2_route_53_and_json_to_say_an_error_are_all_read() {
    let ec2 = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>m</Message></Error></Errors><RequestID>r-2</RequestID></Response>";
    let error = judge(&head(403), ec2);
    assert_eq!(error.kind, Kind::Denied);
    assert_eq!(error.about.request_id.as_deref(), Some("r-2"));

    let batch = "<InvalidChangeBatch xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"><Messages><Message>one</Message><Message>two</Message></Messages></InvalidChangeBatch>";
    let error = judge(&head(400), batch);
    assert_eq!(error.kind, Kind::Invalid);
    assert_eq!(error.about.detail, "400 InvalidChangeBatch: one; two");

    let json = r#"{"__type":"com.amazonaws.x#ThrottlingException","message":"m"}"#;
    let late = Head {
        retry_after: Some("3".to_owned()),
        ..head(400)
    };
    let retry_after = Some(Duration::from_secs(3));
    assert_eq!(judge(&late, json).kind, Kind::Throttled { retry_after });
    let header = Head {
        error_type: Some("AccessDeniedException:http://internal.amazon.com/".to_owned()),
        ..head(400)
    };
    assert_eq!(judge(&header, "{}").kind, Kind::Denied);
}

#[test]
fn what_is_no_answer_of_the_api_is_judged_by_its_status_and_never_shown() {
    for (status, body, kind) in [
        (502, "<html>Bad Gateway</html>", Kind::Transient),
        (429, "", Kind::Throttled { retry_after: None }),
        (
            404,
            "<!DOCTYPE html><html>secret-page</html>",
            Kind::Invalid,
        ),
        (302, "{", Kind::Invalid),
    ] {
        let error = judge(&head(status), body);
        assert_eq!(error.kind, kind, "{status}");
        assert!(!error.to_string().contains("secret-page"), "{error}");
    }
}
