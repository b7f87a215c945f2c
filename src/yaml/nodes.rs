//! The nodes of a document as they are written: aliases aren't resolved, and scalars are text.

use super::{Error, Position, guard};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};
use std::collections::HashMap;

/// The deepest nesting that is read, since each level costs stack. The deepest known objects, definitions of
/// custom resources, need less than half of it.
pub(super) const MAX_DEPTH: usize = 100;

/// The index of a node.
pub(super) type Id = usize;

/// One node of a document.
#[derive(Debug)]
pub(super) enum Node {
    Scalar {
        text: String,
        /// Without shorthand; empty if the node has no tag.
        tag: String,
        /// Whether it is neither quoted nor a block scalar.
        plain: bool,
    },
    Sequence(Vec<Id>),
    /// Keys and values alternate.
    Mapping(Vec<Id>),
    /// Refers to another node, which may contain this one.
    Alias(Id),
}

/// All nodes of a document.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    all: Vec<(Node, Position)>,
    root: Option<Id>,
}

impl Nodes {
    /// Reads a text with at most one document.
    pub fn read(text: &str) -> Result<Self, Error> {
        let options = granit_parser::options! {
            emit_comments: false,
            emit_anchor_events: true,
            flow_nesting_limit: MAX_DEPTH,
            block_nesting_limit: MAX_DEPTH,
        };
        let mut builder =
            Builder { nodes: Self::default(), open: Vec::new(), flows: 0, anchors: HashMap::new(), text, end: 0 };
        let mut documents = 0;
        for next in Parser::new_from_str_with_options(text, options) {
            let (event, span) = next.map_err(|error| Error::of_parser(&error))?;
            if matches!(event, Event::DocumentStart(..)) {
                documents += 1;
            }
            if documents > 1 {
                return Err(Error::new(position(&span), super::ANOTHER_DOCUMENT));
            }
            let end = span.end.byte_offset();
            builder.event(event, span)?;
            builder.end = end.unwrap_or(builder.end);
        }
        Ok(builder.nodes)
    }

    pub fn root(&self) -> Option<Id> {
        self.root
    }

    pub fn get(&self, id: Id) -> Option<&Node> {
        self.all.get(id).map(|(node, _)| node)
    }

    pub fn at(&self, id: Id) -> Position {
        self.all.get(id).map_or(Position { line: 1, column: 1 }, |(_, at)| *at)
    }
}

struct Builder<'t> {
    nodes: Nodes,
    /// The collections that aren't closed yet, with their style.
    open: Vec<(Id, StructureStyle)>,
    /// How many of the open collections are in brackets.
    flows: usize,
    anchors: HashMap<usize, Id>,
    text: &'t str,
    /// Where the previous event ended, in bytes.
    end: usize,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Error> {
        let at = position(&span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let wrong = |reason| Error::new(at, reason);
                guard::scalar(self.slice(&span), style, self.flows > 0).map_err(wrong)?;
                if self.flows > 0 {
                    let after = span.end.byte_offset().and_then(|end| self.text.get(end..)).unwrap_or_default();
                    guard::behind(self.slice(&span), style, after, self.is_at_key()).map_err(wrong)?;
                }
                self.tag(tag.is_some(), &span)?;
                if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
                    let before = span.start.byte_offset().and_then(|start| self.text.get(..start)).unwrap_or_default();
                    let content = self.slice(&span).unwrap_or_default();
                    guard::block(before, content, span.start.col()).map_err(|reason| Error::new(at, reason))?;
                }
                // The parser reports a node that isn't written as `~`.
                let written = !plain || self.slice(&span) != Some("") || text != "~";
                let text = if written { text.into_owned() } else { String::new() };
                self.add(Node::Scalar { text, tag: whole(tag.as_deref()), plain }, anchor, at);
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.tag(tag.is_some(), &span)?;
                self.open(Node::Sequence(Vec::new()), style, anchor, at)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.tag(tag.is_some(), &span)?;
                self.open(Node::Mapping(Vec::new()), style, anchor, at)?;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some((_, StructureStyle::Flow)) = self.open.pop() {
                    self.flows -= 1;
                }
            }
            Event::Alias(anchor) => {
                guard::name(self.slice(&span)).map_err(|reason| Error::new(at, reason))?;
                let target = self.anchors.get(&anchor).copied();
                let target = target.ok_or_else(|| Error::new(at, "an alias whose anchor isn't there"))?;
                self.add(Node::Alias(target), 0, at);
            }
            Event::Anchor(..) => guard::name(self.slice(&span)).map_err(|reason| Error::new(at, reason))?,
            _ => {}
        }
        Ok(())
    }

    /// Whether the next node is a mapping's key.
    fn is_at_key(&self) -> bool {
        let parent = self.open.last().and_then(|(parent, _)| self.nodes.get(*parent));
        matches!(parent, Some(Node::Mapping(children)) if children.len().is_multiple_of(2))
    }

    /// Checks the tag of the node that begins here, if it has one.
    fn tag(&self, is_there: bool, span: &Span) -> Result<(), Error> {
        // A tag stands before the node, or at its beginning.
        let around = self.text.get(self.end..).unwrap_or_default();
        if is_there { guard::tag(around).map_err(|reason| Error::new(position(span), reason)) } else { Ok(()) }
    }

    fn open(&mut self, node: Node, style: StructureStyle, anchor: usize, at: Position) -> Result<(), Error> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Error::new(at, TOO_DEEP));
        }
        let id = self.add(node, anchor, at);
        if style == StructureStyle::Flow {
            self.flows += 1;
        }
        self.open.push((id, style));
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, at: Position) -> Id {
        let id = self.nodes.all.len();
        self.nodes.all.push((node, at));
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        match self.open.last().and_then(|(parent, _)| self.nodes.all.get_mut(*parent)) {
            Some((Node::Sequence(children) | Node::Mapping(children), _)) => children.push(id),
            _ => self.nodes.root = Some(id),
        }
        id
    }

    fn slice(&self, span: &Span) -> Option<&str> {
        span.slice(self.text)
    }
}

pub(super) const TOO_DEEP: &str = "nested too deeply";

fn whole(tag: Option<&Tag>) -> String {
    tag.map(|tag| [tag.handle(), tag.suffix()].concat()).unwrap_or_default()
}

fn position(span: &Span) -> Position {
    Position { line: span.start.line(), column: span.start.col() + 1 }
}
