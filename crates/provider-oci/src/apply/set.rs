//! The backends of a load balancer as an actuator: every machine of a member has the member's weight, *off* is drained. One
//! call writes the whole set, since a load balancer takes one change at a time; it is awaited. A machine that a person took
//! offline stays so, and counts for nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::{Member, Numbers, Setting, Settings, Unit};
use bascule_provider::{Apply, Call, Error, Kind};
use serde_json::Value;

use super::{Machines, changed, hash, in_unit, put, without_nulls, work};
use crate::balancer::{Backend, BackendSet, Layer};
use crate::client::Client;

/// The largest weight of a backend.
const WEIGHT_MAX: u32 = 100;

/// A backend set as an actuator.
#[derive(Debug)]
pub struct SetActuator {
    set: BackendSet,
    members: BTreeMap<BackendName, Machines>,
}

/// A machine that is set by us.
struct Ours<'a> {
    member: &'a BackendName,
    backend: Backend,
}

impl SetActuator {
    /// The set of this name at this load balancer; its members by the machines they have there.
    #[must_use]
    pub fn new(
        client: Arc<Client>,
        layer: Layer,
        id: &str,
        set: &str,
        members: BTreeMap<BackendName, Machines>,
    ) -> Self {
        let set = BackendSet::new(client, layer, id, set);
        Self { set, members }
    }

    fn failed(&self, kind: Kind) -> Error {
        Error::new(kind, self.set.dialect.update.name, self.set.name.clone())
    }

    /// Whose the backend is: a member's, or nobody's that we know.
    fn owner(&self, backend: &Backend) -> Result<Option<&BackendName>, Error> {
        let mut owners = self
            .members
            .iter()
            .filter(|(_, machines)| {
                // Of whom nobody knows where they are is nobody's.
                backend
                    .address
                    .is_some_and(|address| machines.has(address, backend.port))
            })
            .map(|(name, _)| name);
        match (owners.next(), owners.next()) {
            (Some(one), Some(other)) => Err(self
                .failed(Kind::Invalid)
                .detail(format!(
                    "{} is a machine of {one} and of {other}",
                    backend.name
                ))
                .fix("let the addresses of the members not overlap")),
            (owner, _) => Ok(owner),
        }
    }

    fn settings(&self, set: &Value, version: String) -> Result<Settings, Error> {
        let mut settings = Settings {
            version,
            ..Settings::default()
        };
        let mut offline: BTreeMap<BackendName, u32> = BTreeMap::new();
        for backend in self.set.backends(set)? {
            let Some(member) = self.owner(&backend)?.cloned() else {
                let weight = share(&backend);
                settings.foreign.insert(backend.name, weight);
                continue;
            };
            if backend.backup {
                return Err(self.is_backup(&backend, &member));
            }
            if backend.offline {
                *offline.entry(member).or_default() += 1;
                continue;
            }
            let setting = setting(&backend);
            settings
                .members
                .entry(member)
                .and_modify(|there| {
                    there.setting = there.setting.filter(|before| *before == setting);
                    there.size += 1;
                })
                .or_insert(Member {
                    setting: Some(setting),
                    size: 1,
                });
        }
        for (member, size) in offline {
            // All of them are: it gets nothing, and only a person changes that.
            let setting = Some(Setting::Off);
            settings
                .members
                .entry(member)
                .or_insert(Member { setting, size });
        }
        Ok(settings)
    }

    fn is_backup(&self, backend: &Backend, member: &BackendName) -> Error {
        self.failed(Kind::Invalid)
            .detail(format!(
                "{} of {member} is a backup, which gets no share while others are well",
                backend.name
            ))
            .fix("make it no backup, or take it out of the member's addresses")
    }

    async fn change(&self, over: &Settings, wanted: &Numbers) -> Result<(), Error> {
        in_unit(wanted, WEIGHT_MAX, |kind| self.failed(kind))?;
        let _alone = self.set.client.exclusive(&self.set.id).await;
        let there = self.set.read().await?;
        // A load balancer has one tag for all that is in it: what changes besides this set is no conflict. It is written over
        // the tag that was read just now, so that nobody else writes in between.
        let seen = hash(&there.data);
        if seen != over.version {
            return Err(changed(|kind| self.failed(kind), &seen));
        }
        let mut body = without_nulls(&there.data);
        if !self.edit(&mut body, wanted)? {
            return Ok(());
        }
        if self
            .set
            .backends(&body)?
            .iter()
            .all(|each| share(each) == 0)
        {
            return Err(self
                .failed(Kind::Invalid)
                .detail("every backend would be off, and every request refused")
                .fix("leave one on"));
        }
        let ask = self.set.ask(self.set.dialect.update, "");
        let ask = ask.body(body).if_match(there.tag);
        let id = self.set.client.change(&ask).await?;
        work::done(&self.set, &id).await
    }

    /// Makes of a set as it is read one as it is written; says whether anything changes by it.
    fn edit(&self, set: &mut Value, wanted: &Numbers) -> Result<bool, Error> {
        self.all_there(set, wanted)?;
        let mut is_changed = false;
        let backends = set.get_mut("backends").and_then(Value::as_array_mut);
        for value in backends.into_iter().flatten() {
            let backend = self.set.backend(value)?;
            let member = self.owner(&backend)?;
            if !self.set.dialect.writes_name
                && let Some(map) = value.as_object_mut()
            {
                map.remove("name");
            }
            let Some((member, setting)) = member.and_then(|name| wanted.get_key_value(name)) else {
                continue;
            };
            if backend.backup {
                return Err(self.is_backup(&backend, member));
            }
            let ours = Ours { member, backend };
            is_changed |= self.write(value, &ours, *setting);
        }
        if let Some(map) = set.as_object_mut() {
            map.remove("name");
        }
        Ok(is_changed)
    }

    fn write(&self, value: &mut Value, ours: &Ours<'_>, wanted: Setting) -> bool {
        let Ours { member, backend } = ours;
        if backend.offline || setting(backend) == wanted {
            return false;
        }
        tracing::debug!(%member, backend = backend.name, ?wanted, "a backend is set");
        match wanted {
            Setting::Off => put(value, self.set.dialect.drain, true),
            Setting::Weight(weight) => {
                put(value, self.set.dialect.drain, false);
                put(value, "weight", weight);
            }
        }
        true
    }

    /// Every member that something is wanted of has a machine there that can be set.
    fn all_there(&self, set: &Value, wanted: &Numbers) -> Result<(), Error> {
        let backends = self.set.backends(set)?;
        for (name, setting) in wanted {
            let owners: Vec<_> = backends
                .iter()
                .map(|backend| self.owner(backend))
                .collect::<Result<_, _>>()?;
            let ours = backends.iter().zip(owners);
            let ours = ours.filter(|(_, owner)| *owner == Some(name));
            let ours: Vec<&Backend> = ours.map(|(backend, _)| backend).collect();
            if ours.is_empty() {
                return Err(self
                    .failed(Kind::Invalid)
                    .detail(format!("no backend there is a machine of {name}"))
                    .fix("register its machines in the set, or correct the member's addresses"));
            }
            if ours.iter().all(|backend| backend.offline) && *setting != Setting::Off {
                return Err(self
                    .failed(Kind::Invalid)
                    .detail(format!("all machines of {name} are offline there"))
                    .fix("put them online: what a person took offline is left so"));
            }
        }
        Ok(())
    }
}

/// The weight with which it takes part; 0 where it does not.
fn share(backend: &Backend) -> u32 {
    if backend.drain || backend.offline || backend.backup {
        0
    } else {
        backend.weight
    }
}

fn setting(backend: &Backend) -> Setting {
    if backend.drain || backend.offline {
        Setting::Off
    } else {
        Setting::Weight(backend.weight)
    }
}

impl Apply for SetActuator {
    fn actuator(&self) -> &str {
        &self.set.name
    }

    /// New connections follow at once.
    fn unit(&self) -> Unit {
        Unit {
            max: WEIGHT_MAX,
            delay: Duration::ZERO,
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async {
            let there = self.set.read().await?;
            self.settings(&there.data, hash(&there.data))
        })
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(self.change(over, wanted))
    }
}
