//! A DNS steering policy as an actuator: the weights of its one WEIGHTED rule, by the names of answers. *Off* is weight 0 and
//! a disabled answer both, so that no rule can bring it back. The policy is changed where it stands, never made anew: that
//! would leave its name without answers for a moment. [`rule`] reads and writes the shape.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bascule_model::dns::canonical;
use bascule_model::{BackendName, RecordType};
use bascule_provider::port::{Answers, Member, Numbers, Setting, Settings, Unit};
use bascule_provider::text::encoded;
use bascule_provider::{Apply, Call, Error, Kind};
use serde_json::{Value, json};

use super::{changed, hash, in_unit, without_nulls};
use crate::client::operation::{GET_STEERING_POLICY, UPDATE_STEERING_POLICY};
use crate::client::{Ask, Client, Operation, Reply};

mod rule;

use rule::Policy;

/// The largest weight of an answer.
const WEIGHT_MAX: u32 = 255;

/// Of a policy that was not read yet: OCI's default.
const TTL: u32 = 30;

/// A steering policy as an actuator.
#[derive(Debug)]
pub struct SteeringPolicy {
    client: Arc<Client>,
    id: String,
    name: String,
    members: BTreeMap<BackendName, BTreeSet<String>>,
    /// As it was when the policy was read last, in seconds.
    ttl: AtomicU32,
}

impl SteeringPolicy {
    /// The policy of this OCID; its members by the names of their answers.
    #[must_use]
    pub fn new(
        client: Arc<Client>,
        id: &str,
        members: BTreeMap<BackendName, BTreeSet<String>>,
    ) -> Self {
        Self {
            client,
            id: id.to_owned(),
            name: format!("steering-policy/{id}"),
            members,
            ttl: AtomicU32::new(TTL),
        }
    }

    fn ask(&self, operation: &'static Operation) -> Ask {
        let path = format!("/steeringPolicies/{}", encoded(&self.id));
        Ask::new(operation, self.id.clone(), path)
    }

    fn failed(&self, kind: Kind) -> Error {
        self.ask(&UPDATE_STEERING_POLICY).error(kind)
    }

    async fn fetch(&self) -> Result<Reply<Value>, Error> {
        let there: Reply<Value> = self.client.read(&self.ask(&GET_STEERING_POLICY)).await?;
        let ttl = there.data.get("ttl").and_then(Value::as_u64);
        let ttl = ttl.and_then(|ttl| u32::try_from(ttl).ok());
        self.ttl.store(ttl.unwrap_or(TTL), Ordering::Relaxed);
        Ok(there)
    }

    fn policy(&self, data: &Value) -> Result<Policy, Error> {
        Policy::read(data).map_err(|what| {
            self.ask(&GET_STEERING_POLICY)
                .error(Kind::Invalid)
                .detail(what)
                .fix("use a policy of the template LOAD_BALANCE, whose one WEIGHTED rule has a weight for each answer's name")
        })
    }

    fn settings(&self, policy: &Policy, version: String) -> Result<Settings, Error> {
        let mut settings = Settings {
            version,
            ..Settings::default()
        };
        for (answer, weight) in policy.weights() {
            let mut owners = self
                .members
                .iter()
                .filter(|(_, names)| names.contains(answer));
            let (owner, other) = (owners.next(), owners.next());
            if let (Some((one, _)), Some((other, _))) = (owner, other) {
                return Err(self
                    .failed(Kind::Invalid)
                    .detail(format!("the answer {answer} is of {one} and of {other}")));
            }
            let Some((member, _)) = owner else {
                settings
                    .foreign
                    .insert(answer.to_owned(), weight.unwrap_or(0));
                continue;
            };
            let setting = weight.map(|weight| match weight {
                0 => Setting::Off,
                weight => Setting::Weight(weight),
            });
            settings
                .members
                .entry(member.clone())
                .and_modify(|there| {
                    there.setting = there.setting.filter(|before| Some(*before) == setting);
                    there.size += 1;
                })
                .or_insert(Member { setting, size: 1 });
        }
        settings.dns = self.answers(policy);
        Ok(settings)
    }

    /// What each answer says, by the member that has its name.
    fn answers(&self, policy: &Policy) -> Answers {
        let kinds: BTreeSet<&str> = policy.values().map(|(_, kind, _)| kind).collect();
        let mut kinds = kinds.into_iter();
        let mut answers = Answers {
            kind: match (kinds.next(), kinds.next()) {
                (Some(kind), None) => RecordType::parse(kind),
                _ => None,
            },
            ..Answers::default()
        };
        for (answer, _, value) in policy.values() {
            let mut members = self.members.iter();
            let values = match members.find(|(_, names)| names.contains(answer)) {
                Some((member, _)) => answers.members.entry(member.clone()).or_default(),
                None => answers.foreign.entry(answer.to_owned()).or_default(),
            };
            values.insert(canonical(value));
        }
        answers
    }

    async fn change(&self, over: &Settings, wanted: &Numbers) -> Result<(), Error> {
        in_unit(wanted, WEIGHT_MAX, |kind| self.failed(kind))?;
        let _alone = self.client.exclusive(&self.id).await;
        let there = self.fetch().await?;
        let seen = version(&there);
        if seen != over.version {
            return Err(changed(|kind| self.failed(kind), &seen));
        }
        let before = self.policy(&without_nulls(&there.data))?;
        let mut after = before.clone();
        for (member, setting) in wanted {
            self.set(&mut after, member, *setting)?;
        }
        if after == before {
            return Ok(());
        }
        if after.weights().all(|(_, weight)| weight.unwrap_or(0) == 0) {
            return Err(self
                .failed(Kind::Invalid)
                .detail("every answer would be off, and what OCI then answers is not documented")
                .fix("leave one on, or take the name out of DNS"));
        }
        let mut body = json!({ "answers": after.answers, "rules": after.rules });
        if let Some(template) = there.data.get("template") {
            super::put(&mut body, "template", template.clone());
        }
        let ask = self.ask(&UPDATE_STEERING_POLICY);
        let ask = ask.body(body).if_match(there.tag);
        // It answers with the policy; anything else is not from there.
        let after: Reply<Value> = self.client.read(&ask).await?;
        self.policy(&after.data).map(|_| ())
    }

    fn set(&self, policy: &mut Policy, member: &BackendName, to: Setting) -> Result<(), Error> {
        let missing = |what: String| {
            self.failed(Kind::Invalid)
                .detail(what)
                .fix("add the answer to the policy, or correct the member's answer names")
        };
        let names = self.members.get(member).filter(|names| !names.is_empty());
        let names = names.ok_or_else(|| missing(format!("{member} has no answer names")))?;
        for name in names {
            let weight = match to {
                Setting::Off => 0,
                Setting::Weight(weight) => weight,
            };
            if !policy.set(name, weight) {
                return Err(missing(format!("no answer is named {name}")));
            }
        }
        Ok(())
    }
}

/// Its tag, or the hash of it.
fn version(there: &Reply<Value>) -> String {
    let tag = there.tag.clone();
    tag.unwrap_or_else(|| hash(&there.data))
}

impl Apply for SteeringPolicy {
    fn actuator(&self) -> &str {
        &self.name
    }

    /// Resolvers keep an answer for its TTL.
    fn unit(&self) -> Unit {
        let ttl = self.ttl.load(Ordering::Relaxed);
        Unit {
            max: WEIGHT_MAX,
            delay: Duration::from_secs(ttl.into()),
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async {
            let there = self.fetch().await?;
            let policy = self.policy(&there.data)?;
            self.settings(&policy, version(&there))
        })
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(self.change(over, wanted))
    }
}
