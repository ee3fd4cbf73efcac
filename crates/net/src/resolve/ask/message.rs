//! One question to a name server of a zone as bytes, and what an answer to it says. Decides which answers count; sends nothing.

use std::collections::BTreeSet;

use bascule_model::RecordType;
use bascule_model::dns::canonical;
use hickory_resolver::proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType as Type};

/// The most values that an answer may have: as many as Route 53 gives a record. What has more is none of the records that are
/// asked about, and a thousand such answers must not fill the memory.
const VALUES_MAX: usize = 400;

/// A question that is on its way.
#[derive(Debug)]
pub(super) struct Asking {
    id: u16,
    query: Query,
    /// As it is sent.
    pub(super) bytes: Vec<u8>,
}

/// What an answer says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// The record's values; none: there is no such record.
    Values(BTreeSet<String>),
    /// The server does not answer for this name, and why.
    Refused(String),
    /// It does not fit into a datagram.
    Cut,
}

impl Asking {
    /// A question by another id each time. No recursion is wanted: the servers of the zone know.
    pub(super) fn new(name: &str, kind: RecordType) -> Result<Self, String> {
        let mut name = Name::from_ascii(name).map_err(|error| error.to_string())?;
        name.set_fqdn(true);
        let kind = match kind {
            RecordType::A => Type::A,
            RecordType::Aaaa => Type::AAAA,
            RecordType::Cname => Type::CNAME,
        };
        let mut message = Message::query();
        message.metadata.recursion_desired = false;
        let query = Query::query(name, kind);
        message.add_query(query.clone());
        let bytes = message.to_vec().map_err(|error| error.to_string())?;
        Ok(Self {
            id: message.metadata.id,
            query,
            bytes,
        })
    }

    /// What these bytes answer; `None`: they are no answer to this question.
    pub(super) fn answered(&self, bytes: &[u8]) -> Option<Answered> {
        let answer = Message::from_vec(bytes).ok()?;
        let is_ours = answer.metadata.id == self.id
            && answer.metadata.message_type == MessageType::Response
            && (answer.queries.as_slice() == [self.query.clone()] || answer.queries.is_empty());
        if !is_ours {
            return None;
        }
        if answer.metadata.truncation {
            return Some(Answered::Cut);
        }
        Some(match answer.metadata.response_code {
            ResponseCode::NoError | ResponseCode::NXDomain if !answer.metadata.authoritative => {
                let why = "it does not answer with authority: not a name server of the zone";
                Answered::Refused(why.to_owned())
            }
            ResponseCode::NoError if answer.answers.len() > VALUES_MAX => {
                Answered::Refused(format!("its answer has more than {VALUES_MAX} records"))
            }
            ResponseCode::NoError => Answered::Values(self.values(&answer)),
            ResponseCode::NXDomain => Answered::Values(BTreeSet::new()),
            code => Answered::Refused(format!("it answers {code}")),
        })
    }

    /// The record's values. Where the name is an alias and something else was asked for, that is the value: what stands behind
    /// it is another's record.
    fn values(&self, answer: &Message) -> BTreeSet<String> {
        let here = answer
            .answers
            .iter()
            .filter(|r| r.name == *self.query.name());
        let value = |data: &RData| match data {
            RData::A(address) => Some(address.to_string()),
            RData::AAAA(address) => Some(address.to_string()),
            RData::CNAME(name) => Some(name.to_string()),
            _ => None,
        };
        here.filter_map(|record| value(&record.data))
            .map(|value| canonical(&value))
            .collect()
    }
}
