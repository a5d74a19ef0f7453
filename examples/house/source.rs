//! Reads the production code: the files that `lib.rs` and `main.rs` reach by `mod` declarations,
//! without the items that only tests or fuzzers compile.

use std::mem::take;

use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Block, Item, Meta, Signature, UseTree, Visibility};

/// The names of a path: `["super", "door", "open"]`.
pub(crate) type Names = Vec<String>;

/// A name, and the line it is declared at.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) line: usize,
}

/// One name that a `use` brings into a file.
pub(crate) struct Use {
    pub(crate) name: String,
    pub(crate) path: Names,
    /// `pub`, `pub(crate)` or `pub(super)`.
    pub(crate) re_exports: bool,
}

/// What one file contains.
#[derive(Default)]
pub(crate) struct Source {
    /// Below `src`: `ledger/mod.rs`.
    pub(crate) path: String,
    /// The module that the file is: `["ledger"]`.
    pub(crate) module: Names,
    pub(crate) lines: usize,
    pub(crate) types: Vec<Place>,
    /// Each with the number of lines of its body.
    pub(crate) functions: Vec<(Place, usize)>,
    pub(crate) uses: Vec<Use>,
    /// The paths that the code names, other than by `use`.
    pub(crate) paths: Vec<Names>,
    submodules: Vec<String>,
}

/// Reads all files of production code. `read` returns the text of a file below `src`, if there is
/// one.
pub(crate) fn read_all(read: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Source>, String> {
    let mut sources = Vec::new();
    let mut modules = vec![vec!["lib".to_owned()], vec!["main".to_owned()]];
    while let Some(module) = modules.pop() {
        let name = module.join("/");
        let paths = [format!("{name}.rs"), format!("{name}/mod.rs")];
        let found = paths.into_iter().find_map(|path| read(&path).map(|text| (path, text)));
        let (path, text) = found.ok_or_else(|| format!("src/{name}.rs is missing"))?;
        // The crate is the parent of its top-level modules.
        let module = if name == "lib" { Names::new() } else { module };
        let error =
            |error: syn::Error| format!("src/{path}:{}: {error}", error.span().start().line);
        let source = Source::parse(&path, module, &text).map_err(error)?;
        let below = |name: &String| [source.module.as_slice(), std::slice::from_ref(name)].concat();
        modules.extend(source.submodules.iter().map(below));
        sources.push(source);
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(sources)
}

/// Returns the given files as if they were all there is besides `main.rs`.
#[cfg(test)]
pub(crate) fn planted(files: &[(&str, &str)]) -> Vec<Source> {
    let files = [files, &[("main.rs", "fn main() {}")]].concat();
    let text = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| *text);
    read_all(&|path| text(path).map(str::to_owned)).unwrap()
}

/// The items of a file that are compiled without tests, and the number of lines of the other items.
struct Production(Vec<Item>, usize);

impl Parse for Production {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_inner)?;
        let mut production = Self(Vec::new(), 0);
        while !input.is_empty() {
            let attributes = input.fork().call(Attribute::parse_outer)?;
            let item: Item = input.parse()?;
            if is_for_tests(&attributes) {
                let span = item.span();
                production.1 += span.end().line - span.start().line + 1;
            } else {
                production.0.push(item);
            }
        }
        Ok(production)
    }
}

/// Returns `true` for `#[cfg(test)]`, `#[cfg(fuzzing)]` and `#[cfg(all(test, ..))]`.
fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            let condition = list.tokens.to_string().replace(' ', "");
            matches!(condition.as_str(), "test" | "fuzzing") || condition.starts_with("all(test,")
        }
        _ => false,
    })
}

/// The keywords before the name of a type. An alias in a macro may be that of an `impl`, and does
/// not count.
const TYPE_WORDS: [&str; 3] = ["struct", "enum", "trait"];

impl Source {
    fn parse(path: &str, module: Names, text: &str) -> syn::Result<Self> {
        let Production(items, test_lines) = syn::parse_str(text)?;
        let mut source = Self {
            path: path.to_owned(),
            module,
            lines: text.lines().count() - test_lines,
            ..Self::default()
        };
        for item in &items {
            match item {
                Item::Mod(item) if item.content.is_none() => {
                    source.submodules.push(item.ident.to_string());
                }
                Item::Type(item) => source.add_type(&item.ident),
                _ => {}
            }
            source.visit_item(item);
        }
        Ok(source)
    }

    fn add_type(&mut self, ident: &Ident) {
        self.types.push(Place { name: ident.to_string(), line: ident.span().start().line });
    }

    fn add_function(&mut self, signature: &Signature, body: &Block) {
        let (name, line) = (signature.ident.to_string(), signature.ident.span().start().line);
        let braces = body.brace_token.span;
        let lines = braces.close().start().line - braces.open().start().line;
        // A body on one line has 1 line; otherwise the lines of the braces do not count.
        self.functions.push((Place { name, line }, lines.saturating_sub(1).max(1)));
    }

    fn add_uses(&mut self, tree: &UseTree, prefix: &[String], re_exports: bool) {
        let mut add = |ident: &Ident, name: &Ident| {
            let mut path = prefix.to_vec();
            // `fields::{self}` brings in `fields`.
            let name = if ident == "self" { path.last().cloned() } else { Some(name.to_string()) };
            if ident != "self" {
                path.push(ident.to_string());
            }
            self.uses.extend(name.map(|name| Use { name, path, re_exports }));
        };
        match tree {
            UseTree::Path(tree) => {
                let prefix = [prefix, &[tree.ident.to_string()]].concat();
                self.add_uses(&tree.tree, &prefix, re_exports);
            }
            UseTree::Name(tree) => add(&tree.ident, &tree.ident),
            UseTree::Rename(tree) => add(&tree.ident, &tree.rename),
            UseTree::Glob(_) => panic!("src/{}: a glob import hides what is imported", self.path),
            UseTree::Group(tree) => {
                tree.items.iter().for_each(|tree| self.add_uses(tree, prefix, re_exports));
            }
        }
    }

    /// Adds the paths in the tokens of a macro or an attribute, also those in strings
    /// (`deserialize_with = "moment::from_rfc3339"`), and the types that a macro declares.
    fn add_tokens(&mut self, tokens: TokenStream) {
        let (mut path, mut colons) = (Names::new(), 0);
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    if path.last().is_some_and(|word| TYPE_WORDS.contains(&word.as_str())) {
                        self.add_type(&ident);
                    }
                    if colons != 2 {
                        self.paths.push(take(&mut path));
                    }
                    path.push(ident.to_string());
                }
                TokenTree::Group(group) => self.add_tokens(group.stream()),
                TokenTree::Literal(literal) => {
                    let text = literal.to_string();
                    self.paths.push(text.trim_matches('"').split("::").map(String::from).collect());
                }
                TokenTree::Punct(_) => self.paths.push(take(&mut path)),
            }
            colons = 0;
        }
        self.paths.push(path);
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast Item) {
        match item {
            Item::Struct(item) => self.add_type(&item.ident),
            Item::Enum(item) => self.add_type(&item.ident),
            Item::Union(item) => self.add_type(&item.ident),
            Item::Trait(item) => self.add_type(&item.ident),
            Item::Fn(item) => self.add_function(&item.sig, &item.block),
            _ => {}
        }
        visit::visit_item(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            self.add_function(&item.sig, &item.block);
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(body) = &item.default {
            self.add_function(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let re_exports = !matches!(item.vis, Visibility::Inherited);
        self.add_uses(&item.tree, &[], re_exports);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.paths.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.add_tokens(called.tokens.clone());
        visit::visit_macro(self, called);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.add_tokens(list.tokens.clone());
        }
    }

    /// Skips `pub(in crate::ledger)`, which is not an import.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}
