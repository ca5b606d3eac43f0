//! They call us.
