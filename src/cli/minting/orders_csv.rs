//! `mint --csv`: one order on each line of a file.
//!
//! The first line names the columns; only `user` is required. The options of the command line apply
//! to empty cells. If any cell is bad, nothing is minted.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

use super::expiry::Expiry;
use super::order_check::{OrderCheck, OrderError};
use crate::failure::Failure;
use crate::mint::Order;
use crate::plain_text::error_chain;
use crate::token::{NewUserName, UnixSeconds};

/// The columns a file may have, in any order.
const COLUMNS: [&str; 5] = ["user", "profile_type", "expires", "uses", "network"];

/// The number of errors that are reported. Further ones are only counted.
const REPORTED_MAX: usize = 5;

const HINT: &str = "the first line names the columns: user, and optionally profile_type, expires, \
                    uses and network; nothing was minted";

const HINT_UTF8: &str = "save it as `CSV UTF-8`, which spreadsheets offer beside plain CSV; nothing \
                         was minted";

const HINT_FILE: &str = "name a readable file, or `-` for stdin";

/// Why a file of orders was rejected.
#[derive(Debug, Error)]
enum OrdersError {
    #[error("cannot be read")]
    Io(#[from] io::Error),
    #[error("not UTF-8")]
    NotUtf8,
    #[error("line {line} is not UTF-8")]
    LineNotUtf8 { line: u64 },
    #[error("line {line} has an opening quote without a closing one")]
    OpenQuote { line: u64 },
    #[error("line {line} cannot be parsed")]
    Syntax { line: u64 },
    #[error("empty: the line with the names of the columns is missing")]
    Empty,
    #[error("line 1 has no column `user`")]
    NoUser,
    #[error("line 1 has an unknown column `{0}`")]
    UnknownColumn(String),
    #[error("line 1 has the column `{0}` twice")]
    RepeatedColumn(&'static str),
    #[error(transparent)]
    Lines(#[from] LineErrors),
    #[error("there is no line after the first")]
    NoOrder,
}

#[derive(Debug, Default, Error)]
struct LineErrors {
    /// The first errors.
    reported: Vec<LineError>,
    /// The number of further errors.
    more: usize,
}

/// The error of a line, or of one of its cells.
#[derive(Debug)]
struct LineError {
    line: u64,
    column: Option<&'static str>,
    what: String,
    /// The hint, if the file itself is not the cause.
    hint: Option<String>,
}

/// The positions of the columns in a line.
struct Columns {
    places: [Option<usize>; COLUMNS.len()],
    /// The number of cells in a line.
    width: usize,
}

/// Reads the orders in the file at `path`, or on stdin for `-`. `order_for` gives the defaults for
/// empty cells. Spans count from `now`. Each order must pass `check`.
pub(crate) fn read(
    path: &Path,
    order_for: impl Fn(&NewUserName) -> Order,
    check: &OrderCheck,
    now: UnixSeconds,
) -> Result<Vec<Order>, Failure> {
    let (name, text) = if path == Path::new("-") {
        ("stdin".to_owned(), whole(io::stdin().lock()))
    } else {
        (path.display().to_string(), File::open(path).and_then(whole))
    };
    let orders = text.map_err(OrdersError::from);
    let orders = orders.and_then(|text| parse(&text, order_for, check, now));
    orders.map_err(|error| Failure::say(format!("{name}: {}", error_chain(&error)), error.hint()))
}

fn whole(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.read_to_end(&mut text)?;
    Ok(text)
}

fn parse(
    text: &[u8],
    order_for: impl Fn(&NewUserName) -> Order,
    check: &OrderCheck,
    now: UnixSeconds,
) -> Result<Vec<Order>, OrdersError> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    // UTF-16, which spreadsheets call `Unicode text`.
    if text.contains(&0) {
        return Err(OrdersError::NotUtf8);
    }
    let separator = separator(text);
    if let Some(line) = open_quote(text, separator) {
        return Err(OrdersError::OpenQuote { line });
    }
    let mut lines = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .trim(Trim::All)
        .from_reader(text);
    let mut line = StringRecord::new();
    if !lines.read_record(&mut line).map_err(syntax)? {
        return Err(OrdersError::Empty);
    }
    let columns = Columns::of(&line)?;
    let (mut orders, mut errors) = (Vec::new(), LineErrors::default());
    while lines.read_record(&mut line).map_err(syntax)? {
        match columns.order(&line, &order_for, now) {
            Ok(order) => match check.check(&order) {
                Ok(()) => orders.push(order),
                Err(error) => errors.add(LineError::of(&error, number(&line))),
            },
            Err(of_line) => of_line.into_iter().for_each(|error| errors.add(error)),
        }
    }
    if !errors.reported.is_empty() {
        return Err(errors.into());
    }
    if orders.is_empty() { Err(OrdersError::NoOrder) } else { Ok(orders) }
}

/// Returns the separator of cells. Spreadsheets write semicolons in locales with a decimal comma.
fn separator(text: &[u8]) -> u8 {
    let mut lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    let head = lines.find(|line| !line.is_empty()).unwrap_or_default();
    let others = [b';', b'\t'].into_iter().filter(|_| !head.contains(&b','));
    let mut found = others.filter(|separator| head.contains(separator));
    found.next().unwrap_or(b',')
}

/// Returns the line of a quote that is never closed. Its cell would extend to the end of the file.
fn open_quote(text: &[u8], separator: u8) -> Option<u64> {
    let (mut line, mut opened) = (1, None);
    let mut is_first = true;
    for byte in text.iter().copied() {
        // A doubled quote in quotes closes and opens them again.
        if byte == b'"' && (opened.is_some() || is_first) {
            opened = if opened.is_some() { None } else { Some(line) };
            is_first = true;
            continue;
        }
        is_first = matches!(byte, b'\n' | b'\r') || byte == separator;
        line += u64::from(byte == b'\n');
    }
    opened
}

impl Columns {
    fn of(head: &StringRecord) -> Result<Self, OrdersError> {
        let mut places = [None; COLUMNS.len()];
        for (at, name) in head.iter().enumerate() {
            let is_named = |column: &str| column.eq_ignore_ascii_case(name);
            let known = COLUMNS.iter().zip(&mut places).find(|(column, _)| is_named(column));
            let (column, place) =
                known.ok_or_else(|| OrdersError::UnknownColumn(name.to_owned()))?;
            if place.replace(at).is_some() {
                return Err(OrdersError::RepeatedColumn(column));
            }
        }
        let [user, ..] = places;
        user.ok_or(OrdersError::NoUser)?;
        Ok(Self { places, width: head.len() })
    }

    /// Parses one line, or returns the error of each bad cell.
    fn order(
        &self,
        line: &StringRecord,
        order_for: impl Fn(&NewUserName) -> Order,
        now: UnixSeconds,
    ) -> Result<Order, Vec<LineError>> {
        let mut errors = Vec::new();
        let error = |column, what| LineError { line: number(line), column, what, hint: None };
        if line.len() != self.width {
            let what = format!("{} cells, but the first line has {}", line.len(), self.width);
            return Err(vec![error(None, what)]);
        }
        let mut add = |column, what: String| errors.push(error(Some(column), what));
        let [user, profile_type, expires, uses, network] = self.places;
        let cell = |at: Option<usize>| at.and_then(|at| line.get(at)).unwrap_or_default();
        let user =
            cell(user).parse::<NewUserName>().map_err(|error| add("user", error.to_string()));
        let kind = value(cell(profile_type)).map_err(|what| add("profile_type", what));
        let lifetime = value(cell(expires)).and_then(|expiry: Option<Expiry>| {
            expiry.map(|expiry| expiry.lifetime(now)).transpose().map_err(|error| error.to_string())
        });
        let lifetime = lifetime.map_err(|what| add("expires", what));
        let uses = value(cell(uses)).map_err(|what| add("uses", what));
        let network = value(cell(network)).map_err(|what| add("network", what));
        match (user, kind, lifetime, uses, network) {
            (Ok(user), Ok(kind), Ok(lifetime), Ok(uses), Ok(network)) => {
                let defaults = order_for(&user);
                Ok(Order {
                    kind: kind.unwrap_or(defaults.kind),
                    lifetime: lifetime.unwrap_or(defaults.lifetime),
                    uses: uses.unwrap_or(defaults.uses),
                    network: network.or(defaults.network),
                    user,
                })
            }
            _ => Err(errors),
        }
    }
}

impl LineErrors {
    fn add(&mut self, error: LineError) {
        if self.reported.len() < REPORTED_MAX {
            self.reported.push(error);
        } else {
            self.more += 1;
        }
    }
}

impl LineError {
    fn of(error: &OrderError, line: u64) -> Self {
        let hint = Some(error.hint().to_owned());
        Self { line, column: Some(error.column()), what: error.to_string(), hint }
    }
}

impl fmt::Display for LineErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reported: Vec<_> = self.reported.iter().map(LineError::to_string).collect();
        f.write_str(&reported.join("; "))?;
        if self.more > 0 {
            write!(f, "; and {} more", self.more)?;
        }
        Ok(())
    }
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.column {
            Some(column) => write!(f, "line {}, column `{column}`: {}", self.line, self.what),
            None => write!(f, "line {}: {}", self.line, self.what),
        }
    }
}

impl OrdersError {
    fn hint(&self) -> &str {
        match self {
            Self::Io(_) => HINT_FILE,
            Self::NotUtf8 | Self::LineNotUtf8 { .. } => HINT_UTF8,
            Self::OpenQuote { .. } => {
                "close it, or double a quote that is part of the text; nothing was minted"
            }
            Self::Lines(errors) => {
                let mut hints = errors.reported.iter().map(|error| error.hint.as_deref());
                hints.next().flatten().unwrap_or(HINT)
            }
            Self::Syntax { .. }
            | Self::Empty
            | Self::NoUser
            | Self::UnknownColumn(_)
            | Self::RepeatedColumn(_)
            | Self::NoOrder => HINT,
        }
    }
}

/// Returns the number of a line in its file, counted from 1.
fn number(line: &StringRecord) -> u64 {
    line.position().map_or(0, csv::Position::line)
}

/// Parses a cell that may be empty.
fn value<T: FromStr<Err: ToString>>(cell: &str) -> Result<Option<T>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    cell.parse().map(Some).map_err(|error: T::Err| error.to_string())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the library may add kinds")]
fn syntax(error: csv::Error) -> OrdersError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(error) => OrdersError::Io(error),
        ErrorKind::Utf8 { .. } => OrdersError::LineNotUtf8 { line },
        _ => OrdersError::Syntax { line },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::minting::permission::Permissions;
    use crate::mint::tests::order;
    use crate::token::{ProfileKind, UseLimit};

    const NOW: UnixSeconds = UnixSeconds::new(1_795_435_200);

    fn parsed(text: &str) -> Result<Vec<Order>, String> {
        let order_for =
            |user: &NewUserName| Order { uses: UseLimit::Unlimited, ..order(user.name().as_str()) };
        parse(text.as_bytes(), order_for, &OrderCheck::offline(Permissions::Vouched), NOW)
            .map_err(|error| error_chain(&error))
    }

    #[test]
    fn requires_only_the_user_and_takes_the_rest_from_the_command_line() {
        for text in ["user\nalice\nbob\n", "\u{feff}user\r\nalice\r\nbob", "user\n\n alice \nbob"] {
            let orders = parsed(text).unwrap();
            let users: Vec<_> = orders.iter().map(|order| order.user.name().as_str()).collect();
            assert_eq!(users, ["alice", "bob"], "{text:?}");
            assert!(orders.iter().all(|order| order.uses == UseLimit::Unlimited));
        }
    }

    #[test]
    fn accepts_any_order_of_columns_and_empty_cells() {
        let text = "uses,expires,user,profile_type\n\
                    3,7d,\"smith, al\",autologin\n\
                    ,2026-11-24T12:00Z,bob,\n\
                    unlimited,,carol,server-locked\n";
        let orders = parsed(text).unwrap();
        assert_eq!(orders[0].user.name().as_str(), "smith, al");
        assert_eq!((orders[0].kind, orders[0].uses.count()), (ProfileKind::Autologin, Some(3)));
        assert_eq!(orders[0].lifetime.seconds(), 7 * 86_400);
        assert_eq!((orders[1].kind, orders[1].uses.count()), (ProfileKind::UserLocked, None));
        assert_eq!(orders[1].lifetime.seconds(), 86_400);
        assert_eq!(orders[2].lifetime.seconds(), 3_600);
    }

    #[test]
    fn errors_name_the_line_and_the_column() {
        for (text, message) in [
            ("", "the line with the names of the columns is missing"),
            ("user\n", "no line after the first"),
            ("name\nalice\n", "line 1 has an unknown column `name`"),
            ("uses\n1\n", "line 1 has no column `user`"),
            ("\u{1b}[31m\nalice\n", "has an unknown column `\u{fffd}[31m`"),
            ("user,network\nalice,10.0.0.0/99\n", "line 2, column `network`: "),
            ("user\nalice\n\"bob\ncarol\n", "line 3 has an opening quote without a closing one"),
            ("user,uses\n\"a\"\"b,1\n", "line 2 has an opening quote without a closing one"),
            ("user,User\na,b\n", "has the column `user` twice"),
            ("user\nalice\na/b\n", "line 3, column `user`: "),
            ("user\na\u{202e}b\n", "line 2, column `user`: the user name holds U+202E"),
            ("user,uses\nalice,\n\"two\nlines\",1\n", "line 3, column `user`: "),
            ("user,uses\nalice,1\nbob,0\n", "line 3, column `uses`: uses are a number from 1"),
            ("user,expires\nalice,7\n", "line 2, column `expires`: 7 has no unit"),
            ("user,expires\nalice,400d\n", "line 2, column `expires`: a token can be valid for"),
            ("user,profile_type\nalice,both\n", "line 2, column `profile_type`: `both` is no"),
            ("user,uses\nalice\n", "line 2: 1 cells, but the first line has 2"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(message), "{text:?}: {error}");
        }
    }

    #[test]
    fn the_hint_for_a_file_that_is_not_utf_8_names_the_format() {
        for (text, message) in [
            (&b"user\nj\xfcrgen\n"[..], "line 2 is not UTF-8"),
            (&b"\xff\xfeu\0s\0e\0r\0\n\0"[..], "not UTF-8"),
        ] {
            let check = OrderCheck::offline(Permissions::Unknown);
            let error = parse(text, |user| order(user.name().as_str()), &check, NOW).unwrap_err();
            assert_eq!(error.to_string(), message);
            assert!(error.hint().contains("`CSV UTF-8`"));
        }
    }

    #[test]
    fn accepts_semicolons_and_tabs_and_names_in_any_case() {
        for text in ["User;USES\n\"smith; al\";3\n", "user\tUses\nsmith; al\t3\n"] {
            let orders = parsed(text).unwrap();
            assert_eq!(orders[0].user.name().as_str(), "smith; al", "{text:?}");
            assert_eq!(orders[0].uses.count(), Some(3));
        }
        let orders = parsed("user,network\nalice,192.0.2.0/24\nbob;x,\n").unwrap();
        assert_eq!(orders[0].network, Some("192.0.2.0/24".parse().unwrap()));
        assert_eq!((orders[1].user.name().as_str(), orders[1].network), ("bob;x", None));
    }

    #[test]
    fn accepts_closed_quotes_and_quotes_inside_of_a_cell() {
        for text in
            ["user\n\"al\nice\"\n", "user\nal\"ice\n", "user\n\"al\"\"ice\"\n", "\"user\"\na"]
        {
            assert_eq!(open_quote(text.as_bytes(), b','), None, "{text:?}");
        }
    }

    #[test]
    fn reports_five_errors_and_counts_the_rest() {
        let error = parsed("user,uses\na/b,0\nalice,x\n,1\nbob,0\nalice\ncarol,0\n").unwrap_err();
        for first in ["line 2, column `user`", "line 2, column `uses`", "line 3, column `uses`"] {
            assert!(error.contains(first), "{error}");
        }
        assert_eq!(error.matches("line ").count() - error.matches("first line").count(), 5);
        assert!(error.ends_with("; and 2 more"), "{error}");
    }

    #[test]
    fn the_error_of_autologin_without_permission_names_the_line() {
        let text = "user,profile_type\nalice,\nbob,autologin\n";
        let order_for = |user: &NewUserName| order(user.name().as_str());
        let check = OrderCheck::offline(Permissions::Unknown);
        let error = parse(text.as_bytes(), order_for, &check, NOW).unwrap_err();
        assert_eq!(error.to_string(), "line 3, column `profile_type`: need autologin");
    }

    #[test]
    fn the_error_names_a_missing_file() {
        let message = read(
            Path::new("/nonexistent.csv"),
            |user| order(user.name().as_str()),
            &OrderCheck::offline(Permissions::Unknown),
            NOW,
        )
        .unwrap_err()
        .to_string();
        assert!(message.contains("/nonexistent.csv: cannot be read: No such file"), "{message}");
        assert!(!message.contains("column"), "{message}");
    }
}
