//! Reads the imports of each file of a package, and finds circles among them.

use std::collections::{BTreeMap, BTreeSet};

/// Module paths (`provider::http`) and the modules that each imports.
pub type Imports = BTreeMap<String, BTreeSet<String>>;

/// The files of a package by module path; the root's is empty.
pub struct Sources(BTreeMap<String, String>);

impl Sources {
    /// Takes file names, such as `provider/http.rs`, with their code.
    pub fn new(files: impl Iterator<Item = (String, String)>) -> Self {
        let module = |name: &str| {
            let path = name.trim_end_matches(".rs").replace('/', "::");
            let path = path.strip_suffix("::mod").unwrap_or(&path);
            if matches!(path, "lib" | "main") { String::new() } else { path.to_owned() }
        };
        let read = files.filter(|(name, _)| name != "main.rs");
        Self(read.map(|(name, code)| (module(&name), without_strings(&code))).collect())
    }

    /// The imports of each file. `use`, `pub use` and paths in the code are imports; `mod x;` is
    /// not.
    pub fn imports(&self) -> Imports {
        self.0.iter().map(|(module, code)| (module.clone(), self.imports_of(module, code))).collect()
    }

    fn imports_of(&self, module: &str, code: &str) -> BTreeSet<String> {
        let mut paths = Vec::new();
        let mut lines = code.lines();
        while let Some(line) = lines.next() {
            let Some(start) = use_tree(line) else {
                paths.extend(paths_in_code(line));
                continue;
            };
            let mut tree = start.to_owned();
            while !tree.contains(';') {
                tree += lines.next().unwrap_or(";");
            }
            expand(tree.trim_end_matches(';'), "", &mut paths);
        }
        let files = paths.iter().filter_map(|path| self.file(module, path));
        files.filter(|file| file != module && !file.is_empty()).collect()
    }

    /// The file that a path in this module names; `None` for a foreign crate or a local name.
    fn file(&self, module: &str, path: &str) -> Option<String> {
        let mut from: Vec<&str> = module.split("::").filter(|part| !part.is_empty()).collect();
        let mut parts = path.split("::").peekable();
        match parts.peek().copied()? {
            "crate" => {
                from.clear();
                parts.next();
            }
            "self" => drop(parts.next()),
            "super" => {
                while parts.next_if_eq(&"super").is_some() {
                    from.pop();
                }
            }
            child => {
                from.push(child);
                if !self.0.contains_key(&from.join("::")) {
                    return None;
                }
                from.pop();
            }
        }
        from.extend(parts);
        while !from.is_empty() && !self.0.contains_key(&from.join("::")) {
            from.pop();
        }
        Some(from.join("::"))
    }
}

/// The text after `use` in a line that begins with `use`, `pub use` or `pub(…) use`.
fn use_tree(line: &str) -> Option<&str> {
    let (before, tree) = line.split_once("use ")?;
    let before = before.trim();
    (before.is_empty() || before == "pub" || before.starts_with("pub(")).then_some(tree)
}

/// Every path of a `use` tree, in full.
fn expand(tree: &str, prefix: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else {
        let name = tree.split_whitespace().next().unwrap_or_default();
        return paths.push(format!("{prefix}{name}"));
    };
    let prefix = format!("{prefix}{}", before.trim());
    let inside = inside.trim_end().strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut from) = (0, 0);
    for (at, character) in inside.char_indices().chain([(inside.len(), ',')]) {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !inside[from..at].trim().is_empty() {
                    expand(&inside[from..at], &prefix, paths);
                }
                from = (at + 1).min(inside.len());
            }
            _ => {}
        }
    }
}

/// The paths in a line of code, such as `crate::error::Error` or `super::count`.
fn paths_in_code(code: &str) -> Vec<String> {
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
    // A visibility is no import.
    let code = code.replace("pub(in crate::", "pub(");
    let words = code.split(|c: char| !is_path(c)).filter(|word| word.contains("::"));
    words.map(|word| word.trim_end_matches(':').to_owned()).filter(|word| !word.starts_with(':')).collect()
}

/// Code without comments and string literals, which may contain any text.
fn without_strings(code: &str) -> String {
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code =
        lines.collect::<Vec<_>>().join("\n").replace("\\\\", "").replace("\\\"", "").replace("'\"'", "");
    code.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Groups of files that import each other, directly or through others.
pub fn circles(imports: &Imports) -> Vec<Vec<String>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        imports.keys().map(|module| (module.as_str(), reachable(imports, module))).collect();
    let mut found = BTreeSet::new();
    for (module, reached) in &reach {
        let back = |other: &&&str| reach.get(**other).is_some_and(|reached| reached.contains(module));
        if reached.contains(module) {
            found.insert(reached.iter().filter(back).map(|other| (*other).to_owned()).collect::<Vec<_>>());
        }
    }
    found.into_iter().collect()
}

/// All modules that this one imports, directly or through others.
fn reachable<'a>(imports: &'a Imports, module: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<&str> = vec![module];
    while let Some(next) = open.pop() {
        for import in imports.get(next).into_iter().flatten() {
            if reached.insert(import.as_str()) {
                open.push(import);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(files: &[(&str, &str)]) -> Imports {
        Sources::new(files.iter().map(|(name, code)| ((*name).to_owned(), (*code).to_owned()))).imports()
    }

    #[test]
    fn a_circle_through_super_or_a_published_name_is_found() {
        let imports = sources(&[
            ("lib.rs", "pub mod a;"),
            ("a/mod.rs", "mod b;\nmod c;\npub use b::Thing;\nfn f() {}"),
            ("a/b.rs", "use std::fmt;\nuse super::c::{self, Other as Mine};\npub struct Thing;"),
            ("a/c.rs", "fn g() {\n    super::f(\"crate::d\");\n}"),
            ("d.rs", "use crate::{a::Thing, e};"),
            ("e.rs", "// crate::d\n"),
        ]);
        assert_eq!(circles(&imports), [["a", "a::b", "a::c"]]);
        assert_eq!(imports["d"].iter().collect::<Vec<_>>(), ["a", "e"]);
    }

    #[test]
    fn declaring_a_module_is_no_import() {
        let imports = sources(&[("a/mod.rs", "mod b;\npub fn f() {}"), ("a/b.rs", "use super::f;")]);
        assert_eq!(circles(&imports), Vec::<Vec<String>>::new());
    }
}
