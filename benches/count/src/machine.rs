//! What the count depends on besides our code: compiler, C library, valgrind and the processor's features, which choose
//! between ways of copying and scanning bytes. Counts are compared only where all four are the recorded ones.

use std::process::Command;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Holds glibc to one way of copying and comparing memory on whatever x86-64 it runs.
pub(crate) const TUNABLES: &str =
    "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX2,-AVX_Fast_Unaligned_Load,-ERMS,-FSRM";

/// Where a count was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Machine {
    /// As the compiler calls itself.
    pub(crate) rustc: String,
    /// As `getconf` says.
    pub(crate) glibc: String,
    /// As valgrind calls itself.
    pub(crate) valgrind: String,
    /// The architecture, and what libraries find out about it while they run.
    pub(crate) processor: String,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Result<Self> {
        Ok(Self {
            rustc: said("rustc", "--version")?,
            glibc: said("getconf", "GNU_LIBC_VERSION")?,
            valgrind: said("valgrind", "--version")?,
            processor: processor(),
        })
    }

    /// What is not as there, for people; empty when a comparison means something.
    pub(crate) fn differs_from(&self, recorded: &Self) -> Vec<String> {
        let pairs = [
            (&recorded.rustc, &self.rustc),
            (&recorded.glibc, &self.glibc),
            (&recorded.valgrind, &self.valgrind),
            (&recorded.processor, &self.processor),
        ];
        let differ = pairs.into_iter().filter(|(there, here)| there != here);
        differ
            .map(|(there, here)| format!("{there} → {here}"))
            .collect()
    }
}

/// httparse and memchr look for AVX2; valgrind shows them what the processor has, up to that.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let features = if std::is_x86_feature_detected!("avx2") {
        "avx2"
    } else {
        "no avx2"
    };
    #[cfg(not(target_arch = "x86_64"))]
    let features = "baseline";
    format!("{}, {features}", std::env::consts::ARCH)
}

fn said(program: &str, argument: &str) -> Result<String> {
    let output = Command::new(program).arg(argument).output();
    let output = output.with_context(|| program.to_owned())?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
