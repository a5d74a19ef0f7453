"""Reads QR codes from pictures with zbar."""

from jeton import HERE, must


def read_picture(png):
    """Returns the texts of all QR codes in a picture."""
    command = ["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", png]
    return must(command).splitlines()


def read_file(path):
    """Renders an SVG or HTML file in Chromium and returns the texts of its QR codes."""
    png = path.with_suffix(".png")
    must(["node", HERE / "browser" / "draw.mjs", path, png])
    return read_picture(png)
