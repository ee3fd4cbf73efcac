//! One call before it is signed: AWS's three ways of asking (a form, JSON, a path) in one shape. The name of a call is that
//! of the permission it needs (`ec2:DescribeInstances`), so that a refusal can name it. Nothing here acts; `sign` and `send`
//! come next.

use bascule_provider::text::encoded;
use serde_json::Value;

use crate::service::Service;

/// A call that is to be signed and sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// Whom it asks.
    pub(crate) service: Service,
    /// Its name, which is that of the permission: `route53:GetChange`.
    pub(crate) call: &'static str,
    /// What it is about, for errors.
    pub(crate) resource: String,
    /// `GET` or `POST`.
    pub(crate) method: &'static str,
    /// Path and query.
    pub(crate) path: String,
    /// What is sent beside what the signature adds.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// The body; empty for a `GET`.
    pub(crate) body: String,
}

impl Request {
    /// A call of the query protocol: a form whose answer is XML.
    pub(crate) fn query(
        service: Service,
        call: &'static str,
        resource: &str,
        parameters: &[(String, String)],
    ) -> Self {
        let mut body = format!("Action={}&Version={}", action(call), service.version());
        for (name, value) in parameters {
            body.push('&');
            body.push_str(&encoded(name));
            body.push('=');
            body.push_str(&encoded(value));
        }
        let form = "application/x-www-form-urlencoded; charset=utf-8";
        Self {
            headers: vec![("content-type", form.to_owned())],
            body,
            ..Self::bare(service, call, resource, "POST", "/".to_owned())
        }
    }

    /// A call of the JSON protocol; `prefix` stands before its name in the header that says which call it is.
    pub(crate) fn json(
        service: Service,
        call: &'static str,
        resource: &str,
        prefix: &str,
        body: &Value,
    ) -> Self {
        Self {
            headers: vec![
                ("content-type", "application/x-amz-json-1.1".to_owned()),
                ("x-amz-target", format!("{prefix}.{}", action(call))),
            ],
            body: body.to_string(),
            ..Self::bare(service, call, resource, "POST", "/".to_owned())
        }
    }

    /// A call of the REST protocol without a body.
    pub(crate) fn get(service: Service, call: &'static str, resource: &str, path: String) -> Self {
        Self::bare(service, call, resource, "GET", path)
    }

    /// A call of the REST protocol with XML.
    pub(crate) fn post_xml(
        service: Service,
        call: &'static str,
        resource: &str,
        path: String,
        body: String,
    ) -> Self {
        Self {
            headers: vec![("content-type", "text/xml".to_owned())],
            body,
            ..Self::bare(service, call, resource, "POST", path)
        }
    }

    fn bare(
        service: Service,
        call: &'static str,
        resource: &str,
        method: &'static str,
        path: String,
    ) -> Self {
        Self {
            service,
            call,
            resource: resource.to_owned(),
            method,
            path,
            headers: Vec::new(),
            body: String::new(),
        }
    }
}

/// A parameter of a form.
pub(crate) fn parameter(name: impl Into<String>, value: impl Into<String>) -> (String, String) {
    (name.into(), value.into())
}

/// The call without its service.
fn action(call: &'static str) -> &'static str {
    call.split_once(':').map_or(call, |(_, action)| action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_names_the_call_its_version_and_its_parameters_in_order() {
        let parameters = [
            parameter("InstanceId.1", "i-1"),
            parameter("Filter", "a b/ä"),
        ];
        let request = Request::query(Service::Ec2, "ec2:DescribeInstances", "i-1", &parameters);
        assert_eq!(
            request.body,
            "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-1&Filter=a%20b%2F%C3%A4"
        );
    }
}
