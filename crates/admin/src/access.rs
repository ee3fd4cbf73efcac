//! Who may do what. The unix socket knows its peers by uid; TCP knows nobody without a token and is then read-only.
//! Closed by default: any method that is not GET or HEAD needs a role, whatever the route. Pure but for the token file,
//! which is read once at the start.

mod host;
mod tokens;

use std::net::SocketAddr;

use axum::http::{HeaderMap, header};

pub(crate) use host::check_host;
pub use tokens::{TokenFileError, Tokens};

use crate::api::{AccessRole, WhoAmI};
use crate::problem::{Code, Refused};

/// Through which door a connection came; each listener puts one into every request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// The unix socket, and the peer's uid as the kernel says it.
    Unix {
        /// The peer.
        uid: u32,
        /// Whether that is us or root.
        owner: bool,
    },
    /// TCP from this address.
    Tcp(SocketAddr),
}

/// Who is asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) actor: String,
    pub(crate) role: AccessRole,
    pub(crate) auth: &'static str,
    pub(crate) source: String,
}

impl Identity {
    fn anonymous(address: SocketAddr) -> Self {
        Self {
            actor: "anonymous".to_owned(),
            role: AccessRole::Viewer,
            auth: "none",
            source: address.to_string(),
        }
    }

    /// Whether they may do what needs this role.
    ///
    /// # Errors
    /// 401 for somebody unknown, 403 for somebody known.
    pub(crate) fn needs(&self, role: AccessRole) -> Result<(), Refused> {
        if self.role >= role {
            return Ok(());
        }
        if self.auth == "none" {
            let detail = "this listener is read-only without a token; the unix socket is not";
            return Err(Refused::new(Code::Unauthenticated, detail));
        }
        let detail = format!(
            "{} is {}, and this needs {}",
            self.actor,
            word(self.role),
            word(role)
        );
        Err(Refused::new(Code::NotPermitted, detail))
    }

    /// As on the wire.
    pub(crate) fn wire(&self) -> WhoAmI {
        WhoAmI {
            actor: self.actor.clone(),
            role: self.role,
            auth: self.auth.to_owned(),
            source: self.source.clone(),
        }
    }
}

const fn word(role: AccessRole) -> &'static str {
    match role {
        AccessRole::Viewer => "a viewer",
        AccessRole::Operator => "an operator",
        AccessRole::Admin => "an admin",
    }
}

/// Who is asking. Credentials that are given and wrong are refused, never ignored.
///
/// # Errors
/// 401 for an `Authorization` that is not one of our tokens.
pub(crate) fn identify(
    door: Door,
    headers: &HeaderMap,
    tokens: &Tokens,
) -> Result<Identity, Refused> {
    match door {
        Door::Unix { uid, owner } => Ok(Identity {
            actor: format!("uid:{uid}"),
            role: if owner {
                AccessRole::Admin
            } else {
                AccessRole::Viewer
            },
            auth: "peer_uid",
            source: "unix".to_owned(),
        }),
        Door::Tcp(address) => {
            let Some(value) = headers.get(header::AUTHORIZATION) else {
                return Ok(Identity::anonymous(address));
            };
            let token = value.to_str().ok().and_then(bearer);
            let (name, role) = token
                .and_then(|token| tokens.find(token))
                .ok_or_else(|| Refused::new(Code::Unauthenticated, "the token is not known"))?;
            Ok(Identity {
                actor: format!("token:{name}"),
                role,
                auth: "token",
                source: address.to_string(),
            })
        }
    }
}

/// The token of `Bearer TOKEN`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp() -> Door {
        Door::Tcp(([127, 0, 0, 1], 4000).into())
    }

    fn asking(door: Door, authorization: Option<&str>) -> Result<Identity, Refused> {
        // sha256("secret")
        let line = "ops:operator:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
        let tokens = Tokens::parse(line).unwrap();
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        identify(door, &headers, &tokens)
    }

    #[test]
    fn only_the_owner_of_the_process_and_root_may_change_things_over_the_socket() {
        let role = |owner| asking(Door::Unix { uid: 7, owner }, None).unwrap().role;
        assert_eq!(
            [role(true), role(false)],
            [AccessRole::Admin, AccessRole::Viewer]
        );
    }

    #[test]
    fn tcp_without_a_token_looks_and_with_a_wrong_one_is_refused() {
        let anonymous = asking(tcp(), None).unwrap();
        assert_eq!(
            anonymous.needs(AccessRole::Operator).unwrap_err().code,
            Code::Unauthenticated
        );
        for wrong in ["Bearer nope", "Basic secret", "Bearer", "secret"] {
            assert_eq!(
                asking(tcp(), Some(wrong)).unwrap_err().code,
                Code::Unauthenticated
            );
        }
    }

    #[test]
    fn a_token_has_its_role_and_no_more() {
        let ops = asking(tcp(), Some("bearer secret")).unwrap();
        assert_eq!(ops.actor, "token:ops");
        assert!(ops.needs(AccessRole::Operator).is_ok());
        assert_eq!(
            ops.needs(AccessRole::Admin).unwrap_err().code,
            Code::NotPermitted
        );
    }
}
