//! Dates of prices and commitments: what is old, what is still to come, what has ended. Only here is there a clock for
//! that; what prices mean together is told by the configuration itself.

use bascule_model::Date;

use super::{Finding, Subject};
use crate::cli::text::plural;

/// After so many days a price is old: lists change a few times a year, and contracts are looked at each quarter
/// (`docs/decisions/0024-prices.md`).
pub(crate) const OLD_DAYS: u32 = 90;

/// Everything about them; nothing where there is none.
pub(crate) fn look(subject: &Subject<'_>) -> Vec<Finding> {
    let today = Date::of(subject.now);
    let config = subject.config;
    let mut found = Vec::new();
    for ((service, backend), price) in &config.prices {
        let what = format!("the price of {service}/{backend}");
        let pointer = format!("/services/{service}/backends/{backend}/egress_price/as_of");
        found.extend(age(&what, price.as_of, today).map(|finding| finding.at(pointer)));
    }
    for (name, commitment) in &config.commitments {
        let pointer = format!("/commitments/{name}");
        if commitment.period_ends < today {
            let text = format!(
                "commitment `{name}` has ended on {}",
                commitment.period_ends
            );
            let finding = Finding::wrong("W0751", text).help("take it out, or write its successor");
            found.push(finding.at(format!("{pointer}/period_ends")));
            continue;
        }
        let what = format!("what is left of commitment `{name}`");
        let finding = age(&what, commitment.as_of, today);
        found.extend(finding.map(|finding| finding.at(format!("{pointer}/as_of"))));
    }
    if found.is_empty() && !config.prices.is_empty() {
        found.push(Finding::ok(plural(config.prices.len(), "price")));
    }
    found
}

fn age(what: &str, as_of: Date, today: Date) -> Option<Finding> {
    // Whoever wrote today is a day ahead of UTC where it is tomorrow already.
    if as_of.days_since(today) > 1 {
        let text = format!("{what} is of {as_of}, and today is {today} (UTC)");
        return Some(
            Finding::wrong("E0750", text).help("correct `as_of`, or this machine's clock"),
        );
    }
    let days = today.days_since(as_of);
    (days > OLD_DAYS).then(|| {
        let text = format!("{what} is of {as_of}, {days} days ago");
        Finding::wrong("W0750", text).help("look it up again, and set `as_of` to that day")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Files;

    const TEXT: &str = "listen: { web: { address: ':0' } }\n\
        commitments: { credits: { remaining: 2PB, as_of: 2026-11-01, period_ends: 2027-03-31, covers: [oci] } }\n\
        services: { meet: { backends: {\n\
        \x20 aws: { weight: 1, egress_price: { price: 0.05 USD/GB, as_of: 2026-10-01 }, endpoints: ['http://127.0.0.1:1'] },\n\
        \x20 oci: { weight: 1, egress_price: { price: 0.0085 USD/GB, as_of: 2026-11-01 }, endpoints: ['http://127.0.0.1:2'] } } } }\n";

    /// What is told on a day: codes, and where.
    fn told(text: &str, today: &str) -> Vec<(Option<&'static str>, Option<String>)> {
        let files = Files::default();
        let loaded = bascule_config::load("meet.yaml", text, &files).unwrap();
        let subject = Subject {
            config: &loaded.config,
            files: &files,
            now: Date::parse(today).unwrap().begins(),
        };
        let found = look(&subject).into_iter();
        found
            .map(|finding| (finding.code, finding.pointer))
            .collect()
    }

    fn at(code: &'static str, pointer: &str) -> (Option<&'static str>, Option<String>) {
        (Some(code), Some(pointer.to_owned()))
    }

    #[test]
    fn prices_are_told_from_the_ninety_first_day_on_and_before_their_first() {
        let aws = "/services/meet/backends/aws/egress_price/as_of";
        let oci = "/services/meet/backends/oci/egress_price/as_of";
        let credits = "/commitments/credits/as_of";
        assert_eq!(told(TEXT, "2026-11-01"), [(None, None)]);
        assert_eq!(told(TEXT, "2026-12-30"), [(None, None)]);
        assert_eq!(told(TEXT, "2026-12-31"), [at("W0750", aws)]);
        let all = [at("W0750", aws), at("W0750", oci), at("W0750", credits)];
        assert_eq!(told(TEXT, "2027-02-01"), all);
        assert_eq!(told(TEXT, "2026-10-31"), [(None, None)]);
        assert_eq!(
            told(TEXT, "2026-10-30"),
            [at("E0750", oci), at("E0750", credits)]
        );
    }

    #[test]
    fn a_commitment_can_be_used_on_its_last_day_and_not_after_it() {
        let of = |today| told(TEXT, today).pop();
        assert_eq!(
            of("2027-03-31"),
            Some(at("W0750", "/commitments/credits/as_of"))
        );
        let ended = at("W0751", "/commitments/credits/period_ends");
        assert_eq!(of("2027-04-01"), Some(ended));
    }

    #[test]
    fn of_a_file_without_prices_nothing_is_said() {
        let text = "listen: { web: { address: ':0' } }\n\
            services: { meet: { backends: { aws: { weight: 1, endpoints: ['http://127.0.0.1:1'] } } } }\n";
        assert_eq!(told(text, "2026-11-01"), []);
    }
}
