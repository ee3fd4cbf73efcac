//! How groups are judged.
