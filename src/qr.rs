//! QR codes of links, as modules and as SVG.

use std::fmt::Write as _;

use fast_qr::{ECL, QRBuilder, QRCode};
use thiserror::Error;

/// The width of the light margin on each side, in modules. Source: ISO/IEC 18004.
const MARGIN: usize = 4;

/// A QR code. Its link contains a token, so there is no `Debug`.
pub struct QrDrawing {
    code: QRCode,
}

/// The link is too long for a QR code.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("the link is too long for a QR code")]
pub struct TooLong;

impl QrDrawing {
    /// Makes the code of `link` for a screen.
    ///
    /// # Errors
    ///
    /// [`TooLong`] if it does not fit.
    pub fn of(link: &str) -> Result<Self, TooLong> {
        // A screen needs the least error correction, which keeps the modules large.
        Self::with(link, ECL::L)
    }

    /// Makes the code of `link` for paper: up to 15 % of it may be unreadable, for example where it
    /// was folded.
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

    /// Returns the width and height in modules, with the margin.
    #[must_use]
    pub fn side(&self) -> usize {
        self.code.size + 2 * MARGIN
    }

    /// Returns `true` if a module is dark. Row 0 and column 0 are in the margin. Everything around
    /// the code is light.
    #[must_use]
    pub fn is_dark(&self, row: usize, column: usize) -> bool {
        let in_code = |at: usize| at.checked_sub(MARGIN).filter(|at| *at < self.code.size);
        let (Some(row), Some(column)) = (in_code(row), in_code(column)) else { return false };
        #[expect(clippy::indexing_slicing, reason = "both are below the size, see above")]
        let module = self.code[row][column];
        module.value()
    }

    /// Returns the code as an SVG document, dark on a light background.
    #[must_use]
    pub fn svg(&self) -> String {
        let (side, path) = (self.side(), self.path());
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
             shape-rendering=\"crispEdges\"><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/>\
             <path d=\"{path}\"/></svg>"
        )
    }

    /// Returns the dark modules as the `d` attribute of an SVG path. One unit is one module, and
    /// each horizontal run of modules is one rectangle.
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
    let mut start = None;
    // A light module after the last one ends an open run.
    for (x, is_dark) in modules.chain([false]).enumerate() {
        match (is_dark, start) {
            (true, None) => start = Some(x),
            (false, Some(from)) => {
                let width = x - from;
                // Writing to a string cannot fail.
                let _ = write!(path, "M{from} {y}h{width}v1h-{width}z");
                start = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_each_run_of_dark_modules_as_one_rectangle() {
        let mut path = String::new();
        draw_row(&mut path, 9, [true, false, false, true, true].into_iter());
        assert_eq!(path, "M0 9h1v1h-1zM3 9h2v1h-2z");
    }

    #[test]
    fn a_code_has_a_margin_and_finder_patterns() {
        let code = QrDrawing::of("openvpn://import-profile/https://vpn.example.com/").unwrap();
        let path = code.path();
        assert!(path.starts_with("M4 4h7v1h-7z"), "{path}");
        assert!(path.contains(&format!("M{} 4h7v1h-7z", code.side() - 4 - 7)));
    }

    #[test]
    fn the_svg_is_a_complete_document() {
        let code = QrDrawing::of("openvpn://import-profile/https://vpn.example.com/").unwrap();
        let svg = code.svg();
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""), "{svg}");
        assert!(svg.contains(&code.path()) && svg.ends_with("</svg>"));
    }

    #[test]
    fn the_link_of_the_longest_token_fits() {
        let link = format!("https://{}.example/rest/{}", "x".repeat(253), "a".repeat(512));
        assert!(QrDrawing::of(&link).is_ok());
        assert!(QrDrawing::for_paper(&link).is_ok());
        assert!(QrDrawing::of(&"x".repeat(3_000)).is_err());
    }
}
