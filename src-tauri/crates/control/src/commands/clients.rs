//! Keys that our port accepts.

use crate::control::Control;
use crate::error::Result;
use crate::types::{AddClientArgs, ClientView, Empty, IdArgs, NewClient};

pub(crate) async fn list(control: &Control, _: Empty) -> Result<Vec<ClientView>> {
    let clients = control.ledger(ledger::Ledger::clients).await?;
    Ok(clients
        .into_iter()
        .map(|client| ClientView {
            id: client.id,
            name: client.name,
            key_hint: client.key_hint,
            created_at: client.created_at,
            last_seen_at: client.last_seen_at,
        })
        .collect())
}

pub(crate) async fn add(control: &Control, args: AddClientArgs) -> Result<NewClient> {
    let client = control.gateway().create_client(&args.name).await?;
    Ok(NewClient { id: client.id, name: client.name, key: client.key })
}

pub(crate) async fn remove(control: &Control, args: IdArgs) -> Result<()> {
    Ok(control.gateway().revoke_client(&args.id).await?)
}
