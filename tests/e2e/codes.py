"""Reading QR codes as a phone does: from a picture, by zbar."""

from jeton import HERE, must


def read_picture(png):
    """Returns the texts of all codes in a picture."""
    words = ["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", png]
    return must(words).splitlines()


def read_file(path):
    """Has Chromium draw an SVG or an HTML file, and returns the texts of the
    codes in it."""
    png = path.with_suffix(".png")
    must(["node", HERE / "browser" / "draw.mjs", path, png])
    return read_picture(png)
