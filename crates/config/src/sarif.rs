//! Diagnostics as SARIF 2.1.0 (OASIS), for code scanning and editors: one run, a rule for each code that was said, a
//! result for each diagnostic, its fix as a replacement. Columns count characters, as ours do.

use serde_json::{Value, json};

use crate::codes::{Code, code};
use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::origin::Span;

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The log of one run over some files. `version` is the program's.
#[must_use]
pub fn sarif(files: &[Diagnostics], version: &str) -> Value {
    let mut codes: Vec<&str> = files
        .iter()
        .flat_map(|f| &f.items)
        .map(|d| d.code)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    let results: Vec<Value> = files
        .iter()
        .flat_map(|file| file.items.iter().map(|d| result(file, d, &codes)))
        .collect();
    let rules: Vec<Value> = codes
        .iter()
        .filter_map(|name| code(name))
        .map(rule)
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": { "name": "bascule", "version": version, "rules": rules } },
            "columnKind": "unicodeCodePoints",
            "artifacts": files.iter().map(|f| json!({ "location": artifact(&f.file) })).collect::<Vec<_>>(),
            "results": results,
        }],
    })
}

const fn level(severity: Severity) -> &'static str {
    severity.as_str()
}

fn rule(code: &Code) -> Value {
    let default = if code.code.starts_with('W') {
        Severity::Warning
    } else {
        Severity::Error
    };
    json!({
        "id": code.code,
        "shortDescription": { "text": code.title },
        "fullDescription": { "text": code.explanation },
        "help": { "text": format!("bascule help {}", code.code) },
        "defaultConfiguration": { "level": level(default) },
    })
}

fn result(file: &Diagnostics, d: &Diagnostic, codes: &[&str]) -> Value {
    let mut text = d.message.clone();
    for more in [
        Some(d.label.as_str()).filter(|label| !label.is_empty()),
        d.help.as_deref(),
    ] {
        text.extend(more.map(|more| format!("; {more}")));
    }
    let location = |span: Span| json!({ "physicalLocation": { "artifactLocation": artifact(&file.file), "region": region(span) } });
    let mut result = json!({
        "ruleId": d.code,
        "ruleIndex": codes.iter().position(|code| *code == d.code),
        "level": level(d.severity),
        "message": { "text": text },
        "locations": [location(d.span)],
        "properties": { "pointer": d.pointer },
    });
    if !d.related.is_empty() {
        let related = d.related.iter().map(|r| {
            let message = json!({ "text": r.label });
            with(location(r.span), "message", message)
        });
        result = with(result, "relatedLocations", related.collect());
    }
    if let Some(fix) = &d.fix {
        let replacement = json!({
            "deletedRegion": region(fix.edit.span), "insertedContent": { "text": fix.edit.text },
        });
        let fixes = json!([{
            "description": { "text": d.help.as_deref().unwrap_or("what was meant") },
            "artifactChanges": [{ "artifactLocation": artifact(&file.file), "replacements": [replacement] }],
        }]);
        result = with(result, "fixes", fixes);
    }
    result
}

/// An object with one more member.
fn with(mut object: Value, key: &str, value: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(key.to_owned(), value);
    }
    object
}

/// SARIF counts from 1; a diagnostic of the whole file may stand at 0.
fn region(span: Span) -> Value {
    json!({
        "startLine": span.line.max(1),
        "startColumn": span.column.max(1),
        "endLine": span.end_line.max(1),
        "endColumn": span.end_column.max(1),
    })
}

/// A file name as a URI: relative as it was given, or `file://` for an absolute path.
fn artifact(file: &str) -> Value {
    let mut uri = if file.starts_with('/') {
        "file://".to_owned()
    } else {
        String::new()
    };
    for byte in file.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    json!({ "uri": uri })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemorySource, load};

    fn said() -> Value {
        let text = "listen: { web: { address: 8080 } }\nlisten: {}\nservices: {}\n";
        let found = load("a dir/meet.yaml", text, &MemorySource::default())
            .map(|_| ())
            .unwrap_err();
        sarif(&[found], "0.1.0")
    }

    #[test]
    fn the_log_has_the_structure_that_the_standard_asks_for() {
        let log = said();
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["name"], "bascule");
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let results = run["results"].as_array().unwrap();
        assert!(results.len() >= 2, "{log:#}");
        for result in results {
            let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(
                ["none", "note", "warning", "error"].contains(&result["level"].as_str().unwrap())
            );
            assert!(!result["message"]["text"].as_str().unwrap().is_empty());
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], "a%20dir/meet.yaml");
            for key in ["startLine", "startColumn", "endLine", "endColumn"] {
                assert!(
                    place["region"][key].as_u64().unwrap() >= 1,
                    "{key} {result:#}"
                );
            }
        }
        for rule in rules {
            assert!(rule["shortDescription"]["text"].is_string(), "{rule:#}");
            assert!(
                rule["defaultConfiguration"]["level"].is_string(),
                "{rule:#}"
            );
        }
    }

    #[test]
    fn a_fix_is_a_replacement_and_a_second_place_is_related() {
        let log = said();
        let results = log["runs"][0]["results"].as_array().unwrap();
        let of = |code: &str| results.iter().find(|r| r["ruleId"] == code).unwrap();
        let change = &of("E0205")["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!(change["insertedContent"]["text"], "\":8080\"");
        assert_eq!(change["deletedRegion"]["startColumn"], 27);
        assert_eq!(
            of("E0102")["relatedLocations"][0]["message"]["text"],
            "the first"
        );
    }

    #[test]
    fn nothing_wrong_is_a_run_without_results() {
        let log = sarif(&[], "0.1.0");
        assert_eq!(log["runs"][0]["results"], json!([]));
    }
}
