//! Inputs that fuzzing found worth keeping (`docs/FUZZING.md`), judged by the same checks on a
//! stable compiler: each broke a law once, or reaches a place that nothing recorded does.

#[expect(unreachable_pub, reason = "The fuzz targets reach it as a module of their own crate.")]
#[path = "fuzz/checks.rs"]
mod checks;

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use wire::ProtocolId;

#[test]
fn kept_inputs_break_no_law() -> Result<()> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/fuzz"));
    let known: Vec<&str> =
        ProtocolId::ALL.iter().map(|protocol| protocol.as_str()).chain(checks::OTHERS).collect();
    let mut inputs = 0;
    for target in std::fs::read_dir(&folder)? {
        let target = target?.path();
        let name = target.file_name().and_then(|name| name.to_str()).context("a target's folder")?;
        ensure!(known.contains(&name), "no target is called `{name}`");
        for input in std::fs::read_dir(&target)? {
            let path = input?.path();
            // Shown by the test runner where the check panics.
            println!("{}", path.display());
            checks::run(name, &std::fs::read(path)?);
            inputs += 1;
        }
    }
    ensure!(inputs > 0, "no input is kept");
    Ok(())
}
