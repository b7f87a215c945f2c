//! Joins the output.

/// The format of the whole output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// A stream of YAML documents, some of which may be JSON.
    Yaml,
    /// JSON objects, one after another.
    Json,
}

/// The output under construction.
pub(super) struct Writer {
    layout: Layout,
    out: String,
    /// Whether nothing of the current input was written yet.
    fresh: bool,
}

impl Writer {
    pub fn new(layout: Layout) -> Self {
        Self { layout, out: String::new(), fresh: true }
    }

    /// Begins the output of another input.
    pub fn next_input(&mut self) {
        self.fresh = true;
    }

    /// Writes text of a YAML stream that follows the text before it in its input. `opens`: it begins with a
    /// marker or has no document that needs one. `directives`: it begins with directives, before which the
    /// last document must be closed.
    pub fn yaml(&mut self, text: &str, opens: bool, directives: bool) {
        if self.fresh && !self.out.is_empty() {
            self.end_line();
            if directives {
                self.out.push_str("...\n");
            } else if !opens {
                self.out.push_str("---\n");
            }
        }
        self.fresh = false;
        self.out.push_str(text);
    }

    /// Writes a document that has no markers.
    pub fn document(&mut self, text: &str) {
        if !self.out.is_empty() {
            self.end_line();
            if self.layout == Layout::Yaml {
                self.out.push_str("---\n");
            }
        }
        self.fresh = false;
        self.out.push_str(text);
    }

    /// Writes text that follows the JSON objects before it in its input.
    pub fn json(&mut self, text: &str) {
        if self.layout == Layout::Yaml {
            let text = text.trim();
            if !text.is_empty() {
                self.document(text);
                self.end_line();
            }
            return;
        }
        if self.fresh {
            self.end_line();
        }
        self.fresh = false;
        self.out.push_str(text);
    }

    pub fn finish(self) -> String {
        self.out
    }

    fn end_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with(['\n', '\r']) {
            self.out.push('\n');
        }
    }
}
