//! Tables for people and for programs.

use anstyle::Style;
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use crate::failure::Failure;
use crate::plain_text::without_steering;

const GAP: &str = "  ";

/// The columns with text that people wrote. An id may begin with a hyphen as well, but programs
/// need it unchanged.
const FREE_TEXT: [&str; 2] = ["user", "note"];

/// The first characters of a cell that a spreadsheet evaluates as a formula. Source: OWASP, CSV
/// Injection.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// Column names, and rows with one cell for each column.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

/// The name of a column, and the function that returns its cell; an empty cell is `null`.
pub(crate) type Column<T> = (&'static str, fn(&T) -> Value);

/// One row with the names of its columns.
struct Row<'a> {
    head: &'a [&'static str],
    cells: &'a [Value],
}

impl Table {
    /// Makes a table with a row for each item.
    pub(crate) fn of<T>(items: &[T], columns: &[Column<T>]) -> Self {
        let row = |item| columns.iter().map(|(_name, cell)| cell(item)).collect();
        let head = columns.iter().map(|(name, _cell)| *name).collect();
        Self { head, rows: items.iter().map(row).collect() }
    }

    pub(crate) fn row<const N: usize>(cells: [(&'static str, Value); N]) -> Self {
        let (head, row) = cells.into_iter().unzip();
        Self { head, rows: vec![row] }
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        if let Some(column) = self.head.iter().position(|found| *found == name) {
            self.head.remove(column);
            for row in &mut self.rows {
                row.remove(column);
            }
        }
        self
    }

    /// Returns the table for people: column names in bold capitals, cells aligned, and characters
    /// that steer a terminal replaced. Old tokens may have such user names.
    pub(crate) fn to_text(&self) -> String {
        let bold = Style::new().bold();
        let head: Vec<_> = self.head.iter().map(|name| name.to_uppercase()).collect();
        let rows: Vec<Vec<_>> =
            self.rows.iter().map(|row| row.iter().map(for_people).collect()).collect();
        let widths = widths(&head, &rows);
        let mut text = format!("{bold}{}{bold:#}\n", aligned(&head, &widths));
        for row in &rows {
            text += &aligned(row, &widths);
            text += "\n";
        }
        text
    }

    /// Returns comma-separated values (RFC 4180, with line feeds). The first line has the column
    /// names. Text that a spreadsheet would evaluate as a formula gets an apostrophe.
    pub(crate) fn to_csv(&self) -> Result<String, Failure> {
        let cell = |(name, cell): (&&str, &Value)| {
            if FREE_TEXT.contains(name) { as_text(shown(cell)) } else { shown(cell) }
        };
        let rows = self.rows.iter().map(|row| self.head.iter().zip(row).map(cell).collect());
        let head = self.head.iter().copied().map(str::to_owned).collect();
        let mut lines = csv::Writer::from_writer(Vec::new());
        for line in std::iter::once::<Vec<String>>(head).chain(rows) {
            lines.write_record(&line).map_err(|error| bug(&error))?;
        }
        let bytes = lines.into_inner().map_err(|error| bug(&error))?;
        String::from_utf8(bytes).map_err(|error| bug(&error))
    }

    /// Returns a JSON array with an object for each row.
    pub(crate) fn to_json(&self) -> Result<String, Failure> {
        to_json(&self.objects().collect::<Vec<_>>())
    }

    /// Returns a JSON object for each row, one a line.
    pub(crate) fn to_json_lines(&self) -> Result<String, Failure> {
        self.objects().map(|row| to_json(&row)).collect()
    }

    fn objects(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|cells| Row { head: &self.head, cells })
    }
}

/// Serializes as an object whose fields have the order of the columns.
impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.head.iter().zip(self.cells))
    }
}

/// Returns `value` as one line of JSON.
pub(crate) fn to_json(value: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string(value).map_err(|error| bug(&error))?;
    Ok(json + "\n")
}

fn bug(error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(error, "this is a bug in jeton; please report it. Try --format text")
}

fn for_people(cell: &Value) -> String {
    match cell.as_bool() {
        Some(true) => "yes".to_owned(),
        Some(false) => "no".to_owned(),
        None => without_steering(&shown(cell)),
    }
}

fn shown(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => cell.to_string(),
    }
}

fn as_text(cell: String) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell }
}

fn aligned(row: &[String], widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
    cells.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
}

/// Returns the widths of the columns, in characters.
fn widths(head: &[String], rows: &[Vec<String>]) -> Vec<usize> {
    let width = |cell: &String| cell.chars().count();
    let of_column = |(column, name)| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(width);
        cells.fold(width(name), usize::max)
    };
    head.iter().enumerate().map(of_column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        Table {
            head: vec!["user", "left", "kind"],
            rows: vec![
                vec!["j\u{fc}rgen".into(), 2.into(), "autologin".into()],
                vec!["al".into(), Value::Null, "".into()],
            ],
        }
    }

    #[test]
    fn columns_are_aligned_without_trailing_blanks() {
        let plain = anstream::adapter::strip_str(&table().to_text()).to_string();
        assert_eq!(plain, "USER    LEFT  KIND\nj\u{fc}rgen  2     autologin\nal\n");
    }

    #[test]
    fn only_text_replaces_steering_characters() {
        let table = Table::row([("user", "\u{1b}[31m\u{202e}eve".into()), ("live", true.into())]);
        let plain = anstream::adapter::strip_str(&table.to_text()).to_string();
        assert_eq!(plain, "USER       LIVE\n\u{fffd}[31m\u{fffd}eve  yes\n");
        assert_eq!(table.to_csv().unwrap(), "user,live\n\u{1b}[31m\u{202e}eve,true\n");
        assert!(table.to_json().unwrap().contains("\"\\u001b[31m\u{202e}eve\""));
    }

    #[test]
    fn removes_a_column() {
        assert_eq!(
            table().without("left").to_csv().unwrap(),
            "user,kind\nj\u{fc}rgen,autologin\nal,\n"
        );
        assert_eq!(table().without("none").to_csv().unwrap(), table().to_csv().unwrap());
    }

    #[test]
    fn free_text_is_not_a_formula_in_a_spreadsheet() {
        for begin in ["=", "+", "-", "@", "\t", "\r"] {
            let text = format!("{begin}1");
            let free = Value::from(text.as_str());
            let table = Table::row([("id", "-T3c".into()), ("user", free.clone()), ("note", free)]);
            let csv = table.to_csv().unwrap();
            assert!(csv.starts_with("id,user,note\n-T3c,"), "{csv:?}");
            assert_eq!(csv.matches(&format!("'{text}")).count(), 2, "{csv:?}");
            assert!(!table.to_json().unwrap().contains('\''));
        }
        let table = Table::row([("user", "a=b".into()), ("note", Value::Null)]);
        assert_eq!(table.to_csv().unwrap(), "user,note\na=b,\n");
    }

    #[test]
    fn csv_and_json_have_the_same_cells_in_the_same_order() {
        assert_eq!(table().to_csv().unwrap(), "user,left,kind\nj\u{fc}rgen,2,autologin\nal,,\n");
        let lines = table().to_json_lines().unwrap();
        let (first, second) = (
            "{\"user\":\"j\u{fc}rgen\",\"left\":2,\"kind\":\"autologin\"}",
            "{\"user\":\"al\",\"left\":null,\"kind\":\"\"}",
        );
        assert_eq!(lines, format!("{first}\n{second}\n"));
        assert_eq!(table().to_json().unwrap(), format!("[{first},{second}]\n"));
        let empty = Table { head: vec!["a", "b"], rows: Vec::new() };
        assert_eq!(empty.to_json().unwrap(), "[]\n");
        assert_eq!(empty.to_csv().unwrap(), "a,b\n");
    }
}
