//! A QR code in a terminal, two modules in each character.

use fast_qr::{ECL, QRBuilder, QRCode};

use super::failure::Failure;

/// The margin of light modules that ISO/IEC 18004 asks for, on each side.
const MARGIN: isize = 4;

/// Draws `link` as a QR code.
///
/// The light modules are the painted ones, in white on black. So the code looks
/// right on a dark terminal even where colours are not allowed, and on any
/// terminal where they are.
pub(crate) fn draw(link: &str) -> Result<String, Failure> {
    // A screen is neither torn nor stained: the least error correction keeps
    // the modules large.
    let code = QRBuilder::new(link).ecl(ECL::L).build();
    let code = code.map_err(|_| {
        Failure::say("the link is too long for a QR code", "leave --qr out, or shorten the user")
    })?;
    let style = anstyle::AnsiColor::BrightWhite.on(anstyle::AnsiColor::Black);
    Ok(lines(&code).map(|line| format!("{style}{line}{style:#}\n")).collect())
}

fn lines(code: &QRCode) -> impl Iterator<Item = String> {
    let size = isize::try_from(code.size).unwrap_or_default();
    let columns = -MARGIN..size + MARGIN;
    (-MARGIN..size + MARGIN).step_by(2).map(move |row| {
        let half_blocks = columns.clone().map(|column| {
            match (is_light(code, row, column), is_light(code, row + 1, column)) {
                (true, true) => '\u{2588}',
                (true, false) => '\u{2580}',
                (false, true) => '\u{2584}',
                (false, false) => ' ',
            }
        });
        half_blocks.collect()
    })
}

/// Tells whether a module is light; everything around the code is.
fn is_light(code: &QRCode, row: isize, column: isize) -> bool {
    let (Ok(row), Ok(column)) = (usize::try_from(row), usize::try_from(column)) else {
        return true;
    };
    if row >= code.size || column >= code.size {
        return true;
    }
    #[expect(clippy::indexing_slicing, reason = "both are below the size, see above")]
    let module = code[row][column];
    !module.value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_margin_and_its_corners() {
        let drawn = draw("openvpn://import-profile/https://vpn.example.com/").unwrap();
        let plain = anstream::adapter::strip_str(&drawn).to_string();
        let lines: Vec<Vec<char>> = plain.lines().map(|line| line.chars().collect()).collect();
        let width = lines[0].len();
        assert!(lines.iter().all(|line| line.len() == width), "{plain}");
        assert!(lines[..2].iter().flatten().all(|half| *half == '\u{2588}'), "{plain}");
        // The upper edge of a finder pattern: dark, then light inside its frame.
        assert_eq!(lines[2][3..7], ['\u{2588}', ' ', '\u{2584}', '\u{2584}'], "{plain}");
    }

    #[test]
    fn a_link_of_the_longest_token_fits() {
        let link = format!("https://{}.example/rest/{}", "x".repeat(253), "a".repeat(512));
        assert!(draw(&link).is_ok());
        assert!(draw(&"x".repeat(3_000)).is_err());
    }
}
