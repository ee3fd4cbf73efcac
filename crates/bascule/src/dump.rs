//! What goes into a support dump: [`Dump`] collects named texts with why each is there, [`redact`] takes out what nobody
//! else may see, and [`archive`] packs them. It must never hold a key, a token, a header value or anything of the
//! environment: every text passes the redaction on its way in, whoever made it.

use bascule_config::Config;

pub(crate) mod archive;
pub(crate) mod machine;
pub(crate) mod redact;

use redact::Redaction;

/// One file of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its name in the archive.
    pub(crate) name: &'static str,
    /// Why it is there.
    pub(crate) why: &'static str,
    /// What it holds, redacted.
    pub(crate) text: String,
}

/// Everything that was collected.
#[derive(Debug)]
pub(crate) struct Dump {
    /// In the order they were added.
    pub(crate) entries: Vec<Entry>,
    /// What could not be had, and why.
    pub(crate) missing: Vec<String>,
    /// What takes secrets out.
    pub(crate) redaction: Redaction,
}

impl Dump {
    /// Nothing yet.
    pub(crate) fn new(redaction: Redaction) -> Self {
        Self {
            entries: Vec::new(),
            missing: Vec::new(),
            redaction,
        }
    }

    /// Adds a text, without what nobody else may see.
    pub(crate) fn add(&mut self, name: &'static str, why: &'static str, text: &str) {
        let text = self.redaction.clean(text);
        self.entries.push(Entry { name, why, text });
    }

    /// Says what could not be had.
    pub(crate) fn lacks(&mut self, what: &str) {
        let what = self.redaction.clean(what);
        self.missing.push(what);
    }

    /// Adds the list of all that is there.
    pub(crate) fn finish(&mut self) {
        let mut text = String::from("What is in this archive, and why.\n\n");
        for entry in &self.entries {
            text.push_str(&format!(
                "{:<24} {:>8} bytes  {}\n",
                entry.name,
                entry.text.len(),
                entry.why
            ));
        }
        text.push_str("\nReplaced before it was written:\n");
        for (what, count) in self.redaction.counts() {
            text.push_str(&format!("  {count:>5}  {what}\n"));
        }
        text.push_str(
            "\nNever collected: private keys, tokens, header values, bodies, the access log, the environment.\n",
        );
        if !self.missing.is_empty() {
            text.push_str("\nNot in here:\n");
            self.missing
                .iter()
                .for_each(|what| text.push_str(&format!("  {what}\n")));
        }
        let manifest = Entry {
            name: "MANIFEST.txt",
            why: "what is in here, and why",
            text,
        };
        self.entries.insert(0, manifest);
    }
}

/// What this binary is.
pub(crate) fn version() -> String {
    let build = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    format!(
        "bascule {}\nbuild {build}\ntarget {}-{}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS
    )
}

/// The hosts that a configuration names, for who wants them hidden.
pub(crate) fn hosts(config: &Config) -> Vec<String> {
    use bascule_traffic::spec::{EndpointHost, HostPattern};
    let endpoint = |host: &EndpointHost| match host {
        EndpointHost::Name(name) | EndpointHost::Srv(name) => Some(name.to_string()),
        EndpointHost::Address(_) => None,
    };
    let matched = |host: &HostPattern| match host {
        HostPattern::Exact(name) | HostPattern::Wildcard(name) => Some(name.clone()),
        HostPattern::Any => None,
    };
    let mut hosts = Vec::new();
    for service in &config.services {
        let endpoints = service.backends.values().flat_map(|b| &b.endpoints);
        hosts.extend(endpoints.filter_map(|e| endpoint(&e.url.host)));
        hosts.extend(service.matches.iter().filter_map(|m| matched(&m.host)));
    }
    hosts
}
