//! Names of the user's own for targets in order.

use crate::control::Control;
use crate::error::Result;
use crate::types::{Empty, RouteView, TargetView};

pub(crate) async fn list(control: &Control, _: Empty) -> Result<Vec<RouteView>> {
    let config = control.gateway().config();
    Ok(config
        .routes
        .iter()
        .map(|route| &route.route)
        .map(|route| RouteView {
            name: route.name.clone(),
            strategy: route.strategy.as_str().to_owned(),
            targets: route
                .targets
                .iter()
                .map(|it| &it.target)
                .map(|target| TargetView { provider: target.provider.clone(), model: target.model.clone() })
                .collect(),
        })
        .collect())
}
