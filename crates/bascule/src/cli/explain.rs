//! `explain SERVICE BACKEND`: the factor chain from the declared share to the effective one. It prints numbers that the API
//! gives and computes none. `explain request` is in [`request`].

pub(crate) mod request;

use bascule_admin::api::{Explanation, Loss, Mode};

use super::args::{ExplainArgs, ExplainCommand, Global};
use super::client::segment;
use super::exit::{CliError, CliResult, Exit};
use super::output::Output;
use super::session::Session;
use super::text::{self, Clock};

/// Where the words of a line begin.
const WORD: usize = 11;
/// Where the reasons begin.
const WHY: usize = 23;

/// Explains.
pub(crate) async fn run(args: &ExplainArgs, global: &Global, out: &mut Output) -> CliResult {
    if let Some(ExplainCommand::Request(args)) = &args.command {
        return request::run(args, global, out).await;
    }
    let (Some(service), Some(backend)) = (&args.service, &args.backend) else {
        // The parser asks for both where there is no subcommand.
        return Err(CliError::new(Exit::Usage, "name a service and a backend"));
    };
    let session = &mut Session::open(global, out)?;
    let path = format!(
        "/v1/services/{}/explain/{}",
        segment(service),
        segment(backend)
    );
    let explanation: Explanation = session.get(&path).await?;
    let clock = session.clock.clone();
    session
        .out
        .answer("Explanation", &explanation, |e| render(e, &clock))?;
    Ok(Exit::Ok)
}

/// The layout.
pub(crate) fn render(e: &Explanation, clock: &Clock) -> String {
    let mut lines = vec![format!(
        "{} has share {:.2} %.  Declared: {:.2} %.",
        e.backend, e.effective, e.declared
    )];
    if e.off {
        lines.push(format!(
            "It is off: {}. It gets nothing, whatever else fails.",
            e.off_why.trim_start_matches("off: ")
        ));
    }
    lines.push(line(
        ' ',
        e.declared,
        "declared",
        e.declared_at.as_deref().unwrap_or(""),
    ));
    if differs(e.target, e.declared) || !e.target_why.is_empty() {
        lines.push(line('→', e.target, "target", &e.target_why));
    }
    if e.mode == Mode::FailOpen {
        lines.push(line(
            '→',
            e.effective,
            "fail open",
            "no backend is up: the target row is used as it is",
        ));
    } else if !e.off {
        lines.extend(chain(e));
    }
    let workers = text::plural(e.workers, "worker");
    let confirmed = format!("rev {}, {workers}", e.confirmed_revision);
    let behind = if e.confirmed_revision == e.revision {
        ""
    } else {
        " (not the current one yet)"
    };
    lines.push(line(
        ' ',
        e.effective,
        "effective",
        &format!("{confirmed}{behind}"),
    ));
    lines.extend(around(e, clock));
    lines.extend(losses(e));
    let audit = format!("Audit: bascule history show {}", e.revision);
    lines.push(match e.would_return.is_empty() {
        true => audit,
        false => format!("{}   {audit}", e.would_return),
    });
    lines.join("\n")
}

/// What stands around the chain: override, shift, and what could matter and does not.
fn around(e: &Explanation, clock: &Clock) -> Vec<String> {
    let mut lines = Vec::new();
    // What moved the target is said at the target.
    if let Some(row) = e.override_row.as_ref().filter(|_| e.target_why.is_empty()) {
        let reason = if row.reason.is_empty() {
            String::new()
        } else {
            format!(", {}", row.reason)
        };
        lines.push(format!(
            " override: {} by {}{reason}, {}",
            text::row(&row.shares),
            row.actor,
            clock.left(row.expires_at)
        ));
    }
    if let Some(shift) = &e.shift {
        lines.push(format!(" shift {shift} is moving the target"));
    }
    if !e.not_in_play.is_empty() {
        let parts: Vec<String> = e
            .not_in_play
            .iter()
            .map(|n| format!("{} ({})", n.name.replace('_', "-"), n.why))
            .collect();
        lines.push(format!(" not in play: {}", parts.join(", ")));
    }
    lines
}

/// What would become of the service if a provider were lost.
fn losses(e: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    if e.shed > 0.0 {
        let shed = text::share(e.shed);
        lines.push(format!(
            " {shed} % of the service's requests are shed: they fit nowhere"
        ));
    }
    let line = |loss: &Loss| format!(" if {} is lost: {}", loss.provider, loss.text);
    lines.extend(e.losses.iter().map(line));
    lines
}

/// The factors, and what normalising makes of them.
fn chain(e: &Explanation) -> Vec<String> {
    let mut lines = Vec::new();
    for factor in &e.factors {
        let name = match factor.name.as_str() {
            "health" => "health factor".to_owned(),
            other => other.replace('_', " "),
        };
        lines.push(line('×', factor.value, &name, &factor.why));
    }
    if differs(e.product, e.product_sum) || e.others.iter().any(|other| other.value > 0.0) {
        let keep = |f: &bascule_admin::api::Factor| format!("{} keeps {:.2}", f.name, f.value);
        let others: Vec<String> = e
            .others
            .iter()
            .filter(|f| f.value > 0.0)
            .map(keep)
            .collect();
        lines.push(line(
            '=',
            e.product,
            &format!("of {:.2}", e.product_sum),
            &others.join(", "),
        ));
        lines.push(line('→', e.effective, "normalised", ""));
    }
    lines
}

/// One line: ` × 0.70    health factor   why`.
fn line(sign: char, value: f64, word: &str, why: &str) -> String {
    let number = format!(" {sign} {value:.2}");
    format!("{number:<WORD$}{word:<WHY$}{why}")
        .trim_end()
        .to_owned()
}

/// Whether two percentages are not the same hundredth.
fn differs(a: f64, b: f64) -> bool {
    (a - b).abs() >= 0.005
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn the_chain_of_a_backend_that_lost_endpoints_reads_from_declared_to_effective() {
        insta::assert_snapshot!(render(&samples::explanation(), &samples::clock()));
    }

    #[test]
    fn an_override_and_a_shift_are_named() {
        let mut e = samples::explanation();
        e.target = 50.0;
        e.target_why = "override by uid:1000, CHG-4412, 23 h left".to_owned();
        e.override_row = samples::service().override_row;
        e.shift = Some("s-0192".to_owned());
        e.factors.clear();
        e.would_return.clear();
        insta::assert_snapshot!(render(&e, &samples::clock()));
    }

    #[test]
    fn a_backend_that_is_off_has_no_chain() {
        let mut e = samples::explanation();
        (e.off, e.off_why, e.effective, e.target) =
            (true, "off: evacuation e-0001 of oci".to_owned(), 0.0, 0.0);
        e.would_return.clear();
        insta::assert_snapshot!(render(&e, &samples::clock()));
    }
}
