// The actions that pages offer to each role, and signing in by pasting a token.
import assert from 'node:assert/strict';
import { newContext } from './chromium.mjs';
import { row } from './console.mjs';
import { assertAbsent, collectErrors, runScenario } from './scenario.mjs';

const MINT = /new token url/i;
const REVOKE = /revoke/i;

await runScenario(async (browser, { adminUrl, tokens }) => {
  for (const [role, token] of Object.entries(tokens)) {
    const context = await newContext(browser);
    const page = await context.newPage();
    const errors = collectErrors(page);
    await pasteToken(page, adminUrl, token);
    await assertOffers(page, adminUrl, role);
    assert.deepEqual(errors, [], role);
    await context.close();
  }
  await assertPagesWorkWithoutJavaScript(browser, adminUrl, tokens.admin);
  await assertLinkWorksOnSignInPage(browser, adminUrl, tokens.admin);
});

async function pasteToken(page, adminUrl, token) {
  await page.goto(`${adminUrl}/sign-in`);
  await page.getByLabel(/token/i).fill(token);
  await page.getByRole('button', { name: /sign in/i }).click();
  // Without JavaScript, the fragment of the redirect stays in the address.
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

/** Asserts that signing in and out and reading and filtering lists need no JavaScript. */
async function assertPagesWorkWithoutJavaScript(browser, adminUrl, token) {
  const context = await newContext(browser, { javaScriptEnabled: false });
  const page = await context.newPage();
  await pasteToken(page, adminUrl, `${adminUrl}/sign-in#${token}`);
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

/** Asserts that a link works on the open sign-in page, where it changes only the fragment
 * and loads no page. */
async function assertLinkWorksOnSignInPage(browser, adminUrl, token) {
  const context = await newContext(browser);
  const page = await context.newPage();
  await page.goto(`${adminUrl}/sign-in`);
  await page.goto(`${adminUrl}/sign-in#${token}`);
  await page.waitForURL(/\/users$/);
  await assertAbsent(page, token);
  await assertLinkKeepsSession(page, adminUrl, token);
  await context.close();
}

/** Asserts that every page removes a link's token from the address and keeps the session. */
async function assertLinkKeepsSession(page, adminUrl, token) {
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
