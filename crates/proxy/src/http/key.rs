//! The key of a request, where its service follows one: to a backend (`affinity`) or to an endpoint (`balance.hash`). Read from
//! the head before it is forwarded. Here is where in a request it is; `traffic::keys::source` says what is one. What cannot
//! be a key is counted and ignored: the request is handled as one without.

use bascule_model::ServiceName;
use bascule_telemetry::names;
use bascule_telemetry::recorder::CellRecorder;
use bascule_traffic::hash::Key;
use bascule_traffic::keys::{Ignored, source};
use bascule_traffic::spec::{KeySource, ServiceSpec};
use http::HeaderValue;
use http::header::{HeaderMap, HeaderName};

use crate::http::check::Asked;
use crate::http::client::Client;

/// Reads the keys of a service's requests.
#[derive(Debug)]
pub(crate) struct Keys {
    place: Place,
    ignored: IgnoredCount,
}

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
    pub(crate) fn new(source: &KeySource, ignored: IgnoredCount) -> Option<Self> {
        let place = match source {
            KeySource::Header(name) => Place::Header(HeaderName::try_from(name.as_str()).ok()?),
            KeySource::Query(name) => Place::Query(name.clone()),
            KeySource::PathSegment(number) => Place::PathSegment(usize::from(*number)),
            KeySource::SourceIp => Place::SourceIp,
            KeySource::Sni => Place::Sni,
        };
        Some(Self { place, ignored })
    }

    /// Those that a service's endpoints are chosen by. `None` where none are, or where they are those that keep requests
    /// together: one that has such a key goes by it.
    pub(crate) fn of_balance(spec: &ServiceSpec, recorder: &CellRecorder) -> Option<Self> {
        let source = spec.balance.hash.as_ref()?;
        let affinity = spec.affinity.as_ref().and_then(|a| a.by.key());
        if affinity == Some(source) {
            return None;
        }
        Self::new(source, IgnoredCount::new(&spec.name, recorder))
    }

    /// The key of a request.
    pub(crate) fn of(&self, headers: &HeaderMap, asked: &Asked, client: &Client) -> Option<Key> {
        match self.place.find(headers, asked, client) {
            Ok(key) => key,
            Err(why) => {
                self.ignored.add(why);
                None
            }
        }
    }
}

impl Place {
    fn find(&self, headers: &HeaderMap, asked: &Asked, client: &Client) -> source::Found {
        match self {
            Self::Header(name) => {
                let values = headers.get_all(name).iter();
                source::field(values.map(HeaderValue::as_bytes))
            }
            Self::Query(name) => match asked.path.query() {
                Some(query) => source::query(query, name),
                None => Ok(None),
            },
            Self::PathSegment(number) => source::path_segment(asked.path.path(), *number),
            Self::SourceIp => {
                let trusted = &client.listener.trusted;
                Ok(Some(Key::of_ip(client.origin.client_ip(headers, trusted))))
            }
            Self::Sni => Ok(client.server_name().map(source::server_name)),
        }
    }
}

/// Counts what of a service's clients is ignored.
#[derive(Debug, Clone)]
pub(crate) struct IgnoredCount {
    service: ServiceName,
    recorder: CellRecorder,
}

impl IgnoredCount {
    pub(crate) fn new(service: &ServiceName, recorder: &CellRecorder) -> Self {
        Self {
            service: service.clone(),
            recorder: recorder.clone(),
        }
    }

    /// What somebody sent is ignored.
    pub(crate) fn add(&self, why: Ignored) {
        let labels = [
            ("service", self.service.to_string()),
            ("reason", why.as_str().to_owned()),
        ];
        metrics::with_local_recorder(&self.recorder, || {
            metrics::counter!(names::AFFINITY_IGNORED, &labels).increment(1);
        });
    }
}
