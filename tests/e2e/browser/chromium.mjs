// The browser of the tests: Debian's Chromium without background network requests.
import { chromium } from 'playwright-core';

export const TIMEOUT_MS = 60_000;
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

/** Returns a new browser context without cookies or history. */
export async function newContext(browser, options = {}) {
  const context = await browser.newContext({
    // The public door has a self-signed certificate.
    ignoreHTTPSErrors: true,
    viewport: { width: 1280, height: 900 },
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    ...options,
  });
  context.setDefaultTimeout(TIMEOUT_MS);
  return context;
}
