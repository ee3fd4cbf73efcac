//! Accounts and sources of a pretended cloud, asked as an operator's would be.

use std::net::IpAddr;

use bascule_provider::Kind;
use bascule_testkit::oci::{Fault, Machine, Oci};

use super::*;
use crate::check::Level;

const POOL: &str = "ocid1.instancepool.oc1.eu-frankfurt-1.media";

/// One account, and two backends that want the same of it.
struct World {
    oci: Oci,
    folder: tempfile::TempDir,
    /// More keys of `discover`.
    more: &'static str,
}

impl World {
    fn new(machines: &[Machine]) -> Self {
        let oci = Oci::start().unwrap();
        oci.set_pool(POOL, machines.to_vec());
        let folder = tempfile::tempdir().unwrap();
        oci.write_config(folder.path()).unwrap();
        let more = "";
        Self { oci, folder, more }
    }

    fn config(&self) -> Config {
        let more = &self.more;
        let discover = format!("{{ account: main, from: instance-pool/{POOL}, port: 80{more} }}");
        let text = format!(
            "listen: {{ web: {{ address: \":8080\" }} }}
accounts: {{ main: {{ cloud: oci, config_file: config, endpoint_url: \"{}\" }} }}
services:
  docs: {{ match: [{{ hosts: [a.example.org] }}], backends: {{ oci: {{ weight: 1, discover: {discover} }} }} }}
  meet: {{ backends: {{ oci: {{ weight: 1, discover: {discover} }} }} }}
",
            self.oci.url()
        );
        bascule_config::load("meet.yaml", &text, &self.files())
            .unwrap()
            .config
    }

    fn files(&self) -> Files {
        Files::of(&self.folder.path().join("meet.yaml"))
    }

    /// From outside of a runtime, as the cloud has one of its own.
    fn found(&self) -> Vec<Finding> {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        let mut groups = runtime.block_on(look(&self.config(), &self.files()));
        assert_eq!(groups.len(), 1, "{groups:?}");
        let group = groups.remove(0);
        assert_eq!((group.name, &*group.part), ("clouds", "main"));
        group.findings
    }
}

fn machine(number: u8) -> Machine {
    let address = IpAddr::from([10, 0, 0, number]);
    Machine::running(&format!("ocid1.instance.{number}"), address)
}

fn levels(found: &[Finding]) -> Vec<(Level, Option<&'static str>)> {
    found.iter().map(|one| (one.level, one.code)).collect()
}

#[test]
fn an_account_says_who_asks_and_a_source_is_asked_once_for_all_that_want_it() {
    let world = World::new(&[machine(1), machine(2)]);
    let found = world.found();
    assert_eq!(levels(&found), [(Level::Ok, None), (Level::Ok, None)]);
    assert!(found[0].text.starts_with("ocid1.user"), "{found:?}");
    assert_eq!(found[1].text, "docs/oci, meet/oci: 2 of 2 run");
    let calls = world.oci.calls();
    let of_pool = |target: &str| target.ends_with(&format!("instancePools/{POOL}"));
    let asked = calls.iter().filter(|call| of_pool(&call.target));
    assert_eq!(asked.count(), 1, "{calls:?}");
}

#[test]
fn a_source_in_which_nothing_runs_is_a_warning_where_it_stands() {
    let found = World::new(&[]).found();
    assert_eq!(levels(&found)[1], (Level::Warning, Some("W0703")));
    assert_eq!(
        found[1].pointer.as_deref(),
        Some("/services/docs/backends/oci/discover")
    );
    let text = &found[1].text;
    assert!(text.ends_with(&format!("{POOL} is empty")), "{text}");
}

#[test]
fn a_statement_that_is_missing_is_what_is_to_be_done() {
    let world = World::new(&[machine(1)]);
    let refused = Fault::refused(404, "NotAuthorizedOrNotFound");
    world.oci.fail("instancePools", refused, 0, usize::MAX);
    let found = world.found();
    assert_eq!(levels(&found)[1], (Level::Error, Some("E0710")));
    assert!(found[1].text.contains("GetInstancePool"), "{found:?}");
    let help = found[1].help.as_deref().unwrap();
    assert!(
        help.contains("read instance-pools in compartment"),
        "{help}"
    );
    assert!(!found[1].text.contains(help), "it is told once: {found:?}");
}

#[test]
fn metrics_that_are_wanted_and_may_not_be_read_are_a_warning_and_are_not_asked_for_otherwise() {
    let mut world = World::new(&[machine(1)]);
    let refused = Fault::refused(404, "NotAuthorizedOrNotFound");
    world
        .oci
        .fail("summarizeMetricsData", refused, 0, usize::MAX);
    assert_eq!(levels(&world.found())[1..], [(Level::Ok, None)]);
    world.more = ", observe: all";
    let found = world.found();
    let told = [(Level::Ok, None), (Level::Warning, Some("W0705"))];
    assert_eq!(levels(&found)[1..], told);
    let help = found[2].help.as_deref().unwrap();
    assert!(help.contains("read metrics in compartment"), "{help}");
    world.oci.heal();
    assert_eq!(levels(&world.found())[1..], [(Level::Ok, None)]);
}

#[test]
fn a_clock_that_is_wrong_is_told_with_the_seconds() {
    let world = World::new(&[machine(1)]);
    world.oci.set_clock(1000);
    let found = world.found();
    let told = [(Level::Error, Some("E0709")), (Level::Unknown, None)];
    assert_eq!(levels(&found), told);
    let help = found[0].help.as_deref().unwrap();
    assert!(help.starts_with("this machine's clock is "), "{help}");
}

#[test]
fn a_clock_that_is_off_is_a_warning_while_the_cloud_still_bears_it() {
    let world = World::new(&[machine(1)]);
    world.oci.set_clock(200);
    let found = world.found();
    let told = [
        (Level::Ok, None),
        (Level::Warning, Some("W0704")),
        (Level::Ok, None),
    ];
    assert_eq!(levels(&found), told);
    let text = &found[1].text;
    assert!(text.ends_with(" s behind OCI's"), "{text}");
    assert_eq!(found[1].pointer.as_deref(), Some("/accounts/main"));
}

#[test]
fn a_key_that_was_revoked_is_told_at_its_account() {
    let mut world = World::new(&[machine(1)]);
    world.oci.rotate_key().unwrap();
    let found = world.found();
    assert_eq!(levels(&found)[0], (Level::Error, Some("E0709")));
    let help = found[0].help.as_deref().unwrap();
    assert!(help.contains("fingerprint"), "{help}");
}

#[test]
fn an_account_without_credentials_is_told_at_its_place_and_its_sources_are_not_asked() {
    let world = World::new(&[machine(1)]);
    std::fs::remove_file(world.folder.path().join("oci_api_key.pem")).unwrap();
    let found = world.found();
    let told = [(Level::Error, Some("E0709")), (Level::Unknown, None)];
    assert_eq!(levels(&found), told);
    assert_eq!(found[0].pointer.as_deref(), Some("/accounts/main"));
    assert!(found[0].text.contains("oci_api_key.pem"), "{found:?}");
    assert!(world.oci.calls().is_empty());
}

#[test]
fn who_cannot_be_asked_for_a_moment_is_unknown_and_its_sources_are_asked() {
    let error = |kind| Some(Err(Error::new(kind, "sts:GetCallerIdentity", "")));
    let transient = of_account(error(Kind::Transient), Cloud::Aws);
    let denied = of_account(error(Kind::Denied), Cloud::Aws);
    let late = of_account(None, Cloud::Aws);
    for ((findings, is_usable), told, usable) in [
        (transient, (Level::Unknown, None), true),
        (denied, (Level::Error, Some("E0709")), false),
        (late, (Level::Unknown, None), true),
    ] {
        assert_eq!((levels(&findings), is_usable), (vec![told], usable));
    }
}
