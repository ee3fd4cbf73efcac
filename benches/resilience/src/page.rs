//! The page: one table for each scenario, one row for each proxy, with what the figures mean in front.

use std::fmt::Write as _;
use std::time::Duration;

use crate::figures::{Figures, Return};
use crate::peers::Peer;
use crate::scenario::{AFTER, BEFORE, ILL, RATE, Scenario};

/// What one scenario came to, by proxy.
#[derive(Debug, Clone)]
pub struct Result {
    /// The scenario.
    pub scenario: Scenario,
    /// The figures of each proxy.
    pub figures: Vec<(Peer, Figures)>,
}

/// What the page says before the tables.
#[must_use]
pub fn introduction(versions: &[(Peer, String)]) -> String {
    let mut text = format!(
        "# Resilience\n\n\
         Written by `cargo xtask resilience --write docs/resilience.md`; not by hand. Proxies side by side while providers \
         fail,\non loopback, with clients and origins of our own. Nothing here was asked of a proxy: clients say what they \
         got and how\nlong it took, origins say what reached them.\n\n\
         Two providers, half and half, two endpoints each unless said otherwise; {RATE} requests a second that begin at \
         times fixed\nbeforehand, whatever becomes of the others. All is well for {before} s, then the victims are ill for \
         {ill} s, then all is well for\n{after} s. Each proxy has the configuration that an experienced operator would \
         write, with its health options on; they are\ncommitted in `benches/resilience/configs`, with remarks on what makes \
         them equal and what cannot be. \"bascule, defaults\" has\nno setting at all but a path for checks.\n\n",
        before = BEFORE.as_secs(),
        ill = ILL.as_secs(),
        after = AFTER.as_secs(),
    );
    text += "| column | meaning |\n|---|---|\n\
         | failed | requests from the fall on that did not end with 200 |\n\
         | last failure | from the fall to the end of the last one that failed while the victims were ill |\n\
         | left | from the fall until no second brings the victims more than 1 % of the load, as they saw it; \
         — where they cannot see it, as nobody listens |\n\
         | trials | the most requests that they got in any second after that, but for the first: it may hold what was sent before \
         anybody could know |\n\
         | > 400 ms | requests that waited for more than 400 ms |\n\
         | tries | requests at origins for each of the clients', while ill |\n\
         | first | from the recovery to the first request that they got again; in brackets from the second check that came \
         after it |\n\
         | at first | what they got in the half second after that check, of their share; where the request came before the check, \
         after the request |\n\
         | 90 % | from the recovery until they had nine tenths of their share in half a second |\n\
         | peak | the most they got in a second, as a multiple of their share |\n\n";
    for (peer, version) in versions {
        line(&mut text, &format!("- {peer}: {version}"));
    }
    text
}

/// One scenario's section.
#[must_use]
pub fn section(result: &Result) -> String {
    let Result { scenario, figures } = result;
    let mut text = format!("\n## {}\n\n", upper(scenario.title));
    let posts = if scenario.posts { " sent twice |" } else { "" };
    let rule = if scenario.posts { "---|" } else { "" };
    let refusals = figures.iter().any(|(_, figures)| figures.refusal.is_some());
    let (more, more_rule) = if refusals {
        (
            " refused within (p99) | with `Retry-After` | first success |",
            "---|---|---|",
        )
    } else {
        (" first | at first | 90 % | peak |", "---|---|---|---|")
    };
    line(
        &mut text,
        &format!("| | failed | last failure | left | trials | > 400 ms | tries |{posts}{more}"),
    );
    line(
        &mut text,
        &format!("|---|---|---|---|---|---|---|{rule}{more_rule}"),
    );
    for (peer, figures) in figures {
        line(&mut text, &row(*peer, scenario, figures, refusals));
    }
    text
}

fn row(peer: Peer, scenario: &Scenario, figures: &Figures, refusals: bool) -> String {
    let unseen = scenario.ailment == bascule_testkit::faulty::Ailment::Refuses || refusals;
    let left = match figures.left {
        _ if unseen => "—".to_owned(),
        Some(left) => seconds(left),
        None => "never".to_owned(),
    };
    let trials = match figures.left {
        Some(_) if !unseen => figures.trials.to_string(),
        _ => "—".to_owned(),
    };
    let mut row = format!(
        "| {peer} | {} of {} | {} | {left} | {trials} | {} | {:.2} |",
        figures.failed,
        figures.requests,
        figures.last_failed.map_or_else(|| "—".to_owned(), seconds),
        figures.waited,
        figures.factor,
    );
    if scenario.posts {
        row += &format!(" {} |", figures.twice);
    }
    let healed = figures.back.and_then(|back| back.healed);
    if refusals {
        let refusal = figures.refusal.map_or_else(
            || " — | — |".to_owned(),
            |r| {
                format!(
                    " {} ms | {:.0} % |",
                    r.p99.as_millis(),
                    r.retry_after * 100.0
                )
            },
        );
        row += &refusal;
        row += &format!(" {} |", healed.map_or_else(|| "never".to_owned(), seconds));
    } else {
        row += &figures
            .back
            .as_ref()
            .map_or_else(|| " never | — | — | — |".to_owned(), returned);
    }
    row
}

fn returned(back: &Return) -> String {
    let after = back
        .after_checks
        .map_or_else(String::new, |after| format!(" ({})", seconds(after)));
    format!(
        " {}{after} | {:.0} % | {} | {:.2} |",
        seconds(back.first),
        back.at_first * 100.0,
        back.most.map_or_else(|| "never".to_owned(), seconds),
        back.peak,
    )
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

fn line(text: &mut String, what: &str) {
    if writeln!(text, "{what}").is_err() {
        text.push('\n'); // Writing into a text does not fail.
    }
}
