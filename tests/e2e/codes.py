"""Reading QR codes as a phone does: from a picture, by zbar."""

import subprocess
from pathlib import Path

from jeton import ENVIRONMENT, must

BROWSER = Path(__file__).resolve().parent / "browser"


def read_picture(png):
    """Returns the texts of all codes in a picture."""
    return must(["zbarimg", "-q", "--raw", "-Sdisable", "-Sqrcode.enable", png]).splitlines()


def read_svg(svg, folder):
    """Has Chromium draw a standalone SVG, and returns the text of its code."""
    drawn, png = folder / "code.svg", folder / "code.png"
    drawn.write_text(svg)
    command = ["node", BROWSER / "draw.mjs", drawn, png]
    subprocess.run(command, check=True, env=ENVIRONMENT, timeout=60)
    (text,) = read_picture(png)
    return text
