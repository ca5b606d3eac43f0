//! `signalboxd repair`: whether the ledger is sound, and moving a damaged one aside. Nothing is
//! moved without `--move-aside`.

use std::process::ExitCode;

use anyhow::Result;
use gateway::Clock;
use ledger::{Ledger, LedgerError};

use crate::args::RepairArgs;

pub(crate) fn run(args: &RepairArgs) -> Result<ExitCode> {
    let path = args.data.ledger()?;
    if args.move_aside {
        let aside = Ledger::move_aside(&path, Clock.now_ms())?;
        println!("{}", aside.display());
        eprintln!("The ledger was moved to {}. The next start begins a new one.", aside.display());
        return Ok(ExitCode::SUCCESS);
    }
    let checked = Ledger::attach_existing(&path, Clock.now_ms()).and_then(|ledger| ledger.check());
    match checked {
        Ok(()) => {
            println!("{}: sound", path.display());
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ LedgerError::Corrupt { .. }) => {
            eprintln!("{error}\nTo move it aside: signalboxd repair --data-dir DIR --move-aside");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}
