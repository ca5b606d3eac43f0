//! Readers for answers: straight from the text into the fields that are wanted, without a
//! [`Value`] in between, and without copying what the text already holds.
//!
//! An answer is read leniently: a field that is missing, null or not of its type is `None`, because
//! one odd counter must not cost the message around it. [`lenient`] is for plain values,
//! [`lenient_object`] and [`lenient_list`] are for what is made of lenient fields itself, and
//! [`open_object`] for objects whose unknown fields are kept.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{DeserializeOwned, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// For `#[serde(default, deserialize_with = "lenient")]`.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    deserializer.deserialize_any(AnyVisitor(PhantomData))
}

/// Text that stays where it is, unless it is escaped.
pub(crate) fn lenient_text<'de, D>(deserializer: D) -> Result<Option<Cow<'de, str>>, D::Error>
where
    D: Deserializer<'de>,
{
    deserializer.deserialize_any(TextVisitor)
}

/// An object whose own fields are lenient: it fails only where the JSON does.
pub(crate) fn lenient_object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(ObjectVisitor(PhantomData))
}

/// A list of what fails only where the JSON does.
pub(crate) fn lenient_list<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(ListVisitor(PhantomData))
}

/// The objects of a list, each made of lenient fields; what is no object is passed over.
pub(crate) fn lenient_objects<'de, D, T>(deserializer: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects: Option<Vec<Object<T>>> = lenient_list(deserializer)?;
    Ok(objects.map(|objects| objects.into_iter().filter_map(|Object(object)| object).collect()))
}

/// A count, also where it is written as a float; what is none is `None`.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(count_of(&Value::deserialize(deserializer)?))
}

/// As [`count`], of what was read already.
pub(crate) fn count_of(value: &Value) -> Option<u64> {
    let float = || value.as_f64().filter(|number| *number >= 0.0).map(|number| number.round() as u64);
    value.as_u64().or_else(float)
}

/// Says only that it did not fit; nobody reads why.
#[derive(Debug)]
struct Mismatch;

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not of its type")
    }
}

impl std::error::Error for Mismatch {}

impl de::Error for Mismatch {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

fn plain<'de, T: DeserializeOwned>(value: impl IntoDeserializer<'de, Mismatch>) -> Option<T> {
    T::deserialize(value.into_deserializer()).ok()
}

struct AnyVisitor<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for AnyVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(plain(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(plain(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(plain(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(plain(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(plain(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Self::Value, E> {
        Ok(plain(value))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(plain(()))
    }

    /// Once begun, an object cannot be given up half way: it is read whole, and then looked at.
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Ok(serde_json::from_value(Value::deserialize(MapAccessDeserializer::new(map))?).ok())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Ok(serde_json::from_value(Value::deserialize(SeqAccessDeserializer::new(list))?).ok())
    }
}

/// What a visitor that wants something else does with everything that it does not want.
macro_rules! nothing_of {
    ($($method:ident($($value:ident: $type:ty)?)),*) => {
        $(fn $method<E>(self $(, $value: $type)?) -> Result<Self::Value, E> {
            $(let _ = $value;)?
            Ok(None)
        })*
    };
    (map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok(None)
        }
    };
    (list) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(None)
        }
    };
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Option<Cow<'de, str>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Self::Value, E> {
        Ok(Some(Cow::Owned(text)))
    }

    nothing_of!(visit_bool(_value: bool), visit_i64(_value: i64), visit_u64(_value: u64), visit_f64(_value: f64), visit_unit());
    nothing_of!(map);
    nothing_of!(list);
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }

    nothing_of!(visit_bool(_value: bool), visit_i64(_value: i64), visit_u64(_value: u64), visit_f64(_value: f64), visit_str(_value: &str), visit_unit());
    nothing_of!(list);
}

struct ListVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ListVisitor<T> {
    type Value = Option<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
        Vec::deserialize(SeqAccessDeserializer::new(list)).map(Some)
    }

    nothing_of!(visit_bool(_value: bool), visit_i64(_value: i64), visit_u64(_value: u64), visit_f64(_value: f64), visit_str(_value: &str), visit_unit());
    nothing_of!(map);
}

/// A field's name, where it stands if it can stay there.
pub(crate) struct Name<'a>(pub(crate) Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a field's name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}

/// A field read in one of the ways above, as a type.
pub(crate) struct Lenient<T>(pub(crate) Option<T>);
pub(crate) struct Count(pub(crate) Option<u64>);
pub(crate) struct Text<'a>(pub(crate) Option<Cow<'a, str>>);
pub(crate) struct Object<T>(pub(crate) Option<T>);
pub(crate) struct List<T>(pub(crate) Option<Vec<T>>);
pub(crate) struct Objects<T>(pub(crate) Option<Vec<T>>);
/// A list, or null, of which each item must be of its type. It mostly has one, so that is what room
/// is made for: growing by the usual four, large items cost more than what they say.
pub(crate) struct Few<T>(pub(crate) Option<Vec<T>>);
/// A field that must be of its type where it is there.
pub(crate) struct Strict<T>(pub(crate) T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient_text(deserializer).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient_object(deserializer).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient_list(deserializer).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Objects<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient_objects(deserializer).map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FewVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for FewVisitor<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_none<E>(self) -> Result<Self::Value, E> {
                Ok(Few(None))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Few(None))
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
                deserializer.deserialize_seq(self)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    if items.is_empty() {
                        items.reserve_exact(1);
                    }
                    items.push(item);
                }
                Ok(Few(Some(items)))
            }
        }
        deserializer.deserialize_option(FewVisitor(PhantomData))
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self)
    }
}

/// Where [`open_object`] puts the fields that it does not know. Those that are null say nothing and
/// are left out.
pub(crate) trait Rest<'de> {
    fn keep<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error>;
}

impl<'de> Rest<'de> for Map<String, Value> {
    fn keep<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let value: Value = map.next_value()?;
        if !value.is_null() {
            self.insert(name.into_owned(), value);
        }
        Ok(())
    }
}

/// Fields in the order in which they came, for an object that mostly has none and whose own names
/// hardly repeat: costs nothing while empty, and no look-up.
pub(crate) type LooseFields<'a> = Vec<(Cow<'a, str>, Value)>;

impl<'de> Rest<'de> for LooseFields<'de> {
    fn keep<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let value: Value = map.next_value()?;
        if !value.is_null() {
            self.push((name, value));
        }
        Ok(())
    }
}

/// Fields as they are written, for those that each message repeats and that are read once.
pub(crate) type RawFields<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

impl<'de> Rest<'de> for RawFields<'de> {
    fn keep<A: MapAccess<'de>>(&mut self, name: Cow<'de, str>, map: &mut A) -> Result<(), A::Error> {
        let value: &RawValue = map.next_value()?;
        if value.get() != "null" {
            self.push((name, value));
        }
        Ok(())
    }
}

/// `Deserialize` for an object whose fields have a reader each and whose other fields are kept in
/// `rest`, as they came, but for those that are null and so say nothing.
///
/// What `rest` is says how they are kept: see [`Rest`]. `#[serde(flatten)]` says the same and reads each unknown field twice, by way of a buffer. Of a
/// name that stands twice the last holds, as in a `Value`.
macro_rules! open_object {
    ($type:ty { $($name:literal => $field:ident: $reader:ident),* $(,)? }) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Fields;
                impl<'de> serde::de::Visitor<'de> for Fields {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<Self::Value, A::Error> {
                        let mut object = <$type>::default();
                        while let Some($crate::json::reading::Name(name)) = map.next_key()? {
                            match &*name {
                                $($name => {
                                    let $crate::json::reading::$reader(value) = map.next_value()?;
                                    object.$field = value;
                                })*
                                _ => $crate::json::reading::Rest::keep(&mut object.rest, name, &mut map)?,
                            }
                        }
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Fields)
            }
        }
    };
}
pub(crate) use open_object;
