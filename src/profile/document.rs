//! A profile or template in parts: the one reading of a `.ovpn` text that
//! lint, kinds and rendering share.
//!
//! The two OpenVPN engines read a few spellings differently: half-quoted
//! words, text behind a tag, a closing tag that is indented or has more text
//! behind it. Such spellings become a [`Fault`] here instead of a guess, so
//! that what was checked is what every client reads. Parsing itself never
//! fails.
//!
//! Sources: OpenVPN 2.6, `options.c`, `parse_line` and `check_inline_file`;
//! openvpn3, `openvpn/common/options.hpp`, `parse_from_config` and
//! `parse_meta_from_config`.

use zeroize::Zeroizing;

/// What a line of metadata begins with, exactly and at the line's start.
pub(super) const META_PREFIX: &str = "# OVPN_ACCESS_SERVER_";

/// A text in parts, in their order.
pub(super) struct Document<'a> {
    pub(super) items: Vec<Item<'a>>,
}

/// One part of a text.
pub(super) struct Item<'a> {
    /// The number of its first line, counted from 1.
    pub(super) line: usize,
    /// Its lines as they stand, without the last line feed.
    pub(super) text: &'a str,
    /// What it is.
    pub(super) kind: ItemKind<'a>,
}

/// What a part of a text is.
pub(super) enum ItemKind<'a> {
    /// `<name>`, lines, `</name>`.
    Block { name: &'a str, body: &'a str },
    /// A directive on one line.
    Directive(Directive),
    /// A line that the engines would read differently, or not at all.
    Fault(Fault),
    /// A line of metadata, which only OpenVPN 3 reads: `KEY=VALUE`.
    Meta { key: &'a str, value: Option<&'a str> },
    /// A blank line or a comment.
    Plain,
}

/// Why a line cannot be read in one way only.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// A quote or backslash that the engines read differently.
    Quoting,
    /// A tag with something else on its line, or one that closes nothing.
    Tag,
    /// A block that is not closed.
    UnclosedBlock,
    /// A `KEY_START` of metadata without its `KEY_STOP`.
    UnclosedMeta,
}

/// A directive: a name and its arguments, without quotes.
pub(super) struct Directive {
    // Wiped, because a key whose tags are missing reads as directives.
    words: Vec<Zeroizing<String>>,
    /// Whether it stands behind `setenv opt`, which excuses unknown names.
    pub(super) optional: bool,
    /// Whether it is written with the two dashes of the command line.
    pub(super) dashed: bool,
}

impl Directive {
    /// Takes the words of a line and looks through `setenv opt`, as both
    /// engines do.
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

    /// Whether it is `setenv KEY`.
    pub(super) fn is_setenv(&self, key: &str) -> bool {
        self.name() == "setenv" && self.arg(0) == Some(key)
    }
}

impl<'a> Document<'a> {
    /// Reads `text`, whose first line has the number 1.
    pub(super) fn parse(text: &'a str) -> Self {
        Self::parse_from(text, 1)
    }

    /// Reads `text`, whose first line has the number `first`.
    pub(super) fn parse_from(text: &'a str, first: usize) -> Self {
        let mut lines = Lines { rest: text, number: first };
        let mut items = Vec::new();
        // The metadata block that is open, and the line it began on.
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
            let kind = ItemKind::Fault(Fault::UnclosedMeta);
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

    /// Returns the host of the first `remote`, in whatever block it stands.
    pub(super) fn first_remote(&self) -> Option<String> {
        self.items.iter().find_map(|item| match &item.kind {
            ItemKind::Directive(directive) if directive.name() == "remote" => {
                directive.arg(0).map(str::to_owned)
            }
            ItemKind::Block { name: "connection", body } => Document::parse(body).first_remote(),
            ItemKind::Block { .. }
            | ItemKind::Directive(_)
            | ItemKind::Fault(_)
            | ItemKind::Meta { .. }
            | ItemKind::Plain => None,
        })
    }
}

/// A line without its line feed.
struct Line<'a> {
    number: usize,
    text: &'a str,
    /// The text from this line's start to the end.
    from: &'a str,
}

struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let from = self.rest;
        let (text, rest) = from.split_once('\n').unwrap_or((from, ""));
        let line = Line { number: self.number, text, from };
        self.rest = rest;
        self.number += 1;
        Some(line)
    }

    /// Reads on from the opening tag to the closing one, which must stand
    /// alone on its line.
    fn block(&mut self, open: &Line<'a>, name: &'a str) -> Item<'a> {
        let body_from = self.rest;
        while let Some(line) = self.next() {
            if is_closing(line.text, name) {
                let body = before(body_from, line.from);
                let text = before(open.from, self.rest);
                let text = text.strip_suffix('\n').unwrap_or(text);
                return Item { line: open.number, text, kind: ItemKind::Block { name, body } };
            }
        }
        let kind = ItemKind::Fault(Fault::UnclosedBlock);
        Item { line: open.number, text: open.from.trim_end_matches('\n'), kind }
    }
}

/// Returns what of `whole` stands before its own tail `tail`.
fn before<'a>(whole: &'a str, tail: &str) -> &'a str {
    whole.get(..whole.len() - tail.len()).unwrap_or("")
}

/// Returns the name in a line that is an opening tag and nothing else.
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
        Some('<') => ItemKind::Fault(Fault::Tag),
        Some(_) => match words(line) {
            Ok(words) => Directive::new(words).map_or(ItemKind::Plain, ItemKind::Directive),
            Err(fault) => ItemKind::Fault(fault),
        },
    }
}

/// Follows the metadata blocks `KEY_START` .. `KEY_STOP`, inside of which
/// every comment is content.
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

/// Splits a line into words as both engines do, and refuses what they would
/// split differently.
fn words(line: &str) -> Result<Vec<Zeroizing<String>>, Fault> {
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
) -> Result<Zeroizing<String>, Fault> {
    let mut word = Zeroizing::new(String::with_capacity(len_max));
    loop {
        match (chars.next(), quote) {
            (None, None) => return Ok(word),
            // A quote that is not closed; a quote or backslash that OpenVPN 2
            // takes as it is and OpenVPN 3 as a quote or an escape.
            (None, Some(_)) | (Some('"' | '\''), None) | (Some('\\'), Some('\'')) => {
                return Err(Fault::Quoting);
            }
            (Some(c), Some(quote)) if c == quote => {
                // OpenVPN 2 begins a new word here, OpenVPN 3 goes on.
                let apart = chars.peek().is_none_or(|c| is_space(*c));
                return if apart { Ok(word) } else { Err(Fault::Quoting) };
            }
            (Some(c), None) if is_space(c) => return Ok(word),
            (Some('\\'), _) => match chars.next() {
                Some(c @ ('\\' | '"' | ' ' | '\t')) => word.push(c),
                _ => return Err(Fault::Quoting),
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
        Document::parse(text).directives().map(|(_, d)| d.name().to_owned()).collect()
    }

    fn faults(text: &str) -> Vec<(usize, Fault)> {
        let fault = |item: &Item<'_>| {
            let ItemKind::Fault(fault) = item.kind else { return None };
            Some((item.line, fault))
        };
        Document::parse(text).items.iter().filter_map(fault).collect()
    }

    #[test]
    fn every_line_comes_back_in_its_place() {
        let text = "# a\n\nclient\n<ca>\nx\n</ca>\n  remote h 1\n<key>\n</key>\nverb 3\n";
        let document = Document::parse(text);
        let lines: Vec<_> = document.items.iter().map(|item| item.line).collect();
        assert_eq!(lines, [1, 2, 3, 4, 7, 8, 10]);
        let again: String = document.items.iter().map(|item| item.text.to_owned() + "\n").collect();
        assert_eq!(again, text);
        assert_eq!(document.block("ca"), Some("x\n"));
        assert_eq!(document.block("key"), Some(""));
    }

    #[test]
    fn a_directive_is_known_in_every_spelling_the_engines_take() {
        for line in ["up /x", "  up /x", "\"up\" /x", "'up' /x", "setenv opt up /x", "--up /x"] {
            assert_eq!(names(line), ["up"], "{line}");
        }
        assert_eq!(names("setenv opt setenv opt up"), ["up"]);
        assert_eq!(names("setenv opt"), ["setenv"]);
        assert_eq!(names("; up /x\n#up\n"), Vec::<String>::new());
    }

    #[test]
    fn arguments_lose_their_quotes_and_comments_behind_them() {
        let document = Document::parse("a \"b c\" 'd \" e' f\\ g h\\\\i # j");
        let (_, directive) = document.directives().next().unwrap();
        let args: Vec<_> = directive.args().collect();
        assert_eq!(args, ["b c", "d \" e", "f g", "h\\i"]);
    }

    #[test]
    fn spellings_that_the_engines_read_differently_are_faults() {
        for line in ["a \"b", "a 'b", "a \"b\"c", "a b\"c\"", "a 'b\\c'", "a \\n", "a \\"] {
            assert_eq!(faults(line), [(1, Fault::Quoting)], "{line}");
        }
        for line in ["<ca> x", "</ca>", "<ca", "< ca >", "<CA>", "<ca>#", "<>"] {
            assert_eq!(faults(line), [(1, Fault::Tag)], "{line}");
        }
        for text in ["<ca>\nx", "<ca>\n </ca>\n", "<ca>\n</ca> \n", "<ca>\n</ca>x\n"] {
            assert_eq!(faults(text), [(1, Fault::UnclosedBlock)], "{text}");
        }
    }

    #[test]
    fn metadata_is_known_at_the_very_start_of_a_line_only() {
        let text = "# OVPN_ACCESS_SERVER_USERNAME=a=b\n # OVPN_ACCESS_SERVER_X=1\n\
                    #OVPN_ACCESS_SERVER_Y=1\n# OVPN_ACCESS_SERVER_Z";
        let document = Document::parse(text);
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
        assert_eq!(faults(&format!("a\n{p}X_START\n# {p}Y_STOP\n")), [(2, Fault::UnclosedMeta)]);
        assert_eq!(faults(&format!("{p}X_START\n# x\n{p}USERNAME=b\n{p}X_STOP\n")), []);
    }

    #[test]
    fn the_first_remote_may_stand_in_a_connection() {
        let remote = |text| Document::parse(text).first_remote();
        assert_eq!(remote("<connection>\nremote a 1\n</connection>\nremote b 1"), Some("a".into()));
        assert_eq!(remote("#remote a\nremote b 1"), Some("b".into()));
        assert_eq!(remote("client"), None);
    }
}
