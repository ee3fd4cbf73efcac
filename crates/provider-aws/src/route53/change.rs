//! What becomes of a batch that was sent: it is at all servers of Route 53 (`INSYNC`) some time after it was taken, and only
//! `GetChange` says so. Keeps the number of the change until that was seen, and that there may be one whose number never came.

use std::sync::{Mutex, PoisonError};

use bascule_provider::{Error, Kind};

use crate::request::Request;
use crate::send::Answer;
use crate::service::Service;
use crate::xml::at;

use super::{CHANGE, WeightedRecords};

const CHANGED: &str = "route53:GetChange";

/// What was written last, unless it was seen at all servers.
#[derive(Debug, Default)]
pub(super) struct Unseen(Mutex<Seen>);

/// Whether what was written last is at all servers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Seen {
    /// All that this process wrote is.
    #[default]
    All,
    /// The change of this number was taken, and was not seen there.
    Not(String),
    /// A change was sent, and no answer came.
    Unknown,
}

impl Unseen {
    pub(super) fn get(&self) -> Seen {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }

    fn set(&self, seen: Seen) -> Seen {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *before, seen)
    }
}

impl WeightedRecords {
    /// Sends a batch, and gives the number of the change; none where it is at all servers already.
    pub(super) async fn send(&self, body: String) -> Result<Option<String>, Error> {
        let path = format!("/2013-04-01/hostedzone/{}/rrset/", self.spec.zone);
        let request = Request::post_xml(Service::Route53, CHANGE, &self.resource(), path, body);
        // Before it is sent, as the caller may go away at any moment of it.
        let before = self.unseen.set(Seen::Unknown);
        let answer = self.account.send(&request).await.inspect_err(|error| {
            if error.kind != Kind::Transient {
                // It was refused.
                self.unseen.set(before);
            }
        })?;
        let (id, is_there) = state(&answer, "ChangeResourceRecordSetsResponse")?;
        self.unseen.set(if is_there {
            Seen::All
        } else {
            Seen::Not(id.clone())
        });
        Ok((!is_there).then_some(id))
    }

    /// Waits until the change is at all servers of Route 53.
    pub(super) async fn arrived(&self, id: String) -> Result<(), Error> {
        let resource = format!("arn:aws:route53:::change/{id}");
        let path = format!("/2013-04-01/change/{id}");
        let request = Request::get(Service::Route53, CHANGED, &resource, path);
        let look = async || {
            let answer = self.account.send(&request).await?;
            let (_, is_there) = state(&answer, "GetChangeResponse")?;
            Ok(is_there.then_some(()))
        };
        let waiting = self.patience.until_done(CHANGED, &self.actuator, look);
        match waiting.await {
            Ok(()) => self.unseen.set(Seen::All),
            // Route 53 does not know the number, or not any more.
            Err(error) if error.kind == Kind::Invalid => {
                self.unseen.set(Seen::Unknown);
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        Ok(())
    }
}

/// The number of a change, and whether it is at all servers.
fn state(answer: &Answer, root: &str) -> Result<(String, bool), Error> {
    let document = answer.document(root)?;
    let info = at(document.root_element(), "ChangeInfo")
        .ok_or_else(|| answer.unfit("the answer lacks ChangeInfo"))?;
    let id = answer.need(info, "Id")?.rsplit('/').next();
    let is_there = match answer.need(info, "Status")? {
        "INSYNC" => true,
        "PENDING" => false,
        other => return Err(answer.unfit(format!("{other} is no status of a change"))),
    };
    Ok((id.unwrap_or_default().to_owned(), is_there))
}
