//! Streams of manifests go through `inject`, and what Kubernetes reads of them before and after is
//! compared: the same but for the patch. What isn't patched stays byte for byte.

use super::kubernetes::{Read, read, reader, same};
use super::{corpus, generated, inject_as, values};
use argocd_auth_webhook::commands::inject::Format;
use generated::Stream;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use std::path::Path;

/// How many streams are generated; about three documents each.
const STREAMS: usize = 1_500;

/// What is said where the parser would read a text otherwise than Kubernetes.
const GUARDED: [&str; 2] = ["for Kubernetes", "a tag without a blank after it"];

/// What was seen of some streams.
#[derive(Debug, Default)]
struct Counts {
    documents: usize,
    patched: usize,
    /// Documents that Kubernetes can't read.
    unreadable: usize,
    /// Those of them that were refused, because they may be pods of ours.
    refused: usize,
    /// Streams that Kubernetes reads, and that are refused because the parser would read them otherwise.
    guarded: usize,
}

/// What happened to one stream.
struct Run {
    /// What came out, or the refusal.
    out: Result<String, String>,
}

impl Run {
    fn of(stream: &Stream) -> Self {
        let out = inject_as(stream.text.clone(), None).map(|done| done.manifests).map_err(|error| error.to_string());
        Self { out }
    }

    /// What differs, if anything does.
    fn judge(&self, stream: &Stream, before: &[Read], after: &[Read], counts: &mut Counts) -> Result<(), String> {
        let unreadable = before.iter().filter(|read| matches!(read, Read::Error(_))).count();
        // Of a stream that is refused the documents are counted one by one.
        if self.out.is_ok() || before.len() <= 1 || unreadable == 0 {
            counts.documents += before.len();
            counts.unreadable += unreadable;
        }
        let out = match &self.out {
            Ok(out) => out,
            Err(error) if unreadable == 0 && GUARDED.iter().any(|words| error.contains(words)) => {
                counts.guarded += 1;
                return Ok(());
            }
            Err(error) if unreadable == 0 => return Err(format!("refused, but Kubernetes reads it: {error}")),
            Err(_) => {
                counts.refused += usize::from(before.len() == 1);
                return Ok(());
            }
        };
        if before.len() != after.len() {
            return Err(format!("{} documents became {}", before.len(), after.len()));
        }
        let mut untouched = vec![true; before.len()];
        for (index, (before, after)) in before.iter().zip(after).enumerate() {
            let number = index + 1;
            match (before, after) {
                (Read::Error(_), Read::Error(_)) => {}
                (Read::Error(error), Read::Object(_)) => {
                    return Err(format!("document {number}: patched, but Kubernetes can't read it: {error}"));
                }
                (Read::Object(_), Read::Error(error)) => {
                    return Err(format!("document {number}: can't be read any more: {error}"));
                }
                (Read::Object(before), Read::Object(after)) => {
                    let wanted = patched(before);
                    if !same(&wanted, after) {
                        return Err(format!("document {number}: wanted\n{wanted}\ngot\n{after}"));
                    }
                    if wanted != *before {
                        counts.patched += 1;
                        untouched[index] = false;
                    }
                }
            }
        }
        if stream.documents.len() == before.len() {
            let mut rest = out.as_str();
            for (text, _) in stream.documents.iter().zip(untouched).filter(|(_, untouched)| *untouched) {
                let at = rest.find(text.as_str()).ok_or_else(|| format!("not byte for byte: {text:?}"))?;
                rest = &rest[at + text.len()..];
            }
        }
        Ok(())
    }
}

/// The object with the patch, by way of JSON, where nothing can be read in two ways.
fn patched(object: &Value) -> Value {
    let mirror = object.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some_and(Value::is_string);
    if mirror || !object.is_object() {
        return object.clone();
    }
    match inject_as(object.to_string(), Some(Format::Json)) {
        Ok(done) => values(&done.manifests).remove(0),
        Err(error) => panic!("{error}: {object}"),
    }
}

/// Compares streams. Says of each that differs its place and what differs. Of a stream that is refused
/// each document is compared by itself.
fn compare(reader: &Path, streams: &[Stream], counts: &mut Counts) -> Vec<(usize, String)> {
    let mut runs = Vec::new();
    for (index, stream) in streams.iter().enumerate() {
        let run = Run::of(stream);
        let apart = run.out.is_err() && stream.documents.len() > 1;
        runs.push((index, stream.clone(), run));
        if !apart {
            continue;
        }
        for text in &stream.documents {
            let alone = Stream { text: text.clone(), documents: vec![text.clone()] };
            let run = Run::of(&alone);
            runs.push((index, alone, run));
        }
    }
    let before: Vec<_> = runs.iter().map(|(_, stream, _)| stream.text.clone()).collect();
    let after: Vec<_> = runs.iter().map(|(_, _, run)| run.out.clone().unwrap_or_default()).collect();
    let (before, after) = (read(reader, &before), read(reader, &after));
    let mut differences = Vec::new();
    for ((index, stream, run), (before, after)) in runs.iter().zip(before.iter().zip(&after)) {
        if let Err(difference) = run.judge(stream, before, after, counts) {
            differences.push((*index, difference));
        }
    }
    differences
}

fn report(what: &str, counts: &Counts, differences: usize) {
    let Counts { documents, patched, unreadable, refused, guarded } = counts;
    println!(
        "{what}: {documents} documents read, {patched} patched, {unreadable} that Kubernetes can't read \
         ({refused} of them refused), {guarded} refused that it reads by other rules, {differences} differences"
    );
}

#[test]
fn the_corpus_reads_the_same_to_kubernetes_but_for_the_patch() {
    let Some(reader) = reader() else { return };
    let streams = corpus::streams();
    let mut counts = Counts::default();
    let differences = compare(reader, &streams, &mut counts);
    report("corpus", &counts, differences.len());
    let shown: Vec<_> = differences.iter().map(|(index, why)| format!("{:?}\n{why}", streams[*index].text)).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n\n"));
    assert_eq!((counts.refused, counts.guarded), (0, 0));
}

/// `MANIFESTS_SEED=N` generates others, `MANIFESTS_STREAMS=N` more.
#[test]
fn generated_manifests_read_the_same_to_kubernetes_but_for_the_patch() {
    let Some(reader) = reader() else { return };
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let seed = number("MANIFESTS_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let many = number("MANIFESTS_STREAMS").map_or(STREAMS, |many| usize::try_from(many).expect("a count"));
    let strategy = generated::stream();
    let mut trees: Vec<_> = (0..many).map(|_| strategy.new_tree(&mut runner).expect("a stream")).collect();
    let streams: Vec<_> = trees.iter().map(ValueTree::current).collect();
    let mut counts = Counts::default();
    let mut differences = compare(reader, &streams, &mut counts);
    // Of two keys that are one text in JSON (1000 and 1e3) Kubernetes reads either, by chance.
    differences.retain(|(index, _)| {
        (0..16).all(|_| !compare(reader, std::slice::from_ref(&streams[*index]), &mut Counts::default()).is_empty())
    });
    report(&format!("generated (seed {seed})"), &counts, differences.len());
    assert!(counts.unreadable * 4 < counts.documents, "most of what is generated should be readable");
    assert!(counts.guarded * 10 < counts.documents, "what is refused is the exception");
    let Some((index, _)) = differences.first() else { return };
    let tree = &mut trees[*index];
    let (mut smallest, mut why) = (tree.current(), String::new());
    // The smallest of its kind tells more.
    for _ in 0..400 {
        let current = tree.current();
        let differs = compare(reader, std::slice::from_ref(&current), &mut Counts::default()).pop();
        let more = if let Some((_, difference)) = differs {
            (smallest, why) = (current, difference);
            tree.simplify()
        } else {
            tree.complicate()
        };
        if !more {
            break;
        }
    }
    panic!(
        "{} of {many} streams differ (seed {seed}); the smallest of the first:\n{}\n{:?}\n{why}",
        differences.len(),
        smallest.text,
        smallest.text
    );
}
