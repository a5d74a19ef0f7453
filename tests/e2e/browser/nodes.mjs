// The page of the nodes where several share the ledger: all is well, or a member
// is lost. It is read without scripts.
import assert from 'node:assert/strict';
import { newContext, PATIENCE_MS } from './chromium.mjs';
import { signIn } from './console.mjs';
import { lookAtAll } from './look.mjs';
import { story } from './story.mjs';

await story(async (browser, facts) => {
  await lookAtAll(browser, facts, async function* (page, { adminUrl, link, view }) {
    await signIn(page, link);
    await page.goto(`${adminUrl}/nodes`);
    yield view;
  });
  const context = await newContext(browser);
  const page = await context.newPage();
  await signIn(page, facts.link);
  const cookies = await context.cookies();
  const plain = await newContext(browser, { javaScriptEnabled: false });
  await plain.addCookies(cookies);
  const unscripted = await plain.newPage();
  await unscripted.goto(`${facts.adminUrl}/nodes`);
  const rows = unscripted.getByRole('table').getByRole('row');
  assert.equal(await rows.count(), facts.members.length + 1);
  for (const id of facts.members) {
    assert.equal(await unscripted.getByRole('rowheader', { name: id }).count(), 1, id);
  }
  assert.equal(await unscripted.getByText('Leader', { exact: true }).count() > 0, true);
  const told = () => unscripted.getByRole('region', { name: 'Look at this' }).allInnerTexts();
  const isRight = facts.alarm
    ? (alarms) => alarms.length === 1 && new RegExp(facts.alarm).test(alarms[0])
    : (alarms) => alarms.length === 0;
  // A machine that stands still for seconds has nodes that were not heard for seconds.
  for (const begun = performance.now(); !isRight(await told());) {
    assert.ok(performance.now() - begun < PATIENCE_MS, `${await told()}`);
    await unscripted.reload();
  }
});
