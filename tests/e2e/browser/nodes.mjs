// The nodes page of a cluster: healthy, or with an alarm. Its contents are also read
// without JavaScript.
import assert from 'node:assert/strict';
import { newContext, TIMEOUT_MS } from './chromium.mjs';
import { signIn } from './console.mjs';
import { auditPages } from './page_audit.mjs';
import { runScenario } from './scenario.mjs';

await runScenario(async (browser, options) => {
  await auditPages(browser, options, async function* (page, { adminUrl, link, view }) {
    await signIn(page, link);
    await page.goto(`${adminUrl}/nodes`);
    yield view;
  });
  const context = await newContext(browser);
  const page = await context.newPage();
  await signIn(page, options.link);
  const cookies = await context.cookies();
  const plain = await newContext(browser, { javaScriptEnabled: false });
  await plain.addCookies(cookies);
  const unscripted = await plain.newPage();
  await unscripted.goto(`${options.adminUrl}/nodes`);
  const rows = unscripted.getByRole('table').getByRole('row');
  assert.equal(await rows.count(), options.members.length + 1);
  for (const id of options.members) {
    assert.equal(await unscripted.getByRole('rowheader', { name: id }).count(), 1, id);
  }
  assert.equal(await unscripted.getByText('Leader', { exact: true }).count() > 0, true);
  const alarmTexts = () => unscripted.getByRole('region', { name: 'Needs attention' }).allInnerTexts();
  const isRight = options.alarm
    ? (alarms) => alarms.length === 1 && new RegExp(options.alarm).test(alarms[0])
    : (alarms) => alarms.length === 0;
  // After a stall of the machine there can be other alarms for some seconds.
  for (const started = performance.now(); !isRight(await alarmTexts());) {
    assert.ok(performance.now() - started < TIMEOUT_MS, `${await alarmTexts()}`);
    await unscripted.reload();
  }
});
