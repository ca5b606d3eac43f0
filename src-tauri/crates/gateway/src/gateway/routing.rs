//! How the router stands, and the user's hand on it.

use std::time::Duration;

use routing::decision::Against;
use routing::{RouterView, Target};

use super::Gateway;

impl Gateway {
    /// Every target and provider that was asked, with circuits, limits and budgets, at this moment.
    pub fn routing(&self) -> RouterView {
        self.core.route(routing::Router::view)
    }

    /// Takes a target out of every route until it is let in again. Requests under way go on.
    pub fn drain(&self, target: &Target, is_drained: bool) {
        self.core.route(|router, now| router.drain(target, is_drained, now));
    }

    /// Leaves a target alone for so long at least.
    pub fn park(&self, target: &Target, span: Duration) {
        self.core.route(|router, now| router.park(target, Some(now.mono + span), now));
    }

    /// Ends what [`Gateway::park`] began, or a refused key: the next request finds out. A circuit that
    /// is open stays so, and a pause that the provider asked for is kept.
    pub fn let_in(&self, target: &Target) {
        self.core.route(|router, now| {
            let mut providers = router.view(now).providers.into_iter();
            let is_key_parked =
                providers.any(|it| it.provider == target.provider && it.against == Some(Against::Parked));
            router.park(target, None, now);
            if is_key_parked {
                router.key_changed(&target.provider);
            }
        });
    }
}
