//! Who calls AWS, from where: the credentials by AWS's own chain (environment, profile, web identity, assumed role, the
//! machine's role by IMDSv2), and the region. Credentials are asked for again before they expire, and each minute where they
//! do not, so that a rotated key is taken without a restart; `provider::renewal` says by whom. They are held here alone and are
//! never printed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use aws_config::profile::ProfileFileCredentialsProvider;
#[expect(
    deprecated,
    reason = "its new name is in a crate that nothing else here needs"
)]
use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::http::SharedHttpConnector;
use bascule_model::Timestamp;
use bascule_provider::identity::Skew;
use bascule_provider::renewal::{Granted, Renewed};
use bascule_provider::{Error, Kind};
use bascule_telemetry::clock;

use crate::request::Request;
use crate::send;
use crate::service::Service;
use crate::xml::{at, text};

/// What a call may take from its first byte to the last of its answer.
const CALL_MAX: Duration = Duration::from_secs(10);

/// How long the whole chain may take: IMDS and STS are asked within.
const CHAIN_MAX: Duration = Duration::from_secs(10);

/// How long credentials without an end are kept before they are read again.
const REREAD: Duration = Duration::from_secs(60);

/// So long before their end credentials are asked for anew. AWS has the next ones ready about then.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Where credentials and region come from; what is not said here is found as AWS's own programs find it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The region, such as `us-east-1`. By default from `AWS_REGION`, the profile, or the machine.
    pub region: Option<String>,
    /// A profile, and nothing but it. By default the whole chain, in which the environment comes first.
    pub profile: Option<String>,
    /// A file of profiles in place of `~/.aws/config` and `~/.aws/credentials`.
    pub profile_file: Option<PathBuf>,
    /// One address for all services in place of AWS's own: a private endpoint, a fake.
    pub endpoint: Option<String>,
    /// How long one call may take, credentials apart. By default ten seconds: AWS answers these calls in well under one, and who
    /// waits longer would be better off asking again.
    pub patience: Option<Duration>,
}

/// An account of AWS, seen from one region.
#[derive(Debug)]
pub struct Account {
    options: Options,
    region: String,
    connector: SharedHttpConnector,
    credentials: Renewed<Credentials>,
}

/// Who AWS takes the caller for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The number of the account.
    pub account: String,
    /// The user or role.
    pub arn: String,
    /// The id of the access key, which is no secret: it tells where in the chain the credentials were found.
    pub key: String,
    /// How far this machine's clock is from AWS's, where that is more than a minute.
    pub skew: Option<Skew>,
}

impl Account {
    /// Finds the region; credentials are looked for with the first call.
    ///
    /// # Errors
    /// [`Kind::Invalid`] when no region is said anywhere, or what is said is none.
    pub async fn open(options: Options) -> Result<Self, Error> {
        let region = match options.region.clone() {
            Some(region) => Some(region),
            None => chain(&options)
                .await?
                .region()
                .map(|region| region.as_ref().to_owned()),
        };
        let error = || Error::new(Kind::Invalid, "region", "");
        let fix = "set `region` of this provider, such as us-east-1, or AWS_REGION";
        let region = region.ok_or_else(|| error().detail("no region is said").fix(fix))?;
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if region.is_empty() || !region.chars().all(fits) {
            return Err(error().detail(format!("{region:?} is no region")).fix(fix));
        }
        Ok(Self {
            connector: send::connector(options.endpoint.as_deref()),
            options,
            region,
            credentials: Renewed::default(),
        })
    }

    /// The region.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Who AWS takes the caller for. Needs no permission, so it tells wrong credentials from missing permissions.
    ///
    /// # Errors
    /// [`Error`]; [`Kind::Denied`] when the credentials are missing or wrong.
    pub async fn identity(&self) -> Result<Identity, Error> {
        let request = Request::query(Service::Sts, "sts:GetCallerIdentity", "", &[]);
        let answer = self.send(&request).await?;
        let document = answer.document("GetCallerIdentityResponse")?;
        let result = at(document.root_element(), "GetCallerIdentityResult");
        let field = |name| {
            result
                .and_then(|result| text(result, name))
                .map(str::to_owned)
        };
        match (field("Account"), field("Arn")) {
            (Some(account), Some(arn)) => {
                let credentials = self.credentials().await?;
                let key = credentials.access_key_id().to_owned();
                Ok(Identity {
                    account,
                    arn,
                    key,
                    skew: answer.skew,
                })
            }
            _ => Err(answer.unfit("the answer lacks Account or Arn")),
        }
    }

    pub(crate) fn endpoint(&self, service: Service) -> String {
        match &self.options.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => service.endpoint(&self.region),
        }
    }

    pub(crate) fn patience(&self) -> Duration {
        self.options.patience.unwrap_or(CALL_MAX)
    }

    pub(crate) const fn connector(&self) -> &SharedHttpConnector {
        &self.connector
    }

    /// The credentials for a call.
    pub(crate) async fn credentials(&self) -> Result<Arc<Credentials>, Error> {
        let ask = async || {
            let asked = tokio::time::timeout(CHAIN_MAX, self.ask()).await;
            let slow = || Err(CredentialsError::provider_timed_out(CHAIN_MAX));
            let found = asked.unwrap_or_else(|_| slow()).map_err(lacking)?;
            Ok(granted(found, clock::wall()))
        };
        self.credentials.get(clock::wall, ask).await
    }

    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        if let Some(profile) = &self.options.profile {
            // Through the chain, keys in the environment would win over the profile that was asked for.
            let region = aws_config::Region::new(self.region.clone());
            let config = ProviderConfig::without_region().with_region(Some(region));
            let mut provider = ProfileFileCredentialsProvider::builder()
                .configure(&config)
                .profile_name(profile);
            if let Some(files) = files(&self.options) {
                provider = provider.profile_files(files);
            }
            return provider.build().provide_credentials().await;
        }
        let config = chain(&self.options)
            .await
            .map_err(CredentialsError::not_loaded)?;
        match config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await,
            None => Err(CredentialsError::not_loaded("the chain has no provider")),
        }
    }
}

/// For how long credentials are held that were found at `now`.
fn granted(credentials: Credentials, now: Timestamp) -> Granted<Credentials> {
    let end = credentials.expiry();
    let end = end.map(|end| millis(end.duration_since(UNIX_EPOCH).unwrap_or_default()));
    let reread = now.as_millis().saturating_add(millis(REREAD));
    let (due, ends) = match end {
        None => (reread, reread),
        Some(end) => (end.saturating_sub(millis(RENEW_BEFORE)), end),
    };
    Granted {
        what: Arc::new(credentials),
        due: Timestamp::from_millis(due),
        ends: Timestamp::from_millis(ends),
    }
}

/// AWS's chain, built anew so that it reads environment and files again.
async fn chain(options: &Options) -> Result<SdkConfig, Error> {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(region) = options.region.clone() {
        loader = loader.region(aws_config::Region::new(region));
    }
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(files) = files(options) {
        loader = loader.profile_files(files);
    }
    tokio::time::timeout(CHAIN_MAX, loader.load())
        .await
        .map_err(|error| {
            Error::new(Kind::Transient, "region", "")
                .detail("the machine's metadata do not answer")
                .fix("set `region` of this provider, or AWS_REGION")
                .because(error)
        })
}

#[expect(
    deprecated,
    reason = "its new name is in a crate that nothing else here needs"
)]
fn files(options: &Options) -> Option<ProfileFiles> {
    let file = options.profile_file.as_ref()?;
    Some(
        ProfileFiles::builder()
            .with_file(ProfileFileKind::Config, file)
            .build(),
    )
}

fn lacking(error: CredentialsError) -> Error {
    let (kind, detail) = match &error {
        CredentialsError::CredentialsNotLoaded(_) => (Kind::Denied, "no credentials are found"),
        CredentialsError::InvalidConfiguration(_) => (
            Kind::Denied,
            "the configuration of the credentials is wrong",
        ),
        CredentialsError::ProviderTimedOut(_) => (
            Kind::Transient,
            "the source of the credentials does not answer",
        ),
        _ => (Kind::Denied, "the source of the credentials refuses"),
    };
    Error::new(kind, "credentials", "")
        .detail(detail)
        .fix(
            "give AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a web identity, or a role \
             of the machine",
        )
        .because(error)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn held(end: Option<SystemTime>) -> (u64, u64) {
        let credentials = Credentials::new("key", "secret", None, end, "test");
        let Granted { due, ends, .. } = granted(credentials, Timestamp::from_millis(1_000_000));
        (due.as_millis(), ends.as_millis())
    }

    #[test]
    fn keys_without_an_end_are_read_again_in_a_minute_and_others_five_minutes_before_theirs() {
        assert_eq!(held(None), (1_060_000, 1_060_000));
        let end = |seconds| Some(UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!(held(end(4600)), (4_300_000, 4_600_000));
        // Due at once, and good until then.
        assert_eq!(held(end(1200)), (900_000, 1_200_000));
    }
}
