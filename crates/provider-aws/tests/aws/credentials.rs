//! The chain of credentials, by profiles: what a file says is used, a role is assumed, and what is wrong is told without a
//! secret.

use std::sync::Arc;

use bascule_provider::Kind;
use bascule_provider_aws::{Account, Options};

use crate::common::{json, meddler, moto, profiles, xml};
use bascule_testkit::meddler::Meddle;

async fn of(name: &str, text: &str, url: &str) -> Arc<Account> {
    let options = Options {
        profile: Some("test".to_owned()),
        profile_file: Some(profiles(name, text)),
        endpoint: Some(url.to_owned()),
        ..Options::default()
    };
    Arc::new(Account::open(options).await.unwrap())
}

const KEYS: &str = "[profile test]\nregion = eu-west-1\naws_access_key_id = AKIDEXAMPLE\n\
                    aws_secret_access_key = hidden-hidden-hidden\n";

#[tokio::test]
async fn keys_and_region_of_a_profile_are_used_and_aws_says_who_it_is() {
    let account = of("whole", KEYS, moto().url()).await;
    assert_eq!(account.region(), "eu-west-1");
    let identity = account.identity().await.unwrap();
    assert_eq!(identity.account, "123456789012");
    assert!(identity.arn.starts_with("arn:aws:"), "{identity:?}");
}

#[tokio::test]
async fn an_account_that_holds_keys_does_not_print_them() {
    let account = of("held", KEYS, moto().url()).await;
    account.identity().await.unwrap();
    let printed = format!("{account:?}");
    assert!(printed.contains("AKIDEXAMPLE"), "it holds them: {printed}");
    assert!(!printed.contains("hidden"), "{printed}");
}

#[tokio::test]
async fn a_profile_without_keys_is_denied_with_what_to_give() {
    let text = "[profile test]\nregion = eu-west-1\n";
    let account = of("empty", text, moto().url()).await;
    let error = account.identity().await.unwrap_err();
    assert_eq!(error.kind, Kind::Denied);
    assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
}

#[tokio::test]
async fn a_region_that_is_none_is_refused_before_any_call() {
    let options = Options {
        region: Some("eu-west-1/../x".to_owned()),
        ..Options::default()
    };
    let error = Account::open(options).await.unwrap_err();
    assert_eq!(error.kind, Kind::Invalid);
    assert!(error.to_string().contains("`region`"), "{error}");
}

#[tokio::test]
async fn what_aws_refuses_is_told_with_the_fix_and_without_the_secret() {
    let meddler = meddler();
    let account = of("refused", KEYS, &meddler.url()).await;
    for (answer, fix) in [
        (
            xml(403, "InvalidClientTokenId"),
            "does not know this access key",
        ),
        (xml(403, "SignatureDoesNotMatch"), "AWS_SECRET_ACCESS_KEY"),
        (xml(403, "AccessDenied"), "allow sts:GetCallerIdentity"),
        (
            json(400, "UnrecognizedClientException"),
            "does not know this access key",
        ),
        (xml(403, "OptInRequired"), "enable it"),
    ] {
        meddler.next([Meddle::Answer(answer)]);
        let error = account.identity().await.unwrap_err();
        assert_eq!(error.kind, Kind::Denied);
        let text = format!("{error} {error:?}");
        assert!(text.contains(fix), "{text}");
        assert!(text.contains("11111111-2222"), "{text}");
        assert!(!text.contains("hidden"), "{text}");
    }
}
