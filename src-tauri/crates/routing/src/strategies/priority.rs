//! The order in which the user wrote them.

use super::{Candidate, Strategy};
use crate::Draw;

#[derive(Debug, Clone, Copy)]
pub struct Priority;

impl Strategy for Priority {
    const ID: &'static str = "priority";

    /// The first target always leads; the others stand by.
    fn rank(&self, targets: &mut [Candidate], _: &mut Draw<'_>) {
        targets.sort_by_key(|candidate| candidate.position);
    }
}
