// Measures the tokens page with many tokens.
import assert from 'node:assert/strict';
import { newContext } from './chromium.mjs';
import { signIn } from './console.mjs';
import { runScenario } from './scenario.mjs';

await runScenario(async (browser, { adminUrl, link, count, withinMs }) => {
  const page = await (await newContext(browser)).newPage();
  await signIn(page, link);
  const times = [];
  for (let round = 0; round < 5; round += 1) {
    const started = performance.now();
    await page.goto(`${adminUrl}/tokens`);
    times.push(performance.now() - started);
  }
  const median = times.sort((a, b) => a - b)[2];
  const rows = await page.getByRole('row').count();
  console.log(`${count} tokens: the page with ${rows} rows loads in ${median.toFixed(0)} ms`);
  assert.ok(median < withinMs, `${median} ms`);
  assert.ok(rows > 10 && rows < 1100, `${rows} rows`);
  const total = count.toLocaleString('en').replace(/\D/g, '\\D?');
  assert.match(await page.locator('main').innerText(), new RegExp(total), 'the page shows the total');

  const seen = new Set();
  const ids = () => page.$$eval('tr[data-id]', (rows) => rows.map((row) => row.dataset.id));
  for (let number = 0; number < 3; number += 1) {
    for (const id of await ids()) {
      assert.ok(!seen.has(id), `${id} is on two pages`);
      seen.add(id);
    }
    const here = page.url();
    await page.getByRole('link', { name: /next page/i }).click();
    await page.waitForURL((url) => url.href !== here);
  }
  assert.ok(seen.size > 100, `${seen.size}`);
});
