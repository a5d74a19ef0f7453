//! A QR code as one SVG path.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder};

/// The margin of light modules that ISO/IEC 18004 asks for, on each side.
const MARGIN: usize = 4;

/// A drawn QR code. One unit of the path is one module.
pub(super) struct QrDrawing {
    /// How wide and high it is, with its margin.
    pub(super) side: usize,
    /// The dark modules, as the `d` of a path.
    pub(super) path: String,
}

impl QrDrawing {
    /// Draws `link`; `None` if it is too long.
    pub(super) fn of(link: &str) -> Option<Self> {
        // A screen is neither torn nor stained: the least error correction
        // keeps the modules large.
        let code = QRBuilder::new(link).ecl(ECL::L).build().ok()?;
        let mut path = String::new();
        for row in 0..code.size {
            // The row is below the size, so it is there.
            let modules = code[row].iter().take(code.size).map(|module| module.value());
            draw_row(&mut path, row + MARGIN, modules);
        }
        Some(Self { side: code.size + 2 * MARGIN, path })
    }
}

/// Draws each run of dark modules as one rectangle.
fn draw_row(path: &mut String, y: usize, modules: impl Iterator<Item = bool>) {
    let mut begun = None;
    // A light module after the last one ends a run that is still open.
    for (x, is_dark) in modules.chain([false]).enumerate() {
        match (is_dark, begun) {
            (true, None) => begun = Some(x),
            (false, Some(from)) => {
                let width = x - from;
                // Writing to a string cannot fail.
                let _ = write!(path, "M{} {y}h{width}v1h-{width}z", from + MARGIN);
                begun = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_of_dark_modules_is_one_rectangle() {
        let mut path = String::new();
        draw_row(&mut path, 9, [true, false, false, true, true].into_iter());
        assert_eq!(path, "M4 9h1v1h-1zM7 9h2v1h-2z");
    }

    #[test]
    fn a_code_has_its_margin_and_its_corners() {
        let code = QrDrawing::of("openvpn://import-profile/https://vpn.example.com/").unwrap();
        assert!(code.path.starts_with("M4 4h7v1h-7z"), "{}", code.path);
        assert!(code.path.contains(&format!("M{} 4h7v1h-7z", code.side - 4 - 7)));
        assert!(QrDrawing::of(&"x".repeat(3_000)).is_none());
    }
}
