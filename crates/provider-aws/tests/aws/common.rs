//! The pretended AWS that all tests share, an account of it, and how its errors look.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use bascule_model::BackendName;
use bascule_provider::Patience;
use bascule_provider_aws::{Account, Options};
use bascule_testkit::aws::{Moto, Outsider};
use bascule_testkit::contract::{PATIENCE, Wire};
use bascule_testkit::meddler::{Answer, Meddler};
use futures_util::FutureExt;
use serde_json::Value;

/// Looks again at once.
pub(crate) const LOOKS: Patience = Patience {
    pause: Duration::ZERO,
    pause_max: Duration::ZERO,
    whole: PATIENCE,
};

/// One moto for all tests: each has zones and groups of its own.
pub(crate) fn moto() -> &'static Moto {
    static MOTO: OnceLock<Moto> = OnceLock::new();
    MOTO.get_or_init(|| Moto::start().unwrap())
}

/// boto3.
pub(crate) fn boto3(service: &str, method: &str, arguments: &Value) -> Value {
    static OUTSIDER: OnceLock<Mutex<Outsider>> = OnceLock::new();
    let start = || Mutex::new(Outsider::start(moto().url()).unwrap());
    let mut outsider: MutexGuard<'_, Outsider> = OUTSIDER
        .get_or_init(start)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    outsider.call(service, method, arguments).unwrap()
}

/// A meddler before moto.
pub(crate) fn meddler() -> Meddler {
    let moto = moto().url().strip_prefix("http://").unwrap();
    Meddler::start(moto.parse::<SocketAddr>().unwrap()).unwrap()
}

/// A file of profiles.
pub(crate) fn profiles(name: &str, text: &str) -> PathBuf {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.profiles"));
    std::fs::write(&file, text).unwrap();
    file
}

/// An account whose calls go there.
pub(crate) fn account(url: &str, patience: Duration) -> Arc<Account> {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    let keys = "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = hidden-hidden-hidden\n";
    let file = FILE.get_or_init(|| profiles("keys", keys));
    account_of(file.clone(), url, patience)
}

/// An account of the first profile of this file.
pub(crate) fn account_of(file: PathBuf, url: &str, patience: Duration) -> Arc<Account> {
    let options = Options {
        region: Some("us-east-1".to_owned()),
        profile: Some("default".to_owned()),
        profile_file: Some(file),
        endpoint: Some(url.to_owned()),
        patience: Some(patience),
    };
    // With a region that is said, nothing is waited for.
    Arc::new(Account::open(options).now_or_never().unwrap().unwrap())
}

pub(crate) fn backend(name: &str) -> BackendName {
    BackendName::parse(name).unwrap()
}

/// A date that is a day before any clock these tests run under.
const YESTERDAY: &str = "Sun, 01 Nov 2026 12:00:00 GMT";

/// The errors of the protocols that speak XML.
#[derive(Debug)]
pub(crate) struct Xml;

/// The errors of the protocol that speaks JSON.
#[derive(Debug)]
pub(crate) struct Json;

pub(crate) fn xml(status: u16, code: &str) -> Answer {
    Answer {
        status,
        headers: vec![("content-type", "text/xml".to_owned())],
        body: format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>\
             <RequestId>11111111-2222</RequestId></ErrorResponse>"
        ),
    }
}

pub(crate) fn json(status: u16, code: &str) -> Answer {
    Answer {
        status,
        headers: vec![("x-amzn-requestid", "11111111-2222".to_owned())],
        body: serde_json::json!({ "__type": format!("com.amazon#{code}"), "message": "no" })
            .to_string(),
    }
}

fn with(mut answer: Answer, name: &'static str, value: &str) -> Answer {
    answer.headers.push((name, value.to_owned()));
    answer
}

impl Wire for Xml {
    fn throttled(&self, retry_after: u32) -> Answer {
        with(
            xml(400, "Throttling"),
            "retry-after",
            &retry_after.to_string(),
        )
    }
    fn broken(&self, status: u16) -> Answer {
        xml(status, "InternalFailure")
    }
    fn denied(&self) -> Answer {
        xml(403, "AccessDenied")
    }
    fn expired(&self) -> Answer {
        xml(403, "ExpiredToken")
    }
    fn skewed(&self) -> Answer {
        with(xml(403, "SignatureDoesNotMatch"), "date", YESTERDAY)
    }
}

impl Wire for Json {
    fn throttled(&self, retry_after: u32) -> Answer {
        let throttled = json(400, "ThrottlingException");
        with(throttled, "retry-after", &retry_after.to_string())
    }
    fn broken(&self, status: u16) -> Answer {
        json(status, "InternalServiceErrorException")
    }
    fn denied(&self) -> Answer {
        json(400, "AccessDeniedException")
    }
    fn expired(&self) -> Answer {
        json(400, "ExpiredTokenException")
    }
    fn skewed(&self) -> Answer {
        with(json(400, "InvalidSignatureException"), "date", YESTERDAY)
    }
}
