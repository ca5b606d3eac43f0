//! Servers on this machine that nobody configured: found by what they answer at their usual ports.
//!
//! Which kinds are looked for, where, and what tells them apart stands in their files (`probe`). Only
//! this machine is asked, a start never waits for it, and settings that name a server's id or address
//! have the last word.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use catalog::{Kinds, ProviderSpec};
use futures_util::future::join_all;

use super::Gateway;
use crate::Event;
use crate::egress::{Egress, Probed};
use crate::providers::Snapshot;

/// How often it is looked again.
const INTERVAL: Duration = Duration::from_secs(60);

impl Gateway {
    /// Whether the settings let it look.
    pub fn looks_for_servers(&self) -> bool {
        self.core.snapshot().config.looks_for_servers
    }

    /// Looks now, and returns when every server had its chance to answer. The snapshot has what was
    /// found.
    pub async fn look_for_servers(&self) {
        let snapshot = self.core.snapshot();
        if !snapshot.config.looks_for_servers {
            return;
        }
        let before = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = look(&snapshot.egress, &snapshot.kinds, &before).await;
        // The settings may change at the same time: one after the other.
        let _known = self.config_text.lock().await;
        {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            if *found == now {
                return;
            }
            found.clone_from(&now);
        }
        let last = self.core.snapshot();
        self.core.replace_snapshot(Snapshot::new(
            Arc::clone(&last.config),
            last.kinds.clone(),
            &now,
            Some(&self.rehearsal_url),
            last.egress.clone(),
        ));
        for id in before.iter().chain(&now) {
            self.core.lists.forget(id);
        }
        let error = self.config_error().map(|error| error.to_string());
        self.core.tell(Event::ConfigChanged { error });
    }

    pub(super) fn keep_looking_for_servers(self: &Arc<Self>) {
        let (gateway, stop) = (Arc::downgrade(self), self.stop.clone());
        let task = tokio::spawn(async move {
            loop {
                {
                    let Some(gateway) = gateway.upgrade() else { return };
                    gateway.look_for_servers().await;
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(INTERVAL) => {}
                }
            }
        });
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }
}

/// The kinds that answer. Who was there `before` and only took too long still is: a server that
/// loads a model answers late.
async fn look(egress: &Egress, kinds: &Kinds, before: &[String]) -> Vec<String> {
    let asked = kinds.iter().map(|kind| async {
        let had = before.contains(&kind.id);
        is_there(egress, kind, had).await.then(|| kind.id.clone())
    });
    join_all(asked).await.into_iter().flatten().collect()
}

async fn is_there(egress: &Egress, kind: &ProviderSpec, had: bool) -> bool {
    let (Some(probe), Some(base_url)) = (&kind.probe, &kind.base_url) else { return false };
    match egress.probe(base_url, &probe.path).await {
        Probed::Answer(body) => probe.is_met_by(&body),
        Probed::Late => had,
        Probed::Nothing => false,
    }
}
