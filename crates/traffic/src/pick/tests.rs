//! Laws of picking.
