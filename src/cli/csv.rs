//! Comma-separated values, RFC 4180, with line feeds.

/// Returns `cells` as one line.
pub(crate) fn line<C: AsRef<str>>(cells: impl IntoIterator<Item = C>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| quoted(cell.as_ref())).collect();
    cells.join(",") + "\n"
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) || cell.trim() != cell {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_where_they_must() {
        assert_eq!(line(["a", "", "b c"]), "a,,b c\n");
        assert_eq!(
            line(["x,y", "say \"no\"", " alice"]),
            "\"x,y\",\"say \"\"no\"\"\",\" alice\"\n"
        );
    }
}
