//! The nodes of one document, as they stand in the text: aliases are references still, and scalars
//! are what was written.

use super::{Error, Position, guard};
use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle, Tag};
use std::collections::HashMap;

/// The deepest nesting that is read. Each level costs stack. The deepest objects known, definitions
/// of custom resources, stay below half of it.
pub(super) const MAX_DEPTH: usize = 100;

/// A node's place among the nodes.
pub(super) type Id = usize;

/// What stands at a place.
#[derive(Debug)]
pub(super) enum Node {
    Scalar {
        text: String,
        /// Whole, without its handle; empty where there is none.
        tag: String,
        /// Neither quoted nor a block.
        plain: bool,
    },
    Sequence(Vec<Id>),
    /// Keys and values in turn.
    Mapping(Vec<Id>),
    /// What it stands for may hold it.
    Alias(Id),
}

/// A document's nodes.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    all: Vec<(Node, Position)>,
    root: Option<Id>,
}

impl Nodes {
    /// Reads a text, which is one document at most.
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
    /// The collections that are not closed.
    open: Vec<(Id, StructureStyle)>,
    /// How many of them are in brackets.
    flows: usize,
    anchors: HashMap<usize, Id>,
    text: &'t str,
    /// Where the event before ended, in bytes.
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
                // A node that isn't written comes as `~`.
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

    /// Whether a mapping has its next key here.
    fn is_at_key(&self) -> bool {
        let parent = self.open.last().and_then(|(parent, _)| self.nodes.get(*parent));
        matches!(parent, Some(Node::Mapping(children)) if children.len().is_multiple_of(2))
    }

    /// Looks at the tag of what begins here, if it has one.
    fn tag(&self, is_there: bool, span: &Span) -> Result<(), Error> {
        // It stands before the node, or where it begins.
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
