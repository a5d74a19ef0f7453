// What every story shares: facts come as JSON on stdin, and a story that fails
// leaves pictures of all its pages.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './chromium.mjs';

/** Tells a story: `tell` gets a browser and the facts. */
export async function story(tell) {
  const facts = JSON.parse(readFileSync(0, 'utf8'));
  const browser = await launch();
  try {
    await tell(browser, facts);
  } catch (error) {
    await photograph(browser, facts);
    throw error;
  } finally {
    await browser.close();
  }
}

async function photograph(browser, facts) {
  const pages = browser.contexts().flatMap((context) => context.pages());
  for (const [number, page] of pages.entries()) {
    const path = join(facts.screenshots, `failed-${facts.name}-${number}.png`);
    await page.screenshot({ path, fullPage: true }).catch(() => {});
    console.error(`${page.url().replace(/#.*/, '#...')} looked like ${path}`);
  }
}

/** Holds a page to its policy: what the browser refused or could not do. */
export function listen(page) {
  const complaints = [];
  page.on('pageerror', (error) => complaints.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    const why = request.failure()?.errorText;
    // A page that is left takes its requests with it; a download is no page.
    if (why !== 'net::ERR_ABORTED') complaints.push(`${request.url()}: ${why}`);
  });
  return complaints;
}

/** Reads the QR code that an element shows, as a phone would. */
export async function readCode(element) {
  const png = await element.screenshot();
  const words = ['-q', '--raw', '-Sdisable', '-Sqrcode.enable', '-'];
  return execFileSync('zbarimg', words, { input: png, encoding: 'utf8' }).trim();
}

/** Sees to it that nothing in the document or the address has this text. */
export async function assertAbsent(page, text) {
  assert.ok(!(await page.content()).includes(text), 'in the document');
  assert.ok(!page.url().includes(text), 'in the address');
  // A dialog is hidden a moment before it hears that it was closed, and forgets.
  await page.waitForFunction(
    (text) => [...document.querySelectorAll('input, textarea')].every((f) => !f.value.includes(text)),
    text,
  );
}
