//! Turns nodes into the value that Kubernetes sees: aliases and merges are resolved, keys become strings and
//! numbers JSON's.

use super::nodes::{Id, MAX_DEPTH, Node, Nodes, TOO_DEEP};
use super::scalar::{Scalar, key_of, resolve};
use super::{Error, Position};
use serde_json::{Map, Number, Value};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Builds the value of a document.
pub(super) struct Decoder<'n> {
    nodes: &'n Nodes,
    /// The aliases that led to the current node.
    within: Vec<Id>,
    depth: usize,
    /// How many nodes were visited, of which `by_alias` through an alias.
    looked: u64,
    by_alias: u64,
    /// The position of the first duplicate key in a mapping, of which the last counts.
    pub repeated: Option<Position>,
}

/// A key before it becomes a string: `1` and `"1"` differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(u64),
    Text(String),
}

/// A mapping under construction, in the order in which its keys first appear.
#[derive(Default)]
struct Fields {
    places: HashMap<Key, usize>,
    all: Vec<(Key, Value, Position)>,
}

impl<'n> Decoder<'n> {
    pub fn new(nodes: &'n Nodes) -> Self {
        Self { nodes, within: Vec::new(), depth: 0, looked: 0, by_alias: 0, repeated: None }
    }

    /// The value of the whole document; null if it is empty.
    pub fn document(&mut self) -> Result<Value, Error> {
        self.nodes.root().map_or(Ok(Value::Null), |root| self.value(root))
    }

    fn value(&mut self, id: Id) -> Result<Value, Error> {
        self.look(id)?;
        match self.nodes.get(id) {
            None => Ok(Value::Null),
            Some(Node::Scalar { text, tag, plain }) => match self.resolve(id, tag, text, *plain)? {
                Scalar::Null => Ok(Value::Null),
                Scalar::Bool(value) => Ok(value.into()),
                Scalar::Int(value) => Ok(value.into()),
                Scalar::Uint(value) => Ok(value.into()),
                Scalar::Float(value) => number(value).ok_or_else(|| {
                    Error::new(self.nodes.at(id), "a number that JSON can't hold (infinite, or not a number)")
                }),
                Scalar::Text(text) => Ok(text.into()),
            },
            Some(Node::Sequence(items)) => {
                self.enter(id)?;
                let items = items.iter().map(|item| self.value(*item)).collect::<Result<Vec<_>, _>>()?;
                self.depth -= 1;
                Ok(items.into())
            }
            Some(Node::Mapping(_)) => {
                let mut fields = Fields::default();
                self.mapping(id, &mut fields, false)?;
                fields.finish()
            }
            Some(Node::Alias(target)) => self.through(id, |decoder| decoder.value(*target)),
        }
    }

    /// Reads the fields of a mapping into `fields`.
    fn mapping(&mut self, id: Id, fields: &mut Fields, merged: bool) -> Result<(), Error> {
        let Some(Node::Mapping(children)) = self.nodes.get(id) else { return Ok(()) };
        self.enter(id)?;
        for pair in children.chunks_exact(2) {
            let &[key, value] = pair else { continue };
            if self.is_merge(key) {
                self.merge(value, fields)?;
                continue;
            }
            let at = self.nodes.at(key);
            let name = self.key(key)?;
            let value = self.value(value)?;
            let twice = fields.set(name, value, at);
            if twice && !merged {
                self.repeated.get_or_insert(at);
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// Applies a merge key `<<` where it stands, as go-yaml does: it overrides the fields before it and is
    /// overridden by those after it.
    fn merge(&mut self, id: Id, fields: &mut Fields) -> Result<(), Error> {
        let wrong = || Error::new(self.nodes.at(id), "<< merges something that is not a mapping");
        match self.nodes.get(id) {
            Some(Node::Sequence(items)) => {
                // Earlier mappings take precedence.
                for item in items.iter().rev() {
                    if self.target(*item).is_none() {
                        return Err(wrong());
                    }
                    self.merge_one(*item, fields)?;
                }
                Ok(())
            }
            Some(_) if self.target(id).is_some() => self.merge_one(id, fields),
            _ => Err(wrong()),
        }
    }

    fn merge_one(&mut self, id: Id, fields: &mut Fields) -> Result<(), Error> {
        self.look(id)?;
        match self.nodes.get(id) {
            Some(Node::Alias(target)) => self.through(id, |decoder| {
                decoder.look(*target)?;
                decoder.mapping(*target, fields, true)
            }),
            _ => self.mapping(id, fields, true),
        }
    }

    /// The mapping that a node is or refers to.
    fn target(&self, id: Id) -> Option<Id> {
        let target = match self.nodes.get(id)? {
            Node::Alias(target) => *target,
            _ => id,
        };
        matches!(self.nodes.get(target)?, Node::Mapping(_)).then_some(target)
    }

    fn is_merge(&self, id: Id) -> bool {
        let Some(Node::Scalar { text, tag, plain }) = self.nodes.get(id) else { return false };
        let asked = match tag.as_str() {
            "" => *plain,
            "!" | "tag:yaml.org,2002:merge" => true,
            _ => false,
        };
        text == "<<" && asked
    }

    fn key(&mut self, id: Id) -> Result<Key, Error> {
        self.look(id)?;
        match self.nodes.get(id) {
            Some(Node::Scalar { text, tag, plain }) => Ok(match self.resolve(id, tag, text, *plain)? {
                Scalar::Null => Key::Null,
                Scalar::Bool(value) => Key::Bool(value),
                Scalar::Int(value) => Key::Int(value),
                Scalar::Uint(value) => Key::Uint(value),
                Scalar::Float(value) => Key::Float(value.to_bits()),
                Scalar::Text(text) => Key::Text(text),
            }),
            Some(Node::Alias(target)) => self.through(id, |decoder| decoder.key(*target)),
            _ => Err(Error::new(self.nodes.at(id), BAD_KEY)),
        }
    }

    fn resolve(&self, id: Id, tag: &str, text: &str, plain: bool) -> Result<Scalar, Error> {
        resolve(tag, text, plain).map_err(|reason| Error::new(self.nodes.at(id), reason))
    }

    fn through<T>(&mut self, alias: Id, then: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.within.contains(&alias) {
            return Err(Error::new(self.nodes.at(alias), "an alias inside of what it stands for"));
        }
        self.within.push(alias);
        let done = then(self)?;
        self.within.pop();
        Ok(done)
    }

    fn enter(&mut self, id: Id) -> Result<(), Error> {
        self.depth += 1;
        if self.depth > MAX_DEPTH { Err(Error::new(self.nodes.at(id), TOO_DEEP)) } else { Ok(()) }
    }

    /// Counts a visited node, and fails if aliases expand to more than go-yaml allows.
    fn look(&mut self, id: Id) -> Result<(), Error> {
        self.looked += 1;
        if !self.within.is_empty() {
            self.by_alias += 1;
        }
        let few = self.by_alias <= 100 || self.looked <= 1000;
        if few || share(self.by_alias, self.looked) <= allowed_share(self.looked) {
            return Ok(());
        }
        Err(Error::new(self.nodes.at(id), "aliases that expand to too much"))
    }
}

const BAD_KEY: &str = "a key that is not a string, a boolean, or a number of at most 63 bits";

impl Fields {
    /// Sets a field; the last value counts. Returns whether the key was there already.
    fn set(&mut self, key: Key, value: Value, at: Position) -> bool {
        match self.places.entry(key) {
            Entry::Occupied(place) => {
                if let Some((_, there, first)) = self.all.get_mut(*place.get()) {
                    *there = value;
                    *first = at;
                }
                true
            }
            Entry::Vacant(place) => {
                let key = place.key().clone();
                place.insert(self.all.len());
                self.all.push((key, value, at));
                false
            }
        }
    }

    fn finish(self) -> Result<Value, Error> {
        let mut map = Map::with_capacity(self.all.len());
        for (key, value, at) in self.all {
            let name = match key {
                Key::Bool(key) => key.to_string(),
                Key::Int(key) => key.to_string(),
                Key::Float(bits) => key_of(f64::from_bits(bits)),
                Key::Text(key) => key,
                // JSON has no such keys, and sigs.k8s.io/yaml doesn't convert them.
                Key::Null | Key::Uint(_) => return Err(Error::new(at, BAD_KEY)),
            };
            if map.insert(name, value).is_some() {
                return Err(Error::new(
                    at,
                    "two keys of one mapping that become the same text: which one counts is chance",
                ));
            }
        }
        Ok(Value::Object(map))
    }
}

/// A JSON number as Go writes it: without a point if it is whole.
fn number(value: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    #[allow(clippy::cast_possible_truncation)] // Whole, and within 53 bits.
    if value.fract() == 0.0 && value.abs() <= EXACT && !(value == 0.0 && value.is_sign_negative()) {
        return Some((value as i64).into());
    }
    Number::from_f64(value).map(Value::Number)
}

#[allow(clippy::cast_precision_loss)] // Shares, of counts far below 2^52.
fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

/// go-yaml's limit: 99 percent up to 400,000 nodes, 10 percent from 4,000,000 on, linear in between.
fn allowed_share(looked: u64) -> f64 {
    const LOW: u64 = 400_000;
    const HIGH: u64 = 4_000_000;
    match looked {
        ..=LOW => 0.99,
        HIGH.. => 0.10,
        _ => 0.99 - 0.89 * share(looked - LOW, HIGH - LOW),
    }
}
