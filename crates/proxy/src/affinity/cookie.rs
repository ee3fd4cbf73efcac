//! The cookie of one service as clients send and get it. It says whether one counts: of the form of ours, sealed by us for
//! this service, young enough. Which endpoint it means now is found in the view.

use std::time::Duration;

use bascule_telemetry::clock;
use bascule_traffic::hash;
use bascule_traffic::keys::Ignored;
use bascule_traffic::snapshot::Service;
use bascule_traffic::spec::{CookieSpec, SameSite};
use http::header::{self, HeaderMap, HeaderValue};

use super::sealer::{Sealer, Ticket};

/// Cookies of our name in one request that are looked at: a client has one for each path and domain at most, and ours are
/// all for `/`. More is somebody's trial.
const LOOKED_AT_MAX: usize = 4;
/// The longest a clock of another edge may be ahead of ours, in seconds.
const AHEAD_MAX: u64 = 60;

/// What a client gets with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Issue {
    /// No cookie.
    #[default]
    Nothing,
    /// One for the endpoint that answered.
    New {
        /// Whether it is for HTTPS alone.
        is_secure: bool,
    },
    /// The one it has, with new time: half of it is over.
    Renewed {
        /// Whether it is for HTTPS alone.
        is_secure: bool,
    },
}

/// What a cookie that counts says, in indexes of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// `None`: the service has no such backend.
    pub(super) backend: Option<usize>,
    /// `None`: the backend has no such endpoint.
    pub(super) endpoint: Option<usize>,
    /// Whether half of its time is over.
    pub(super) is_half_over: bool,
}

/// The cookie of one service.
#[derive(Debug)]
pub(super) struct Cookie {
    spec: CookieSpec,
    /// What it is sealed for.
    context: String,
    /// By backend: its name, and the hashes of its endpoints in the view's order.
    backends: Vec<(String, Vec<u64>)>,
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    clock::wall().as_millis() / 1000
}

impl Cookie {
    pub(super) fn new(service: &Service, spec: &CookieSpec) -> Self {
        let backends = service.backends.iter().map(|backend| {
            let endpoints = backend.endpoints.iter().map(|e| hash::of_endpoint(&e.id));
            (backend.name.to_string(), endpoints.collect())
        });
        Self {
            context: format!("{}/{}", service.name(), spec.name),
            spec: spec.clone(),
            backends: backends.collect(),
        }
    }

    /// What a client's cookie says: the first that counts. And why one was ignored, if one was: the first of those.
    pub(super) fn find(
        &self,
        sealer: &Sealer,
        headers: &HeaderMap,
        now: u64,
        ttl: Duration,
    ) -> (Option<Said>, Option<Ignored>) {
        let lines = headers.get_all(header::COOKIE).iter();
        let crumbs = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
        let own = crumbs.filter_map(|crumb| value_of(crumb, self.spec.name.as_bytes()));
        let (mut first, mut ignored) = (None, None);
        for value in own.take(LOOKED_AT_MAX) {
            match self.read(sealer, value, now, ttl) {
                Ok(said) => first = first.or(Some(said)),
                Err(why) => ignored = ignored.or(Some(why)),
            }
        }
        (first, ignored)
    }

    fn read(
        &self,
        sealer: &Sealer,
        value: &[u8],
        now: u64,
        ttl: Duration,
    ) -> Result<Said, Ignored> {
        let opened = sealer.open(&self.context, value)?;
        let ticket = opened.ticket().ok_or(Ignored::Malformed)?;
        let age = now.saturating_sub(ticket.at);
        if age >= ttl.as_secs() || ticket.at > now.saturating_add(AHEAD_MAX) {
            return Err(Ignored::Expired);
        }
        let mut backends = self.backends.iter().enumerate();
        let backend = backends.find(|(_, (name, _))| name == ticket.backend);
        let endpoint = |endpoints: &[u64]| endpoints.iter().position(|e| *e == ticket.endpoint);
        Ok(Said {
            backend: backend.map(|(at, _)| at),
            endpoint: backend.and_then(|(_, (_, endpoints))| endpoint(endpoints)),
            is_half_over: age.saturating_mul(2) >= ttl.as_secs(),
        })
    }

    /// The value of `Set-Cookie`; `None` where there is no randomness to seal one with.
    pub(super) fn value(
        &self,
        sealer: &Sealer,
        ticket: Ticket<'_>,
        ttl: Duration,
        is_secure: bool,
    ) -> Option<HeaderValue> {
        let (name, value) = (&self.spec.name, sealer.seal(&self.context, ticket)?);
        let same_site = match self.spec.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        };
        // Browsers take one for all sites only with it.
        let needs_secure = self.spec.same_site == SameSite::None;
        let secure = if is_secure || needs_secure {
            "; Secure"
        } else {
            ""
        };
        let age = ttl.as_secs();
        let text = format!(
            "{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite={same_site}{secure}"
        );
        HeaderValue::try_from(text).ok()
    }
}

/// The value, where this is the cookie of this name.
fn value_of<'a>(crumb: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let value = crumb.trim_ascii().strip_prefix(name)?.strip_prefix(b"=")?;
    // Some clients quote what they were not given quoted.
    let bare = value
        .strip_prefix(b"\"")
        .and_then(|v| v.strip_suffix(b"\""));
    Some(bare.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let of = |crumb: &str| value_of(crumb.as_bytes(), b"s").map(<[u8]>::to_vec);
        assert_eq!(of(" s=1"), Some(b"1".to_vec()));
        assert_eq!(of("s=\"1\""), Some(b"1".to_vec()));
        assert_eq!(of("s="), Some(Vec::new()));
        for other in ["ss=1", "S=1", "s", "x=s=1", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
