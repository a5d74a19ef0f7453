// The page of tokens with a great many of them.
import assert from 'node:assert/strict';
import { newContext } from './chromium.mjs';
import { signIn } from './console.mjs';
import { story } from './story.mjs';

await story(async (browser, { adminUrl, link, count, withinMs }) => {
  const page = await (await newContext(browser)).newPage();
  await signIn(page, link);
  const times = [];
  for (let turn = 0; turn < 5; turn += 1) {
    const begun = performance.now();
    await page.goto(`${adminUrl}/tokens`);
    times.push(performance.now() - begun);
  }
  const median = times.sort((a, b) => a - b)[2];
  const rows = await page.getByRole('row').count();
  console.log(`${count} tokens: the page with ${rows} rows loads in ${median.toFixed(0)} ms`);
  assert.ok(median < withinMs, `${median} ms`);
  assert.ok(rows > 10 && rows < 1100, `${rows} rows`);
  const total = count.toLocaleString('en').replace(/\D/g, '\\D?');
  assert.match(await page.locator('main').innerText(), new RegExp(total), 'the number is told');

  const seen = new Set();
  const ids = () => page.$$eval('tr[data-id]', (rows) => rows.map((row) => row.dataset.id));
  for (let turn = 0; turn < 3; turn += 1) {
    for (const id of await ids()) {
      assert.ok(!seen.has(id), 'on two pages');
      seen.add(id);
    }
    const here = page.url();
    await page.getByRole('link', { name: /next page/i }).click();
    await page.waitForURL((url) => url.href !== here);
  }
  assert.ok(seen.size > 100, `${seen.size}`);
});
