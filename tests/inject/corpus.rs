//! Manifests as people have them, one for each thing that once went wrong or may.

use super::generated::Stream;

/// A Deployment of the app-proxy with something more at its end.
fn deployment(more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: proxy\n  annotations: &d {{tier: gold, team: a}}\nspec:\n  template:\n    \
         metadata:\n      labels: {{app: cap-app-proxy}}\n    spec:\n      containers:\n      - name: cap-app-proxy\n        image: a\n{more}"
    )
}

const OTHER: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: build\n  labels:\n    commit: 5e98701\n";

pub fn streams() -> Vec<Stream> {
    let mut documents: Vec<Vec<String>> = Vec::new();
    // Each alone, and before another document that isn't to be changed.
    for more in [
        "        env:\n        - name: FLAG\n          value: tRUE\n",
        "        env:\n        - {name: FLAG, value: 0o17}\n        - {name: SHA, value: 7e12345}\n",
        "x: 7e12345\n",
        "x: \"abc123\\n\\n\"\n\n\n",
        "x: |+\n  abc\n\n\n",
        "x: |-\n  abc\n      \n",
        "x: >\n  folded\n  text\n\n    more\n\n",
        "x: \"a\\n\"\n          \n# end\n",
        "x: {tier: silver, <<: *d}\n",
        "x: {<<: *d, tier: silver}\n",
        "x: {<<: [{tier: own}, *d]}\n",
        "x:\n  tier: silver\n  <<: *d\n  team: b\n",
        "x: &again 1\ny: &again 2\nz: *again\n",
        "x: [yes, no, on, off, y, n, ~, Null]\n",
        "x: [0b1, 1_000, .5, +1, 1:30, 2001-01-01, =, 0x1F, 08]\n",
        "x: [9223372036854775808, 18446744073709551616, -9223372036854775809, 1e21, 0.1]\n",
        "x: {1: a, 1.5: b, yes: c, 0x10: d, 1e3: e}\n",
        "x: !!str 12\ny: !!binary aGVsbG8=\nz: !!int \"0x10\"\n",
        "x: a\nx: b\n",
        "x: \"---\"\ny: |\n  ---\n  ...\n  # no comment\n",
        "x: \"\\e\\u202e\\x07\\N\\L\"\n",
        "x: 'it''s'\ny: \"tab\\there\"\nz: a\tb\n",
        "x:   # a comment\n  - a  # another\n",
        "x: a\n  b\n  c\n",
        "# end\n# of it\n",
        "...\n",
    ] {
        documents.push(vec![deployment(more)]);
        documents.push(vec![OTHER.to_owned(), deployment(more), OTHER.to_owned()]);
    }
    let long = "word ".repeat(2_000);
    documents.push(vec![deployment(&format!("x: {long}end\ny: \"{long}\"\n"))]);
    documents.push(vec!["a: {{ .Values.broken }}\n".to_owned(), deployment("x: 1\n")]);
    documents.push(vec!["- a list\n".to_owned(), "just text\n".to_owned(), deployment("x: 1\n")]);
    documents.push(vec!["kind: A\nx: .nan\n".to_owned(), deployment("x: 1\n"), "a: *nowhere\n".to_owned()]);
    documents.push(vec!["a: 1\na: 2\n".to_owned(), "b: \u{85}\n".to_owned(), deployment("x: 1\n")]);
    let mut streams = Vec::new();
    for documents in documents {
        streams.push(stream("", &documents, "---\n"));
        streams.push(stream("\u{FEFF}", &documents, "--- # x\n"));
        streams.push(stream("---\n", &documents, "---\n\u{FEFF}"));
        let windows: Vec<_> = documents.iter().map(|text| text.replace('\n', "\r\n")).collect();
        streams.push(stream("\u{FEFF}", &windows, "---\r\n"));
    }
    streams
}

fn stream(before: &str, documents: &[String], between: &str) -> Stream {
    Stream { text: before.to_owned() + &documents.join(between), documents: documents.to_vec() }
}
