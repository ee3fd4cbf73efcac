//! Weighted target groups of a load balancer (ELBv2) as an actuator: the default action of a listener, or a rule. A backend is
//! a target group; its number is the group's weight, whatever the number of its targets. Groups that are not ours are kept
//! and told, and so is stickiness. There is no compare-and-set in this API: what is there is read right before it is written.
//! Must never write an action that does more than forward: what signs users in holds a secret that AWS does not give back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::port::{Numbers, Settings, Unit};
use bascule_provider::{Apply, Call, Error, Kind};
use roxmltree::Node;

use crate::account::Account;
use crate::request::{Request, parameter};
use crate::send::Answer;
use crate::service::Service;
use crate::weights::{Refusal, settings, stranger, weight};
use crate::xml::{at, list, text};

/// The largest weight of a target group.
pub const WEIGHT_MAX: u32 = 999;

/// A listener's default action, or a rule, that forwards to target groups by weight.
#[derive(Debug)]
pub struct WeightedGroups {
    account: Arc<Account>,
    /// The ARN of the listener or rule.
    arn: String,
    place: Place,
    members: BTreeMap<BackendName, String>,
    actuator: String,
}

/// Where the action stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Listener,
    Rule,
}

impl Place {
    const fn read(self) -> &'static str {
        match self {
            Self::Listener => "elasticloadbalancing:DescribeListeners",
            Self::Rule => "elasticloadbalancing:DescribeRules",
        }
    }

    const fn modify(self) -> &'static str {
        match self {
            Self::Listener => "elasticloadbalancing:ModifyListener",
            Self::Rule => "elasticloadbalancing:ModifyRule",
        }
    }

    const fn modified(self) -> &'static str {
        match self {
            Self::Listener => "ModifyListenerResponse",
            Self::Rule => "ModifyRuleResponse",
        }
    }

    /// The parameters that name it when read and when written, and its actions.
    const fn parameters(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Listener => ("ListenerArns.member.1", "ListenerArn", "DefaultActions"),
            Self::Rule => ("RuleArns.member.1", "RuleArn", "Actions"),
        }
    }

    /// Where the answer has it: the outermost element, the list, and the actions of its member.
    const fn paths(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Listener => (
                "DescribeListenersResponse",
                "DescribeListenersResult/Listeners",
                "DefaultActions",
            ),
            Self::Rule => (
                "DescribeRulesResponse",
                "DescribeRulesResult/Rules",
                "Actions",
            ),
        }
    }
}

/// An action that forwards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Forward {
    /// The weight of each target group by its ARN.
    groups: BTreeMap<String, u32>,
    /// For how many seconds a client stays with its group.
    sticky_seconds: Option<u32>,
}

impl Forward {
    fn version(&self) -> String {
        let groups = self.groups.iter();
        let groups = groups.map(|(arn, weight)| format!("{arn} {weight}"));
        let sticky = format!("{:?}", self.sticky_seconds);
        bascule_provider::text::version(groups.chain([sticky]))
    }
}

impl WeightedGroups {
    /// The action of this listener or rule; `members`: the ARN of each backend's target group.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when the ARN is neither a listener's nor a rule's.
    pub fn new(
        account: Arc<Account>,
        arn: &str,
        members: BTreeMap<BackendName, String>,
    ) -> Result<Self, Error> {
        let place = if arn.contains(":listener-rule/") {
            Place::Rule
        } else if arn.contains(":listener/") {
            Place::Listener
        } else {
            return Err(Error::new(Kind::Invalid, Place::Listener.modify(), arn)
                .detail("this is the ARN of neither a listener nor a rule")
                .fix(
                    "give the ARN of the listener whose default action is to be set, or of a rule",
                ));
        };
        let name = arn.rsplit_once(':').map_or(arn, |(_, name)| name);
        Ok(Self {
            account,
            arn: arn.to_owned(),
            place,
            members,
            actuator: format!("elb/{name}"),
        })
    }

    async fn look(&self) -> Result<Forward, Error> {
        let (name, _, _) = self.place.parameters();
        let request = Request::query(
            Service::Elb,
            self.place.read(),
            &self.arn,
            &[parameter(name, &self.arn)],
        );
        let answer = self.account.send(&request).await?;
        let (root, members, actions) = self.place.paths();
        let document = answer.document(root)?;
        let found = list(document.root_element(), members, "member").next();
        let place = found.ok_or_else(|| answer.unfit("it is not there"))?;
        let mut actions = list(place, actions, "member");
        let action = actions.next();
        let kind = action.and_then(|action| text(action, "Type"));
        match (action, kind) {
            (Some(action), Some("forward")) if actions.next().is_none() => forward(&answer, action),
            _ => Err(Error::new(Kind::Invalid, self.place.read(), &*self.arn)
                .detail(format!(
                    "its action is {}, not one forward to target groups",
                    kind.unwrap_or("nothing")
                ))
                .fix("give a listener or rule that only forwards")),
        }
    }

    fn settings(&self, forward: &Forward) -> Settings {
        let there = forward.groups.iter();
        let there = there.map(|(arn, weight)| (arn.as_str(), *weight));
        let ids = self.members.iter();
        let ids = ids.map(|(backend, id)| (backend, id.as_str()));
        settings(forward.version(), there, ids)
    }

    async fn set(&self, over: &Settings, wanted: &Numbers) -> Result<(), Error> {
        let there = self.look().await?;
        let call = self.place.modify();
        if there.version() != over.version {
            return Err(Error::new(Kind::Conflict, call, &*self.arn)
                .detail("the action is no longer what was read: something else changes it too"));
        }
        let after = self.after(&there, wanted).map_err(|refusal| {
            let error = Error::new(Kind::Invalid, call, &*self.arn);
            error.detail(refusal.detail).fix(refusal.fix)
        })?;
        if after == there {
            return Ok(());
        }
        let (_, name, actions) = self.place.parameters();
        let mut parameters = vec![
            parameter(name, &self.arn),
            parameter(format!("{actions}.member.1.Type"), "forward"),
        ];
        let config = format!("{actions}.member.1.ForwardConfig");
        for (index, (arn, weight)) in (1..).zip(&after.groups) {
            let group = format!("{config}.TargetGroups.member.{index}");
            parameters.push(parameter(format!("{group}.TargetGroupArn"), arn));
            parameters.push(parameter(format!("{group}.Weight"), weight.to_string()));
        }
        if let Some(seconds) = after.sticky_seconds {
            let sticky = format!("{config}.TargetGroupStickinessConfig");
            parameters.push(parameter(format!("{sticky}.Enabled"), "true"));
            parameters.push(parameter(
                format!("{sticky}.DurationSeconds"),
                seconds.to_string(),
            ));
        }
        let request = Request::query(Service::Elb, call, &self.arn, &parameters);
        let answer = self.account.send(&request).await?;
        answer.document(self.place.modified()).map(drop)
    }

    fn after(&self, there: &Forward, wanted: &Numbers) -> Result<Forward, Refusal> {
        let mut after = there.clone();
        for (backend, setting) in wanted {
            let arn = self.members.get(backend).ok_or_else(|| stranger(backend))?;
            after
                .groups
                .insert(arn.clone(), weight(*setting, WEIGHT_MAX)?);
        }
        if after.groups.values().all(|weight| *weight == 0) {
            return Err(Refusal::new(
                "all weights would be 0: the load balancer would answer every request with an error",
                "leave one backend on",
            ));
        }
        Ok(after)
    }
}

fn forward(answer: &Answer, action: Node<'_, '_>) -> Result<Forward, Error> {
    let mut forward = Forward::default();
    for group in list(action, "ForwardConfig/TargetGroups", "member") {
        let arn = answer.need(group, "TargetGroupArn")?;
        let weight = match at(group, "Weight") {
            Some(_) => answer.number(group, "Weight")?,
            None => 1,
        };
        forward.groups.insert(arn.to_owned(), weight);
    }
    if forward.groups.is_empty() {
        let arn = answer.need(action, "TargetGroupArn")?;
        forward.groups.insert(arn.to_owned(), 1);
    }
    let sticky = at(action, "ForwardConfig/TargetGroupStickinessConfig");
    if let Some(sticky) = sticky.filter(|sticky| text(*sticky, "Enabled") == Some("true")) {
        forward.sticky_seconds = Some(answer.number(sticky, "DurationSeconds")?);
    }
    Ok(forward)
}

impl Apply for WeightedGroups {
    fn actuator(&self) -> &str {
        &self.actuator
    }

    fn unit(&self) -> Unit {
        Unit {
            max: WEIGHT_MAX,
            // AWS says no time; it is seconds.
            delay: Duration::ZERO,
        }
    }

    fn read(&self) -> Call<'_, Settings> {
        Box::pin(async {
            let forward = self.look().await?;
            Ok(self.settings(&forward))
        })
    }

    fn write<'a>(&'a self, over: &'a Settings, wanted: &'a Numbers) -> Call<'a, ()> {
        Box::pin(self.set(over, wanted))
    }
}
