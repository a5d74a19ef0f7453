// The browser of the tests: Debian's Chromium, which asks nobody for anything.
import { chromium } from 'playwright-core';

export const PATIENCE_MS = 60_000;
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launch() {
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: QUIET });
}

/** Makes somebody's browser: no cookie, no history. */
export async function newContext(browser, options = {}) {
  const context = await browser.newContext({
    // The public door has a certificate of its own making.
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    ...options,
  });
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}
