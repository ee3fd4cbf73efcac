//! Sends one signed call and takes its answer: whole, within ten seconds and sixteen MiB, or an error that says why not.
//! Never repeats a call: when and whether is the controller's to say. What an answer of another status means is `fault`'s.

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use bascule_provider::identity::Skew;
use bascule_provider::{Error, Kind};
use bascule_telemetry::clock;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use crate::account::Account;
use crate::fault;
use crate::request::Request;
use crate::sign::signed;

/// What a connection may take to open. AWS's own default.
const CONNECT_MAX: Duration = Duration::from_millis(3100);

/// The largest answer: a page of any of these calls is far below.
const ANSWER_MAX: usize = 16 << 20;

/// What a call was answered with, where its status says that it went well.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The call, for errors about what it says.
    pub(crate) call: &'static str,
    /// What it was about.
    pub(crate) resource: String,
    /// What it says.
    pub(crate) body: String,
    /// AWS's number of it.
    pub(crate) request_id: Option<String>,
    /// How far our clock is from AWS's, where that is to be told.
    pub(crate) skew: Option<Skew>,
}

impl Answer {
    /// That the answer is not one of the API's.
    pub(crate) fn unfit(&self, what: impl Into<String>) -> Error {
        Error::new(Kind::Invalid, self.call, self.resource.clone())
            .detail(what)
            .fix(fault::FIX_ENDPOINT)
            .request_id(self.request_id.clone())
    }
}

/// What connections are made by: pooled, with rustls and aws-lc-rs, trusting what the system trusts, and through the proxy
/// that the environment names, as AWS's own programs do. An endpoint of one's own is asked directly.
pub(crate) fn connector(endpoint: Option<&str>) -> SharedHttpConnector {
    let proxy = match endpoint {
        Some(_) => ProxyConfig::disabled(),
        None => ProxyConfig::from_env(),
    };
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_MAX)
        .build();
    let connector = Connector::builder()
        .connector_settings(settings)
        .proxy_config(proxy)
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build();
    SharedHttpConnector::new(connector)
}

impl Account {
    /// Signs a call, sends it and takes its answer.
    ///
    /// # Errors
    /// [`Error`] as `fault` judges the answer; [`Kind::Transient`] when none came in time or the connection broke.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, Error> {
        let credentials = self.credentials().await?;
        let endpoint = self.endpoint(request.service);
        let now = clock::wall();
        let signed = signed(request, &endpoint, self.region(), &credentials, now)?;
        let error = |kind| Error::new(kind, request.call, request.resource.clone());
        let outgoing = HttpRequest::try_from(signed.map(SdkBody::from)).map_err(|source| {
            error(Kind::Invalid)
                .detail(format!("{endpoint} cannot be asked"))
                .because(source)
        })?;
        match tokio::time::timeout(self.patience(), self.exchange(outgoing)).await {
            Ok(Ok((head, body))) => fault::judged(request, &head, body, now),
            Ok(Err(Broken::Connection(source))) => Err(error(Kind::Transient)
                .detail(format!("no answer from {endpoint}"))
                .fix("see that this host reaches it: route, firewall, proxy, VPC endpoint")
                .because(source)),
            Ok(Err(Broken::TooLarge)) => Err(error(Kind::Invalid)
                .detail(format!(
                    "an answer of more than {ANSWER_MAX} bytes from {endpoint}"
                ))
                .fix(fault::FIX_ENDPOINT)),
            Err(_) => Err(error(Kind::Transient).detail(format!(
                "no answer from {endpoint} in {:?}",
                self.patience()
            ))),
        }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<(fault::Head, Bytes), Broken> {
        let answer = self
            .connector()
            .call(request)
            .await
            .map_err(|error| Broken::Connection(error.into()))?;
        let header = |name| answer.headers().get(name).map(str::to_owned);
        let head = fault::Head {
            status: answer.status().as_u16(),
            request_id: header("x-amzn-requestid").or_else(|| header("x-amz-request-id")),
            error_type: header("x-amzn-errortype"),
            retry_after: header("retry-after"),
            date: header("date"),
        };
        match Limited::new(answer.into_body(), ANSWER_MAX).collect().await {
            Ok(whole) => Ok((head, whole.to_bytes())),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(Broken::TooLarge),
            Err(error) => Err(Broken::Connection(error)),
        }
    }
}

/// Why there is no whole answer.
#[derive(Debug)]
enum Broken {
    Connection(Box<dyn std::error::Error + Send + Sync>),
    TooLarge,
}
