// What pages offer to those who may not do everything, and who came in by hand.
import assert from 'node:assert/strict';
import { newContext } from './chromium.mjs';
import { row } from './console.mjs';
import { assertAbsent, listen, story } from './story.mjs';

const MINT = /new token url/i;
const REVOKE = /revoke/i;

await story(async (browser, { adminUrl, tokens }) => {
  for (const [role, token] of Object.entries(tokens)) {
    const context = await newContext(browser);
    const page = await context.newPage();
    const complaints = listen(page);
    await pastes(page, adminUrl, token);
    await assertOffers(page, adminUrl, role);
    assert.deepEqual(complaints, [], role);
    await context.close();
  }
  await worksWithoutJavaScript(browser, adminUrl, tokens.admin);
  await followsALinkWhileAskedToSignIn(browser, adminUrl, tokens.admin);
});

async function pastes(page, adminUrl, token) {
  await page.goto(`${adminUrl}/sign-in`);
  await page.getByLabel(/token/i).fill(token);
  await page.getByRole('button', { name: /sign in/i }).click();
  // Without JavaScript the fragment that the sign-in led to is still there.
  await page.waitForURL(/\/users(#top)?$/);
  await assertAbsent(page, token);
}

async function assertOffers(page, adminUrl, role) {
  const offers = async (name) => (await page.getByRole('button', { name }).count()) > 0;
  await row(page, 'alice').waitFor();
  assert.equal(await offers(MINT), role !== 'viewer', `${role} mints`);
  const permit = page.getByRole('switch', { name: /autologin/i });
  const permits = (await permit.count()) > 0 && (await permit.first().isEnabled());
  assert.equal(permits, role === 'admin', `${role} permits`);
  await page.goto(`${adminUrl}/tokens`);
  await row(page, 'alice').first().waitFor();
  assert.equal(await offers(REVOKE), role !== 'viewer', `${role} revokes`);
}

/** Lists can be read and filtered, and one can go in and out. */
async function worksWithoutJavaScript(browser, adminUrl, token) {
  const context = await newContext(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await pastes(page, adminUrl, `${adminUrl}/sign-in#${token}`);
  for (const name of ['Users', 'Tokens', 'Activity', 'Nodes']) {
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { name, level: 1 }).waitFor();
  }
  await page.goto(`${adminUrl}/tokens?user=alice`);
  assert.equal(await row(page, 'bob').count(), 0);
  await page.goto(`${adminUrl}/users`);
  await page.getByRole('button', { name: /sign out/i }).click();
  await page.waitForURL(/\/sign-in/);
  assert.deepEqual(await context.cookies(), []);
  await context.close();
}

/** The address changes by its fragment only, so no page is loaded. */
async function followsALinkWhileAskedToSignIn(browser, adminUrl, token) {
  const context = await newContext(browser);
  const page = await context.newPage();
  await page.goto(`${adminUrl}/sign-in`);
  await page.goto(`${adminUrl}/sign-in#${token}`);
  await page.waitForURL(/\/users$/);
  await assertAbsent(page, token);
  await isToldWhoIsSignedIn(page, adminUrl, token);
  await context.close();
}

/** A link does not stay in the address of any page, and changes no session. */
async function isToldWhoIsSignedIn(page, adminUrl, token) {
  for (const path of ['users', 'tokens', 'nothing-here', 'sign-in']) {
    await page.goto('about:blank');
    await page.goto(`${adminUrl}/${path}#${token}`);
    await page.waitForFunction(() => !location.hash);
    await assertAbsent(page, token);
    if (path === 'nothing-here') continue;
    await page.getByText('You are signed in as').waitFor();
    await page.getByText('Sign out to use another link').waitFor();
  }
  await page.goto(`${adminUrl}/users#${token}`);
  await page.waitForFunction(() => !location.hash);
}
