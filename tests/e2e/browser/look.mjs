// How a page looks at three widths, in light and in dark: pictures for eyes, and
// what axe finds for those who use none. No page is wider than its window.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { newContext } from './chromium.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [360, 768, 1280];
const SCHEMES = ['light', 'dark'];

/** Looks at all that `views` goes through and names. */
export async function lookAtAll(browser, facts, views) {
  const found = [];
  const look = async (colorScheme) => {
    for (const width of WIDTHS) {
      const viewport = { width, height: width < 500 ? 740 : 900 };
      // A person's own policy would forbid axe; the pages' is tested elsewhere.
      const context = await newContext(browser, { colorScheme, viewport, bypassCSP: true });
      const page = await context.newPage();
      for await (const name of views(page, facts)) {
        const label = `${name}-${width}-${colorScheme}`;
        await page.screenshot({ path: join(facts.screenshots, `${label}.png`), fullPage: true });
        found.push(...(await faults(page)).map((fault) => `${label}: ${fault}`));
      }
      await context.close();
    }
  };
  // One on each processor.
  await Promise.all(SCHEMES.map(look));
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
  const told = serious.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0].html}`);
  return [...wide, ...told];
}
