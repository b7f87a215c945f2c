//! Splits a YAML stream into the texts of its documents, so that unchanged ones can be passed through.
//!
//! Document markers stand only at the beginning of a line, where YAML allows neither `---` nor `...` inside a
//! document, not even in a quoted or block scalar.

/// A byte order mark. Windows programs put one at the beginning of a file, so after joining files one may
/// stand before any document.
pub(super) const BOM: char = '\u{FEFF}';

/// One document with its surroundings. The chunks of a stream, joined, equal the stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk<'a> {
    /// The chunk's whole text.
    pub raw: &'a str,
    /// The number of lines before it in the stream.
    pub lines_before: usize,
    /// The document's number, from 1; `None` if the chunk has only comments or white space.
    pub number: Option<usize>,
    /// Directives, marker, and the blank lines and comments before the content.
    pub head: &'a str,
    /// The content; begins with the marker if they share a line.
    pub body: &'a str,
    /// Blank lines and comments after the content, and the end marker.
    pub tail: &'a str,
    /// Whether the document begins with a marker.
    pub marked: bool,
    /// Whether there are directives before the marker.
    pub directives: bool,
}

/// Splits a stream into chunks.
pub(super) fn split(text: &str) -> Vec<Chunk<'_>> {
    let mut splitter = Splitter::default();
    let (mut start, mut lines_before, mut line_number) = (0, 0, 0);
    for (at, line) in lines(text) {
        let line_end = at + line.len();
        let line = line.strip_prefix(BOM).unwrap_or(line);
        let begins = is_marker(line, "---");
        if begins && splitter.in_document {
            splitter.close(text.get(start..at).unwrap_or_default(), lines_before);
            (start, lines_before) = (at, line_number);
        }
        line_number += 1;
        if is_marker(line, "...") {
            splitter.close(text.get(start..line_end).unwrap_or_default(), lines_before);
            (start, lines_before) = (line_end, line_number);
        } else if begins || !(is_empty(line) || line.starts_with('%')) {
            splitter.in_document = true;
        }
    }
    if start < text.len() {
        splitter.close(text.get(start..).unwrap_or_default(), lines_before);
    }
    splitter.chunks
}

#[derive(Default)]
struct Splitter<'a> {
    chunks: Vec<Chunk<'a>>,
    documents: usize,
    in_document: bool,
}

impl<'a> Splitter<'a> {
    fn close(&mut self, raw: &'a str, lines_before: usize) {
        let number = self.in_document.then(|| {
            self.documents += 1;
            self.documents
        });
        self.in_document = false;
        let (mut marked, mut directives) = (false, false);
        let mut body = 0;
        for (at, line) in lines(raw) {
            let line_end = at + line.len();
            let line = line.strip_prefix(BOM).unwrap_or(line);
            let is_head = if !marked && is_marker(line, "---") {
                marked = true;
                is_empty(line.get(3..).unwrap_or_default())
            } else if !marked && line.starts_with('%') {
                directives = true;
                true
            } else {
                is_empty(line)
            };
            if !is_head {
                break;
            }
            body = line_end;
        }
        let mut tail = raw.len();
        let after: Vec<_> = lines(raw.get(body..).unwrap_or_default()).collect();
        for (at, line) in after.into_iter().rev() {
            // An indented comment may be the last line of a block scalar.
            if !(line.trim().is_empty() || line.starts_with('#') || is_marker(line, "...")) {
                break;
            }
            tail = body + at;
        }
        let part = |from: usize, to: usize| raw.get(from..to).unwrap_or_default();
        let (head, body, tail) = (part(0, body), part(body, tail), part(tail, raw.len()));
        self.chunks.push(Chunk { raw, lines_before, number, head, body, tail, marked, directives });
    }
}

/// The lines of a text with their offsets and line breaks. A lone carriage return is a line break, too.
pub(super) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
        let end = match rest.find(['\n', '\r']) {
            None => rest.len(),
            Some(end) if rest.get(end..).is_some_and(|end| end.starts_with("\r\n")) => end + 2,
            Some(end) => end + 1,
        };
        let line = (at, rest.get(..end)?);
        at += end;
        Some(line)
    })
}

/// Whether a line, or a text, begins with this document marker.
pub(super) fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\n', '\r']))
}

/// Whether a line, or the rest of one, is blank or a comment.
fn is_empty(line: &str) -> bool {
    let line = line.trim_matches([' ', '\t', '\n', '\r']);
    line.is_empty() || line.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> Vec<(Option<usize>, usize, &str, &str, &str)> {
        let chunks = split(text);
        assert_eq!(chunks.iter().map(|chunk| chunk.raw).collect::<String>(), text);
        for chunk in &chunks {
            assert_eq!([chunk.head, chunk.body, chunk.tail].concat(), chunk.raw);
        }
        chunks.iter().map(|chunk| (chunk.number, chunk.lines_before, chunk.head, chunk.body, chunk.tail)).collect()
    }

    #[test]
    fn a_stream_is_split_at_markers_and_comments_stay_beside_their_document() {
        assert_eq!(
            parts("# top\n---\n# source\na: 1\n# end\n---\n---\nb: |\n  ---\n  # text\n"),
            [
                (Some(1), 0, "# top\n---\n# source\n", "a: 1\n", "# end\n"),
                (Some(2), 5, "---\n", "", ""),
                (Some(3), 6, "---\n", "b: |\n  ---\n  # text\n", ""),
            ]
        );
    }

    #[test]
    fn an_end_marker_closes_a_document_and_directives_belong_to_the_next() {
        assert_eq!(
            parts("a: 1\n...\n# between\n%YAML 1.1\n---\nb: 1\n...\n# last\n"),
            [
                (Some(1), 0, "", "a: 1\n", "...\n"),
                (Some(2), 2, "# between\n%YAML 1.1\n---\n", "b: 1\n", "...\n"),
                (None, 7, "# last\n", "", ""),
            ]
        );
    }

    #[test]
    fn content_on_the_markers_line_is_content() {
        assert_eq!(
            parts("--- {a: 1}\n--- # comment\nb: 1"),
            [(Some(1), 0, "", "--- {a: 1}\n", ""), (Some(2), 1, "--- # comment\n", "b: 1", ""),]
        );
    }

    #[test]
    fn a_byte_order_mark_may_stand_before_any_document() {
        assert_eq!(
            parts("\u{FEFF}# x\na: 1\n\u{FEFF}---\nb: 1\n---\n\u{FEFF}c: 1\n...\n\u{FEFF}"),
            [
                (Some(1), 0, "\u{FEFF}# x\n", "a: 1\n", ""),
                (Some(2), 2, "\u{FEFF}---\n", "b: 1\n", ""),
                (Some(3), 4, "---\n", "\u{FEFF}c: 1\n", "...\n"),
                (None, 7, "\u{FEFF}", "", ""),
            ]
        );
    }

    #[test]
    fn what_only_looks_like_a_marker_is_content() {
        assert_eq!(parts("---a: 1\n ---\n....\n").len(), 1);
    }

    #[test]
    fn every_kind_of_line_break_counts_one_line() {
        assert_eq!(parts("a: 1\r\n---\r\nb: 1\r---\rc: 1\n").iter().map(|part| part.1).collect::<Vec<_>>(), [0, 1, 3]);
    }
}
