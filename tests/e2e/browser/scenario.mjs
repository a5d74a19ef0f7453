// Runs a browser scenario. Its options come as JSON on stdin. If it fails, screenshots of
// all its pages are kept.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from './chromium.mjs';

/** Runs `scenario` with a browser and the options. */
export async function runScenario(scenario) {
  const options = JSON.parse(readFileSync(0, 'utf8'));
  const browser = await launch();
  try {
    await scenario(browser, options);
  } catch (error) {
    await takeScreenshots(browser, options);
    throw error;
  } finally {
    await browser.close();
  }
}

async function takeScreenshots(browser, options) {
  const pages = browser.contexts().flatMap((context) => context.pages());
  for (const [number, page] of pages.entries()) {
    const path = join(options.screenshots, `failed-${options.name}-${number}.png`);
    await page.screenshot({ path, fullPage: true }).catch(() => {});
    console.error(`screenshot of ${page.url().replace(/#.*/, '#...')}: ${path}`);
  }
}

/** Collects the script errors, console errors and failed requests of a page. */
export function collectErrors(page) {
  const errors = [];
  page.on('pageerror', (error) => errors.push(`script: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(`console: ${message.text()}`);
  });
  page.on('requestfailed', (request) => {
    const reason = request.failure()?.errorText;
    // Leaving a page aborts its requests, and a download counts as aborted.
    if (reason !== 'net::ERR_ABORTED') errors.push(`${request.url()}: ${reason}`);
  });
  return errors;
}

/** Reads the QR code in an element with zbar. */
export async function readCode(element) {
  const png = await element.screenshot();
  const args = ['-q', '--raw', '-Sdisable', '-Sqrcode.enable', '-'];
  return execFileSync('zbarimg', args, { input: png, encoding: 'utf8' }).trim();
}

/** Asserts that neither the document nor the address contains this text. */
export async function assertAbsent(page, text) {
  assert.ok(!(await page.content()).includes(text), 'in the document');
  assert.ok(!page.url().includes(text), 'in the address');
  // A dialog clears its fields in its `close` event, a moment after it is hidden.
  await page.waitForFunction(
    (text) => [...document.querySelectorAll('input, textarea')].every((f) => !f.value.includes(text)),
    text,
  );
}
