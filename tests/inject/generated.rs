//! YAML by the rules of its grammar rather than from values: every style that a scalar has, and what
//! people and programs put around it.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::BoxedStrategy;

/// A stream, and the texts of its documents without what separates them.
#[derive(Clone, Debug)]
pub struct Stream {
    pub text: String,
    pub documents: Vec<String>,
}

/// What stands at a place of a document.
#[derive(Clone, Debug)]
enum Node {
    /// On the line of its key.
    Inline(String),
    /// A header and lines below it, deeper than the key.
    Below(String, Vec<String>),
    Mapping(Vec<(String, Node)>),
    Sequence(Vec<Node>),
}

/// The looks of scalars without quotes on which readers disagree.
const LOOKS: &[&str] = &[
    "7e12345",
    "5e98701",
    "1e3",
    "1E+3",
    "1e400",
    "-1e400",
    "1e-400",
    "12e03",
    "tRUE",
    "True",
    "TRUE",
    "yes",
    "Yes",
    "yES",
    "no",
    "on",
    "off",
    "y",
    "n",
    "Y",
    "N",
    "null",
    "Null",
    "nULL",
    "~",
    "0644",
    "0o17",
    "0O17",
    "0o8",
    "08",
    "09.5",
    "0x1F",
    "0X1f",
    "0x_1",
    "0b101",
    "0b2",
    "-0b11",
    "0b-1",
    "0b+1",
    "1_000",
    "_1",
    "1__0",
    "1_000.5_0",
    ".5",
    ".5_0",
    "._5",
    "-.5",
    "+.5",
    "5.",
    "+1",
    "-1",
    "-0",
    "-0.0",
    "+0x1F",
    "1:30",
    "190:20:30",
    "1.5.2",
    "v1.2",
    "2001-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43",
    "=",
    "<",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "-9223372036854775809",
    "18446744073709551615",
    "18446744073709551616",
    "123456789012345678901234567890",
    "1.7976931348623157e308",
    "0.1",
    "1e21",
    "1e-7",
    "123456789.123456789",
    "9007199254740993.0",
    "1234567890123456789.0",
    "Inf",
    "NaN",
    "-",
    "--",
    "--- a",
    "...",
    "a:b",
    "a#b",
    "a b",
    "1 2",
    "!",
    "%a",
    "a%",
    "{{",
    "http://x?y=1",
    "0x",
    "0b",
    "0o",
    "1e",
    "+",
    ".",
    "..",
    "1,5",
    "0.0.0.0",
    "::1",
    "-a",
    "?a",
    ":a",
];

/// What JSON has no key for.
const NO_KEYS: &[&str] = &["~", "null", "Null", "9223372036854775808", "18446744073709551615"];

/// Whether a text can stand without quotes behind a key, or be one.
fn stands_alone(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    !"?:,[]{}#&*!|>'\"%@`".contains(first)
        && !text.contains(": ")
        && !text.ends_with(':')
        && text != "-"
        && !text.starts_with("- ")
}

/// What a line of text may hold.
fn line() -> BoxedStrategy<String> {
    prop_oneof![
        4 => "[a-z0-9]{1,8}",
        2 => select(LOOKS).prop_map(str::to_owned),
        2 => "[a-z]{1,4}( {1,2}[a-z#:-]{1,4}){1,3}",
        1 => select(vec!["---", "--- # x", "...", "# c", "a: b", "- a", "key:", "\"q\"", "'q'", "{a: 1}", "|", ">-", "&a", "*a", "!t", "größe", "日本", "\u{1F600}", "\\n", "a\\", "%YAML 1.1"]).prop_map(str::to_owned),
        1 => "([a-z]{1,9} ){60,80}[a-z]",
    ]
    .boxed()
}

fn in_double_quotes(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A scalar that stands on one line, as it is written.
fn inline_scalar() -> BoxedStrategy<String> {
    prop_oneof![
        8 => select(LOOKS).prop_map(str::to_owned).prop_filter("plain", |text| stands_alone(text)),
        4 => "[0-9+.eExXob_:-]{1,7}".prop_filter("plain", |text| stands_alone(text)),
        2 => "[0-9]{1,3}e[0-9]{1,6}",
        2 => "[tTrRuUeEyYsSnNoOfFaAlL]{1,5}",
        2 => line().prop_filter("plain", |text| stands_alone(text)),
        3 => line().prop_map(|text| in_double_quotes(&text)),
        3 => (proptest::collection::vec(line(), 1..4), "\n{0,3}").prop_map(|(lines, end)| in_double_quotes(&(lines.join("\n") + &end))),
        2 => line().prop_map(|text| format!("'{}'", text.replace('\'', "''"))),
        2 => select(vec![
            "\"\\u0041\\x42\\U0001F600\"", "\"\\e[31m\"", "\"\\N\\L\\P\\_\"", "\"\\0\\a\\b\\v\\f\\r\"", "\"\\ta\"", "\" a \"", 
            "!!str 12", "!!str yes", "!!str", "!!int \"12\"", "!!int 0x1F", "!!float 1", "!!float 1e3", "!!bool \"yes\"", "!!null null",
            "!!binary aGVsbG8=", "!!binary /+8=", "!t a", "! 12", "!<tag:yaml.org,2002:str> 12", "&x 1", "&x", "''", "\"\"", "",
        ]).prop_map(str::to_owned),
        1 => (inline_plain(), select(vec![" # c", "  # a: b", "\t# c", " ", "\t", "   "])).prop_map(|(text, end)| text + end),
    ]
    .boxed()
}

fn inline_plain() -> BoxedStrategy<String> {
    prop_oneof![select(LOOKS).prop_map(str::to_owned), "[a-z0-9.-]{1,9}"]
        .prop_filter("plain", |text| stands_alone(text))
        .boxed()
}

/// What stands between brackets and is read alike.
fn tame() -> BoxedStrategy<String> {
    prop_oneof![
        3 => "[a-z0-9]{1,6}",
        3 => select(LOOKS).prop_map(str::to_owned).prop_filter("brackets end it", |text| stands_alone(text) && !text.contains(['{', ','])),
        1 => "[a-z ]{0,6}".prop_map(|text| in_double_quotes(&text)),
        1 => "[a-z:, ]{0,6}".prop_map(|text| format!("'{text}'")),
        1 => select(vec!["*d", "*s", "*t", "~", "{}", "[]"]).prop_map(str::to_owned),
    ]
    .boxed()
}

/// What ends between brackets, and what doesn't: a colon or a tag that a bracket or a comma follows.
fn strange() -> BoxedStrategy<String> {
    prop_oneof![
        1 => "[ab:]{1,4}",
        1 => select(vec!["app:", ":", "::", ":a", "a::", "http://a:1/b", "!a", "\"\\ud83d\\ude00\""]).prop_map(str::to_owned),
    ]
    .boxed()
}

/// Text between brackets.
fn flow() -> BoxedStrategy<String> {
    flow_of(prop_oneof![40 => tame(), 1 => strange()].boxed())
}

fn flow_of(leaf: BoxedStrategy<String>) -> BoxedStrategy<String> {
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(", "))),
            (proptest::collection::vec((flow_key(), inner), 0..4), select(vec!["", ",", " "])).prop_map(
                |(fields, end)| {
                    let fields: Vec<_> = fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
                    format!("{{{}{}}}", fields.join(", "), if fields.is_empty() { "" } else { end })
                }
            ),
        ]
    })
    .boxed()
}

fn flow_key() -> BoxedStrategy<String> {
    prop_oneof![60 => "[a-z]{1,3}", 1 => "[a-z:]{1,3}", 10 => select(vec!["\"k\"", "'k'", "1", "yes", "1.5", "0x1"]).prop_map(str::to_owned)]
        .boxed()
}

/// A block scalar, or one of several lines.
fn lines() -> BoxedStrategy<Node> {
    let body = proptest::collection::vec(
        prop_oneof![4 => line(), 1 => Just(String::new()), 1 => Just("   ".to_owned()), 1 => line().prop_map(|text| format!("  {text}")), 1 => line().prop_map(|text| format!("{text}\t")), 1 => line().prop_map(|text| format!("\t{text}"))],
        0..5,
    );
    let header = select(vec!["|", "|-", "|+", ">", ">-", ">+", "| # c", "|2", "|-2", "|1", "!!str |", "&x |"]);
    prop_oneof![
        4 => (header, body).prop_map(|(header, mut lines)| {
            // What begins with blanks beyond its indentation is refused here; Kubernetes reads it.
            if lines.first().is_none_or(|line| line.trim_matches(' ').is_empty()) {
                lines.insert(0, "z".to_owned());
            }
            Node::Below(header.to_owned(), lines)
        }),
        1 => proptest::collection::vec("[a-z]{1,6}( [a-z]{1,3})?", 1..4).prop_map(|lines| Node::Below(String::new(), lines)),
        1 => proptest::collection::vec("[a-z]{1,6}", 1..4).prop_map(|mut lines| {
            if let Some(last) = lines.last_mut() {
                last.push('"');
            }
            Node::Below("\"a \\".to_owned(), lines)
        }),
        1 => proptest::collection::vec(prop_oneof![3 => "[a-z]{1,6}", 1 => Just(String::new())], 0..4).prop_map(|mut lines| {
            lines.push("z'".to_owned());
            Node::Below("'a".to_owned(), lines)
        }),
    ]
    .boxed()
}

fn key() -> BoxedStrategy<String> {
    prop_oneof![
        12 => "[a-z]{1,4}",
        1 => select(vec!["\"k k\"", "'k'", "k.k/k", "1", "010", "yes", "\"yes\"", "1.5", "1e3", "1e400", ".5", "k-k", "<k", "2001-01-01", "tRUE", "0x10", "? k"]).prop_map(str::to_owned),
        1 => select(LOOKS)
            .prop_map(str::to_owned)
            .prop_filter("a key", |text| stands_alone(text) && !NO_KEYS.contains(&text.as_str())),
    ]
    .boxed()
}

fn node() -> BoxedStrategy<Node> {
    let leaf = prop_oneof![
        6 => inline_scalar().prop_map(Node::Inline),
        3 => lines(),
        2 => flow().prop_map(Node::Inline),
        1 => select(vec!["*d", "*s", "*t"]).prop_map(|alias| Node::Inline(alias.to_owned())),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            3 => fields(inner.clone()).prop_map(Node::Mapping),
            2 => proptest::collection::vec(inner, 1..4).prop_map(Node::Sequence),
        ]
    })
    .boxed()
}

fn fields(inner: BoxedStrategy<Node>) -> BoxedStrategy<Vec<(String, Node)>> {
    let merge = select(vec!["*d", "[*d, *e]", "{m: 1}", "*e", "[*e, {tier: own}]"]);
    let field = prop_oneof![
        8 => (key(), inner),
        1 => merge.prop_map(|merged| ("<<".to_owned(), Node::Inline(merged.to_owned()))),
        1 => select(vec!["silver", "\"lead\"", "7e1"]).prop_map(|tier| ("tier".to_owned(), Node::Inline(tier.to_owned()))),
    ];
    proptest::collection::vec(field, 1..4).boxed()
}

/// Writes a node behind its key or dash, whose column is `indent`.
fn write(node: &Node, indent: usize, in_sequence: bool, out: &mut String) {
    let pad = " ".repeat(indent + 2);
    match node {
        Node::Inline(text) if text.is_empty() => out.push('\n'),
        Node::Inline(text) => out.extend([" ", text, "\n"]),
        Node::Below(header, lines) => {
            out.extend(if header.is_empty() { ["", "", "\n"] } else { [" ", header, "\n"] });
            for line in lines {
                out.extend(if line.is_empty() { ["", "", "\n"] } else { [&pad, line, "\n"] });
            }
        }
        Node::Mapping(fields) => {
            for (index, (key, value)) in fields.iter().enumerate() {
                out.extend(match (index, in_sequence) {
                    (0, true) => [" ", ""],
                    (0, false) => ["\n", &pad],
                    _ => ["", &pad],
                });
                out.extend([key, ":"]);
                write(value, indent + 2, false, out);
            }
        }
        Node::Sequence(items) => {
            for (index, item) in items.iter().enumerate() {
                out.extend(match (index, in_sequence) {
                    (0, true) => [" ", ""],
                    (0, false) => ["\n", &pad],
                    _ => ["", &pad],
                });
                out.push('-');
                write(item, indent + 2, true, out);
            }
        }
    }
}

fn written(node: &Node, indent: usize) -> String {
    let mut out = String::new();
    write(node, indent, false, &mut out);
    out
}

/// Lines that say nothing, as they stand before, between and behind.
fn nothing() -> BoxedStrategy<String> {
    proptest::collection::vec(
        select(vec!["\n", "# c\n", "  # c\n", "    \n", "        \n", "# a: b\n", "#\n", "\n\n"]),
        0..3,
    )
    .prop_map(|lines| lines.concat())
    .boxed()
}

/// A workload; of the app-proxy, or of somebody else.
fn workload() -> BoxedStrategy<String> {
    let parts = (any::<bool>(), node(), fields(node()), node(), node(), node(), nothing(), nothing());
    parts
        .prop_map(|(ours, team, annotations, label, value, last, between, tail)| {
            let app = if ours { "cap-app-proxy" } else { "other" };
            let (annotations, last) = (written(&Node::Mapping(annotations), 6), written(&last, 0));
            let (label, value, team) = (written(&label, 4), written(&value, 10), written(&team, 0));
            format!(
                "apiVersion: apps/v1\nkind: Deployment\nx-d: &d {{tier: gold, team: a}}\nx-e: &e\n  app: x\n  tier: 7e99999\n\
                 x-t: &t 'it'\nx-s: &s [1, 0b11, *t]\nmetadata:\n  name: {app}\n  labels:\n    version:{label}\
                 x-team:{team}{between}spec:\n  template:\n    metadata:\n      labels: {{app: {app}}}\n      \
                 annotations:{annotations}    spec:\n      containers:\n      - name: cap-app-proxy\n        env:\n        \
                 - name: FLAG\n          value:{value}x-last:{last}{tail}"
            )
        })
        .boxed()
}

/// Anything else that has anchors of the same names.
fn other() -> BoxedStrategy<String> {
    (node(), node(), nothing(), nothing())
        .prop_map(|(data, last, between, tail)| {
            let (data, last) = (written(&data, 0), written(&last, 0));
            format!(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\nx-d: &d {{a: 1}}\nx-e: &e {{b: 1}}\nx-s: &s []\nx-t: &t t\n\
                 data:{data}{between}x-last:{last}{tail}"
            )
        })
        .boxed()
}

/// Pods and Lists, some in brackets, and what is none of these.
fn odd() -> BoxedStrategy<String> {
    let mirror = select(vec!["kubernetes.io/config.mirror: abc", "a: b", "kubernetes.io/config.hash: abc"]);
    let pod = (mirror, inline_scalar(), nothing()).prop_map(|(annotation, value, tail)| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x-node1\n  labels: {{app: cap-app-proxy}}\n  annotations: {{{annotation}}}\n\
             spec:\n  containers:\n  - name: cap-app-proxy\n    args:\n    - {value}\n{tail}"
        )
    });
    let list = (node(), any::<bool>()).prop_map(|(value, ours)| {
        let value = written(&value, 6);
        let app = if ours { "cap-app-proxy" } else { "other" };
        format!(
            "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: ConfigMap\n  data: &d {{a: 7e777, tier: x}}\n  x: &s [1]\n  y: &t t\n  z: &e {{}}\n\
             - apiVersion: v1\n  kind: Pod\n  metadata:\n    labels: {{app: {app}}}\n    annotations: *d\n  spec:\n    x:{value}    containers: \
             [{{name: cap-app-proxy, args: *s}}]\n"
        )
    });
    // The whole input would be JSON, and is refused in JSON's words.
    let brackets = (flow_of(tame()), inline_scalar().prop_filter("one value", |text| !text.contains(['#', '\n', '{', '&']))).prop_map(|(value, _)| {
        format!(
            "{{x: &d {{a: 1}}, y: &s [1], z: &t t, apiVersion: v1, kind: Pod, metadata: {{labels: {{app: cap-app-proxy}}}},\n spec: {{x: {value},\n containers: [{{name: cap-app-proxy}}]}}}}\n"
        )
    });
    let json = inline_plain().prop_map(|text| {
        format!(
            "{{\n  \"apiVersion\": \"v1\", \"kind\": \"Pod\", \"metadata\": {{\"labels\": {{\"app\": \"cap-app-proxy\"}}}},\n\t\"spec\": {{\"x\": \"{}\", \
             \"n\": [1, 1.0, 1e3, -0], \"containers\": [{{\"name\": \"cap-app-proxy\"}}]}}}}\n",
            text.replace(['\\', '"'], "")
        )
    });
    let none = select(vec![
        "",
        "# only a comment\n",
        "null\n",
        "- a\n",
        "text\n",
        "a: [\n",
        "a: {{ .Values.x }}\n",
        "a: 1\na: 2\n",
        "kind: X\nkind: Y\n",
    ])
    .prop_map(str::to_owned);
    prop_oneof![3 => pod, 3 => list, 2 => brackets, 1 => json, 2 => none].boxed()
}

/// A stream of documents.
pub fn stream() -> impl Strategy<Value = Stream> {
    let document = prop_oneof![4 => workload(), 2 => other(), 2 => odd()];
    let before = select(vec![
        "---\n",
        "--- # c\n",
        "---  \n",
        "---\n# Source: chart/templates/x.yaml\n",
        "---\n\n",
        "---\n\u{FEFF}",
    ]);
    let documents = proptest::collection::vec((before, document), 1..4);
    (
        documents,
        any::<bool>(),
        prop_oneof![3 => Just(false), 1 => Just(true)],
        prop_oneof![3 => Just(""), 1 => Just("\u{FEFF}")],
    )
        .prop_map(|(documents, marked, windows, mark)| {
            let breaks = |text: &str| if windows { text.replace('\n', "\r\n") } else { text.to_owned() };
            // What begins as JSON kubectl reads as JSON until that fails, and the rest otherwise than alone.
            let begins_as_json = documents.len() > 1 && documents[0].1.starts_with('{');
            let marked = marked || begins_as_json;
            let mut text = mark.to_owned();
            for (index, (before, document)) in documents.iter().enumerate() {
                // kubectl takes a mark for content where it didn't see the marker as an end.
                let ends = index.checked_sub(1).is_some_and(|last| !documents[last].1.is_empty());
                if index > 0 || marked {
                    text += &breaks(if ends { before } else { before.trim_end_matches('\u{FEFF}') });
                }
                text += &breaks(document);
            }
            Stream { text, documents: documents.iter().map(|(_, document)| breaks(document)).collect() }
        })
}
