//! `signalboxd client`: keys that the port accepts. Works beside a running daemon, which accepts a
//! new key at once.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use gateway::Clock;
use ledger::{Client, Ledger};

use crate::args::{ClientCommand, DataDir};

pub(crate) fn run(command: ClientCommand) -> Result<ExitCode> {
    match command {
        ClientCommand::Add { name, data } => {
            let client = gateway::clients::create(&open(&data)?, Clock, &name)?;
            println!("{}", client.key);
        }
        ClientCommand::List { data } => {
            for client in open(&data)?.clients()? {
                println!("{}", line(&client));
            }
        }
        ClientCommand::Remove { name, data } => {
            let ledger = open(&data)?;
            let clients = ledger.clients()?;
            let client = clients
                .iter()
                .find(|client| client.name == name || client.id == name)
                .with_context(|| format!("There is no client \"{name}\"."))?;
            ledger.revoke_client(&client.id, Clock.now_ms())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn open(data: &DataDir) -> Result<Ledger> {
    Ok(Ledger::attach(&data.ledger()?, Clock.now_ms())?)
}

/// Fields apart by tabs; times in milliseconds since the Unix epoch.
fn line(client: &Client) -> String {
    let seen = client.last_seen_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    format!("{}\t…{}\tcreated {}\tseen {seen}", client.name, client.key_hint, client.created_at)
}
