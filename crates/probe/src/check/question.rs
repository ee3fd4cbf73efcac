//! Where a check goes, and what it asks over HTTP. `config` has checked paths and hosts; should one be unusable after all,
//! no answer can be had, and the check fails.

use std::net::SocketAddr;

use bascule_health::{CheckFailure, CheckPolicy, StatusRange};
use bascule_model::EndpointId;
use http::header::{HOST, HeaderValue, USER_AGENT};
use http::uri::{Authority, PathAndQuery, Uri};

use super::{AGENT, is_over_tls};

/// Where a check goes.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) address: SocketAddr,
    pub(super) host: Option<&'a str>,
    pub(super) tls: bool,
}

impl<'a> Place<'a> {
    pub(super) fn of(id: &'a EndpointId, policy: &CheckPolicy) -> Self {
        let mut address = id.address;
        if let Some(port) = policy.port {
            address.set_port(port);
        }
        Self {
            address,
            host: id.server_name(),
            tls: is_over_tls(id, policy),
        }
    }

    /// The host given, or else name or address of the endpoint, with the port unless it is the scheme's own.
    pub(super) fn authority(&self, host: Option<&str>) -> Result<Authority, CheckFailure> {
        let own = || self.own_authority();
        let host = host.map_or_else(own, str::to_owned);
        host.parse().map_err(|_| CheckFailure::Protocol)
    }

    pub(super) fn own_authority(&self) -> String {
        let port = self.address.port();
        let own_port = port == if self.tls { 443 } else { 80 };
        match (self.host, self.address) {
            (Some(host), _) if own_port => host.to_owned(),
            (Some(host), _) => format!("{host}:{port}"),
            (None, SocketAddr::V4(address)) if own_port => address.ip().to_string(),
            (None, SocketAddr::V6(address)) if own_port => format!("[{}]", address.ip()),
            (None, address) => address.to_string(),
        }
    }
}

/// What is asked, and which answers pass.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) tls: bool,
    pub(super) authority: Authority,
    pub(super) path: PathAndQuery,
    pub(super) text: Option<&'a str>,
    expect: &'a [StatusRange],
}

impl<'a> Question<'a> {
    pub(super) fn new(
        place: &Place<'_>,
        path: &str,
        host: Option<&str>,
        expect: &'a [StatusRange],
        text: Option<&'a str>,
    ) -> Result<Self, CheckFailure> {
        Ok(Self {
            tls: place.tls,
            authority: place.authority(host)?,
            path: path.parse().map_err(|_| CheckFailure::Protocol)?,
            text,
            expect,
        })
    }

    /// The request with its target in the given form.
    pub(super) fn request<B>(&self, target: Uri, body: B) -> http::Request<B> {
        let mut request = http::Request::new(body);
        *request.uri_mut() = target;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Ok(host) = HeaderValue::from_str(self.authority.as_str()) {
            headers.insert(HOST, host);
        }
        request
    }

    pub(super) fn judge(&self, status: http::StatusCode) -> Result<(), CheckFailure> {
        let status = status.as_u16();
        if self.expect.iter().any(|range| range.contains(status)) {
            Ok(())
        } else {
            Err(CheckFailure::Status { status })
        }
    }
}
