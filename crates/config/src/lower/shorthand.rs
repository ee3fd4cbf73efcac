//! Values in the place of maps and lists: the key that a single value was probably meant for, and how a list of named things
//! is written as a map.

use crate::node::{Core, Kind, Node};
use crate::write;

/// The key inside a map that people leave out.
const LEFT_OUT: &[(&str, &str)] = &[
    ("check", "path"),
    ("path", "prefix"),
    ("ramp", "duration"),
    ("retry", "attempts"),
    ("step", "max"),
    ("log", "level"),
    ("balance", "algorithm"),
    ("budget", "ratio"),
    ("session", "drain_deadline"),
    ("metrics", "listen"),
    ("runtime", "workers"),
    ("shutdown", "deadline"),
    ("limits", "connections"),
    ("hsts", "max_age"),
    ("override_ttl", "default"),
];

/// What to write instead.
pub(super) fn advice(name: &str, node: &Node, wanted: &str) -> Option<String> {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.core != Core::Null && wanted.starts_with("a map") => {
            let text = match scalar.core {
                Core::Text => write::text(&scalar.text),
                _ => scalar.text.clone(),
            };
            if name == "listen" {
                let address = match scalar.core {
                    Core::Integer(port) => format!("\":{port}\""),
                    _ => text,
                };
                return Some(format!(
                    "a listener has a name: `listen: {{ web: {{ address: {address} }} }}`"
                ));
            }
            if name == "tls" {
                return Some(
                    "name the files: `tls: { certificates: [{ cert_file: …, key_file: … }] }`"
                        .to_owned(),
                );
            }
            if scalar.text.contains("://") {
                return Some(format!("`{name}: {{ weight: 1, endpoints: [{text}] }}`"));
            }
            let (_, key) = LEFT_OUT.iter().find(|(holder, _)| *holder == name)?;
            Some(format!("`{name}: {{ {key}: {text} }}`, if that is meant"))
        }
        Kind::List(_) if wanted.contains("names") => {
            Some("each has its name as key, without `-` in front: `NAME: { … }`".to_owned())
        }
        Kind::Map(_) if wanted == "a list" => {
            Some("put `- ` in front of its first line, or `[` and `]` around it".to_owned())
        }
        _ => None,
    }
}
