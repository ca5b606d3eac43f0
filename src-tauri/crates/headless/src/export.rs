//! `signalboxd export`: the book for other programs, one JSON object per line. Works beside a
//! running daemon.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use gateway::Clock;
use ledger::Ledger;

use crate::args::ExportCommand;

pub(crate) fn run(command: ExportCommand) -> Result<ExitCode> {
    let ExportCommand::Requests { data } = command;
    let ledger = Ledger::attach_existing(&data.ledger()?, Clock.now_ms())?;
    let mut out = BufWriter::new(io::stdout().lock());
    match write_requests(&ledger, &mut out) {
        // Whoever reads may stop reading (`| head`).
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS),
    }
}

fn write_requests(ledger: &Ledger, out: &mut impl Write) -> Result<()> {
    for request in ledger.export_requests() {
        let line = serde_json::to_string(&request?).context("A request could not be written as JSON")?;
        writeln!(out, "{line}")?;
    }
    Ok(out.flush()?)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
