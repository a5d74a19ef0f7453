// Draws a standalone SVG as a picture: draw.mjs FROM.svg TO.png
import { readFileSync } from 'node:fs';
import { launch } from './chromium.mjs';

const [from, to] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await browser.newPage({ viewport: { width: 600, height: 600 } });
  const svg = Buffer.from(readFileSync(from)).toString('base64');
  await page.setContent(`<img src="data:image/svg+xml;base64,${svg}" width="500" height="500">`);
  await page.waitForFunction(() => document.images[0].complete && document.images[0].naturalWidth);
  await page.screenshot({ path: to });
} finally {
  await browser.close();
}
