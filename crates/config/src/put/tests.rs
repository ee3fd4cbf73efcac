//! Values set in files as people write them.

use super::*;

fn of(text: &str, keys: &[&str], value: &str) -> Result<String, String> {
    let put_one = Put {
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        value: value.to_owned(),
    };
    let result = put("meet.yaml", text, &[put_one]);
    if let Ok(after) = &result {
        let (root, problems) = yaml::parse(after);
        assert!(root.is_some() && problems.is_empty(), "{after:?}");
    }
    result.map_err(|error| error.to_string())
}

const BLOCK: &str = "\
# ours
services:
  meet:
    backends:   # two
      aws:
        weight: 70   # most
      oci: { weight: 30 } # some

  chat: {}
# the end
";

#[test]
fn a_value_that_is_there_is_replaced_where_it_stands() {
    let weight = ["services", "meet", "backends", "aws", "weight"];
    let after = of(BLOCK, &weight, "56").unwrap();
    assert_eq!(after, BLOCK.replace("70", "56"));
    let weight = ["services", "meet", "backends", "oci", "weight"];
    let after = of(BLOCK, &weight, "24").unwrap();
    assert_eq!(after, BLOCK.replace("30", "24"));
}

#[test]
fn a_new_entry_stands_behind_the_last_of_its_map_and_as_deep() {
    let after = of(
        BLOCK,
        &["services", "meet", "backends", "gcp"],
        "{ weight: 0 }",
    )
    .unwrap();
    let wanted = BLOCK.replace("# some\n", "# some\n      gcp: { weight: 0 }\n");
    assert_eq!(after, wanted);
    let after = of(
        BLOCK,
        &["services", "meet", "backends", "aws", "region"],
        "x",
    )
    .unwrap();
    let wanted = BLOCK.replace("# most\n", "# most\n        region: x\n");
    assert_eq!(after, wanted);
    let after = of(BLOCK, &["services", "chat", "backends", "a b"], "1").unwrap();
    let wanted = BLOCK.replace("{}", "{ backends: { \"a b\": 1 } }");
    assert_eq!(after, wanted);
}

#[test]
fn every_form_of_a_map_takes_an_entry() {
    for (text, wanted) in [
        ("a: { b: 1 }\n", "a: { b: 1, c: 2 }\n"),
        ("a: {b: 1,}\n", "a: {b: 1, c: 2 }\n"),
        ("a: {}\n", "a: { c: 2 }\n"),
        ("a:\n", "a: { c: 2 }\n"),
        ("a:   # none\nb: 1\n", "a: { c: 2 }   # none\nb: 1\n"),
        ("b: 1\n", "b: 1\na: { c: 2 }\n"),
        ("b: 1", "b: 1\na: { c: 2 }\n"),
        ("a:\r\n  b: 1\r\n", "a:\r\n  b: 1\r\n  c: 2\r\n"),
        (
            "a:\n  b: |\n    text\n\nd: 1\n",
            "a:\n  b: |\n    text\n\n  c: 2\nd: 1\n",
        ),
        (
            "a:\n  b: [1,\n    2] # list\nd: 1\n",
            "a:\n  b: [1,\n    2] # list\n  c: 2\nd: 1\n",
        ),
        (
            "a:\n  b:\n  - 1\n  - 2\nd: 1\n",
            "a:\n  b:\n  - 1\n  - 2\n  c: 2\nd: 1\n",
        ),
        ("{ \"a\": { \"b\": 1 } }", "{ \"a\": { \"b\": 1, c: 2 } }"),
    ] {
        assert_eq!(
            of(text, &["a", "c"], "2").as_deref(),
            Ok(wanted),
            "{text:?}"
        );
    }
}

#[test]
fn what_has_no_place_is_said_and_nothing_is_guessed() {
    for (text, says) in [
        (
            "a: 1\n",
            "`/a/c` cannot be set: what holds it is not written as a map",
        ),
        ("a: ~\n", "not written as a map"),
        ("x: &x { b: 1 }\na: *x\n", "by an alias"),
        ("a:\n  c:\n    d: 1\n", "several lines"),
        ("a: {\n  b: 1\n}\n", "unusual way"),
        ("a: [\n", "E0101"),
    ] {
        let error = of(text, &["a", "c"], "2").unwrap_err();
        assert!(error.contains(says), "{text:?}: {error}");
    }
}

#[test]
fn several_are_set_one_after_the_other() {
    let one = |keys: &[&str], value: &str| Put {
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        value: value.to_owned(),
    };
    let puts = [
        one(&["a", "b"], "{ w: 1 }"),
        one(&["a", "b", "w"], "2"),
        one(&["c"], "3"),
    ];
    assert_eq!(
        put("f", "d: 4\n", &puts).unwrap(),
        "d: 4\na: { b: { w: 2 } }\nc: 3\n"
    );
}
