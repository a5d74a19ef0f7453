// Audits every page.
import { auditPages } from './page_audit.mjs';
import { close, make, openDialog, signIn } from './console.mjs';
import { runScenario } from './scenario.mjs';

await runScenario((browser, options) => auditPages(browser, options, views));

/** Opens each view and yields its name. */
async function* views(page, { adminUrl, link, shareUrl, deadUrl }) {
  await page.goto(`${adminUrl}/sign-in`);
  yield 'sign-in';
  await page.getByLabel(/token/i).fill('nonsense');
  await page.getByRole('button', { name: /sign in/i }).click();
  await page.getByRole('alert').waitFor();
  yield 'sign-in-refused';
  await page.goto('about:blank');
  await signIn(page, link);
  yield 'users';
  const dialog = await openDialog(page, 'alice');
  yield 'new-token-url';
  await make(dialog, { note: `at ${page.viewportSize().width}` });
  yield 'new-token-url-made';
  await close(dialog);
  for (const name of ['tokens', 'tokens?state=all', 'activity', 'nodes', 'nothing-here']) {
    await page.goto(`${adminUrl}/${name}`);
    yield name.replace('?state=', '-');
  }
  await page.goto(shareUrl);
  yield 'share';
  await page.goto(deadUrl);
  yield 'share-dead';
}
