//! Everything that is remembered of targets, or of providers, by name.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use crate::target::Place;

/// A map whose places are found, or made, by looking a borrowed name up once: planning does little
/// else, and a name is two strings to hash.
#[derive(Debug)]
pub(crate) struct Places<K> {
    at: HashMap<K, usize>,
    kept: Vec<(K, Place)>,
}

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self { at: HashMap::new(), kept: Vec::new() }
    }
}

impl<K: Hash + Eq + Clone> Places<K> {
    pub(crate) fn get<Q>(&self, name: &Q) -> Option<&Place>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.at.get(name).map(|at| &self.kept[*at].1)
    }

    pub(crate) fn get_mut<Q>(&mut self, name: &Q) -> Option<&mut Place>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.at.get(name).map(|at| &mut self.kept[*at].1)
    }

    /// The place of this name, made where there was none.
    pub(crate) fn get_or_make<Q>(&mut self, name: &Q, make: impl FnOnce() -> Place) -> &mut Place
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let at = self.at.get(name).copied().unwrap_or_else(|| {
            self.at.insert(name.to_owned(), self.kept.len());
            self.kept.push((name.to_owned(), make()));
            self.kept.len() - 1
        });
        &mut self.kept[at].1
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut Place)> {
        self.kept.iter_mut().map(|(name, place)| (&*name, place))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Place> {
        self.kept.iter().map(|(_, place)| place)
    }

    pub(crate) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Forgets those that are not to stay.
    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&Place) -> bool) {
        self.kept.retain(|(_, place)| stays(place));
        self.at = self.kept.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Like a plain map, whatever is made and forgotten.
        #[test]
        fn a_name_leads_to_its_own_place(steps in prop::collection::vec((0..4_u8, 0..9_u32), 1..100)) {
            let (mut places, mut plain) = (Places::<String>::default(), HashMap::new());
            for (what, number) in steps {
                if what == 0 {
                    places.retain(|place| place.in_flight % 3 != number % 3);
                    plain.retain(|_, in_flight| *in_flight % 3 != number % 3);
                } else {
                    let name = format!("p{number}");
                    places.get_or_make(name.as_str(), Place::default).in_flight += number;
                    *plain.entry(name).or_insert(0) += number;
                }
                prop_assert_eq!(places.len(), plain.len());
                for (name, in_flight) in &plain {
                    prop_assert_eq!(places.get(name.as_str()).unwrap().in_flight, *in_flight);
                    prop_assert_eq!(places.get_mut(name.as_str()).unwrap().in_flight, *in_flight);
                }
                let seen: HashMap<_, _> =
                    places.iter_mut().map(|(name, place)| (name.clone(), place.in_flight)).collect();
                prop_assert_eq!(&seen, &plain);
            }
        }
    }
}
