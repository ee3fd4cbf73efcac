//! From the listeners of a configuration to sockets and TLS: everything that can fail is done before anything changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bascule_admin::BoundListener;
use bascule_config::{Config, Listener, TlsVersion};
use bascule_model::ListenerName;
use bascule_net::listen::{self, Bound, ListenAddress};
use bascule_net::tls::{CertificateMaterial, Protocols, ServerTls, TlsError, TlsOptions, Version};
use bascule_proxy::ListenerSetup;

/// The listeners as they are, by name.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    open: BTreeMap<ListenerName, Open>,
}

#[derive(Debug, Clone)]
struct Open {
    listener: Arc<Listener>,
    bound: BoundListener,
    tls: Option<ServerTls>,
}

/// What a configuration needs of sockets and TLS, ready to be used.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    next: BTreeMap<ListenerName, Open>,
    /// For the edge: with sockets where a listener is new or has moved.
    pub(super) setups: Vec<ListenerSetup>,
    replacements: Vec<(ServerTls, Arc<Listener>)>,
}

/// An address cannot be listened on.
pub(super) const ADDRESS: &str = "E0401";
/// A certificate cannot be used.
const CERTIFICATE: &str = "E0402";

/// Why a configuration that reads well cannot be used on this machine.
#[derive(Debug)]
pub(super) struct Unusable {
    /// Where in the configuration.
    pub(super) pointer: String,
    /// The code of its kind.
    pub(super) code: &'static str,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) help: String,
}

impl Listeners {
    /// Binds what is new and builds all TLS. Nothing that runs is touched.
    ///
    /// # Errors
    /// Every address that cannot be had and every certificate that cannot be used; then nothing stays bound.
    pub(super) fn prepare(
        &self,
        config: &Config,
        workers: usize,
    ) -> Result<Prepared, Vec<Unusable>> {
        let mut prepared = Prepared::default();
        let mut unusable = Vec::new();
        for (name, listener) in &config.listeners {
            let listener = Arc::new(listener.clone());
            let now = self
                .open
                .get(name)
                .filter(|open| open.listener.address == listener.address);
            if let Err(errors) = prepared.add(&listener, now, workers) {
                unusable.extend(errors);
            }
        }
        if unusable.is_empty() {
            Ok(prepared)
        } else {
            Err(unusable)
        }
    }

    /// Takes over what was prepared: certificates are replaced in place, the rest is the edge's.
    pub(super) fn commit(&mut self, prepared: Prepared) -> Vec<ListenerSetup> {
        for (tls, listener) in &prepared.replacements {
            if let Err(errors) = tls.replace(&material(listener), options(listener)) {
                // They were built a moment ago from the same bytes.
                tracing::error!(event = "certificates_kept", listener = %listener.name, ?errors);
            }
        }
        self.open = prepared.next;
        for tls in self.open.values().filter_map(|open| open.tls.as_ref()) {
            tls.publish_expiries();
        }
        prepared.setups
    }

    /// Every listener with the address it really has.
    pub(super) fn bound(&self) -> Vec<BoundListener> {
        self.open.values().map(|open| open.bound.clone()).collect()
    }
}

impl Prepared {
    fn add(
        &mut self,
        listener: &Arc<Listener>,
        now: Option<&Open>,
        workers: usize,
    ) -> Result<(), Vec<Unusable>> {
        let running = now
            .and_then(|open| open.tls.as_ref())
            .filter(|_| listener.tls.is_some());
        let tls = match running {
            Some(running) => {
                // Built here to see that it can be used; replaced in place when everything else is ready.
                ServerTls::check(&material(listener)).map_err(|e| certificates(listener, &e))?;
                self.replacements
                    .push((running.clone(), Arc::clone(listener)));
                Some(running.clone())
            }
            None if listener.tls.is_some() => {
                let built = ServerTls::new(&material(listener), options(listener));
                Some(built.map_err(|errors| certificates(listener, &errors))?)
            }
            None => None,
        };
        let (socket, address) = match now {
            Some(open) => (None, open.bound.address),
            None => {
                let bound = bind(listener, workers).map_err(|error| vec![error])?;
                let address = bound.address;
                (Some(bound), address)
            }
        };
        let bound = BoundListener {
            name: listener.name.clone(),
            address,
            tls: listener.tls.is_some(),
        };
        let open = Open {
            listener: Arc::clone(listener),
            bound,
            tls: tls.clone(),
        };
        self.next.insert(listener.name.clone(), open);
        self.setups.push(ListenerSetup {
            listener: Arc::clone(listener),
            bound: socket,
            tls,
        });
        Ok(())
    }
}

fn bind(listener: &Listener, workers: usize) -> Result<Bound, Unusable> {
    let address = ListenAddress {
        ip: listener.address.ip,
        port: listener.address.port,
    };
    listen::bind(address, workers).map_err(|error| Unusable {
        pointer: format!("/listen/{}/address", listener.name),
        code: ADDRESS,
        message: error.to_string(),
        help: error.fix(),
    })
}

fn certificates(listener: &Listener, errors: &[TlsError]) -> Vec<Unusable> {
    let unusable = |error: &TlsError| Unusable {
        pointer: format!("/listen/{}/tls/certificates", listener.name),
        code: CERTIFICATE,
        message: error.to_string(),
        help: error.fix().to_owned(),
    };
    errors.iter().map(unusable).collect()
}

fn material(listener: &Listener) -> Vec<CertificateMaterial> {
    let certificates = listener.tls.iter().flat_map(|tls| &tls.certificates);
    certificates
        .map(|c| CertificateMaterial {
            cert_file: c.cert_file.clone(),
            key_file: c.key_file.clone(),
            cert_pem: Arc::clone(&c.cert_pem),
            key_pem: Arc::clone(&c.key_pem),
        })
        .collect()
}

fn options(listener: &Listener) -> TlsOptions {
    let protocols = Protocols {
        h1: listener.protocols.h1,
        h2: listener.protocols.h2,
    };
    let Some(tls) = &listener.tls else {
        return protocols.into();
    };
    TlsOptions {
        protocols,
        strict_sni: tls.strict_sni,
        version_min: match tls.min_version {
            TlsVersion::V1_2 => Version::Tls12,
            TlsVersion::V1_3 => Version::Tls13,
        },
    }
}
