//! How a report is printed, and how it ends.

use super::*;

fn report() -> Report {
    let provider = |part: &str, findings| Group {
        name: "providers",
        part: part.to_owned(),
        findings,
    };
    let refuses = |address: &str| {
        Finding::wrong("E0702", format!("{address} refuses connections"))
            .help("does the server run?")
    };
    Report {
        groups: vec![
            Group::new(
                "host",
                vec![
                    Finding::ok("1048576 descriptors"),
                    Finding::ok(""),
                    Finding::unknown("whether the clock is synchronised is not to be seen here"),
                ],
            ),
            provider("aws", vec![Finding::ok(""), Finding::ok("")]),
            provider(
                "gcp",
                vec![
                    Finding::wrong("W0702", "the certificate of 34.0.0.9:443 ends in 9 days")
                        .help("renew it"),
                    Finding::ok(""),
                ],
            ),
            provider(
                "oci",
                vec![refuses("10.4.0.11:443"), refuses("10.4.0.12:443")],
            ),
            Group::new("controller", vec![Finding::ok("in this process")]),
        ],
    }
}

#[test]
fn groups_are_a_line_each_and_only_trouble_has_details() {
    insta::assert_snapshot!(render(&report(), 1.84));
}

#[test]
fn errors_fail_and_warnings_only_when_asked_to() {
    let mut report = report();
    assert_eq!(verdict(&report, false), Exit::Problem);
    report.groups.retain(|group| group.part != "oci");
    assert_eq!(verdict(&report, false), Exit::Ok);
    assert_eq!(verdict(&report, true), Exit::Problem);
    report.groups.retain(|group| group.part != "gcp");
    assert_eq!(
        verdict(&report, true),
        Exit::Ok,
        "what is unknown is no warning"
    );
}
