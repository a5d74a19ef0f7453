// Renders a self-contained SVG or HTML file as a PNG: draw.mjs FROM.svg|.html TO.png
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { launch } from './chromium.mjs';

const [from, to] = process.argv.slice(2);
const browser = await launch();
try {
  const viewport = { width: 900, height: 700 };
  const page = await browser.newPage({ viewport, deviceScaleFactor: 2 });
  await page.emulateMedia({ media: 'print' });
  if (from.endsWith('.svg')) {
    // As an image, the SVG runs no script and has the size given here.
    const data = readFileSync(from).toString('base64');
    await page.setContent(`<img src="data:image/svg+xml;base64,${data}" width="500" height="500">`);
    await page.waitForFunction(() => document.images[0].naturalWidth > 0);
  } else {
    await page.goto(pathToFileURL(from).href);
  }
  await page.screenshot({ path: to, fullPage: true });
} finally {
  await browser.close();
}
