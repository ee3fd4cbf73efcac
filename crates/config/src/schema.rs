//! The JSON Schema of a configuration, made from the table of keys, for editors. It knows shapes and simple forms; what
//! needs more than one key to judge only `load` finds.

use serde_json::{Map, Value, json};

use crate::form::Form;
use crate::form::bits::show_bit_rate;
use crate::form::unit::{show_duration, show_size};
use crate::table::{Key, Need, ROOT, Shape, Type};

/// The JSON Schema (2020-12) of a configuration file.
#[must_use]
pub fn schema() -> Value {
    let mut schema = of_shape(&ROOT);
    if let Value::Object(map) = &mut schema {
        map.insert(
            "$schema".to_owned(),
            json!("https://json-schema.org/draft/2020-12/schema"),
        );
        map.insert("title".to_owned(), json!("bascule configuration"));
    }
    schema
}

fn of_shape(shape: &Shape) -> Value {
    let property = |key: &Key| (key.name.to_owned(), of_key(key));
    let properties: Map<String, Value> = shape.keys.iter().map(property).collect();
    let needed = |key: &&Key| key.need == Need::Required;
    let required: Vec<&str> = shape
        .keys
        .iter()
        .filter(needed)
        .map(|key| key.name)
        .collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": { "^x-": true },
        "additionalProperties": false,
    });
    if let (Value::Object(map), false) = (&mut schema, required.is_empty()) {
        map.insert("required".to_owned(), json!(required));
    }
    schema
}

fn of_key(key: &Key) -> Value {
    let mut schema = of_type(&key.holds);
    if let Value::Object(map) = &mut schema {
        let default = if key.default.is_empty() {
            String::new()
        } else {
            format!(" Default: {}.", key.default)
        };
        map.insert(
            "description".to_owned(),
            json!(format!("{}{default}", key.doc)),
        );
    }
    schema
}

fn of_type(holds: &Type) -> Value {
    match holds {
        Type::Map(shape) => of_shape(shape),
        Type::Names(_, holds, min) => json!({
            "type": "object",
            "minProperties": min,
            "patternProperties": { "^x-": true },
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$" },
            "additionalProperties": of_type(holds),
        }),
        Type::List(holds, min) => {
            json!({ "type": "array", "minItems": min, "items": of_type(holds) })
        }
        Type::Value(form) => of_form(*form),
        Type::Either(form, shape) => json!({ "oneOf": [of_form(*form), of_shape(shape)] }),
    }
}

fn of_form(form: Form) -> Value {
    // A reference stands for any text, so every pattern must let one pass.
    let text = |pattern: &str| json!({ "type": "string", "pattern": format!("{pattern}|\\$\\{{") });
    match form {
        Form::Bool => json!({ "type": "boolean" }),
        Form::Version => json!({ "const": crate::migrate::VERSION }),
        Form::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Form::IntegerOrAuto(min, max) => json!({ "oneOf": [
            { "const": "auto" },
            { "type": "integer", "minimum": min, "maximum": max },
        ]}),
        Form::Ratio => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Form::Choice(words, _) => json!({ "enum": spellings(words) }),
        Form::Status => json!({ "type": ["integer", "string"] }),
        Form::Duration(..) => text("^([0-9]+(d|h|m|s|ms))+$"),
        Form::Size(..) => text("^([0-9]+(B|KiB|MiB|GiB|TiB))+$"),
        Form::Percent(..) => text("^[0-9]+(\\.[0-9]{1,2})?%$"),
        Form::WholePercent(..) => text("^[0-9]+%$"),
        Form::Field | Form::Cookie => text("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"),
        Form::Rise => text("^\\+[0-9]+(\\.[0-9]{1,2})?%$"),
        Form::PercentRange => text("^[0-9]+(\\.[0-9]{1,2})?% *\\.\\. *[0-9]+(\\.[0-9]{1,2})?%$"),
        Form::Rate(..) => text("^[0-9]+/s$"),
        Form::Price => text("^[0-9]+(\\.[0-9]{1,6})? [A-Z]{3}/GB$"),
        Form::Volume(..) => text("^([0-9]+(B|kB|MB|GB|TB|PB))+$"),
        Form::Remaining => text("^(([0-9]+(B|kB|MB|GB|TB|PB))+|[0-9]+(\\.[0-9]{1,6})? [A-Z]{3})$"),
        Form::Date => text("^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
        Form::BitRate(..) => text("^[0-9]+(bit|kbit|Mbit|Gbit|Tbit)/s$"),
        Form::Url => text("^(http|https|h2c)(\\+srv)?://[^/?#@]+$"),
        Form::Path | Form::Prefix | Form::Target => text("^/"),
        Form::Listen | Form::Socket => text(":[0-9]+$"),
        Form::Network => text("/[0-9]+$"),
        Form::Name => text("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
        Form::Text | Form::File | Form::Host | Form::Authority => {
            json!({ "type": "string", "minLength": 1 })
        }
        Form::Wire(bytes_max) => {
            json!({ "type": "string", "minLength": 1, "maxLength": bytes_max })
        }
    }
}

/// The words, and those that YAML reads as numbers as numbers too: `min_version: 1.2`.
fn spellings(words: &[&str]) -> Vec<Value> {
    let numbers = words.iter().filter_map(|word| word.parse::<f64>().ok());
    words
        .iter()
        .map(|word| json!(word))
        .chain(numbers.map(|number| json!(number)))
        .collect()
}

/// A form in words, for the reference.
pub(crate) fn words(form: Form) -> String {
    match form {
        Form::Text => "text".to_owned(),
        Form::File => "path of a file".to_owned(),
        Form::Name => "name".to_owned(),
        Form::Bool => "`true` or `false`".to_owned(),
        Form::Version => format!("`{}`", crate::migrate::VERSION),
        Form::Integer(min, max) => format!("whole number, {min} to {max}"),
        Form::IntegerOrAuto(min, max) => format!("`auto`, or whole number, {min} to {max}"),
        Form::Ratio => "number, 0 to 1".to_owned(),
        Form::Duration(min, max) => {
            format!(
                "duration (ms, s, m, h, d), {} to {}",
                show_duration(min),
                show_duration(max)
            )
        }
        Form::Size(min, max) => {
            format!(
                "size (B, KiB, MiB, GiB, TiB), {} to {}",
                show_size(min),
                show_size(max)
            )
        }
        Form::Percent(min, max) => format!("percentage (%), {min}% to {max}%"),
        Form::WholePercent(min, max) => format!("whole percentage (%), {min}% to {max}%"),
        Form::Field => "name of a header field".to_owned(),
        Form::Cookie => "name of a cookie".to_owned(),
        Form::Rise => "rise (+%), such as `+30%`".to_owned(),
        Form::PercentRange => "range of shares (%), such as `20%..80%`".to_owned(),
        Form::Rate(min, max) => format!("rate (/s), {min}/s to {max}/s"),
        Form::BitRate(min, max) => {
            format!(
                "rate of bits (bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s), {} to {}",
                show_bit_rate(min),
                show_bit_rate(max)
            )
        }
        Form::Price => "price of a GB (10⁹ bytes), such as `0.05 USD/GB`".to_owned(),
        Form::Volume(min, max) => {
            format!("volume (B, kB, MB, GB, TB, PB; powers of 1000), {min} to {max}")
        }
        Form::Remaining => "volume such as `2PB`, or amount such as `250000 USD`".to_owned(),
        Form::Date => "date, such as `2026-11-01`".to_owned(),
        Form::Status => "status, or range such as `200-299`".to_owned(),
        Form::Listen => "`:8080`, or address with port".to_owned(),
        Form::Socket => "address with port".to_owned(),
        Form::Url => "URL: `http`, `https` or `h2c`, address or name, port; or, with `+srv` behind the scheme, an SRV name".to_owned(),
        Form::Network => "network, such as `10.0.0.0/8`".to_owned(),
        Form::Host => "host name, or `*.` and a name".to_owned(),
        Form::Path | Form::Prefix => "path".to_owned(),
        Form::Target => "path, with query if need be".to_owned(),
        Form::Wire(bytes_max) => {
            format!("text with YAML's escapes, such as `\"PING\\r\\n\"`, at most {bytes_max} bytes")
        }
        Form::Authority => "host name or address, with port if need be".to_owned(),
        Form::Choice(words, _) => {
            let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            quoted.join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_has_every_key_and_nothing_that_is_not_there_yet() {
        let text = schema().to_string();
        for key in [
            "\"weight\"",
            "\"override_ttl\"",
            "\"cert_file\"",
            "\"min_providers\"",
            "\"connections_per_client\"",
            "\"1.2\",\"1.3\",1.2,1.3",
        ] {
            assert!(text.contains(key), "{key}");
        }
        assert!(!text.contains("\"tracing\""));
    }
}
