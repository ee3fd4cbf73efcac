//! Prices of the running configuration: what a person wrote is listed with its line, changes with a reload, and is as old in
//! metrics as it is there.

use bascule_testkit::Origin;

use crate::support::{cli, reload, start};

#[test]
fn the_prices_that_run_are_listed_and_follow_a_reload() {
    let origin = Origin::start("aws").unwrap();
    let config = |price: &str| {
        format!(
            "listen: {{ web: {{ address: \"127.0.0.1:0\" }} }}
services:
  meet:
    backends:
      aws: {{ weight: 1, {price} endpoints: [\"{}\"] }}
",
            origin.url()
        )
    };
    let daemon = start(&config(""));
    assert!(cli(&daemon, &["prices", "list"]).contains("! no price: meet/aws"));

    let priced = "egress_price: { price: 0.0085 USD/GB, as_of: 2020-02-29 },";
    reload(&daemon, &config(priced));
    let listed = cli(&daemon, &["prices", "list", "meet"]);
    let line = listed.lines().nth(1).unwrap();
    assert!(line.contains("USD  0.0085  2020-02-29"), "{listed}");
    assert!(line.contains("/bascule.yaml:"), "{listed}");
    assert!(listed.contains("! 1 price older than 90 days"), "{listed}");

    let metrics = daemon.api(http::Method::GET, "/metrics", "").unwrap();
    let metrics = String::from_utf8_lossy(metrics.body()).into_owned();
    let has_age = |line: &str| line.starts_with("bascule_price_age_seconds{");
    assert!(metrics.lines().any(has_age), "{metrics}");

    reload(&daemon, &config(""));
    let metrics = daemon.api(http::Method::GET, "/metrics", "").unwrap();
    let metrics = String::from_utf8_lossy(metrics.body()).into_owned();
    assert!(!metrics.lines().any(has_age), "{metrics}");
}
