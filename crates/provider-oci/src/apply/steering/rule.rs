//! The shape of a steering policy whose weights divide: answers, and exactly one WEIGHTED rule that gives a weight to answers
//! by name. Everything else in it is carried along; what would make the weights mean something else is refused by name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A policy, as far as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) answers: Vec<Value>,
    pub(super) rules: Vec<Value>,
    /// Which of the rules divides.
    weighted: usize,
}

impl Policy {
    /// Fails with what is odd about it.
    pub(super) fn read(data: &Value) -> Result<Self, String> {
        let list = |key: &str| {
            let list = data.get(key).and_then(Value::as_array).cloned();
            list.ok_or_else(|| format!("it has no {key}"))
        };
        let (answers, rules) = (list("answers")?, list("rules")?);
        let kind = |rule: &Value| text(rule, "ruleType").unwrap_or_default().to_owned();
        let mut weighted = rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| kind(rule) == "WEIGHTED");
        let template = text(data, "template").unwrap_or("none");
        let weighted = match (weighted.next(), weighted.next()) {
            (Some((index, rule)), None) => {
                conditions(rule)?;
                index
            }
            (None, _) => {
                return Err(format!(
                    "it has no WEIGHTED rule; its template is {template}"
                ));
            }
            (Some(_), Some(_)) => return Err("it has more than one WEIGHTED rule".to_owned()),
        };
        if rules.iter().any(|rule| kind(rule) == "PRIORITY") {
            return Err("it has a PRIORITY rule, so that weights do not divide alone".to_owned());
        }
        if answers.iter().any(|answer| text(answer, "name").is_none()) {
            return Err("an answer has no name".to_owned());
        }
        Ok(Self {
            answers,
            rules,
            weighted,
        })
    }

    /// The weight of each answer, 0 where it is disabled; `None` where the rule gives it none.
    pub(super) fn weights(&self) -> impl Iterator<Item = (&str, Option<u32>)> {
        let data = self.data().into_iter().flatten();
        let by_name: BTreeMap<&str, u32> = data
            .filter_map(|each| Some((named(text(each, "answerCondition")?)?, value(each)?)))
            .collect();
        self.answers.iter().filter_map(move |answer| {
            let name = text(answer, "name")?;
            let weight = by_name.get(name).copied();
            let is_disabled = answer.get("isDisabled").and_then(Value::as_bool) == Some(true);
            Some((name, if is_disabled { Some(0) } else { weight }))
        })
    }

    /// What each answer says: its name, the type of its record, and its value.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.answers.iter().filter_map(|answer| {
            let (name, kind) = (text(answer, "name")?, text(answer, "rtype")?);
            Some((name, kind, text(answer, "rdata")?))
        })
    }

    /// Gives an answer a weight, 0 for off; says whether there is one of this name.
    pub(super) fn set(&mut self, name: &str, weight: u32) -> bool {
        let mut answers = self.answers.iter_mut();
        let Some(answer) = answers.find(|answer| text(answer, "name") == Some(name)) else {
            return false;
        };
        let is_disabled = answer.get("isDisabled").and_then(Value::as_bool) == Some(true);
        if is_disabled != (weight == 0) {
            super::super::put(answer, "isDisabled", weight == 0);
        }
        let data = self
            .rules
            .get_mut(self.weighted)
            .and_then(|rule| rule.get_mut("defaultAnswerData"))
            .and_then(Value::as_array_mut);
        let Some(data) = data else {
            return false;
        };
        let of_name =
            |each: &&mut Value| text(each, "answerCondition").and_then(named) == Some(name);
        match data.iter_mut().find(of_name) {
            Some(each) => super::super::put(each, "value", weight),
            None => data.push(json!({
                "answerCondition": format!("answer.name == '{name}'"), "value": weight,
            })),
        }
        true
    }

    fn data(&self) -> Option<&Vec<Value>> {
        let rule = self.rules.get(self.weighted)?;
        rule.get("defaultAnswerData")?.as_array()
    }
}

/// The rule says nothing but a weight for names.
fn conditions(rule: &Value) -> Result<(), String> {
    let cases = rule.get("cases").and_then(Value::as_array);
    if cases.is_some_and(|cases| !cases.is_empty()) {
        return Err("its WEIGHTED rule has cases, so that weights depend on who asks".to_owned());
    }
    let data = rule.get("defaultAnswerData").and_then(Value::as_array);
    let data = data.ok_or("its WEIGHTED rule has no defaultAnswerData")?;
    for each in data {
        let condition = text(each, "answerCondition").unwrap_or_default();
        if named(condition).is_none() {
            return Err(format!(
                "its WEIGHTED rule has the condition `{condition}`, which is not answer.name == 'NAME'"
            ));
        }
        if value(each).is_none() {
            return Err(format!("its WEIGHTED rule has no weight for `{condition}`"));
        }
    }
    Ok(())
}

/// The name in `answer.name == 'NAME'`.
fn named(condition: &str) -> Option<&str> {
    let rest = condition.trim().strip_prefix("answer.name")?.trim_start();
    let name = rest.strip_prefix("==")?.trim();
    let quoted = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    let name = quoted('\'').or_else(|| quoted('"'))?;
    (!name.is_empty() && !name.contains(['\'', '"', '\\'])).then_some(name)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn value(data: &Value) -> Option<u32> {
    u32::try_from(data.get("value")?.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_names_one_answer_or_is_not_known() {
        assert_eq!(named("answer.name == 'oci'"), Some("oci"));
        assert_eq!(named(" answer.name==\"a b\" "), Some("a b"));
        for other in [
            "answer.pool == 'oci'",
            "answer.name != 'oci'",
            "answer.name == 'a' or answer.name == 'b'",
            "answer.name == oci",
            "answer.name == ''",
            "true",
            "",
        ] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
