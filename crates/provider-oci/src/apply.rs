//! Actuators: [`set`] writes the backends of a load balancer, [`steering`] the weights of a DNS steering policy. Both change
//! what is there, by one call that writes all of it or nothing; neither makes or deletes anything. What is not theirs is
//! written back as it was read and told as foreign. A shape that they do not know is refused by name and left alone.

use bascule_provider::port::{Numbers, Setting};
use bascule_provider::{Error, Kind};
use serde_json::Value;

pub mod machines;
pub mod set;
pub mod steering;
mod work;

pub use machines::{Machines, MachinesError};
pub use set::SetActuator;
pub use steering::SteeringPolicy;

/// What changes with every change of a thing.
fn hash(thing: &Value) -> String {
    // Maps are sorted, so equal things have equal texts.
    bascule_provider::text::version([thing.to_string()])
}

/// Without the keys that have no value: OCI gives them and does not take all of them back.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let there = map.iter().filter(|(_, value)| !value.is_null());
            let pairs = there.map(|(key, value)| (key.clone(), without_nulls(value)));
            Value::Object(pairs.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// Sets a key of an object; nothing else is ever changed.
fn put(value: &mut Value, key: &str, to: impl Into<Value>) {
    if let Some(map) = value.as_object_mut() {
        map.insert(key.to_owned(), to.into());
    }
}

/// Every number is one that the actuator has.
fn in_unit(wanted: &Numbers, max: u32, failed: impl Fn(Kind) -> Error) -> Result<(), Error> {
    for (name, setting) in wanted {
        let Setting::Weight(weight) = setting else {
            continue;
        };
        if !(1..=max).contains(weight) {
            return Err(failed(Kind::Invalid).detail(format!(
                "{weight} is wanted for {name}, and weights are 1 to {max}"
            )));
        }
    }
    Ok(())
}

/// What is there is no longer what was decided upon.
fn changed(failed: impl Fn(Kind) -> Error, seen: &str) -> Error {
    failed(Kind::Conflict).detail(format!(
        "it has changed since it was read; it is at version {seen} now"
    ))
}
