//! Deserializers for JSON of any shape that never fail on what they find.
//!
//! The API server sends well-formed pods, and a webhook that fails on an odd one would block its creation. So
//! each type here takes what it can use, notes that something odd was there, and reads on. Only text that
//! isn't JSON is an error. Nothing is copied except strings with escapes.

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

/// Implements every visitor method that a type doesn't expect; each returns `$odd`.
macro_rules! otherwise {
    ($odd:expr; $($visit:ident)*) => { $(otherwise!(@ $odd, $visit);)* };
    (@ $odd:expr, scalar) => {
        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> { Ok($odd) }
        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> { Ok($odd) }
        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> { Ok($odd) }
        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> { Ok($odd) }
    };
    (@ $odd:expr, str) => {
        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> { Ok($odd) }
    };
    (@ $odd:expr, seq) => {
        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($odd)
        }
    };
    (@ $odd:expr, map) => {
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            Ok($odd)
        }
    };
}

/// How many list elements one reading keeps, over all lists. No real pod has as many: containers are always
/// kept, of the other lists only elements with one of our names. A bound per list would be none, since lists
/// nest: a body of tiny elements would take many times its own size in memory.
const MAX_ITEMS: usize = 1024;
/// How many entries of each map are kept. Maps stand in no list: a pod has two, labels and annotations.
const MAX_ENTRIES: usize = 4096;
/// How many bytes of strings with escapes one reading copies. Kubernetes allows all annotations of an object
/// 256 KiB together.
const MAX_COPIED_BYTES: usize = 1 << 20;

thread_local! {
    /// What is left of the two budgets. A thread local, because deserializers take no arguments; one reading
    /// stays on one thread from start to end.
    static LEFT: Cell<Left> = const { Cell::new(Left { elements: MAX_ITEMS, copied: MAX_COPIED_BYTES }) };
}

#[derive(Clone, Copy)]
struct Left {
    elements: usize,
    copied: usize,
}

/// Reads with the full budgets. Must not be nested: an inner reading would refill the outer one's.
pub(crate) fn bounded<T>(read: impl FnOnce() -> T) -> T {
    LEFT.set(Left { elements: MAX_ITEMS, copied: MAX_COPIED_BYTES });
    read()
}

/// Copies a string; `None` once the budget of the reading is spent.
fn copied(text: &str) -> Option<String> {
    let left = LEFT.get();
    let copied = left.copied.checked_sub(text.len())?;
    LEFT.set(Left { copied, ..left });
    Some(text.to_owned())
}

/// Whether a field was there and of the expected type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Absent or null.
    #[default]
    Missing,
    /// Of another type than expected.
    Odd,
    /// Of the expected type.
    Expected,
}

/// A string, borrowed where it has no escapes. Anything else is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Str<'a>(pub Option<Cow<'a, str>>);

impl Str<'_> {
    pub(crate) fn get(&self) -> Option<&str> {
        self.0.as_deref()
    }

    pub(crate) fn is(&self, text: &str) -> bool {
        self.get() == Some(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl<'de> Visitor<'de> for StrVisitor {
            type Value = Str<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Str<'de>, E> {
                Ok(Str(copied(text).map(Cow::Owned)))
            }
            fn visit_unit<E>(self) -> Result<Str<'de>, E> {
                Ok(Str(None))
            }
            otherwise!(Str(None); scalar seq map);
        }
        deserializer.deserialize_any(StrVisitor)
    }
}

/// A boolean. Anything else is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bool(pub Option<bool>);

impl<'de> Deserialize<'de> for Bool {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BoolVisitor;
        impl<'de> Visitor<'de> for BoolVisitor {
            type Value = Bool;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a boolean")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Bool, E> {
                Ok(Bool(Some(value)))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Bool, E> {
                Ok(Bool(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Bool, E> {
                Ok(Bool(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Bool, E> {
                Ok(Bool(None))
            }
            fn visit_unit<E>(self) -> Result<Bool, E> {
                Ok(Bool(None))
            }
            otherwise!(Bool(None); str seq map);
        }
        deserializer.deserialize_any(BoolVisitor)
    }
}

/// A whole number. Anything else is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Int(pub Option<i64>);

impl<'de> Deserialize<'de> for Int {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IntVisitor;
        impl<'de> Visitor<'de> for IntVisitor {
            type Value = Int;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Int, E> {
                Ok(Int(None))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Int, E> {
                Ok(Int(Some(value)))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Int, E> {
                Ok(Int(i64::try_from(value).ok()))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Int, E> {
                Ok(Int(None))
            }
            fn visit_unit<E>(self) -> Result<Int, E> {
                Ok(Int(None))
            }
            otherwise!(Int(None); str seq map);
        }
        deserializer.deserialize_any(IntVisitor)
    }
}

/// An object read as `T`. If something else is there, `value` is `T`'s default and `shape` says so.
#[derive(Clone, Debug, Default)]
pub(crate) struct Obj<T> {
    pub shape: Shape,
    pub value: T,
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for Obj<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default> Visitor<'de> for ObjVisitor<T> {
            type Value = Obj<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Obj<T>, A::Error> {
                let value = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Obj { shape: Shape::Expected, value })
            }
            fn visit_unit<E>(self) -> Result<Obj<T>, E> {
                Ok(Obj { shape: Shape::Missing, value: T::default() })
            }
            otherwise!(Obj { shape: Shape::Odd, value: T::default() }; scalar str seq);
        }
        deserializer.deserialize_any(ObjVisitor(PhantomData))
    }
}

/// Decides which elements a [`List`] keeps.
pub(crate) trait Keep {
    fn keep(&self) -> bool {
        true
    }
}

/// A list of which only the elements of interest are kept, each with its index in the JSON.
#[derive(Clone, Debug, Default)]
pub(crate) struct List<T> {
    pub shape: Shape,
    /// The number of elements in the JSON, kept or not.
    pub len: usize,
    pub kept: Vec<(usize, T)>,
}

impl<T> List<T> {
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &T)> {
        self.kept.iter().map(|(index, item)| (*index, item))
    }
}

impl<'de, T: Deserialize<'de> + Default + Keep> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + Default + Keep> Visitor<'de> for ListVisitor<T> {
            type Value = List<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<List<T>, A::Error> {
                let mut list = List { shape: Shape::Expected, len: 0, kept: Vec::new() };
                loop {
                    let before = LEFT.get();
                    let Some(item) = seq.next_element::<Obj<T>>()? else { break };
                    let left = LEFT.get();
                    let kept = item.shape == Shape::Expected && item.value.keep();
                    match left.elements.checked_sub(1) {
                        Some(elements) if kept => {
                            LEFT.set(Left { elements, ..left });
                            list.kept.push((list.len, item.value));
                        }
                        // Give back what the dropped element took.
                        _ => LEFT.set(before),
                    }
                    list.len += 1;
                }
                Ok(list)
            }
            fn visit_unit<E>(self) -> Result<List<T>, E> {
                Ok(List { shape: Shape::Missing, len: 0, kept: Vec::new() })
            }
            otherwise!(List { shape: Shape::Odd, len: 0, kept: Vec::new() }; scalar str map);
        }
        deserializer.deserialize_any(ListVisitor(PhantomData))
    }
}

/// A map of strings; entries with values of other types are skipped.
#[derive(Clone, Debug, Default)]
pub(crate) struct StrMap<'a> {
    pub shape: Shape,
    pub entries: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl StrMap<'_> {
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        // Of duplicate keys the last one counts, as in Go's JSON and most others.
        self.entries.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value.as_ref())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for StrMap<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MapVisitor;
        impl<'de> Visitor<'de> for MapVisitor {
            type Value = StrMap<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StrMap<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((Str(key), Str(value))) = map.next_entry()? {
                    if let (Some(key), Some(value)) = (key, value)
                        && entries.len() < MAX_ENTRIES
                    {
                        entries.push((key, value));
                    }
                }
                Ok(StrMap { shape: Shape::Expected, entries })
            }
            fn visit_unit<E>(self) -> Result<StrMap<'de>, E> {
                Ok(StrMap::default())
            }
            otherwise!(StrMap { shape: Shape::Odd, entries: Vec::new() }; scalar str seq);
        }
        deserializer.deserialize_any(MapVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::pod::Pod;

    fn pod(spec: &str) -> String {
        format!("{{\"spec\":{spec}}}")
    }

    fn repeated(element: &str, times: usize) -> String {
        vec![element; times].join(",")
    }

    #[test]
    fn lists_in_lists_are_bounded_together() {
        let items = format!("{{\"secret\":{{\"name\":\"x\",\"items\":[{}]}}}}", repeated("{}", 500));
        let volume = format!("{{\"name\":\"argocd-auth\",\"projected\":{{\"sources\":[{}]}}}}", repeated(&items, 20));
        let text = pod(&format!("{{\"volumes\":[{}]}}", repeated(&volume, 2)));
        let read = Pod::from_json(&text).unwrap();
        let volumes = &read.spec.value.volumes;
        let sources = volumes.iter().flat_map(|(_, volume)| volume.projected.value.sources.iter());
        let kept: usize = sources.map(|(_, source)| 1 + source.secret.value.items.kept.len()).sum();
        assert!((MAX_ITEMS / 2..=MAX_ITEMS).contains(&(kept + volumes.kept.len())), "{kept}");
        assert_eq!(volumes.len, 2, "what isn't kept is counted");
    }

    #[test]
    fn what_is_dropped_again_takes_nothing_from_what_follows() {
        let foreign = format!(
            "{{\"name\":\"x\",\"projected\":{{\"sources\":[{{\"secret\":{{\"items\":[{}]}}}}]}}}}",
            repeated("{}", MAX_ITEMS)
        );
        let ours = "{\"name\":\"argocd-auth\"}";
        let text =
            pod(&format!("{{\"volumes\":[{},{ours}],\"containers\":[{{\"name\":\"c\"}}]}}", repeated(&foreign, 3)));
        let read = Pod::from_json(&text).unwrap();
        assert_eq!(read.spec.value.volumes.kept.len(), 1);
        assert_eq!(read.spec.value.containers.kept.len(), 1);
    }

    #[test]
    fn copies_of_strings_are_bounded_together_and_each_reading_begins_anew() {
        let long = "\\n".repeat(MAX_COPIED_BYTES / 2);
        let labels = format!("{{\"metadata\":{{\"labels\":{{\"a\":\"{long}\",\"b\":\"{long}\",\"c\":\"{long}\"}}}}}}");
        for _ in 0..2 {
            let read = Pod::from_json(&labels).unwrap();
            assert_eq!(read.metadata.value.labels.entries.len(), 2);
        }
    }
}
