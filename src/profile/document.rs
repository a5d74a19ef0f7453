//! The parser for `.ovpn` texts, shared by lint, kinds and rendering.
//!
//! The two OpenVPN engines read some spellings differently: half-quoted words, text after a tag, a
//! closing tag that is indented or followed by text. Such a line becomes a [`SyntaxFault`], so that
//! the checks apply to what every client reads. Parsing itself never fails.
//!
//! Sources: OpenVPN 2.6, `options.c`, `parse_line` and `check_inline_file`; openvpn3,
//! `openvpn/common/options.hpp`, `parse_from_config` and `parse_meta_from_config`.

use zeroize::Zeroizing;

/// The start of a metadata line. It must be at the very start of the line.
pub(super) const META_PREFIX: &str = "# OVPN_ACCESS_SERVER_";

/// A profile or template as a list of items.
pub(super) struct OvpnDocument<'a> {
    pub(super) items: Vec<Item<'a>>,
}

/// One line or block of a text.
pub(super) struct Item<'a> {
    /// The number of its first line, counted from 1.
    pub(super) line: usize,
    /// Its lines verbatim, without the last line feed.
    pub(super) text: &'a str,
    /// What it is.
    pub(super) kind: ItemKind<'a>,
}

/// What an item is.
pub(super) enum ItemKind<'a> {
    /// `<name>`, lines, `</name>`.
    Block { name: &'a str, body: &'a str },
    /// A directive on one line.
    Directive(Directive),
    /// A line that the engines would read differently, or not at all.
    Fault(SyntaxFault),
    /// A metadata line, which only OpenVPN 3 reads: `KEY=VALUE`.
    Meta { key: &'a str, value: Option<&'a str> },
    /// A blank line or a comment.
    Plain,
}

/// Why a line is ambiguous or malformed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum SyntaxFault {
    /// A quote or backslash that the engines read differently.
    Quoting,
    /// A tag with other text on its line, or a closing tag without a block.
    Tag,
    /// A block that is not closed.
    UnclosedBlock,
    /// A metadata `KEY_START` without its `KEY_STOP`.
    UnclosedMeta,
}

/// A directive: a name and its arguments, without quotes.
pub(super) struct Directive {
    // Wiped, because a private key whose tags are missing parses as directives.
    words: Vec<Zeroizing<String>>,
    /// Whether it follows `setenv opt`, which lets clients ignore unknown names.
    pub(super) optional: bool,
    /// Whether it has the two leading dashes of the command line.
    pub(super) dashed: bool,
}

impl Directive {
    /// Creates a directive from the words of a line. Skips `setenv opt`, as both engines do.
    fn new(mut words: Vec<Zeroizing<String>>) -> Option<Self> {
        let mut optional = false;
        while let [first, second, _, ..] = words.as_slice()
            && first.as_str() == "setenv"
            && second.as_str() == "opt"
        {
            words.drain(..2);
            optional = true;
        }
        let name = words.first_mut()?;
        let dashed = name.starts_with("--");
        if dashed {
            name.drain(..2);
        }
        Some(Self { words, optional, dashed })
    }

    /// Returns the name, `remote` in `remote example.com 1194`.
    pub(super) fn name(&self) -> &str {
        self.words.first().map_or("", |word| word.as_str())
    }

    /// Returns argument `index`, counted from 0.
    pub(super) fn arg(&self, index: usize) -> Option<&str> {
        self.args().nth(index)
    }

    /// Returns all arguments.
    pub(super) fn args(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(|word| word.as_str())
    }

    /// Returns `true` if it is `setenv KEY`.
    pub(super) fn is_setenv(&self, key: &str) -> bool {
        self.name() == "setenv" && self.arg(0) == Some(key)
    }
}

impl<'a> OvpnDocument<'a> {
    /// Parses `text`.
    pub(super) fn parse(text: &'a str) -> Self {
        Self::parse_from(text, 1)
    }

    /// Parses `text`, whose first line has the number `first`.
    pub(super) fn parse_from(text: &'a str, first: usize) -> Self {
        let mut lines = Lines { rest: text, number: first };
        let mut items = Vec::new();
        // The open metadata block and the line it starts on.
        let mut meta: Option<(&str, usize)> = None;
        while let Some(line) = lines.next() {
            let kind = match block_name(line.text) {
                Some(name) => {
                    items.push(lines.block(&line, name));
                    continue;
                }
                None => item_kind(line.text, &mut meta, line.number),
            };
            items.push(Item { line: line.number, text: line.text, kind });
        }
        if let Some((_, line)) = meta {
            let kind = ItemKind::Fault(SyntaxFault::UnclosedMeta);
            items.push(Item { line, text: "", kind });
        }
        Self { items }
    }

    /// Returns the directives in their order, with their line numbers.
    pub(super) fn directives(&self) -> impl Iterator<Item = (usize, &Directive)> {
        self.items.iter().filter_map(|item| {
            let ItemKind::Directive(directive) = &item.kind else { return None };
            Some((item.line, directive))
        })
    }

    /// Returns the blocks in their order: line number, name and body.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (usize, &'a str, &'a str)> {
        self.items.iter().filter_map(|item| {
            let ItemKind::Block { name, body } = item.kind else { return None };
            Some((item.line, name, body))
        })
    }

    /// Returns the body of the first block called `name`.
    pub(super) fn block(&self, name: &str) -> Option<&'a str> {
        self.blocks().find(|(_, found, _)| *found == name).map(|(_, _, body)| body)
    }

    /// Returns the host of the first `remote`, including those in `<connection>`.
    pub(super) fn first_remote(&self) -> Option<String> {
        self.items.iter().find_map(|item| match &item.kind {
            ItemKind::Directive(directive) if directive.name() == "remote" => {
                directive.arg(0).map(str::to_owned)
            }
            ItemKind::Block { name: "connection", body } => Self::parse(body).first_remote(),
            ItemKind::Block { .. }
            | ItemKind::Directive(_)
            | ItemKind::Fault(_)
            | ItemKind::Meta { .. }
            | ItemKind::Plain => None,
        })
    }
}

struct NumberedLine<'a> {
    number: usize,
    /// The line without its line feed.
    text: &'a str,
    /// The text from the start of this line to the end of the document.
    from: &'a str,
}

struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<NumberedLine<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let from = self.rest;
        let (text, rest) = from.split_once('\n').unwrap_or((from, ""));
        let line = NumberedLine { number: self.number, text, from };
        self.rest = rest;
        self.number += 1;
        Some(line)
    }

    /// Reads from the opening tag to the closing one, which must be alone on its line.
    fn block(&mut self, open: &NumberedLine<'a>, name: &'a str) -> Item<'a> {
        let body_from = self.rest;
        while let Some(line) = self.next() {
            if is_closing(line.text, name) {
                let body = before(body_from, line.from);
                let text = before(open.from, self.rest);
                let text = text.strip_suffix('\n').unwrap_or(text);
                return Item { line: open.number, text, kind: ItemKind::Block { name, body } };
            }
        }
        let kind = ItemKind::Fault(SyntaxFault::UnclosedBlock);
        Item { line: open.number, text: open.from.trim_end_matches('\n'), kind }
    }
}

/// Returns the part of `whole` before `tail`, which must be a suffix of `whole`.
fn before<'a>(whole: &'a str, tail: &str) -> &'a str {
    whole.get(..whole.len() - tail.len()).unwrap_or("")
}

/// Returns the name in a line that consists of an opening tag.
fn block_name(line: &str) -> Option<&str> {
    let name = line.trim_matches(is_space).strip_prefix('<')?.strip_suffix('>')?;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (!name.is_empty() && name.bytes().all(plain)).then_some(name)
}

fn is_closing(line: &str, name: &str) -> bool {
    line.strip_prefix("</").and_then(|rest| rest.strip_suffix('>')) == Some(name)
}

fn item_kind<'a>(line: &'a str, meta: &mut Option<(&'a str, usize)>, at: usize) -> ItemKind<'a> {
    match line.trim_start_matches(is_space).chars().next() {
        None => ItemKind::Plain,
        Some('#' | ';') => meta_kind(line, meta, at),
        Some('<') => ItemKind::Fault(SyntaxFault::Tag),
        Some(_) => match words(line) {
            Ok(words) => Directive::new(words).map_or(ItemKind::Plain, ItemKind::Directive),
            Err(fault) => ItemKind::Fault(fault),
        },
    }
}

/// Tracks the metadata blocks `KEY_START` .. `KEY_STOP`, inside of which every comment is content.
fn meta_kind<'a>(line: &'a str, open: &mut Option<(&'a str, usize)>, at: usize) -> ItemKind<'a> {
    let Some(entry) = line.strip_prefix(META_PREFIX) else {
        return ItemKind::Plain;
    };
    if let Some((tag, _)) = *open {
        if entry.strip_suffix("_STOP") == Some(tag) {
            *open = None;
        }
        return ItemKind::Plain;
    }
    let (key, value) = entry.split_once('=').map_or((entry, None), |(k, v)| (k, Some(v)));
    if value.is_none()
        && let Some(tag) = key.strip_suffix("_START")
    {
        *open = Some((tag, at));
    }
    ItemKind::Meta { key, value }
}

/// Splits a line into words as both engines do, and rejects lines that they would split
/// differently.
fn words(line: &str) -> Result<Vec<Zeroizing<String>>, SyntaxFault> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    loop {
        while chars.next_if(|c| is_space(*c)).is_some() {}
        let Some(&first) = chars.peek() else { return Ok(words) };
        if matches!(first, '#' | ';') {
            return Ok(words);
        }
        let quote = chars.next_if(|c| matches!(c, '"' | '\''));
        words.push(word(&mut chars, quote, line.len())?);
    }
}

fn word(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    quote: Option<char>,
    len_max: usize,
) -> Result<Zeroizing<String>, SyntaxFault> {
    let mut word = Zeroizing::new(String::with_capacity(len_max));
    loop {
        match (chars.next(), quote) {
            (None, None) => return Ok(word),
            // An unclosed quote, or a quote or backslash that OpenVPN 2 takes literally and OpenVPN
            // 3 as a quote or an escape.
            (None, Some(_)) | (Some('"' | '\''), None) | (Some('\\'), Some('\'')) => {
                return Err(SyntaxFault::Quoting);
            }
            (Some(c), Some(quote)) if c == quote => {
                // OpenVPN 2 begins a new word here, OpenVPN 3 continues the word.
                let ends = chars.peek().is_none_or(|c| is_space(*c));
                return if ends { Ok(word) } else { Err(SyntaxFault::Quoting) };
            }
            (Some(c), None) if is_space(c) => return Ok(word),
            (Some('\\'), _) => match chars.next() {
                Some(c @ ('\\' | '"' | ' ' | '\t')) => word.push(c),
                _ => return Err(SyntaxFault::Quoting),
            },
            (Some(c), _) => word.push(c),
        }
    }
}

/// C's `isspace` without the line feed.
const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        OvpnDocument::parse(text).directives().map(|(_, d)| d.name().to_owned()).collect()
    }

    fn faults(text: &str) -> Vec<(usize, SyntaxFault)> {
        let fault = |item: &Item<'_>| {
            let ItemKind::Fault(fault) = item.kind else { return None };
            Some((item.line, fault))
        };
        OvpnDocument::parse(text).items.iter().filter_map(fault).collect()
    }

    #[test]
    fn the_items_are_all_lines_in_order() {
        let text = "# a\n\nclient\n<ca>\nx\n</ca>\n  remote h 1\n<key>\n</key>\nverb 3\n";
        let document = OvpnDocument::parse(text);
        let lines: Vec<_> = document.items.iter().map(|item| item.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 7, 8, 10]);
        let rejoined: String =
            document.items.iter().map(|item| item.text.to_owned() + "\n").collect();
        assert_eq!(rejoined, text);
        assert_eq!(document.block("ca"), Some("x\n"));
        assert_eq!(document.block("key"), Some(""));
    }

    #[test]
    fn recognizes_a_directive_in_every_spelling_that_the_engines_accept() {
        for line in ["up /x", "  up /x", "\"up\" /x", "'up' /x", "setenv opt up /x", "--up /x"] {
            assert_eq!(names(line), ["up"], "{line}");
        }
        assert_eq!(names("setenv opt setenv opt up"), ["up"]);
        assert_eq!(names("setenv opt"), ["setenv"]);
        assert_eq!(names("; up /x\n#up\n"), Vec::<String>::new());
    }

    #[test]
    fn removes_quotes_and_trailing_comments_from_arguments() {
        let document = OvpnDocument::parse("a \"b c\" 'd \" e' f\\ g h\\\\i # j");
        let (_, directive) = document.directives().next().unwrap();
        let args: Vec<_> = directive.args().collect();
        assert_eq!(args, ["b c", "d \" e", "f g", "h\\i"]);
    }

    #[test]
    fn lines_that_the_engines_read_differently_are_faults() {
        for line in ["a \"b", "a 'b", "a \"b\"c", "a b\"c\"", "a 'b\\c'", "a \\n", "a \\"] {
            assert_eq!(faults(line), [(1, SyntaxFault::Quoting)], "{line}");
        }
        for line in ["<ca> x", "</ca>", "<ca", "< ca >", "<CA>", "<ca>#", "<>"] {
            assert_eq!(faults(line), [(1, SyntaxFault::Tag)], "{line}");
        }
        for text in ["<ca>\nx", "<ca>\n </ca>\n", "<ca>\n</ca> \n", "<ca>\n</ca>x\n"] {
            assert_eq!(faults(text), [(1, SyntaxFault::UnclosedBlock)], "{text}");
        }
    }

    #[test]
    fn recognizes_metadata_only_at_the_very_start_of_a_line() {
        let text = "# OVPN_ACCESS_SERVER_USERNAME=a=b\n # OVPN_ACCESS_SERVER_X=1\n\
                    #OVPN_ACCESS_SERVER_Y=1\n# OVPN_ACCESS_SERVER_Z";
        let document = OvpnDocument::parse(text);
        let metas: Vec<_> = document
            .items
            .iter()
            .filter_map(|item| {
                let ItemKind::Meta { key, value } = item.kind else { return None };
                Some((key, value))
            })
            .collect();
        assert_eq!(metas, [("USERNAME", Some("a=b")), ("Z", None)]);
    }

    #[test]
    fn metadata_blocks_must_be_closed() {
        let p = META_PREFIX;
        assert_eq!(
            faults(&format!("a\n{p}X_START\n# {p}Y_STOP\n")),
            [(2, SyntaxFault::UnclosedMeta)]
        );
        assert_eq!(faults(&format!("{p}X_START\n# x\n{p}USERNAME=b\n{p}X_STOP\n")), []);
    }

    #[test]
    fn the_first_remote_may_be_in_a_connection_block() {
        let remote = |text| OvpnDocument::parse(text).first_remote();
        assert_eq!(remote("<connection>\nremote a 1\n</connection>\nremote b 1"), Some("a".into()));
        assert_eq!(remote("#remote a\nremote b 1"), Some("b".into()));
        assert_eq!(remote("client"), None);
    }
}
