//! What the fuzz targets share: [`checks`], which the plain test `tests/fuzz_regressions.rs` runs
//! over the kept inputs too.

pub mod checks;
