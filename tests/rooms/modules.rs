//! The crate's modules as they are written: what each defines, and which modules it takes items
//! from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMod, ItemUse, Macro, UseTree};

/// Path of a module below the crate's root, such as `engine`, `lane`.
pub(crate) type ModulePath = Vec<String>;

/// All modules that are files of their own, tests left out.
pub(crate) struct Modules {
    by_path: BTreeMap<ModulePath, syn::File>,
}

impl Modules {
    /// Parses every file below `src`.
    pub(crate) fn read(root: &Path) -> Self {
        let mut by_path = BTreeMap::new();
        for file in super::sources(root) {
            let text = std::fs::read_to_string(&file).unwrap();
            let syntax = syn::parse_file(&text).unwrap_or_else(|error| {
                panic!("{}: {error}", file.display());
            });
            by_path.insert(module_path(root, &file), syntax);
        }
        let tests: Vec<_> =
            by_path.iter().flat_map(|(path, file)| test_modules(path, file)).collect();
        by_path.retain(|path, _| !tests.iter().any(|test| path.starts_with(test)));
        Self { by_path }
    }

    /// Names of all types, traits and aliases that the modules define.
    pub(crate) fn type_names(&self) -> Vec<String> {
        let mut names = TypeNames::default();
        for file in self.by_path.values() {
            names.visit_file(file);
        }
        names.0
    }

    /// Groups of modules that take items from each other, directly or through others.
    ///
    /// What a module and those inside it take from each other does not count.
    pub(crate) fn circles(&self) -> Vec<Vec<String>> {
        let uses: BTreeMap<_, _> =
            self.by_path.keys().map(|module| (module, self.used_by(module))).collect();
        let reachable: BTreeMap<_, _> =
            uses.keys().map(|&module| (module, reachable(module, &uses))).collect();
        let mut circles: BTreeSet<Vec<String>> = BTreeSet::new();
        for (&module, reached) in &reachable {
            let circle: Vec<_> =
                reached.iter().filter(|other| reachable[*other].contains(module)).collect();
            if circle.len() > 1 {
                circles.insert(circle.into_iter().map(|path| path.join("::")).collect());
            }
        }
        circles.into_iter().collect()
    }

    /// Modules that `module` takes items from, except those around it and inside it.
    fn used_by(&self, module: &ModulePath) -> BTreeSet<&ModulePath> {
        let mut references = References::default();
        references.visit_file(&self.by_path[module]);
        let is_family = |other: &ModulePath| other.starts_with(module) || module.starts_with(other);
        references
            .0
            .iter()
            .filter_map(|path| self.defining_module(module, path, 0))
            .filter(|other| *other != module && !is_family(other))
            .collect()
    }

    /// The module that defines what `path` names when it is written in `from`; `None` outside the
    /// crate. Re-exports are followed.
    fn defining_module(
        &self,
        from: &ModulePath,
        path: &[String],
        depth: u8,
    ) -> Option<&ModulePath> {
        let (mut at, rest) = self.start(from, path)?;
        for (index, name) in rest.iter().enumerate() {
            let child: ModulePath = at.iter().chain([name]).cloned().collect();
            if self.by_path.contains_key(&child) {
                at = child;
            } else {
                let exported = self.exports(&at).into_iter().find(|path| path.0 == *name);
                return match exported {
                    Some((_, target)) if depth < 8 => {
                        let target: Vec<_> =
                            target.into_iter().chain(rest[index + 1..].to_vec()).collect();
                        self.defining_module(&at, &target, depth + 1)
                    }
                    _ => self.by_path.get_key_value(&at).map(|(path, _)| path),
                };
            }
        }
        self.by_path.get_key_value(&at).map(|(path, _)| path)
    }

    /// The module at which a path begins, and what follows.
    fn start<'p>(
        &self,
        from: &ModulePath,
        path: &'p [String],
    ) -> Option<(ModulePath, &'p [String])> {
        let mut at = match path.first()?.as_str() {
            "crate" => Vec::new(),
            "self" => from.clone(),
            "super" => from[..from.len().saturating_sub(1)].to_vec(),
            child if self.by_path.contains_key(&[&from[..], &[child.to_owned()]].concat()) => {
                return Some((from.clone(), path));
            }
            _ => return None,
        };
        let mut rest = &path[1..];
        while rest.first().is_some_and(|name| name == "super") {
            at.pop();
            rest = &rest[1..];
        }
        Some((at, rest))
    }

    /// What a module brings into its scope: each name with the path that it stands for.
    fn exports(&self, module: &ModulePath) -> Vec<(String, Vec<String>)> {
        let Some(file) = self.by_path.get(module) else { return Vec::new() };
        let uses = file.items.iter().filter_map(|item| match item {
            Item::Use(item) => Some(&item.tree),
            _ => None,
        });
        uses.flat_map(|tree| flatten(tree, &[])).collect()
    }
}

/// Modules that can be reached from one over any number of steps, itself included if it is.
fn reachable<'m>(
    from: &'m ModulePath,
    uses: &BTreeMap<&'m ModulePath, BTreeSet<&'m ModulePath>>,
) -> BTreeSet<ModulePath> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for next in uses.get(module).into_iter().flatten() {
            if reached.insert((*next).clone()) {
                open.push(next);
            }
        }
    }
    reached
}

fn module_path(root: &Path, file: &Path) -> ModulePath {
    let inside: PathBuf = file.strip_prefix(root).unwrap().with_extension("");
    let parts = inside.iter().map(|part| part.to_str().unwrap().to_owned());
    parts.filter(|part| !matches!(part.as_str(), "mod" | "lib" | "main")).collect()
}

/// Children of a module that are compiled for tests alone.
fn test_modules(path: &ModulePath, file: &syn::File) -> Vec<ModulePath> {
    let is_test = |attributes: &[Attribute]| {
        attributes.iter().any(|attribute| {
            attribute.path().is_ident("cfg")
                && attribute.parse_args::<syn::Ident>().is_ok_and(|name| name == "test")
        })
    };
    let children = file.items.iter().filter_map(|item| match item {
        Item::Mod(child) if is_test(&child.attrs) => Some(child.ident.to_string()),
        _ => None,
    });
    children.map(|name| path.iter().cloned().chain([name]).collect()).collect()
}

/// The names that a `use` brings into scope, each with its whole path.
fn flatten(tree: &UseTree, before: &[String]) -> Vec<(String, Vec<String>)> {
    let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &with(&path.ident)),
        UseTree::Name(name) if name.ident == "self" => {
            vec![(before.last().cloned().unwrap_or_default(), before.to_vec())]
        }
        UseTree::Name(name) => vec![(name.ident.to_string(), with(&name.ident))],
        UseTree::Rename(rename) => vec![(rename.rename.to_string(), with(&rename.ident))],
        UseTree::Glob(_) => vec![("*".to_owned(), before.to_vec())],
        UseTree::Group(group) => {
            group.items.iter().flat_map(|tree| flatten(tree, before)).collect()
        }
    }
}

/// Names of types, as a visitor finds them; inline test modules are passed over.
#[derive(Default)]
struct TypeNames(Vec<String>);

impl<'a> Visit<'a> for TypeNames {
    fn visit_item(&mut self, item: &'a Item) {
        let name = match item {
            Item::Struct(item) => Some(&item.ident),
            Item::Enum(item) => Some(&item.ident),
            Item::Union(item) => Some(&item.ident),
            Item::Trait(item) => Some(&item.ident),
            Item::Type(item) => Some(&item.ident),
            _ => None,
        };
        self.0.extend(name.map(ToString::to_string));
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}

/// Paths to other modules, as a visitor finds them; inline test modules are passed over.
#[derive(Default)]
struct References(Vec<Vec<String>>);

impl<'a> Visit<'a> for References {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.0.extend(flatten(&item.tree, &[]).into_iter().map(|(_, path)| path));
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let names: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.0.push(names);
        visit::visit_path(self, path);
    }

    /// A macro's input has no syntax of its own: paths are read from its tokens.
    fn visit_macro(&mut self, item: &'a Macro) {
        let tokens = item.tokens.to_string();
        let tokens: Vec<_> = tokens.split_whitespace().collect();
        for (at, token) in tokens.iter().enumerate() {
            if matches!(*token, "crate" | "super") && tokens.get(at + 1) == Some(&"::") {
                let names = tokens[at..]
                    .chunks(2)
                    .take_while(|pair| pair[0].chars().all(|c| c.is_alphanumeric() || c == '_'));
                let followed = names.map(|pair| pair[0].to_owned());
                self.0.push(followed.collect());
            }
        }
        visit::visit_macro(self, item);
    }

    fn visit_item_mod(&mut self, item: &'a ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }
}
