//! QR codes: the modules of a link, to be drawn in a terminal or as SVG.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder, QRCode};
use thiserror::Error;

/// The margin of light modules that ISO/IEC 18004 asks for, on each side.
const MARGIN: usize = 4;

/// A QR code. It holds a link that is as good as its token, so there is no
/// `Debug`.
pub struct QrDrawing {
    code: QRCode,
}

/// The link is longer than any QR code.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the link is too long for a QR code")]
pub struct TooLong;

impl QrDrawing {
    /// Makes the code of `link`.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if it does not fit.
    pub fn of(link: &str) -> Result<Self, TooLong> {
        // A screen is neither torn nor stained: the least error correction
        // keeps the modules large.
        Self::with(link, ECL::L)
    }

    /// Makes the code of `link` for paper, which may be folded: up to 15 % of it
    /// may be unreadable.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if it does not fit.
    pub fn for_paper(link: &str) -> Result<Self, TooLong> {
        Self::with(link, ECL::M)
    }

    fn with(link: &str, correction: ECL) -> Result<Self, TooLong> {
        let code = QRBuilder::new(link).ecl(correction).build().map_err(|_| TooLong)?;
        Ok(Self { code })
    }

    /// Returns how many modules wide and high it is, with its margin.
    #[must_use]
    pub fn side(&self) -> usize {
        self.code.size + 2 * MARGIN
    }

    /// Tells whether a module is dark. Rows and columns begin at 0 in the
    /// margin; everything around the code is light.
    #[must_use]
    pub fn is_dark(&self, row: usize, column: usize) -> bool {
        let (Some(row), Some(column)) = (row.checked_sub(MARGIN), column.checked_sub(MARGIN))
        else {
            return false;
        };
        if row >= self.code.size || column >= self.code.size {
            return false;
        }
        #[expect(clippy::indexing_slicing, reason = "both are below the size, see above")]
        let module = self.code[row][column];
        module.value()
    }

    /// Returns it as a whole SVG document, dark on light whatever it is shown on.
    #[must_use]
    pub fn svg(&self) -> String {
        let (side, path) = (self.side(), self.path());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
             <path d=\"{path}\"/></svg>"
        )
    }

    /// Returns the dark modules as the `d` of an SVG path; one unit is one
    /// module, and each run of modules one rectangle.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for row in 0..self.side() {
            draw_row(&mut path, row, (0..self.side()).map(|column| self.is_dark(row, column)));
        }
        path
    }
}

fn draw_row(path: &mut String, y: usize, modules: impl Iterator<Item = bool>) {
    let mut begun = None;
    // A light module after the last one ends a run that is still open.
    for (x, is_dark) in modules.chain([false]).enumerate() {
        match (is_dark, begun) {
            (true, None) => begun = Some(x),
            (false, Some(from)) => {
                let width = x - from;
                // Writing to a string cannot fail.
                let _ = write!(path, "M{from} {y}h{width}v1h-{width}z");
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
        assert_eq!(path, "M0 9h1v1h-1zM3 9h2v1h-2z");
    }

    #[test]
    fn a_code_has_its_margin_and_its_corners() {
        let code = QrDrawing::of("openvpn://import-profile/https://vpn.example.com/").unwrap();
        let path = code.path();
        assert!(path.starts_with("M4 4h7v1h-7z"), "{path}");
        assert!(path.contains(&format!("M{} 4h7v1h-7z", code.side() - 4 - 7)));
    }

    #[test]
    fn an_svg_is_a_document_of_its_own() {
        let code = QrDrawing::of("openvpn://import-profile/https://vpn.example.com/").unwrap();
        let svg = code.svg();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        assert!(svg.contains(&code.path()) && svg.ends_with("</svg>"));
    }

    #[test]
    fn a_link_of_the_longest_token_fits() {
        let link = format!("https://{}.example/rest/{}", "x".repeat(253), "a".repeat(512));
        assert!(QrDrawing::of(&link).is_ok());
        assert!(QrDrawing::for_paper(&link).is_ok());
        assert!(QrDrawing::of(&"x".repeat(3_000)).is_err());
    }
}
