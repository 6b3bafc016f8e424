//! What a Rust file imports and calls, from its tokens.
//!
//! A small lexer is enough: imports are paths, and paths are names between `::`. Comments, strings and characters are passed
//! over; `use` trees are unfolded; `crate`, `self`, `super`, the crate's own name and child modules lead to the file that
//! defines the module. What stands under `#[cfg(test)]` or `#[test]` is marked, since it is not part of the product.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    /// `::`
    Separator,
    Mark(char),
}

/// A path as it is used somewhere.
#[derive(Clone, Debug)]
pub struct Use {
    /// The segments as written.
    pub written: Vec<String>,
    /// The segments from the crate's root, when the path leads into this crate.
    pub inside: Option<Vec<String>>,
    pub line: usize,
    pub test: bool,
}

#[derive(Debug, Default)]
pub struct File {
    pub text: String,
    pub uses: Vec<Use>,
    /// The whole file is compiled for tests only.
    pub test: bool,
}

/// Files by their path below the root, with `/`.
#[derive(Debug, Default)]
pub struct Tree {
    pub files: BTreeMap<String, File>,
}

impl Tree {
    pub fn read(root: &Path) -> io::Result<Tree> {
        fn walk(at: &Path, below: &str, found: &mut Vec<(String, String)>) -> io::Result<()> {
            for entry in std::fs::read_dir(at)? {
                let entry = entry?;
                let name = format!("{below}{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    walk(&entry.path(), &format!("{name}/"), found)?;
                } else if name.ends_with(".rs") {
                    found.push((name, std::fs::read_to_string(entry.path())?));
                }
            }
            Ok(())
        }
        let mut found = Vec::new();
        walk(root, "", &mut found)?;
        Ok(Tree::of(found))
    }

    pub fn of(files: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>) -> Tree {
        let mut tree = Tree::default();
        let mut test_modules = BTreeSet::new();
        for (path, text) in files {
            let (path, text) = (path.into(), text.into());
            let scan = Scan::run(&text, module_of(&path));
            test_modules.extend(scan.test_children);
            tree.files.insert(path, File { text, uses: scan.uses, test: false });
        }
        for (path, file) in &mut tree.files {
            let module = module_of(path);
            file.test = (1..=module.len()).any(|n| test_modules.contains(&module[..n]));
        }
        tree
    }

    /// The file that defines the longest known prefix of a path from the crate's root.
    pub fn file_of(&self, path: &[String]) -> Option<&str> {
        (0..=path.len()).rev().find_map(|n| {
            let module = path[..n].join("/");
            let places = if n == 0 { vec!["lib.rs".into()] } else { vec![format!("{module}.rs"), format!("{module}/mod.rs")] };
            places.into_iter().find_map(|place: String| self.files.get_key_value(&place).map(|(k, _)| k.as_str()))
        })
    }
}

/// `a/b.rs` and `a/b/mod.rs` are both `a::b`; the crate's roots are the empty path.
pub fn module_of(path: &str) -> Vec<String> {
    let module = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if matches!(module, "lib" | "main" | "mod") { Vec::new() } else { module.split('/').map(String::from).collect() }
}

/// The top-level folder of a file, or its own name when it lies in none.
pub fn folder_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

fn lex(text: &str) -> Vec<(Token, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    let peek = |i: usize| chars.get(i).copied().unwrap_or('\0');
    while at < chars.len() {
        let start = at;
        match chars[at] {
            '/' if peek(at + 1) == '/' => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
            }
            '/' if peek(at + 1) == '*' => {
                let mut depth = 0;
                loop {
                    match (peek(at), peek(at + 1)) {
                        ('/', '*') => (depth, at) = (depth + 1, at + 2),
                        ('*', '/') => (depth, at) = (depth - 1, at + 2),
                        _ => at += 1,
                    }
                    if depth == 0 || at >= chars.len() {
                        break;
                    }
                }
            }
            'r' | 'b' | 'c' if raw_string(&chars, at).is_some() => at = raw_string(&chars, at).unwrap_or(at + 1),
            '"' => at = quoted(&chars, at + 1, '"'),
            // A lifetime is a quote, a name, and no closing quote.
            '\'' if peek(at + 1) == '\\' || peek(at + 2) == '\'' => at = quoted(&chars, at + 1, '\''),
            ':' if peek(at + 1) == ':' => {
                tokens.push((Token::Separator, line));
                at += 2;
            }
            c if c.is_alphanumeric() || c == '_' => {
                while peek(at).is_alphanumeric() || peek(at) == '_' {
                    at += 1;
                }
                tokens.push((Token::Name(chars[start..at].iter().collect()), line));
            }
            c => {
                if !c.is_whitespace() {
                    tokens.push((Token::Mark(c), line));
                }
                at += 1;
            }
        }
        line += chars[start..at.min(chars.len())].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// The position after the closing quote of a string or character that begins before `at`.
fn quoted(chars: &[char], mut at: usize, close: char) -> usize {
    while at < chars.len() && chars[at] != close {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The position after a raw string (`r"…"`, `br#"…"#`) that begins at `at`.
fn raw_string(chars: &[char], mut at: usize) -> Option<usize> {
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    at += usize::from(matches!(chars[at], 'b' | 'c'));
    if chars.get(at) != Some(&'r') {
        return None;
    }
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return None;
    }
    let mut end = at + 2 + hashes;
    while end < chars.len() {
        if chars[end] == '"' && chars[end + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return Some(end + 1 + hashes);
        }
        end += 1;
    }
    Some(end)
}

#[derive(Clone)]
struct Scope {
    module: Vec<String>,
    test: bool,
}

struct Scan {
    tokens: Vec<(Token, usize)>,
    at: usize,
    scopes: Vec<Scope>,
    /// An attribute above says that the next item is compiled for tests only.
    next_is_test: bool,
    children: BTreeSet<Vec<String>>,
    test_children: BTreeSet<Vec<String>>,
    uses: Vec<Use>,
}

impl Scan {
    fn run(text: &str, module: Vec<String>) -> Scan {
        let tokens = lex(text);
        // Children first: they may be used above the line that declares them.
        let mut children = BTreeSet::new();
        for three in tokens.windows(3) {
            if let [(Token::Name(word), _), (Token::Name(name), _), (Token::Mark(';'), _)] = three
                && word == "mod"
            {
                children.insert(module.iter().cloned().chain([name.clone()]).collect());
            }
        }
        let scopes = vec![Scope { module, test: false }];
        let mut scan = Scan { tokens, at: 0, scopes, next_is_test: false, children, test_children: BTreeSet::new(), uses: Vec::new() };
        while scan.at < scan.tokens.len() {
            scan.item();
        }
        scan
    }

    fn mark(&self, offset: usize) -> Option<char> {
        match self.tokens.get(self.at + offset) {
            Some((Token::Mark(c), _)) => Some(*c),
            _ => None,
        }
    }

    fn name(&self, offset: usize) -> Option<&str> {
        match self.tokens.get(self.at + offset) {
            Some((Token::Name(n), _)) => Some(n),
            _ => None,
        }
    }

    fn scope(&self) -> Scope {
        self.scopes.last().cloned().unwrap_or(Scope { module: Vec::new(), test: false })
    }

    fn item(&mut self) {
        let inherited = self.scope();
        let test = inherited.test || self.next_is_test;
        if self.mark(0) == Some('#') && (self.mark(1) == Some('[') || self.mark(2) == Some('[')) {
            self.attribute();
        } else if self.name(0) == Some("use") {
            self.at += 1;
            self.use_tree(Vec::new(), test);
        } else if self.name(0) == Some("mod") && self.name(1).is_some() {
            let module = [inherited.module, vec![self.name(1).unwrap_or_default().to_string()]].concat();
            self.at += 2;
            if self.mark(0) == Some('{') {
                self.scopes.push(Scope { module, test });
                self.next_is_test = false;
                self.at += 1;
            } else if test {
                self.test_children.insert(module);
            }
        } else if let Some(first) = self.name(0).map(String::from) {
            let follows = self.at > 0 && self.tokens[self.at - 1].0 == Token::Separator;
            let before: Vec<&Token> = self.tokens[..self.at].iter().rev().take(2).map(|t| &t.0).collect();
            // `pub(super)` and `pub(in crate::a)` say who may see, not what is used.
            let visibility = before == [&Token::Name("in".into()), &Token::Mark('(')];
            let mut path = vec![first];
            let line = self.tokens[self.at].1;
            self.at += 1;
            while self.tokens.get(self.at).map(|t| &t.0) == Some(&Token::Separator)
                && let Some(next) = self.name(1).map(String::from)
            {
                path.push(next);
                self.at += 2;
            }
            let alone = path.len() == 1 && matches!(path[0].as_str(), "crate" | "self" | "super");
            if !follows && !alone && !visibility {
                self.record(path, line, test);
            }
        } else {
            match self.mark(0) {
                Some('{') => {
                    self.scopes.push(Scope { module: inherited.module, test });
                    self.next_is_test = false;
                }
                Some('}') if self.scopes.len() > 1 => drop(self.scopes.pop()),
                Some(';') => self.next_is_test = false,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn attribute(&mut self) {
        let (mut depth, mut words) = (0, Vec::new());
        while self.at < self.tokens.len() {
            match &self.tokens[self.at].0 {
                Token::Mark('[') => depth += 1,
                Token::Mark(']') => depth -= 1,
                Token::Name(word) => words.push(word.clone()),
                _ => {}
            }
            self.at += 1;
            if depth == 0 && self.mark(0) != Some('[') && !matches!(self.tokens[self.at - 1].0, Token::Mark('#' | '!')) {
                break;
            }
        }
        let has = |word: &str| words.iter().any(|w| w == word);
        if has("test") && !has("not") {
            self.next_is_test = true;
        }
    }

    /// `a::{b, c::{self, d}, e as f, *}` is every path in it.
    fn use_tree(&mut self, prefix: Vec<String>, test: bool) {
        let mut path = prefix.clone();
        let line = self.tokens.get(self.at).map_or(0, |t| t.1);
        while self.at < self.tokens.len() {
            match self.tokens[self.at].0.clone() {
                Token::Name(word) if word == "as" => self.at += 2,
                Token::Name(word) => {
                    // `{self}` stands for what it is in, `self::` at the front for the module.
                    if word != "self" || path.is_empty() {
                        path.push(word);
                    }
                    self.at += 1;
                }
                Token::Separator => self.at += 1,
                Token::Mark('{') => {
                    self.at += 1;
                    while self.at < self.tokens.len() && self.mark(0) != Some('}') {
                        self.use_tree(path.clone(), test);
                        if self.mark(0) == Some(',') {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                Token::Mark('*') => self.at += 1,
                Token::Mark(_) => break,
            }
        }
        if path != prefix || !path.is_empty() {
            self.record(path, line, test);
        }
    }

    fn record(&mut self, written: Vec<String>, line: usize, test: bool) {
        let scope = self.scope();
        let inside = match written[0].as_str() {
            "crate" | "floe" if written.len() > 1 => Some(written[1..].to_vec()),
            "self" if written.len() > 1 => Some([&scope.module[..], &written[1..]].concat()),
            "super" if written.len() > 1 => {
                let ups = written.iter().take_while(|w| *w == "super").count();
                let base = scope.module.len().saturating_sub(ups);
                Some([&scope.module[..base], &written[ups..]].concat())
            }
            // A glob of the parent's: `use super::*`.
            "super" => Some(scope.module[..scope.module.len().saturating_sub(1)].to_vec()),
            first => {
                let child = [&scope.module[..], &[first.to_string()]].concat();
                (self.children.contains(&child) && written.len() > 1).then(|| [&scope.module[..], &written[..]].concat())
            }
        };
        self.uses.push(Use { written, inside, line, test });
    }
}
