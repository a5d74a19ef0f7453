// An operator mints, shares and revokes links; a user opens a share page.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { newContext } from './chromium.mjs';
import { autologinSwitch, close, make, openDialog, row, signIn } from './console.mjs';
import { assertAbsent, collectErrors, readCode, runScenario } from './scenario.mjs';

await runScenario(async (browser, options) => {
  const context = await newContext(browser, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  const errors = collectErrors(page);

  await signInAsOperator(page, options);
  const links = await makeAutologinLink(page, options);
  await makeAutologinLinkAfterPermission(page);
  await downloadFromSharePage(browser, links, options);
  await revokeLinks(browser, page, options);
  assert.deepEqual(errors, []);
  await signOut(context, page, options);
});

async function signInAsOperator(page, { link, token }) {
  await signIn(page, link);
  await assertAbsent(page, token);
  const cookies = await page.context().cookies();
  assert.deepEqual(cookies.map((cookie) => cookie.name), ['__Host-jeton']);
  assert.ok(cookies[0].httpOnly && cookies[0].secure && cookies[0].sameSite === 'Strict');
  for (const user of ['alice', 'bob']) await row(page, user).waitFor();
}

async function makeAutologinLink(page, { publicUrl }) {
  const dialog = await openDialog(page, 'alice');
  const links = await make(dialog, { kind: /autologin/i, hours: 2, uses: 1, note: 'a new phone' });
  const token = links.shareUrl.split('/t/')[1];
  const rest = `${publicUrl}/rest/GetProfileViaToken`;
  assert.equal(links.downloadUrl, `${rest}?token=${token}`);
  assert.equal(links.importUrl, `openvpn://import-profile/${links.downloadUrl}`);
  const code = await readCode(dialog.getByRole('img', { name: /qr/i }));
  assert.equal(code, `openvpn://import-profile/${rest}/${token}`);
  await copyEach(page, dialog, links);
  await close(dialog);
  await assertAbsent(page, token);
  await page.reload();
  await assertAbsent(page, token);
  return links;
}

async function copyEach(page, dialog, links) {
  const copied = new Set();
  for (const button of await dialog.getByRole('button', { name: /copy/i }).all()) {
    await page.evaluate(() => navigator.clipboard.writeText('nothing'));
    await button.click();
    await page.waitForFunction(async () => (await navigator.clipboard.readText()) !== 'nothing');
    copied.add(await page.evaluate(() => navigator.clipboard.readText()));
  }
  for (const link of Object.values(links)) assert.ok(copied.has(link), 'each can be copied');
}

async function makeAutologinLinkAfterPermission(page) {
  let dialog = await openDialog(page, 'bob');
  const autologin = dialog.getByRole('radio', { name: /autologin/i });
  assert.ok(await autologin.isDisabled());
  await dialog.getByText(/permission|not allowed|allow autologin/i).first().waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });

  const allow = autologinSwitch(page, 'bob');
  assert.ok(!(await allow.isChecked()));
  await allow.click();
  await page.waitForFunction(
    (name) => fetch('/api/v1/users').then((r) => r.json())
      .then((list) => list.users.find((u) => u.user === name).autologin),
    'bob',
  );
  await page.getByRole('switch', { name: /autologin for bob/i, checked: true }).waitFor();
  dialog = await openDialog(page, 'bob');
  const links = await make(dialog, { kind: /autologin/i });
  assert.ok(links.shareUrl);
  await close(dialog);
}

async function downloadFromSharePage(browser, { shareUrl }, { certificate, screenshots }) {
  const context = await newContext(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  for (let visit = 0; visit < 3; visit += 1) await page.goto(shareUrl);
  await page.getByRole('heading', { name: /alice/ }).waitFor();
  const downloads = page.waitForEvent('download');
  await page.getByRole('button', { name: /download/i }).click();
  const download = await downloads;
  assert.equal(download.suggestedFilename(), 'alice.ovpn');
  const profile = await readFile(await download.path(), 'utf8');
  assert.ok(profile.includes(certificate), "the profile has alice's certificate");
  assert.match(profile, /^# OVPN_ACCESS_SERVER_AUTOLOGIN=1$/m);
  assert.doesNotMatch(profile, /^auth-user-pass/m);
  await page.goto(shareUrl);
  await page.getByRole('heading', { name: /used up/i }).waitFor();
  await page.screenshot({ path: `${screenshots}/share-used-up.png` });
  await context.close();
}

async function revokeLinks(browser, page, { adminUrl }) {
  const one = await makeLinks(page, { kind: /user-locked/i, uses: 5, note: 'a lost phone' });
  const other = await makeLinks(page, { kind: /user-locked/i, uses: 5, note: 'a tablet' });
  await page.getByRole('link', { name: 'Tokens', exact: true }).click();
  await page.waitForURL(/\/tokens/);
  assert.match(await row(page, 'a lost phone').innerText(), /5/);
  await row(page, 'a lost phone').getByRole('button', { name: /^revoke/i }).click();
  await confirmRevocation(page);
  await row(page, 'a lost phone').waitFor({ state: 'hidden' });
  await row(page, 'a tablet').waitFor();
  assert.match(await sharePageHeading(browser, one.shareUrl), /revoked/i);
  assert.match(await sharePageHeading(browser, other.shareUrl), /alice/);

  await page.goto(`${adminUrl}/tokens?user=alice`);
  await page.getByRole('button', { name: /revoke all/i }).click();
  await confirmRevocation(page);
  await row(page, 'a tablet').waitFor({ state: 'hidden' });
  assert.match(await sharePageHeading(browser, other.shareUrl), /revoked/i);
  await page.goto(`${adminUrl}/tokens?user=alice&state=revoked`);
  await row(page, 'a lost phone').waitFor();
}

async function makeLinks(page, properties) {
  const dialog = await openDialog(page, 'alice');
  const links = await make(dialog, properties);
  await close(dialog);
  return links;
}

async function confirmRevocation(page) {
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: /^revoke/i }).click();
  await dialog.waitFor({ state: 'hidden' });
}

/** Opens a share page without JavaScript and returns its heading. */
async function sharePageHeading(browser, shareUrl) {
  const context = await newContext(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(shareUrl);
  const heading = await page.getByRole('heading', { level: 1 }).innerText();
  await context.close();
  return heading;
}

async function signOut(context, page, { adminUrl }) {
  await page.goto(`${adminUrl}/users`);
  await page.getByRole('button', { name: /sign out/i }).click();
  await page.waitForURL(/\/sign-in/);
  assert.deepEqual(await context.cookies(), []);
  await page.goBack();
  await page.waitForURL(/\/sign-in/);
  assert.equal(await page.getByRole('button', { name: /new token url/i }).count(), 0);
  const status = await page.evaluate(() => fetch('/api/v1/tokens').then((r) => r.status));
  assert.equal(status, 401);
}
