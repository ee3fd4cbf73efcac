//! Who asks: an API key from the configuration file of OCI's CLI, the instance itself, or a resource that was given a token.
//! Files are read again for every call, so what is rotated is used at once; a token is renewed before it ends. Nothing of a
//! key or a token is shown. The three ways are [`config_file`], [`instance`] and [`resource`].

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use bascule_model::Timestamp;
use bascule_provider::renewal::Renewed;
use bascule_provider::{Error, Kind};
use bascule_telemetry::clock;

use crate::region::Region;
use crate::sign::{Key, Signer};
use crate::surroundings::Surroundings;
use crate::wire::Wire;

mod config_file;
mod instance;
mod resource;
mod token;

/// What errors about credentials name as the call.
pub(crate) const CREDENTIALS: &str = "credentials";

/// How credentials are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// An API key, from the configuration file that OCI's CLI and SDKs use.
    ConfigFile {
        /// Default: `OCI_CLI_CONFIG_FILE`, else `~/.oci/config`.
        path: Option<String>,
        /// Default: `OCI_CLI_PROFILE`, else `DEFAULT`.
        profile: Option<String>,
    },
    /// The instance that this runs on.
    InstancePrincipal {
        /// Default: `OCI_METADATA_BASE_URL`, else `http://169.254.169.254/opc/v2`.
        metadata: Option<String>,
        /// The auth service, without a path. Default: the region's.
        auth: Option<String>,
    },
    /// A function, a container instance or a pod that was given a token (version 2.2).
    ResourcePrincipal,
}

/// Whom a policy must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A user, through a group.
    Group,
    /// An instance or a resource, through a dynamic group.
    DynamicGroup,
}

impl Who {
    /// As a policy says it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Group => "group GROUP",
            Self::DynamicGroup => "dynamic-group GROUP",
        }
    }
}

/// Who asks, where, and with which key.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) signer: Signer,
    /// As people name it; nothing secret.
    pub(crate) name: String,
    /// Where the credentials say they are at home.
    pub(crate) region: Option<Region>,
    pub(crate) who: Who,
}

/// What has been made of files and variables: good while their content is the same.
#[derive(Debug)]
struct Made {
    /// Of the content.
    hash: Vec<u8>,
    identity: Arc<Identity>,
}

/// The credentials of one account.
#[derive(Debug)]
pub struct Auth {
    way: Way,
    around: Arc<dyn Surroundings>,
    made: Mutex<Option<Made>>,
    /// Of the instance, where that is who asks.
    token: Renewed<Identity>,
}

impl Auth {
    /// Found in this way; nothing is read yet.
    #[must_use]
    pub fn new(way: Way, around: Arc<dyn Surroundings>) -> Self {
        Self {
            way,
            around,
            made: Mutex::default(),
            token: Renewed::default(),
        }
    }

    /// Who asks now.
    ///
    /// # Errors
    /// [`Kind::Invalid`] for files that say nothing usable, [`Kind::Denied`] for keys and tokens that are not accepted, with
    /// what a person can do.
    pub(crate) async fn identity(&self, wire: &Wire) -> Result<Arc<Identity>, Error> {
        let material = match &self.way {
            Way::ConfigFile { path, profile } => {
                config_file::read(&*self.around, path.as_deref(), profile.as_deref())?
            }
            Way::ResourcePrincipal => resource::read(&*self.around)?,
            Way::InstancePrincipal { metadata, auth } => {
                let metadata = instance::Metadata::new(&*self.around, metadata.as_deref());
                let ask = || instance::ask(wire, &metadata, auth.as_deref(), clock::wall());
                return self.token.get(clock::wall, ask).await;
            }
        };
        let hash = material.hash();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = made.as_ref().filter(|made| made.hash == hash) {
            return Ok(Arc::clone(&made.identity));
        }
        let identity = Arc::new(material.identity(clock::wall())?);
        *made = Some(Made {
            hash,
            identity: Arc::clone(&identity),
        });
        Ok(identity)
    }

    /// This identity is not accepted any more: its token is asked for anew. What stands in files and variables is read again
    /// for every call.
    pub(crate) fn forget(&self, identity: &Arc<Identity>) {
        self.token.forget(identity);
    }
}

/// What files and variables say, before a key is made of it.
struct Material {
    /// For messages: the file and what in it.
    from: String,
    key_pem: Vec<u8>,
    name: KeyName,
    region: Option<String>,
}

/// Under which name OCI knows the key.
enum KeyName {
    Api {
        tenancy: String,
        user: String,
        fingerprint: String,
    },
    Token(String),
}

impl Material {
    fn hash(&self) -> Vec<u8> {
        let mut context = digest::Context::new(&digest::SHA256);
        let mut add = |part: &[u8]| {
            context.update(&part.len().to_le_bytes());
            context.update(part);
        };
        add(&self.key_pem);
        match &self.name {
            KeyName::Api {
                tenancy,
                user,
                fingerprint,
            } => {
                for part in [tenancy, user, fingerprint] {
                    add(part.as_bytes());
                }
            }
            KeyName::Token(token) => add(token.as_bytes()),
        }
        add(self.region.as_deref().unwrap_or_default().as_bytes());
        context.finish().as_ref().to_vec()
    }

    fn identity(self, now: Timestamp) -> Result<Identity, Error> {
        let failed = |kind| Error::new(kind, CREDENTIALS, self.from.clone());
        let key = Key::from_pem(&self.key_pem)
            .map_err(|error| failed(Kind::Invalid).detail(error.to_string()))?;
        let region = self.region.as_deref().map(Region::named).transpose()?;
        let (key_id, name, who) = match self.name {
            KeyName::Api {
                tenancy,
                user,
                fingerprint,
            } => {
                let of_key = key
                    .fingerprint()
                    .map_err(|error| failed(Kind::Invalid).detail(error.to_string()))?;
                if !of_key.eq_ignore_ascii_case(&fingerprint) {
                    return Err(failed(Kind::Denied)
                        .detail(format!(
                            "`fingerprint` is {fingerprint}, but the key in `key_file` has {of_key}"
                        ))
                        .fix("write the fingerprint that OCI's console shows for this key, or name its key file"));
                }
                let name = format!("{user} by the key {fingerprint}");
                (format!("{tenancy}/{user}/{fingerprint}"), name, Who::Group)
            }
            KeyName::Token(token) => {
                if token::ends(&token).is_some_and(|ends| ends <= now) {
                    return Err(failed(Kind::Denied)
                        .detail("the token has ended")
                        .fix("see why it is not renewed where this runs"));
                }
                let name = "the resource that this runs in".to_owned();
                (format!("ST${token}"), name, Who::DynamicGroup)
            }
        };
        Ok(Identity {
            signer: Signer::new(key_id, key),
            name,
            region,
            who,
        })
    }
}
