//! A document as a JSON value, read alike from YAML and JSON.
//!
//! Not `serde_json::Value` itself, for two reasons: a duplicate key must be an error, since it isn't clear
//! which one is meant; and keys that YAML reads as booleans or numbers must become the strings that
//! Kubernetes makes of them (`yes: 1` is `"true": 1`).

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::fmt;

/// A value of a document.
pub(super) struct Tree(pub Value);

const NOT_FINITE: &str = "a number that JSON can't hold (infinite, or not a number)";
const BAD_KEY: &str = "a key that is not a string, number or boolean";

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree(Value::Null))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
                Number::from_f64(value).map(|number| Tree(Value::Number(number))).ok_or_else(|| E::custom(NOT_FINITE))
            }
            fn visit_str<E>(self, value: &str) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }
            fn visit_string<E>(self, value: String) -> Result<Tree, E> {
                Ok(Tree(value.into()))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
                let mut items = Vec::new();
                while let Some(Tree(item)) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Tree(Value::Array(items)))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
                let mut fields = Map::new();
                while let Some(Key(key)) = map.next_key()? {
                    // Checked before the value is read, so that the error's position is the key's.
                    if fields.contains_key(&key) {
                        return Err(A::Error::custom(crate::yaml::DUPLICATE));
                    }
                    let Tree(value) = map.next_value()?;
                    fields.insert(key, value);
                }
                Ok(Tree(Value::Object(fields)))
            }
        }
        deserializer.deserialize_any(TreeVisitor)
    }
}

struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_bool<E>(self, key: bool) -> Result<Key, E> {
                Ok(Key(key.to_string()))
            }
            fn visit_i64<E>(self, key: i64) -> Result<Key, E> {
                Ok(Key(key.to_string()))
            }
            fn visit_u64<E>(self, key: u64) -> Result<Key, E> {
                Ok(Key(key.to_string()))
            }
            fn visit_f64<E>(self, key: f64) -> Result<Key, E> {
                Ok(Key(key.to_string()))
            }
            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(Key(key.to_owned()))
            }
            fn visit_string<E>(self, key: String) -> Result<Key, E> {
                Ok(Key(key))
            }
            fn visit_unit<E: Error>(self) -> Result<Key, E> {
                Err(E::custom(BAD_KEY))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Key, A::Error> {
                Err(A::Error::custom(BAD_KEY))
            }
            fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Key, A::Error> {
                Err(A::Error::custom(BAD_KEY))
            }
        }
        deserializer.deserialize_any(KeyVisitor)
    }
}

/// What a document is instead of an object.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
