//! No circle between the files of `src/`: whoever reads one reads downward only. And each room of it knows
//! the rooms that docs/architecture.md lets it know, and no others.
//!
//! A file leads to another if a path in it, imported or written out, ends in what the other declares;
//! re-exports are followed to where that is, and are no step of their own. Two things don't count: tests,
//! and a step up to the `mod.rs` of a folder that the file is in, which holds the words that the folder
//! shares and runs its files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

/// A module's path: `["controller", "rollout", "plan"]`.
type Module = Vec<String>;
/// The text of each module that is a file.
type Files = BTreeMap<Module, String>;

/// The words and marks of Rust's text; comments and literals are left out.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let starts = |at: usize, with: &str| with.chars().enumerate().all(|(n, c)| chars.get(at + n) == Some(&c));
    let find = |from: usize, what: &str| (from..chars.len()).find(|at| starts(*at, what)).unwrap_or(chars.len());
    let (mut out, mut at) = (Vec::new(), 0);
    while at < chars.len() {
        let c = chars[at];
        if starts(at, "//") {
            at = find(at, "\n");
        } else if c == '"' {
            at += 1;
            while at < chars.len() && chars[at] != '"' {
                at += if chars[at] == '\\' { 2 } else { 1 };
            }
            at += 1;
        } else if c == '\'' && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\'')) {
            at = find(at + 2 + usize::from(chars[at + 1] == '\\'), "'") + 1;
        } else if c.is_alphanumeric() || c == '_' {
            let end = (at..chars.len()).find(|end| !chars[*end].is_alphanumeric() && chars[*end] != '_');
            let word: String = chars[at..end.unwrap_or(chars.len())].iter().collect();
            at += word.chars().count();
            let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
            if matches!(word.as_str(), "r" | "br") && chars.get(at + hashes) == Some(&'"') {
                let end = format!("\"{}", "#".repeat(hashes));
                at = find(at + hashes + 1, &end) + end.len();
            } else {
                out.push(word);
            }
        } else if starts(at, "::") {
            out.push("::".to_owned());
            at += 2;
        } else {
            out.extend((!c.is_whitespace()).then(|| c.to_string()));
            at += 1;
        }
    }
    out
}

/// What a file says of modules.
#[derive(Default)]
struct Said {
    /// The paths that it uses.
    used: Vec<Vec<String>>,
    /// The names that it hands on, and what they stand for.
    handed_on: BTreeMap<String, Vec<String>>,
    /// Its modules that are there for tests only.
    tests: BTreeSet<String>,
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

impl Said {
    fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let token = |at: usize| tokens.get(at).map_or("", String::as_str);
        let (mut said, mut at) = (Self::default(), 0);
        while at < tokens.len() {
            let cfg = ["#", "[", "cfg", "(", "test", ")", "]"];
            if cfg.iter().enumerate().all(|(n, mark)| token(at + n) == *mark) {
                at += cfg.len();
                let public = visibility(&tokens, at);
                if token(public) == "mod" {
                    said.tests.insert(token(public + 1).to_owned());
                    at = public + 2;
                    if token(at) == "{" {
                        at = closing(&tokens, at);
                    }
                }
            } else if token(at) == "use" || token(at) == "pub" && token(visibility(&tokens, at)) == "use" {
                let public = token(at) == "pub";
                let mut leaves = Vec::new();
                at = tree(&tokens, visibility(&tokens, at) + 1, &[], &mut leaves);
                for (path, name) in leaves {
                    if public {
                        said.handed_on.insert(name, path);
                    } else {
                        said.used.push(path);
                    }
                }
            } else if is_name(token(at)) && token(at + 1) == "::" {
                let mut path = vec![token(at).to_owned()];
                while token(at + 1) == "::" && is_name(token(at + 2)) {
                    path.push(token(at + 2).to_owned());
                    at += 2;
                }
                said.used.push(path);
                at += 1;
            } else {
                at += 1;
            }
        }
        said
    }
}

/// Past `pub` and `pub(…)`.
fn visibility(tokens: &[String], at: usize) -> usize {
    let is = |at: usize, mark: &str| tokens.get(at).is_some_and(|token| token == mark);
    match (is(at, "pub"), is(at + 1, "(")) {
        (true, true) => (at..tokens.len()).find(|end| is(*end, ")")).map_or(at, |end| end + 1),
        (true, false) => at + 1,
        (false, _) => at,
    }
}

/// Past the brace that closes the one here.
fn closing(tokens: &[String], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.as_str() {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// One tree of a `use`, as the paths of its leaves and their names. Says where it ends.
fn tree(tokens: &[String], mut at: usize, before: &[String], leaves: &mut Vec<(Vec<String>, String)>) -> usize {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.as_str() {
            "::" => at += 1,
            "{" => {
                while tokens[at] != "}" {
                    at = tree(tokens, at + 1, &path, leaves);
                }
                return at + 1;
            }
            "as" => {
                leaves.push((path, tokens[at + 1].clone()));
                return at + 2;
            }
            name if is_name(name) || name == "*" => {
                path.push(name.to_owned());
                at += 1;
            }
            _ => break,
        }
    }
    // Nothing stands behind the last comma of a list.
    if path.len() > before.len() {
        let name = path[path.len() - 1].clone();
        if name == "self" {
            path.pop();
        }
        leaves.push((path, name));
    }
    at
}

struct Crate<'f> {
    files: &'f Files,
    said: BTreeMap<&'f Module, Said>,
}

impl<'f> Crate<'f> {
    fn of(files: &'f Files) -> Self {
        Self { files, said: files.iter().map(|(module, text)| (module, Said::of(text))).collect() }
    }

    fn is_test(&self, module: &[String]) -> bool {
        (1..=module.len()).any(|end| {
            let (parent, name) = (module[..end - 1].to_vec(), &module[end - 1]);
            self.said.get(&parent).is_some_and(|said| said.tests.contains(name))
        })
    }

    /// From the crate's root: a path that stands in this module. Nothing where it leads out of the crate.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let ups = path.iter().take_while(|name| *name == "super").count();
        let child = || [module.clone(), vec![path[0].clone()]].concat();
        match path[0].as_str() {
            "crate" => Some(path[1..].to_vec()),
            "self" => Some([module, &path[1..]].concat()),
            "super" => Some([&module[..module.len().checked_sub(ups)?], &path[ups..]].concat()),
            _ if self.files.contains_key(&child()) => Some([module, path].concat()),
            _ => None,
        }
    }

    /// The file that declares what this path from the root ends in.
    fn declares(&self, path: &[String], depth: usize) -> Option<Module> {
        let length = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
        let (module, rest) = (path[..length].to_vec(), &path[length..]);
        let handed_on = rest.first().and_then(|name| self.said.get(&module)?.handed_on.get(name));
        match handed_on.filter(|_| depth < 8) {
            Some(on) => self.declares(&[self.absolute(&module, on)?.as_slice(), &rest[1..]].concat(), depth + 1),
            None => Some(module),
        }
    }

    /// Where each file leads to.
    fn steps(&self) -> BTreeMap<&'f Module, BTreeSet<Module>> {
        let of = |module: &Module, said: &Said| {
            let paths = said.used.iter().filter_map(|path| self.absolute(module, path));
            let files = paths.filter_map(|path| self.declares(&path, 0));
            files.filter(|to| !module.starts_with(to) && !self.is_test(to)).collect()
        };
        let files = self.said.iter().filter(|(module, _)| !self.is_test(module));
        files.map(|(module, said)| (*module, of(module, said))).collect()
    }

    /// The shortest circle through each file that is in one, each once, as `a -> b -> a`.
    fn circles(&self) -> BTreeSet<String> {
        let steps = self.steps();
        let mut found = BTreeMap::new();
        for start in steps.keys() {
            let mut ways = VecDeque::from([vec![(*start).clone()]]);
            let mut known = BTreeSet::new();
            while let Some(way) = ways.pop_front() {
                for next in steps.get(&way[way.len() - 1]).into_iter().flatten() {
                    if next == *start {
                        let members: BTreeSet<Module> = way.iter().cloned().collect();
                        let names: Vec<String> = way.iter().chain([next]).map(|module| module.join("/")).collect();
                        found.entry(members).or_insert_with(|| names.join(" -> "));
                        ways.clear();
                        break;
                    }
                    if known.insert(next.clone()) {
                        ways.push_back([way.as_slice(), std::slice::from_ref(next)].concat());
                    }
                }
            }
        }
        found.into_values().collect()
    }
}

fn read(folder: &Path, module: &Module, files: &mut Files) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let inner = [module.as_slice(), std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            read(&path, &inner, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module = if matches!(name.as_str(), "mod" | "lib") { module.clone() } else { inner };
            files.insert(module, fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn no_file_leads_back_to_itself() {
    let mut files = Files::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &Module::new(), &mut files);
    let all = Crate::of(&files);
    let steps: usize = all.steps().values().map(BTreeSet::len).sum();
    assert!(steps > 300, "the paths are read: {steps}");
    let circles: Vec<String> = all.circles().into_iter().collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// Which rooms of the library each room knows; the binary's (`main.rs`, `cli`) may know all of them.
const ROOMS: [(&str, &[&str]); 15] = [
    ("argocd", &["core", "pki", "settings"]),
    ("cluster", &["core", "pki"]),
    (
        "commands",
        &[
            "argocd",
            "cluster",
            "controller",
            "core",
            "drift",
            "pki",
            "resolve",
            "server",
            "settings",
            "time",
            "webhook",
            "webhook_probe",
            "yaml",
        ],
    ),
    (
        "controller",
        &[
            "argocd",
            "cluster",
            "core",
            "drift",
            "pki",
            "resolve",
            "server",
            "settings",
            "telemetry",
            "time",
            "webhook_probe",
        ],
    ),
    ("core", &[]),
    ("drift", &["core", "settings", "time"]),
    ("pki", &["time"]),
    ("resolve", &["argocd", "cluster", "core", "settings"]),
    ("server", &["telemetry"]),
    ("settings", &["core", "yaml"]),
    ("telemetry", &["core"]),
    ("time", &[]),
    ("webhook", &["cluster", "core", "pki", "server", "telemetry", "time"]),
    ("webhook_probe", &["core", "pki", "time"]),
    ("yaml", &[]),
];

#[test]
fn a_room_knows_the_rooms_that_it_may() {
    let mut files = Files::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &Module::new(), &mut files);
    let all = Crate::of(&files);
    let binary = ["", "cli", "main"];
    let mut rooms: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in all.steps() {
        let room = from.first().map_or("", String::as_str);
        let others = to.into_iter().filter_map(|module| module.into_iter().next()).filter(|other| other != room);
        if !binary.contains(&room) {
            rooms.entry(room).or_default().extend(others);
        }
    }
    let allowed: BTreeMap<&str, BTreeSet<String>> =
        ROOMS.iter().map(|(room, known)| (*room, known.iter().map(|known| (*known).to_owned()).collect())).collect();
    assert_eq!(rooms, allowed);
}

/// The circles of made-up files, each given with its module's path.
fn made_up(files: &[(&str, &str)]) -> Vec<String> {
    let module = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let files: Files = files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect();
    Crate::of(&files).circles().into_iter().collect()
}

#[test]
fn a_circle_is_seen_however_it_is_written() {
    let root = ("", "mod a;");
    let face = ("a", "mod b; mod c; mod d; pub use c::{C, D as E};");
    let plain = ("a/c", "");
    let circle = ["a/b -> a/c -> a/b"];
    for text in [
        "use super::b::B;",
        "use crate::a::{b::{self, B}, d};",
        "pub(super) fn f() -> crate::a::b::B { '\"'; super::b::B }",
        "const A: &str = r#\"\" // \"#; use super::{\n    d,\n    b,\n};",
    ] {
        for other in ["use super::C;", "use crate::a::{E as F};", "fn f() { super::c::f(\"\") }"] {
            let files = [root, face, ("a/b", other), ("a/c", text), ("a/d", "")];
            assert_eq!(made_up(&files), circle, "{text} {other}");
        }
    }
    let through = [root, face, ("a/b", "use super::C;"), ("a/c", "use super::d::*;"), ("a/d", "use super::b::B;")];
    assert_eq!(made_up(&through), ["a/b -> a/c -> a/d -> a/b"]);
    assert!(made_up(&[root, face, ("a/b", "use super::E;"), plain, ("a/d", "")]).is_empty());
}

#[test]
fn tests_texts_and_a_folders_own_file_make_no_circle() {
    let root = ("", "pub mod a;");
    let face = ("a", "mod b; mod c; #[cfg(test)]\npub(crate) mod d; pub use b::B; use b::f; fn g() { c::g() }");
    for text in [
        "use super::Shared;",
        "#[cfg(test)]\nmod tests { use super::super::b::B; }",
        "// use super::b::B;",
        "const A: &str = \"use super::b::B;\"; const B: char = '\\'';",
        "use other::b::B;",
    ] {
        let tests = ("a/d", "use super::b::B; use super::c::C;");
        let files = [root, face, ("a/b", "use super::c::C; use super::d::D;"), ("a/c", text), tests];
        assert!(made_up(&files).is_empty(), "{text}");
    }
}
