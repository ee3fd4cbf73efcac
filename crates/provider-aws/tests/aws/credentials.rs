//! The chain of credentials: each of its links in a process with an environment of its own, profiles, and what is wrong,
//! which is told without a secret.

use std::path::Path;
use std::process::Command;
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
async fn a_clock_that_is_off_is_told_while_the_credentials_are_still_taken() {
    let meddler = meddler();
    let account = of("skewed", KEYS, &meddler.url()).await;
    assert_eq!(account.identity().await.unwrap().skew, None);
    let mut answer = xml(200, "");
    answer
        .headers
        .push(("date", "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()));
    answer.body = "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>1</Account><Arn>arn:aws:iam::1:user/u</Arn>\
                   </GetCallerIdentityResult></GetCallerIdentityResponse>"
        .to_owned();
    meddler.next([Meddle::Answer(answer)]);
    let skew = account.identity().await.unwrap().skew.unwrap();
    let told = skew.from("AWS").to_string();
    assert!(told.ends_with(" s ahead of AWS's"), "{told}");
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

/// What a process with this environment, and nothing else, says it is.
fn whoami(environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let test = std::env::current_exe().unwrap();
    let target = test.ancestors().nth(2).unwrap();
    let output = Command::new(target.join("examples/whoami"))
        .arg(moto().url())
        .args(arguments)
        .env_clear()
        .env("HOME", env!("CARGO_TARGET_TMPDIR"))
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

const NO_MACHINE: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

#[test]
fn the_environment_is_asked_first_and_a_profile_that_is_named_before_it() {
    let file = profiles(
        "named",
        "[profile other]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = hidden\n",
    );
    let environment = [
        NO_MACHINE,
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"),
        ("AWS_SECRET_ACCESS_KEY", "hidden"),
        ("AWS_CONFIG_FILE", path(&file)),
    ];
    let said = whoami(&environment, &[]);
    assert!(said.ends_with(" AKIDENVIRONMENT eu-west-1\n"), "{said}");
    let said = whoami(&environment, &["other"]);
    assert!(said.ends_with(" AKIDPROFILE eu-west-1\n"), "{said}");
}

#[test]
fn a_role_is_assumed_with_a_web_identity() {
    let token = profiles("web-identity", "a.web.token");
    let said = whoami(
        &[
            NO_MACHINE,
            ("AWS_REGION", "us-east-1"),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/of-the-pod"),
            ("AWS_ROLE_SESSION_NAME", "bascule"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", path(&token)),
            ("AWS_ENDPOINT_URL_STS", moto().url()),
        ],
        &[],
    );
    assert!(said.contains("assumed-role/of-the-pod/bascule"), "{said}");
}

#[test]
fn a_role_is_assumed_from_another_profile_in_the_chain_and_by_name() {
    let file = profiles(
        "roles",
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/of-the-profile\nrole_session_name = bascule\n\
         source_profile = keys\n\
         [profile keys]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = hidden\n",
    );
    let environment = [
        NO_MACHINE,
        ("AWS_REGION", "us-east-1"),
        ("AWS_CONFIG_FILE", path(&file)),
        ("AWS_ENDPOINT_URL_STS", moto().url()),
    ];
    for arguments in [&[][..], &["default"]] {
        let said = whoami(&environment, arguments);
        assert!(
            said.contains("assumed-role/of-the-profile/bascule"),
            "{said}"
        );
    }
}

#[test]
fn the_role_and_the_region_of_the_machine_come_last() {
    let said = whoami(&[("AWS_EC2_METADATA_SERVICE_ENDPOINT", moto().url())], &[]);
    assert!(said.ends_with(" test-key us-east-1\n"), "{said}");
}

#[test]
fn without_any_credentials_or_region_it_is_told_what_to_give() {
    let said = whoami(&[NO_MACHINE], &[]);
    assert!(said.contains("AWS_REGION"), "{said}");
    let said = whoami(&[NO_MACHINE, ("AWS_REGION", "us-east-1")], &[]);
    assert!(
        said.contains("credentials: denied: no credentials are found"),
        "{said}"
    );
    assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}
