//! QR codes in a terminal, with two modules in each character.

use crate::failure::Failure;
use crate::qr::QrDrawing;

/// Draws `link` as a QR code.
///
/// The light modules are painted, in white on black. So scanners can read the code on any terminal
/// with colors, and on a dark terminal without them.
pub(crate) fn draw(link: &str) -> Result<String, Failure> {
    let code = QrDrawing::of(link)
        .map_err(|error| Failure::new(&error, "omit --qr, or use a shorter user name"))?;
    let style = anstyle::AnsiColor::BrightWhite.on(anstyle::AnsiColor::Black);
    Ok(lines(&code).map(|line| format!("{style}{line}{style:#}\n")).collect())
}

fn lines(code: &QrDrawing) -> impl Iterator<Item = String> {
    (0..code.side()).step_by(2).map(|row| {
        let half_blocks = (0..code.side()).map(|column| {
            match (code.is_dark(row, column), code.is_dark(row + 1, column)) {
                (false, false) => '\u{2588}',
                (false, true) => '\u{2580}',
                (true, false) => '\u{2584}',
                (true, true) => ' ',
            }
        });
        half_blocks.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_a_margin_and_finder_patterns() {
        let drawn = draw("openvpn://import-profile/https://vpn.example.com/").unwrap();
        let plain = anstream::adapter::strip_str(&drawn).to_string();
        let lines: Vec<Vec<char>> = plain.lines().map(|line| line.chars().collect()).collect();
        let width = lines[0].len();
        assert!(lines.iter().all(|line| line.len() == width), "{plain}");
        assert!(lines[..2].iter().flatten().all(|half| *half == '\u{2588}'), "{plain}");
        // The upper edge of a finder pattern: dark, then light inside its frame.
        assert_eq!(lines[2][3..7], ['\u{2588}', ' ', '\u{2584}', '\u{2584}'], "{plain}");
    }
}
