// Audits pages at three widths, in light and dark mode: takes screenshots, runs axe's
// accessibility checks, and rejects pages that are wider than the window.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { newContext } from './chromium.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [360, 768, 1280];
const SCHEMES = ['light', 'dark'];

/** Audits each view that the generator `views` opens and names. */
export async function auditPages(browser, options, views) {
  const found = [];
  const audit = async (colorScheme) => {
    for (const width of WIDTHS) {
      const viewport = { width, height: width < 500 ? 740 : 900 };
      // The pages' security policy would block axe. The policy is tested elsewhere.
      const context = await newContext(browser, { colorScheme, viewport, bypassCSP: true });
      const page = await context.newPage();
      for await (const name of views(page, options)) {
        const label = `${name}-${width}-${colorScheme}`;
        await page.screenshot({ path: join(options.screenshots, `${label}.png`), fullPage: true });
        found.push(...(await faults(page)).map((fault) => `${label}: ${fault}`));
      }
      await context.close();
    }
  };
  // In parallel, to use two processors.
  await Promise.all(SCHEMES.map(audit));
  assert.deepEqual(found, []);
}

async function faults(page) {
  const scroll = await page.evaluate(() => {
    const root = document.documentElement;
    return root.scrollWidth - root.clientWidth;
  });
  const wide = scroll > 0 ? [`${scroll} pixels wider than the window`] : [];
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run());
  const serious = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  const described = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0].html}`);
  return [...wide, ...described];
}
