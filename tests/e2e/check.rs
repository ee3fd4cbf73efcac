//! What `check` and `config validate --online` say of accounts and sources in clouds: who asks, what a source has, and what a
//! person is to do where a key, a permission or a machine is missing. The clouds are pretended ones that verify who asks.

use std::path::Path;
use std::process::Output;

use bascule_testkit::aws::{Moto, Outsider};
use bascule_testkit::crowd::Crowd;
use bascule_testkit::oci::{Fault, Machine, Oci};

use crate::clouds::register;
use crate::support::{make_private, run};

const POOL: &str = "ocid1.instancepool.oc1.eu-frankfurt-1.media";
/// What the configuration says on these lines.
const ACCOUNT_LINE: &str = ",line=3,";
const SOURCE_LINE: &str = ",line=7,";

/// Writes a configuration with one account and one source of it.
fn write(folder: &Path, account: &str, source: &str) {
    let text = format!(
        "listen: {{ web: {{ address: \"127.0.0.1:0\" }} }}
accounts:
  main: {{ {account} }}
services:
  meet:
    backends:
      media: {{ weight: 1, discover: {{ account: main, {source} }} }}
"
    );
    std::fs::write(folder.join("meet.yaml"), text).unwrap();
}

/// Runs a command on that file; who is asked by chance at the usual socket of this machine is nobody.
fn bascule(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let (file, nobody) = (folder.join("meet.yaml"), folder.join("nobody.sock"));
    let context = format!("unix:{}", nobody.display());
    let all = [&["--context", &context], args, &[file.to_str().unwrap()]].concat();
    let Output { status, stdout, .. } = run(env!("CARGO_BIN_EXE_bascule"), &all);
    (status.code(), String::from_utf8_lossy(&stdout).into_owned())
}

fn validate(folder: &Path) -> (Option<i32>, String) {
    bascule(folder, &["config", "validate", "--online"])
}

/// Where in the file it is told.
fn places(folder: &Path) -> String {
    bascule(folder, &["config", "validate", "--online", "-o", "github"]).1
}

#[test]
fn a_key_that_was_revoked_and_a_pool_that_is_empty_are_told_before_they_run() {
    let mut oci = Oci::start().unwrap();
    let machine = Machine::running("ocid1.instance.1", [127, 0, 0, 1].into());
    oci.set_pool(POOL, vec![machine]);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    oci.write_config(folder).unwrap();
    let account = format!(
        "cloud: oci, config_file: config, endpoint_url: \"{}\"",
        oci.url()
    );
    write(
        folder,
        &account,
        &format!("from: instance-pool/{POOL}, port: 8080"),
    );
    let (code, told) = validate(folder);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("main ok 2   (ocid1.user"), "{told}");
    assert!(told.contains("meet/media: 1 of 1 run"), "{told}");
    let (_, told) = bascule(folder, &["check", "--pre", "--config"]);
    assert!(told.contains("main ok 2   (ocid1.user"), "{told}");

    oci.set_pool(POOL, vec![]);
    let (code, told) = validate(folder);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("bascule help W0703"), "{told}");
    let told = places(folder);
    assert!(told.contains(SOURCE_LINE), "{told}");

    let statement = "Allow group GROUP to read instance-pools in compartment COMPARTMENT";
    let refused = Fault::refused(404, "NotAuthorizedOrNotFound");
    oci.fail("instancePools", refused, 0, usize::MAX);
    let (code, told) = validate(folder);
    assert_eq!(code, Some(7), "{told}");
    assert!(told.contains(statement), "{told}");
    let told = places(folder);
    assert!(
        told.contains(SOURCE_LINE) && told.contains("title=E0710"),
        "{told}"
    );
    oci.heal();

    oci.set_clock(120);
    let (code, told) = validate(folder);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(" s behind OCI's"), "{told}");
    oci.set_clock(0);

    oci.rotate_key().unwrap();
    let (code, told) = validate(folder);
    assert_eq!(code, Some(7), "{told}");
    assert!(told.contains("NotAuthenticated"), "{told}");
    let told = places(folder);
    assert!(
        told.contains(ACCOUNT_LINE) && told.contains("title=E0709"),
        "{told}"
    );

    std::fs::remove_file(folder.join("oci_api_key.pem")).unwrap();
    let told = places(folder);
    assert!(
        told.contains(ACCOUNT_LINE) && told.contains("title=E0709"),
        "{told}"
    );
}

#[test]
fn aws_says_whether_it_takes_the_credentials_and_which_permission_is_missing() {
    let crowd = Crowd::start("media", 2).unwrap();
    let moto = Moto::start().unwrap();
    let mut outsider = Outsider::start(moto.url()).unwrap();
    register(&mut outsider, &crowd);
    let looks = ["servicediscovery:DiscoverInstances"];
    let allowed = outsider.user("looks", &looks).unwrap();
    let other = outsider.user("other", &["ec2:*"]).unwrap();
    moto.be_strict().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let account = format!(
        "cloud: aws, region: us-east-1, profile: media, config_file: profiles, endpoint_url: \"{}\"",
        moto.url()
    );
    write(folder, &account, "from: cloud-map/media/join");
    let give = |(key, secret): &(String, String)| {
        let file = folder.join("profiles");
        let text = format!(
            "[profile media]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        );
        std::fs::write(&file, text).unwrap();
        make_private(&file);
    };

    give(&allowed);
    let (code, told) = validate(folder);
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains(":user/looks, in us-east-1"), "{told}");
    assert!(told.contains("meet/media: 2 of 2 run"), "{told}");

    give(&other);
    let (code, told) = validate(folder);
    assert_eq!(code, Some(7), "{told}");
    assert!(told.contains(":user/other, in us-east-1"), "{told}");
    assert!(
        told.contains("allow servicediscovery:DiscoverInstances on"),
        "{told}"
    );

    give(&(
        "AKIANOBODYHASTHIS000".to_owned(),
        "hidden-hidden".to_owned(),
    ));
    let (code, told) = validate(folder);
    assert_eq!(code, Some(7), "{told}");
    assert!(told.contains("not asked, as its account"), "{told}");
    assert!(!told.contains("hidden"), "{told}");
    let told = places(folder);
    assert!(
        told.contains(ACCOUNT_LINE) && told.contains("title=E0709"),
        "{told}"
    );
}
