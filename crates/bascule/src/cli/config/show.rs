//! `config show`: a configuration as it is written, with all defaults filled in, or with who says each value.

use bascule_admin::api::Config;
use bascule_config::{Held, Said};
use serde_json::{Value, json};

use super::{Text, invalid};
use crate::check::peer;
use crate::cli::args::Global;
use crate::cli::exit::{CliError, CliResult, Exit};
use crate::cli::output::Output;
use crate::cli::session::Session;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As it is written.
    Written,
    /// All defaults filled in, as a file.
    Effective,
    /// Every key, with who says its value.
    Defaults,
}

impl How {
    pub(super) const fn of(effective: bool, defaults: bool) -> Self {
        match (effective, defaults) {
            (_, true) => Self::Defaults,
            (true, false) => Self::Effective,
            (false, false) => Self::Written,
        }
    }
}

/// Shows a text.
pub(super) fn file(text: &Text, how: How, out: &mut Output) -> CliResult {
    let written = text.as_utf8();
    if how == How::Written {
        let data = json!({ "origin": text.name, "text": written });
        out.answer("Config", &data, |_| written.clone())?;
        return Ok(Exit::Ok);
    }
    let config = text.load().map_err(|problems| invalid(&problems))?.config;
    if how == How::Effective {
        let shown = bascule_config::render(&config);
        let data = json!({ "origin": text.name, "text": shown });
        out.answer("Config", &data, |_| shown.clone())?;
        return Ok(Exit::Ok);
    }
    let values: Vec<Value> = bascule_config::held(&config, &written)
        .iter()
        .map(document)
        .collect();
    let data = json!({ "origin": text.name, "values": values });
    out.answer("ConfigValues", &data, |_| {
        bascule_config::show_defaults(&config, &written)
    })?;
    Ok(Exit::Ok)
}

fn document(held: &Held) -> Value {
    let (said, place) = match &held.said {
        Said::Written(place) => ("file", Some(place.to_string())),
        Said::Inherited(place) => ("defaults", Some(place.to_string())),
        Said::BuiltIn => ("built_in", None),
    };
    json!({
        "pointer": held.pointer, "value": held.text, "said": said, "place": place,
        "is_value": held.is_value, "needs_start": held.needs_start,
    })
}

/// Shows the configuration of the running process.
pub(super) async fn running(how: How, global: &Global, out: &mut Output) -> CliResult {
    let (config, text) = {
        let mut session = Session::open(global, out)?;
        let config: Config = session.get("/v1/config").await?;
        let text = as_text(&config, &session);
        (config, text)
    };
    if how == How::Written {
        out.answer("Config", &config, |config| config.text.clone())?;
        return Ok(Exit::Ok);
    }
    file(&text, how, out)
}

/// The running configuration.
pub(crate) async fn live(session: &mut Session<'_>) -> Result<Text, CliError> {
    let config: Config = session.get("/v1/config").await?;
    Ok(as_text(&config, session))
}

/// The running configuration as a text: with the environment of its process, and with its paths as that process sees
/// them, where both can be seen.
fn as_text(config: &Config, session: &Session<'_>) -> Text {
    let process = peer::process(session.client.context());
    let directory = process.and_then(peer::directory).unwrap_or_default();
    Text {
        path: directory.join(&config.state.origin),
        name: config.state.origin.clone(),
        bytes: config.text.clone().into_bytes(),
        env: process.map(peer::environment).unwrap_or_default(),
    }
}
