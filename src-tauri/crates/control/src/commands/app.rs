//! How everything stands, for the status strip.

use crate::control::Control;
use crate::error::Result;
use crate::health::{STATUS_WINDOW_MS, kept_away, lamp, worst};
use crate::types::{AppStatus, KeychainState, KeychainStatus, LedgerView, StatusArgs, TodaySpend};

pub(crate) async fn status(control: &Control, args: StatusArgs) -> Result<AppStatus> {
    let gateway = control.gateway();
    let now_ms = gateway.clock().now_ms();
    let offset = args.utc_offset_minutes.unwrap_or_default();
    let read = control.ledger(move |ledger| {
        Ok((ledger.spend_today(now_ms, offset)?, ledger.health(now_ms, STATUS_WINDOW_MS, 1)?))
    });
    let (read, keychain) = tokio::join!(read, control.keychain().status(gateway));
    let ledger = gateway.ledger().status();
    let mut message = ledger.message();
    let (today, health) = match read {
        Ok(read) => read,
        // The strip has to say that the book cannot be read, so this is no error of the strip's.
        Err(error) => {
            message.get_or_insert(error.message);
            Default::default()
        }
    };
    let routing = gateway.routing();
    Ok(AppStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        port: control.port(),
        running_requests: gateway.running_requests() as u64,
        today: TodaySpend {
            cost_picousd: today.cost_picousd,
            unknown_count: today.unknown,
            requests: today.requests,
        },
        worst_lamp: worst(
            health.iter().map(|it| kept_away(&routing, &it.provider, &it.model).unwrap_or_else(|| lamp(it))),
        ),
        keychain: keychain_view(keychain),
        config_path: gateway.config_path().display().to_string(),
        data_dir: gateway.data_dir().display().to_string(),
        config_error: control.config_error(),
        ledger: LedgerView {
            state: ledger.word().to_owned(),
            dropped: ledger.dropped + ledger.failed,
            message,
        },
    })
}

fn keychain_view(status: gateway::KeychainStatus) -> KeychainStatus {
    let state = match status.state {
        gateway::KeychainState::Available => KeychainState::Available,
        gateway::KeychainState::Locked => KeychainState::Locked,
        gateway::KeychainState::Absent => KeychainState::Absent,
        gateway::KeychainState::Error => KeychainState::Error,
    };
    KeychainStatus { state, message: status.message }
}
