//! The key of a request, where its service follows one: to a backend (`affinity`) or to an endpoint (`balance.hash`). Read from
//! the head before it is forwarded. Here is where in a request it is; `traffic::keys::source` says what is one. What cannot
//! be a key is ignored, which whoever looks for one counts: the request is handled as one without.

use bascule_traffic::hash::Key;
use bascule_traffic::keys::source;
use bascule_traffic::spec::{KeySource, ServiceSpec};
use http::HeaderValue;
use http::header::{HeaderMap, HeaderName};
use http::uri::PathAndQuery;

use crate::http::origin::Peer;

/// Reads the keys of a service's requests.
#[derive(Debug)]
pub(crate) struct Keys(Place);

/// Where in a request the key is.
#[derive(Debug)]
enum Place {
    Header(HeaderName),
    Query(String),
    PathSegment(usize),
    SourceIp,
    Sni,
}

impl Keys {
    /// `None` for the name of a header that cannot be one, which no configuration that was loaded has.
    pub(crate) fn new(source: &KeySource) -> Option<Self> {
        Some(Self(match source {
            KeySource::Header(name) => Place::Header(HeaderName::try_from(name.as_str()).ok()?),
            KeySource::Query(name) => Place::Query(name.clone()),
            KeySource::PathSegment(number) => Place::PathSegment(usize::from(*number)),
            KeySource::SourceIp => Place::SourceIp,
            KeySource::Sni => Place::Sni,
        }))
    }

    /// Those that a service's endpoints are chosen by. `None` where none are, or where they are those that keep requests
    /// together: one that has such a key goes by it.
    pub(crate) fn of_balance(spec: &ServiceSpec) -> Option<Self> {
        let source = spec.balance.hash.as_ref()?;
        let affinity = spec.affinity.as_ref().and_then(|a| a.by.key());
        if affinity == Some(source) {
            return None;
        }
        Self::new(source)
    }

    /// The key of a request.
    pub(crate) fn find(
        &self,
        headers: &HeaderMap,
        path: &PathAndQuery,
        peer: Peer<'_>,
    ) -> source::Found {
        match &self.0 {
            Place::Header(name) => {
                let values = headers.get_all(name).iter();
                source::field(values.map(HeaderValue::as_bytes))
            }
            Place::Query(name) => match path.query() {
                Some(query) => source::query(query, name),
                None => Ok(None),
            },
            Place::PathSegment(number) => source::path_segment(path.path(), *number),
            Place::SourceIp => Ok(Some(Key::of_ip(peer.client_ip(headers)))),
            Place::Sni => Ok(peer.server_name.map(source::server_name)),
        }
    }
}
