//! What `prices list` prints of a file.

use super::*;

const TEXT: &str = r#"listen: { web: { address: ":8080" } }
commitments:
  oracle-credits:
    { remaining: 250000 USD, as_of: 2026-11-01, period_ends: 2027-03-31, covers: [oci] }
  last-year:
    { remaining: 2PB, as_of: 2025-11-01, period_ends: 2026-03-31, covers: [docs/own] }
services:
  meet:
    match: [{ path: { prefix: /meet } }]
    backends:
      aws:
        weight: 70
        egress_price:
          tiers:
            - { up_to: 10TB, price: 0.09 USD/GB }
            - { up_to: 50TB, price: 0.085 USD/GB }
            - { price: 0.05 USD/GB }
          as_of: 2026-08-01
          source: contract, page 4
        endpoints: ["http://10.0.1.10:8080"]
      oci-iad:
        weight: 30
        provider: oci
        egress_price: { price: 0.0085 USD/GB, as_of: 2026-11-01 }
        endpoints: ["http://10.1.1.10:8080"]
      gcp: { role: standby, endpoints: ["http://10.2.1.10:8080"] }
  docs:
    backends:
      own: { weight: 1, egress_price: { price: 0 EUR/GB, as_of: 2026-11-25 }, endpoints: ["http://10.3.1.10:8080"] }
"#;

fn listed(service: Option<&str>) -> Result<Prices, CliError> {
    listed_on("2026-11-25", service)
}

fn listed_on(today: &str, service: Option<&str>) -> Result<Prices, CliError> {
    let source = bascule_config::MemorySource::default();
    let config = bascule_config::load("meet.yaml", TEXT, &source)
        .unwrap()
        .config;
    let args = PricesArgs {
        service: service.map(str::to_owned),
        config: None,
    };
    collect(&config, &args, Date::parse(today).unwrap())
}

#[test]
fn prices_are_listed_with_their_age_and_their_line_and_what_is_missing_or_old_is_said() {
    insta::assert_snapshot!(render(&listed(None).unwrap(), false));
}

#[test]
fn a_wide_list_of_one_service_says_where_prices_were_read() {
    insta::assert_snapshot!(render(&listed(Some("meet")).unwrap(), true));
}

#[test]
fn what_is_dated_after_today_is_said_as_its_age_would_be_none() {
    let prices = listed_on("2026-10-31", Some("meet")).unwrap();
    let text = render(&prices, false);
    let told: Vec<&str> = text.lines().filter(|line| line.starts_with('!')).collect();
    let wanted = [
        "! 1 price older than 90 days: meet/aws",
        "! dated after today: meet/oci-iad",
        "! no price: meet/gcp",
        "! what is left of commitment oracle-credits is dated after today",
    ];
    assert_eq!(told, wanted);
}

#[test]
fn programs_get_exact_decimals_and_bytes() {
    let data = serde_json::to_string_pretty(&listed(Some("meet")).unwrap()).unwrap();
    insta::assert_snapshot!(data);
}

#[test]
fn a_service_that_is_not_there_is_told_with_the_one_that_was_meant() {
    let error = listed(Some("meat")).unwrap_err();
    assert_eq!(error.exit, Exit::Usage);
    assert!(
        error.to_string().contains("did you mean `meet`?"),
        "{error}"
    );
}
