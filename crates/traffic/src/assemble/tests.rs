//! Laws of assembly.
