//! What would be written for a command line, into configurations as people have them.

use std::path::PathBuf;

use clap::Parser as _;

use super::*;
use crate::cli::args::{Cli, Command, ProviderCommand};

const ONE: &str = "\
# ours
listen: { web: { address: \":8080\" } }
accounts:
  main: { cloud: aws, region: us-east-1 } # signed
services:
  meet:
    backends:
      aws: { weight: 70, endpoints: [\"http://10.0.0.1:80\"] } # most
      own: { weight: 30, endpoints: [\"http://10.0.0.2:80\"] }
";

fn args(words: &[&str]) -> AddArgs {
    let all = ["bascule", "provider", "add"].iter().chain(words);
    let all = all.chain(&["--share", "20"]);
    match Cli::try_parse_from(all).unwrap().command {
        Command::Provider(ProviderCommand::Add(args)) => args,
        other => panic!("{other:?}"),
    }
}

fn text(text: &str) -> Text {
    Text {
        path: PathBuf::from("meet.yaml"),
        name: "meet.yaml".to_owned(),
        bytes: text.as_bytes().to_vec(),
        env: BTreeMap::new(),
    }
}

fn added(file: &str, words: &[&str]) -> Result<String, CliError> {
    let file = text(file);
    let config = file.load().unwrap().config;
    let today = Date::parse("2026-11-25").unwrap();
    let (new, _) = Addition::of(&args(words), &config, today)?.write(&file)?;
    Ok(new.as_utf8())
}

const POOL: [&str; 5] = ["oci", "--from", "instance-pool/ocid1.x", "--port", "8080"];

#[test]
fn a_new_account_and_a_backend_with_weight_0_are_added_and_nothing_else_is_touched() {
    let after = added(ONE, &[&POOL[..], &["--region", "eu-frankfurt-1"]].concat()).unwrap();
    let wanted = ONE.replace(
        "# signed\n",
        "# signed\n  oci: { cloud: oci, region: eu-frankfurt-1 }\n",
    ) + "      oci: { region: eu-frankfurt-1, weight: 0, discover: { account: oci, from: instance-pool/ocid1.x, port: 8080 } }\n";
    assert_eq!(after, wanted);
}

#[test]
fn an_account_that_fits_is_used_and_a_backend_of_another_name_says_its_provider() {
    let words = [
        "aws",
        "--from",
        "cloud-map/a/b",
        "--backend",
        "aws-2",
        "--scheme",
        "https",
        "--egress-price",
        "0.05 USD/GB",
    ];
    let after = added(ONE, &words).unwrap();
    let wanted = ONE.to_owned()
        + "      aws-2: { provider: aws, weight: 0, egress_price: { price: \"0.05 USD/GB\", as_of: 2026-11-25 }, discover: { account: main, from: cloud-map/a/b, scheme: https } }\n";
    assert_eq!(after, wanted);
}

#[test]
fn a_file_in_the_style_of_json_and_one_without_accounts_take_it_too() {
    let json = "{ \"listen\": { \"web\": { \"address\": \":8080\" } }, \"services\": { \"meet\": { \"backends\": { \"aws\": { \"weight\": 1, \"endpoints\": [\"http://10.0.0.1:80\"] } } } } }\n";
    let after = added(json, &POOL).unwrap();
    assert!(
        after.contains("accounts: { oci: { cloud: oci } }"),
        "{after}"
    );
    assert!(after.contains("oci: { weight: 0, discover: "), "{after}");
}

#[test]
fn what_is_ambiguous_or_taken_is_refused_with_the_option_that_decides() {
    let two = ONE.replace("accounts:\n", "accounts:\n  second: { cloud: aws }\n");
    let aws = ["aws", "--from", "cloud-map/a/b"];
    for (file, words, says, help) in [
        (
            ONE,
            &aws[..],
            "has a backend `aws` already",
            "--backend NAME",
        ),
        (
            &two,
            &["aws", "--from", "x", "--backend", "b"],
            "several accounts fit: main, second",
            "--account NAME",
        ),
        (
            ONE,
            &["oci", "--from", "x", "--service", "met"],
            "met",
            "meet",
        ),
        (
            ONE,
            &[
                "aws",
                "--from",
                "x",
                "--backend",
                "b",
                "--account",
                "main",
                "--region",
                "eu-west-1",
            ],
            "account `main` is there with other settings",
            "another name",
        ),
    ] {
        let error = added(file, words).unwrap_err();
        let shown = format!("{error} {}", error.help.join(" "));
        assert_eq!(error.exit, Exit::Usage, "{shown}");
        assert!(shown.contains(says) && shown.contains(help), "{shown}");
    }
}

#[test]
fn what_the_configuration_refuses_is_told_at_its_place() {
    let error = added(ONE, &["oci", "--from", "instance-pool/ocid1.x"]).unwrap_err();
    assert_eq!(error.exit, Exit::ConfigInvalid);
    let shown = error.details.join("\n");
    assert!(
        shown.contains("E0326") && shown.contains("meet.yaml:11:57"),
        "{shown}"
    );
}

#[test]
fn a_map_that_is_repeated_elsewhere_is_not_written_into_and_the_lines_are_given() {
    let shared = ONE.replace("    backends:\n", "    backends: &all\n")
        + "  chat:\n    match: [{ hosts: [c.example.org] }]\n    backends: *all\n";
    let shared = shared.replace(
        "  meet:\n",
        "  meet:\n    match: [{ hosts: [m.example.org] }]\n",
    );
    for service in ["meet", "chat"] {
        let error = added(&shared, &[&POOL[..], &["--service", service]].concat()).unwrap_err();
        let shown = format!("{error} {}", error.help.join(" "));
        assert_eq!(error.exit, Exit::Failed, "{shown}");
        assert!(shown.contains("by hand: services."), "{shown}");
    }
}

fn names(weights: &[(&str, u32)]) -> BTreeMap<BackendName, u32> {
    let weights = weights.iter();
    weights
        .map(|(name, weight)| (name.parse().unwrap(), *weight))
        .collect()
}

#[test]
fn weights_say_the_row_and_touch_the_others_only_where_they_must() {
    let new: BackendName = "oci".parse().unwrap();
    for (declared, percent, wanted) in [
        (
            &[("aws", 70), ("own", 30), ("oci", 0)][..],
            2_000,
            &[("aws", 70), ("own", 30), ("oci", 25)][..],
        ),
        (&[("aws", 1), ("oci", 0)], 5_000, &[("aws", 1), ("oci", 1)]),
        (
            &[("aws", 70), ("own", 30), ("oci", 0)],
            500,
            &[("aws", 7000), ("own", 3000), ("oci", 526)],
        ),
        (&[("aws", 1), ("oci", 0)], 3_333, &[("aws", 10), ("oci", 5)]),
        (
            &[("aws", 1), ("own", 1), ("oci", 0)],
            7,
            &[("aws", 4997), ("own", 4996), ("oci", 7)],
        ),
        (
            &[("aws", 7), ("oci", 0)],
            10_000,
            &[("aws", 0), ("oci", 10_000)],
        ),
    ] {
        let declared = names(declared);
        let pairs = declared
            .iter()
            .map(|(name, weight)| (name.clone(), u64::from(*weight)));
        let row = Shares::from_weights(pairs).unwrap();
        let row = row
            .with(&[(
                new.clone(),
                bascule_model::BasisPoints::new(percent).unwrap(),
            )])
            .unwrap();
        let kept = kept(&declared, &new, &row);
        let says = Shares::from_weights(kept.iter().map(|(name, w)| (name.clone(), u64::from(*w))));
        assert_eq!(says.unwrap(), row);
        assert_eq!(kept, names(wanted), "{percent}");
    }
}
