//! The wire types, field for field.
