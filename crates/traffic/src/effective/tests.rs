//! Laws of the effective row.
