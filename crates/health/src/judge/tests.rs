//! How the judge behaves.
