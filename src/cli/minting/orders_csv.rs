//! `mint --csv`: many orders, one on each line of a file.
//!
//! The first line names the columns, of which only `user` is needed. What a line
//! leaves empty is as the command line says. One bad cell and nothing is minted.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;

use csv::{ErrorKind, ReaderBuilder, StringRecord, Trim};
use thiserror::Error;

use super::expiry::Expiry;
use super::permission::{NeedAutologin, Permissions};
use crate::cli::failure::{Failure, with_sources};
use crate::mint::Order;
use crate::token::{UnixSeconds, UserName};

/// The columns a file may have, in any order.
const COLUMNS: [&str; 4] = ["user", "profile_type", "expires", "uses"];

const HINT: &str = "the first line names the columns: user, and as needed profile_type, expires \
                    and uses; nothing was minted";

/// What is wrong with a file of orders.
#[derive(Debug, Error)]
enum OrdersError {
    #[error("cannot be read")]
    Io(#[from] io::Error),
    #[error("line {line} is no line of comma-separated values: {what}")]
    Syntax { line: u64, what: String },
    #[error("there is no line that names the columns")]
    Empty,
    #[error("line 1 has no column `user`")]
    NoUser,
    #[error("line 1 separates its columns by semicolons: save it with commas")]
    Semicolons,
    #[error("line 1 names a column `{0}`, which is not known")]
    UnknownColumn(String),
    #[error("line 1 names the column `{0}` twice")]
    RepeatedColumn(String),
    #[error("line {line}, column `{column}`: {what}")]
    Cell { line: u64, column: &'static str, what: String },
    #[error("line {line}, column `profile_type`: {why}")]
    Autologin { line: u64, why: NeedAutologin },
    #[error("there is no line after the first")]
    NoOrder,
}

/// Which cell of a line is which column.
struct Columns([Option<usize>; COLUMNS.len()]);

/// Reads the orders in the file at `path`, or on stdin for `-`. What a line
/// leaves open is as `order_for` its user says; spans are counted from `now`. Each
/// must be allowed by `permissions`.
pub(crate) fn read(
    path: &Path,
    order_for: impl Fn(&UserName) -> Order,
    permissions: &Permissions,
    now: UnixSeconds,
) -> Result<Vec<Order>, Failure> {
    let (name, orders) = if path == Path::new("-") {
        ("stdin".to_owned(), parse(io::stdin().lock(), order_for, permissions, now))
    } else {
        let file = File::open(path).map_err(OrdersError::from);
        (path.display().to_string(), file.and_then(|file| parse(file, order_for, permissions, now)))
    };
    orders.map_err(|error| {
        let hint =
            if let OrdersError::Autologin { why, .. } = &error { why.hint.as_str() } else { HINT };
        Failure::say(format!("{name}: {}", with_sources(&error)), hint)
    })
}

fn parse(
    text: impl Read,
    order_for: impl Fn(&UserName) -> Order,
    permissions: &Permissions,
    now: UnixSeconds,
) -> Result<Vec<Order>, OrdersError> {
    let mut lines = ReaderBuilder::new().has_headers(false).trim(Trim::All).from_reader(text);
    let mut line = StringRecord::new();
    if !lines.read_record(&mut line).map_err(syntax)? {
        return Err(OrdersError::Empty);
    }
    let columns = Columns::of(&line)?;
    let mut orders = Vec::new();
    while lines.read_record(&mut line).map_err(syntax)? {
        let order = columns.order(&line, &order_for, now)?;
        permissions
            .check(&order)
            .map_err(|why| OrdersError::Autologin { line: number(&line), why })?;
        orders.push(order);
    }
    if orders.is_empty() { Err(OrdersError::NoOrder) } else { Ok(orders) }
}

impl Columns {
    fn of(head: &StringRecord) -> Result<Self, OrdersError> {
        let mut columns = [None; COLUMNS.len()];
        for (at, name) in head.iter().enumerate() {
            if name.contains(';') {
                return Err(OrdersError::Semicolons);
            }
            let known = COLUMNS.iter().zip(&mut columns).find(|(column, _)| **column == name);
            let (_, place) = known.ok_or_else(|| OrdersError::UnknownColumn(name.to_owned()))?;
            if place.replace(at).is_some() {
                return Err(OrdersError::RepeatedColumn(name.to_owned()));
            }
        }
        let [user, ..] = columns;
        user.ok_or(OrdersError::NoUser)?;
        Ok(Self(columns))
    }

    /// Reads one line.
    fn order(
        &self,
        line: &StringRecord,
        order_for: impl Fn(&UserName) -> Order,
        now: UnixSeconds,
    ) -> Result<Order, OrdersError> {
        let [user, profile_type, expires, uses] = self.0;
        let cell = |at: Option<usize>| at.and_then(|at| line.get(at)).unwrap_or_default();
        let wrong = |column, what| OrdersError::Cell { line: number(line), column, what };
        let expiry: Option<Expiry> = value(cell(expires)).map_err(|what| wrong("expires", what))?;
        let lifetime = expiry.map(|expiry| expiry.lifetime(now)).transpose();
        let user = cell(user).parse::<UserName>();
        let otherwise = order_for(&user.map_err(|error| wrong("user", error.to_string()))?);
        Ok(Order {
            kind: value(cell(profile_type))
                .map_err(|what| wrong("profile_type", what))?
                .unwrap_or(otherwise.kind),
            lifetime: lifetime
                .map_err(|error| wrong("expires", error.to_string()))?
                .unwrap_or(otherwise.lifetime),
            uses: value(cell(uses)).map_err(|what| wrong("uses", what))?.unwrap_or(otherwise.uses),
            ..otherwise
        })
    }
}

/// The number of a line in its file, from 1.
fn number(line: &StringRecord) -> u64 {
    line.position().map_or(0, csv::Position::line)
}

/// Reads a cell that may be empty.
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
        ErrorKind::Utf8 { .. } => OrdersError::Syntax { line, what: "it is not UTF-8".to_owned() },
        ErrorKind::UnequalLengths { expected_len, len, .. } => OrdersError::Syntax {
            line,
            what: format!("it has {len} cells, the first line {expected_len}"),
        },
        _ => OrdersError::Syntax { line, what: "it cannot be read".to_owned() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::tests::order;
    use crate::token::{ProfileKind, UseLimit};

    const NOW: UnixSeconds = UnixSeconds::new(1_795_435_200);

    fn parsed(text: &str) -> Result<Vec<Order>, String> {
        let order_for =
            |user: &UserName| Order { uses: UseLimit::Unlimited, ..order(user.as_str()) };
        parse(text.as_bytes(), order_for, &Permissions::Vouched, NOW)
            .map_err(|error| with_sources(&error))
    }

    #[test]
    fn only_the_user_is_needed_and_the_rest_is_as_the_command_line_says() {
        for text in ["user\nalice\nbob\n", "\u{feff}user\r\nalice\r\nbob", "user\n\n alice \nbob"] {
            let orders = parsed(text).unwrap();
            let users: Vec<_> = orders.iter().map(|order| order.user.as_str()).collect();
            assert_eq!(users, ["alice", "bob"], "{text:?}");
            assert!(orders.iter().all(|order| order.uses == UseLimit::Unlimited));
        }
    }

    #[test]
    fn columns_may_come_in_any_order_and_cells_may_be_empty() {
        let text = "uses,expires,user,profile_type\n\
                    3,7d,\"smith, al\",autologin\n\
                    ,2026-11-24T12:00Z,bob,\n\
                    unlimited,,carol,server-locked\n";
        let orders = parsed(text).unwrap();
        assert_eq!(orders[0].user.as_str(), "smith, al");
        assert_eq!((orders[0].kind, orders[0].uses.count()), (ProfileKind::Autologin, Some(3)));
        assert_eq!(orders[0].lifetime.seconds(), 7 * 86_400);
        assert_eq!((orders[1].kind, orders[1].uses.count()), (ProfileKind::UserLocked, None));
        assert_eq!(orders[1].lifetime.seconds(), 86_400);
        assert_eq!(orders[2].lifetime.seconds(), 3_600);
    }

    #[test]
    fn what_is_wrong_names_its_line_and_column() {
        for (text, said) in [
            ("", "no line that names the columns"),
            ("user\n", "no line after the first"),
            ("name\nalice\n", "line 1 names a column `name`"),
            ("uses\n1\n", "line 1 has no column `user`"),
            ("user;uses\nalice;1\n", "separates its columns by semicolons"),
            ("user,user\na,b\n", "names the column `user` twice"),
            ("user\nalice\na/b\n", "line 3, column `user`: "),
            ("user,uses\nalice,\n\"two\nlines\",1\n", "line 3, column `user`: "),
            ("user,uses\nalice,1\nbob,0\n", "line 3, column `uses`: uses are a number from 1"),
            ("user,expires\nalice,7\n", "line 2, column `expires`: 7 of what?"),
            ("user,expires\nalice,400d\n", "line 2, column `expires`: that is too far off"),
            ("user,profile_type\nalice,both\n", "line 2, column `profile_type`: `both` is no"),
            ("user,uses\nalice\n", "line 2 is no line of comma-separated values: it has 1 cells"),
        ] {
            let error = parsed(text).unwrap_err();
            assert!(error.contains(said), "{text:?}: {error}");
        }
        let latin1 = parse(
            &b"user\nj\xfcrgen\n"[..],
            |user| order(user.as_str()),
            &Permissions::Unknown,
            NOW,
        )
        .unwrap_err();
        assert!(latin1.to_string().contains("line 2 is no line"), "{latin1}");
        assert!(latin1.to_string().contains("not UTF-8"), "{latin1}");
    }

    #[test]
    fn autologin_without_a_word_for_it_names_its_line() {
        let text = "user,profile_type\nalice,\nbob,autologin\n";
        let order_for = |user: &UserName| order(user.as_str());
        let error = parse(text.as_bytes(), order_for, &Permissions::Unknown, NOW).unwrap_err();
        assert_eq!(error.to_string(), "line 3, column `profile_type`: need autologin");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let said = read(
            Path::new("/nonexistent.csv"),
            |user| order(user.as_str()),
            &Permissions::Unknown,
            NOW,
        )
        .unwrap_err()
        .to_string();
        assert!(said.contains("/nonexistent.csv: cannot be read: No such file"), "{said}");
    }
}
