//! The Prometheus text format, version 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats): one family at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bascule_model::Histogram;

use super::{Labels, Value};
use crate::names;

/// Writes one family: help, type and all its series. A name that is not in the table of `names` has no help.
pub(super) fn family(out: &mut String, name: &str, series: &BTreeMap<Labels, Value>) {
    let Some(first) = series.values().next() else {
        return;
    };
    let kind = match first {
        Value::Counter(_) => "counter",
        Value::Gauge(_) => "gauge",
        Value::Histogram(_) => "histogram",
    };
    let known = names::find(name);
    if let Some(metric) = known {
        head(out, name, kind, metric.help);
    } else {
        line(out, format_args!("# TYPE {name} {kind}"));
    }
    for (labels, value) in series {
        match value {
            Value::Counter(n) => sample(out, name, labels, None, &n.to_string()),
            Value::Gauge(n) => sample(out, name, labels, None, &number(*n)),
            Value::Histogram(all) => {
                let buckets = known.map_or(names::SECONDS, |metric| metric.buckets);
                histogram(out, name, labels, all, buckets);
            }
        }
    }
}

/// The two comment lines before the series of a family.
pub(super) fn head(out: &mut String, name: &str, kind: &str, help: &str) {
    let help = help.replace('\\', "\\\\").replace('\n', "\\n");
    line(out, format_args!("# HELP {name} {help}"));
    line(out, format_args!("# TYPE {name} {kind}"));
}

fn histogram(out: &mut String, name: &str, labels: &Labels, all: &Histogram, buckets: &[f64]) {
    let bucket = format!("{name}_bucket");
    for limit in buckets {
        let below = all.count_below(Duration::from_secs_f64(*limit));
        sample(
            out,
            &bucket,
            labels,
            Some(&number(*limit)),
            &below.to_string(),
        );
    }
    let count = all.count().to_string();
    sample(out, &bucket, labels, Some("+Inf"), &count);
    let sum = number(all.sum().as_secs_f64());
    sample(out, &format!("{name}_sum"), labels, None, &sum);
    sample(out, &format!("{name}_count"), labels, None, &count);
}

fn sample(out: &mut String, name: &str, labels: &Labels, le: Option<&str>, value: &str) {
    out.push_str(name);
    let labels = labels.iter().map(|(k, v)| (k.as_str(), v.as_str()));
    let mut separator = '{';
    for (key, value) in labels.chain(le.map(|le| ("le", le))) {
        out.push(separator);
        out.push_str(key);
        out.push_str("=\"");
        escape(out, value);
        out.push('"');
        separator = ',';
    }
    if separator == ',' {
        out.push('}');
    }
    line(out, format_args!(" {value}"));
}

fn escape(out: &mut String, value: &str) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

/// A float as the format writes it.
pub(super) fn number(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        (if value > 0.0 { "+Inf" } else { "-Inf" }).to_owned()
    } else {
        value.to_string()
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let (Ok(()) | Err(_)) = out.write_fmt(text);
    out.push('\n');
}
