//! Resolving host names; arrives next.
