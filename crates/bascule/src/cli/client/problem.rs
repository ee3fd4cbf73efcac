//! Refusals of the admin API as errors of the command line: the exit code, the numbers, and the way out. The document's
//! own words are kept; nothing is guessed from them.

use bascule_admin::Code;
use bascule_admin::api::{FieldError, Problem};
use http::StatusCode;
use serde_json::Value;

use super::Reply;
use crate::cli::exit::{CliError, Exit};

/// The error that a refusal means.
pub(crate) fn refused(reply: &Reply) -> CliError {
    let Ok(problem) = serde_json::from_slice::<Problem>(&reply.body) else {
        let text = String::from_utf8_lossy(&reply.body);
        let first = text.lines().next().unwrap_or_default();
        let message = format!("the admin API answered {}: {first}", reply.status);
        return CliError::new(exit_of(reply.status, None), message);
    };
    let mut error = CliError::new(exit_of(reply.status, Some(&problem)), message(&problem));
    for place in &problem.errors {
        // The document often says at a place what it says as a whole: once is enough.
        if place.detail != problem.detail {
            error.details.push(detail(place));
        }
        error.help.extend(help(place, &error.message));
        if !place.accepted.is_empty() {
            error
                .help
                .push(format!("there is: {}", place.accepted.join(", ")));
        }
    }
    match error.exit {
        Exit::NotPermitted => error
            .help
            .push("use the admin socket, or give a token with --token-file".to_owned()),
        _ if problem.code == Code::Sum.as_str() => error.help.push(
            "give shares that add up to 100, or leave a backend out: those not named share the rest".to_owned(),
        ),
        _ if problem.code == Code::ReasonRequired.as_str() => {
            error.help.push("add --reason \"…\"".to_owned())
        }
        _ if reply.status == StatusCode::PRECONDITION_FAILED => error
            .help
            .push("look at it again: bascule status".to_owned()),
        _ => {}
    }
    error.problem = Some(Box::new(problem));
    error
}

/// Several rails are told by number: each has its own line.
fn message(problem: &Problem) -> String {
    let rails = problem
        .errors
        .iter()
        .filter(|place| place.rule.is_some())
        .count();
    match (rails, problem.detail.is_empty()) {
        (1, _) => "refused by 1 safety rule, nothing changed".to_owned(),
        (2.., _) => format!("refused by {rails} safety rules, nothing changed"),
        (_, false) => problem.detail.clone(),
        (_, true) => problem.title.clone(),
    }
}

/// The exit code of a problem: that of its code, or, for a code of another version, of its status.
fn exit_of(status: StatusCode, problem: Option<&Problem>) -> Exit {
    let code =
        problem.and_then(|problem| Code::ALL.iter().find(|code| code.as_str() == problem.code));
    if let Some(code) = code {
        return exit_of_code(*code);
    }
    match status.as_u16() {
        409 if problem.is_some_and(|problem| problem.rule.is_some()) => Exit::Refused,
        400 | 404 | 422 => Exit::Usage,
        401 | 403 => Exit::NotPermitted,
        409 | 412 | 428 => Exit::Conflict,
        429 | 502..=504 => Exit::Unreachable,
        _ => Exit::Failed,
    }
}

/// The exit code of a code.
pub(crate) const fn exit_of_code(code: Code) -> Exit {
    match code {
        Code::Unauthenticated | Code::NotPermitted | Code::WrongHost => Exit::NotPermitted,
        Code::PreconditionRequired | Code::Stale | Code::Busy | Code::WrongPhase => Exit::Conflict,
        Code::Rails => Exit::Refused,
        Code::InvalidConfig => Exit::ConfigInvalid,
        Code::Unavailable | Code::TooManyClients => Exit::Unreachable,
        Code::BadRequest
        | Code::BadBody
        | Code::UnknownService
        | Code::UnknownBackend
        | Code::UnknownProvider
        | Code::UnknownEndpoint
        | Code::NotFound
        | Code::Sum
        | Code::AllOff
        | Code::TooLong
        | Code::ReasonRequired
        | Code::BadField => Exit::Usage,
        Code::BodyTooLarge
        | Code::NoRoute
        | Code::NoMethod
        | Code::WrongMediaType
        | Code::Store => Exit::Failed,
    }
}

/// `max_step  65 points in one change, limit 20   most that passes: aws=50 oci=50`.
fn detail(place: &FieldError) -> String {
    let mut line = match &place.rule {
        Some(rule) => format!("{rule}  {}", place.detail),
        None => place.detail.clone(),
    };
    if let Some(row) = &place.nearest {
        line.push_str(&format!(
            "   most that passes: {}",
            crate::cli::text::assignments(row)
        ));
    }
    line
}

/// What to write instead, unless the message says it already.
fn help(place: &FieldError, message: &str) -> Option<String> {
    match &place.suggestion {
        Some(Value::String(name)) if message.contains(&format!("`{name}`?")) => None,
        Some(Value::String(name)) => Some(format!("did you mean `{name}`?")),
        Some(Value::Number(number)) if place.rule.is_none() => Some(format!("{number} passes")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reply(status: u16, body: &Value) -> Reply {
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            body: body.to_string().into(),
        }
    }

    fn problem(status: u16, detail: &str, errors: &Value) -> Reply {
        let rule = errors.pointer("/0/rule").cloned().unwrap_or(Value::Null);
        reply(
            status,
            &json!({
                "type": "urn:bascule:error:E06XX", "title": "Refused", "status": status, "detail": detail,
                "code": "E06XX", "rule": rule, "errors": errors, "revision": 1841, "retryable": false,
            }),
        )
    }

    #[test]
    fn a_broken_rail_is_told_with_numbers_and_the_nearest_row() {
        let errors = json!([
            {"pointer": "/shares/oci", "detail": "65 points in one change, limit 20", "rule": "max_step",
             "suggestion": 50, "nearest": {"aws": 50, "oci": 50}},
            {"pointer": "", "detail": "1 provider would be left, limit 2", "rule": "min_providers"},
        ]);
        insta::assert_snapshot!(refused(&problem(409, "refused by 2 safety rules", &errors)).to_string(), @r"
        refused by 2 safety rules, nothing changed
          max_step  65 points in one change, limit 20   most that passes: aws=50 oci=50
          min_providers  1 provider would be left, limit 2
        ");
    }

    #[test]
    fn a_wrong_name_is_told_with_the_one_meant() {
        let detail = "there is no backend of `meet` `ocl`; did you mean `oci`?";
        let errors = json!([{"pointer": "/shares/ocl", "detail": detail, "suggestion": "oci", "accepted": ["aws", "oci"]}]);
        let error = refused(&problem(422, detail, &errors));
        assert_eq!(error.exit, Exit::Usage);
        insta::assert_snapshot!(error.to_string(), @r"
        there is no backend of `meet` `ocl`; did you mean `oci`?
          → there is: aws, oci
        ");
    }

    #[test]
    fn a_code_that_is_not_known_here_exits_by_its_status() {
        let none = json!([]);
        let rail = json!([{"pointer": "", "detail": "x", "rule": "bounds"}]);
        for (status, errors, exit) in [
            (400, &none, Exit::Usage),
            (401, &none, Exit::NotPermitted),
            (403, &none, Exit::NotPermitted),
            (404, &none, Exit::Usage),
            (409, &none, Exit::Conflict),
            (409, &rail, Exit::Refused),
            (412, &none, Exit::Conflict),
            (428, &none, Exit::Conflict),
            (500, &none, Exit::Failed),
            (503, &none, Exit::Unreachable),
        ] {
            assert_eq!(
                refused(&problem(status, "d", errors)).exit,
                exit,
                "{status}"
            );
        }
    }

    #[test]
    fn an_answer_that_is_no_problem_document_is_still_told() {
        let reply = Reply {
            status: StatusCode::BAD_GATEWAY,
            body: "<html>\nmore".into(),
        };
        assert_eq!(
            refused(&reply).to_string(),
            "the admin API answered 502 Bad Gateway: <html>"
        );
        assert_eq!(refused(&reply).exit, Exit::Unreachable);
    }
}
