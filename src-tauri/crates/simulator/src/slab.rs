//! Things with a short life, in a vector that is used again. A key to something that is gone finds
//! nothing, even where its place is taken: events may come too late.

#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<(u32, Option<T>)>,
    free: Vec<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    place: u32,
    generation: u32,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(&mut self, value: T) -> Key {
        if let Some(place) = self.free.pop() {
            let (generation, held) = &mut self.places[place as usize];
            *held = Some(value);
            return Key { place, generation: *generation };
        }
        self.places.push((0, Some(value)));
        Key { place: self.places.len() as u32 - 1, generation: 0 }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let (generation, held) = self.places.get_mut(key.place as usize)?;
        if *generation == key.generation { held.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let (generation, held) = self.places.get_mut(key.place as usize)?;
        if *generation != key.generation {
            return None;
        }
        let value = held.take()?;
        *generation = generation.wrapping_add(1);
        self.free.push(key.place);
        Some(value)
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_to_something_gone_finds_nothing() {
        let mut slab = Slab::new();
        let old = slab.insert('a');
        assert_eq!(slab.remove(old), Some('a'));
        let new = slab.insert('b');
        assert_eq!(slab.get_mut(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get_mut(new), Some(&mut 'b'));
        assert_eq!(slab.len(), 1);
    }
}
