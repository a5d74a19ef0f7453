// The page of the nodes where several share the ledger: all is well, or a member
// is lost. It is read without scripts.
import assert from 'node:assert/strict';
import { newContext } from './chromium.mjs';
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
  const alarms = unscripted.getByRole('region', { name: 'Look at this' });
  assert.equal(await alarms.count(), facts.alarm ? 1 : 0);
  if (facts.alarm) assert.match(await alarms.innerText(), new RegExp(facts.alarm));
});
