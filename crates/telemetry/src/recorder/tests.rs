//! Tests of the recorder as its users see it: handles in, sums and text out.

use std::time::Duration;

use metrics::with_local_recorder;

use super::*;
use crate::names;
use crate::spawn;

#[test]
fn counts_of_all_workers_are_summed_and_none_is_lost() {
    let registry = Registry::new();
    let start = |number| {
        let recorder = registry.worker();
        let run = move || {
            let by_class = |class| metrics::counter!(names::REQUESTS, "service" => "meet", "code_class" => class);
            let (ok, bad) = with_local_recorder(&recorder, || (by_class("2xx"), by_class("5xx")));
            (0..10_000).for_each(|_| ok.increment(1));
            bad.increment(3);
        };
        spawn::thread("worker", Some(number), run).unwrap()
    };
    let threads: Vec<_> = (0..4).map(start).collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(
        registry.counter(names::REQUESTS, &[("code_class", "2xx")]),
        40_000
    );
    assert_eq!(
        registry.counter(names::REQUESTS, &[("service", "meet")]),
        40_012
    );
    assert_eq!(
        registry.counter(names::REQUESTS, &[("service", "other")]),
        0
    );
}

#[test]
fn shared_cells_take_many_writers() {
    let registry = Registry::new();
    let (counter, gauge) = with_local_recorder(&registry.shared(), || {
        (metrics::counter!("c_total"), metrics::gauge!("g"))
    });
    let start = |number| {
        let (counter, gauge) = (counter.clone(), gauge.clone());
        let run = move || {
            for _ in 0..10_000 {
                counter.increment(1);
                gauge.increment(2.0);
                gauge.decrement(1.0);
            }
        };
        spawn::thread("writer", Some(number), run).unwrap()
    };
    let threads: Vec<_> = (0..4).map(start).collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(registry.counter("c_total", &[]), 40_000);
    assert!((registry.gauge("g", &[]) - 40_000.0).abs() < 0.5);
}

#[test]
fn histograms_of_all_workers_merge() {
    let registry = Registry::new();
    for millis in [3, 30, 300] {
        let recorder = registry.worker();
        with_local_recorder(&recorder, || {
            let histogram = metrics::histogram!(names::REQUEST_DURATION, "service" => "meet");
            histogram.record(Duration::from_millis(millis));
        });
    }
    let all = registry.histogram(names::REQUEST_DURATION, &[("service", "meet")]);
    assert_eq!((all.count(), all.sum()), (3, Duration::from_millis(333)));
    let median = all.quantile(0.5).unwrap();
    assert!((30..32).contains(&median.as_millis()), "{median:?}");
}

#[test]
fn what_is_forgotten_is_gone_and_may_come_back_from_zero() {
    let registry = Registry::new();
    let recorder = registry.worker();
    let up = |backend: &'static str| {
        with_local_recorder(
            &recorder,
            || metrics::counter!(names::BACKEND_ERRORS, "service" => "meet", "backend" => backend),
        )
    };
    let old = up("aws");
    old.increment(5);
    up("oci").increment(1);
    registry.forget(&[("service", "meet"), ("backend", "aws")]);
    old.increment(5);
    assert_eq!(registry.counter(names::BACKEND_ERRORS, &[]), 1);
    up("aws").increment(2);
    assert_eq!(
        registry.counter(names::BACKEND_ERRORS, &[("backend", "aws")]),
        2
    );
    registry.forget(&[]);
    assert_eq!(registry.counter(names::BACKEND_ERRORS, &[]), 3);
}

#[test]
fn what_is_forgotten_of_one_name_goes_on_under_others() {
    let registry = Registry::new();
    with_local_recorder(&registry.shared(), || {
        metrics::gauge!(names::CHECKS_DOUBTED, "service" => "meet").set(1);
        metrics::gauge!(names::CHECKS_DOUBTED, "service" => "chat").set(1);
        metrics::gauge!(names::FAIL_OPEN, "service" => "meet").set(1);
    });
    registry.forget_of(names::CHECKS_DOUBTED, &[("service", "meet")]);
    let page = registry.render();
    assert!(!page.contains("bascule_checks_doubted{service=\"meet\"}"));
    assert!(page.contains("bascule_checks_doubted{service=\"chat\"}"));
    assert!(page.contains("bascule_fail_open{service=\"meet\"}"));
    registry.forget_name(names::CHECKS_DOUBTED);
    assert!(!registry.render().contains("bascule_checks_doubted{"));
}

#[test]
fn a_family_has_help_and_type_once_and_escaped_labels() {
    let registry = Registry::new();
    with_local_recorder(&registry.shared(), || {
        metrics::gauge!(names::BUILD_INFO, "version" => "a\"b\\c\nd", "revision" => "x").set(1);
        metrics::gauge!(names::BUILD_INFO, "version" => "2", "revision" => "x").set(f64::INFINITY);
    });
    let text = registry.render();
    let expected = "# HELP bascule_build_info 1, with the version that runs.\n\
        # TYPE bascule_build_info gauge\n\
        bascule_build_info{revision=\"x\",version=\"2\"} +Inf\n\
        bascule_build_info{revision=\"x\",version=\"a\\\"b\\\\c\\nd\"} 1\n";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
}

#[test]
fn buckets_are_cumulative_and_end_with_the_count() {
    let registry = Registry::new();
    with_local_recorder(&registry.shared(), || {
        let histogram = metrics::histogram!(names::REQUEST_DURATION);
        let record = |ms| histogram.record(Duration::from_millis(ms));
        [1, 7, 7, 60, 99_000].into_iter().for_each(record);
    });
    let text = registry.render();
    let value = |start: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(start)).unwrap();
        line.trim().to_owned()
    };
    let bucket = |le: &str| {
        value(&format!(
            "bascule_request_duration_seconds_bucket{{le=\"{le}\"}}"
        ))
    };
    let buckets = ["0.005", "0.01", "0.05", "0.075", "10", "+Inf"].map(bucket);
    assert_eq!(buckets, ["1", "3", "3", "4", "4", "5"]);
    assert_eq!(value("bascule_request_duration_seconds_count"), "5");
    assert_eq!(value("bascule_request_duration_seconds_sum"), "99.075");
}

/// Every combination of the values of a metric's labels, with these for the open ones.
fn combinations(metric: &names::Metric, backends: usize) -> Vec<Vec<metrics::Label>> {
    let mut rows: Vec<Vec<metrics::Label>> = vec![vec![]];
    let holder = metric.labels.iter().any(|l| l.name == "backend");
    if holder {
        let holder_of = |b: usize| {
            let backend = format!("backend-{b}");
            let label = |key: &'static str, value: &str| metrics::Label::new(key, value.to_owned());
            vec![
                label("service", "meet"),
                label("backend", &backend),
                label("provider", &backend),
            ]
        };
        rows = (0..backends).map(holder_of).collect();
    }
    let left = |l: &&names::Label| !holder || !["service", "backend", "provider"].contains(&l.name);
    for label in metric.labels.iter().filter(left) {
        let open: Vec<String> = (0..match label.name {
            "endpoint" => 50,
            "from" | "to" => backends,
            "route" => 20,
            "code" | "task" | "host" | "reason" | "method" => 4,
            _ => 1,
        })
            .map(|n| format!("{}-{n}", label.name))
            .collect();
        let closed = label.values.iter().map(|v| (*v).to_owned());
        let values: Vec<String> = if label.values.is_empty() {
            open
        } else {
            closed.collect()
        };
        let with = |row: &Vec<metrics::Label>, v: &String| {
            let mut row = row.clone();
            row.push(metrics::Label::new(label.name, v.clone()));
            row
        };
        rows = rows
            .iter()
            .flat_map(|row| values.iter().map(move |v| with(row, v)))
            .collect();
    }
    rows
}

#[test]
fn four_providers_with_fifty_endpoints_each_are_at_most_3000_series() {
    let registry = Registry::new();
    let metadata = Metadata::new("", metrics::Level::INFO, None);
    for metric in names::ALL {
        for labels in combinations(metric, 4) {
            let key = Key::from_parts(metric.name, labels);
            let recorder = registry.worker();
            match metric.kind {
                names::Kind::Counter => recorder.register_counter(&key, &metadata).increment(1),
                names::Kind::Gauge => recorder.register_gauge(&key, &metadata).set(1),
                names::Kind::Histogram => recorder.register_histogram(&key, &metadata).record(0.1),
            }
        }
    }
    let count = registry.series_count();
    println!("{count} series");
    assert!((1000..=3000).contains(&count), "{count}");
}
