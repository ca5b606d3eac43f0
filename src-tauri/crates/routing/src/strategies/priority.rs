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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    #[test]
    fn targets_come_in_the_order_of_the_route() {
        let candidate = |position: usize| Candidate {
            target: Target { provider: format!("p{position}"), model: "m".into() },
            position,
        };
        let mut targets = vec![candidate(2), candidate(0), candidate(1)];
        Priority.rank(&mut targets, &mut Draw::new(&mut || 0.5));
        let order: Vec<_> = targets.iter().map(|candidate| candidate.position).collect();
        assert_eq!(order, [0, 1, 2]);
    }
}
