// Makes, copies and closes a link with the keyboard alone.
import assert from 'node:assert/strict';
import { newContext } from './chromium.mjs';
import { shownLinks, signIn } from './console.mjs';
import { runScenario } from './scenario.mjs';

const TABS_MAX = 60;

await runScenario(async (browser, { link }) => {
  const context = await newContext(browser, {
    permissions: ['clipboard-read', 'clipboard-write'],
  });
  const page = await context.newPage();
  await signIn(page, link);

  await tabTo(page, (at) => /new token url/i.test(at.name) && /alice/.test(at.row + at.name));
  assert.ok(await focusIsVisible(page));
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  assert.ok(await focusIsIn(dialog), 'the dialog takes the focus');

  await tabTo(page, (at) => at.type === 'radio');
  const before = (await focused(page)).value;
  await page.keyboard.press('ArrowDown');
  assert.notEqual((await focused(page)).value, before, 'the arrow keys select the kind');
  await page.keyboard.press('ArrowUp');
  await tabTo(page, (at) => /uses/i.test(at.name) && at.tag === 'INPUT');
  await page.keyboard.press('Control+A');
  await page.keyboard.type('2');
  await tabTo(page, (at) => /note/i.test(at.name));
  await page.keyboard.type('by hand');
  await assertFocusStaysInside(page, dialog);
  await page.keyboard.press('Enter');

  const { shareUrl } = await shownLinks(dialog);
  assert.ok(await focusIsIn(dialog), 'the focus is still in the dialog when the links appear');
  await assertEscapeLosesNothing(page, dialog, shareUrl);
  await tabTo(page, (at) => /copy/i.test(at.name) && /share/i.test(at.name));
  await page.keyboard.press('Space');
  await page.waitForFunction(
    async (wanted) => (await navigator.clipboard.readText()) === wanted,
    shareUrl,
  );
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  const at = await focused(page);
  assert.match(at.name, /new token url/i, 'the focus returns to the button');
  assert.match(at.row + at.name, /alice/);
  await context.close();
});

/** Asserts that Escape asks for confirmation each time, as long as nothing was copied. */
async function assertEscapeLosesNothing(page, dialog, shareUrl) {
  const question = page.getByRole('dialog', { name: /without copying/i });
  for (let turn = 0; turn < 3; turn += 1) {
    await page.keyboard.press('Escape');
    await question.waitFor();
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'hidden' });
  }
  const first = page.getByRole('dialog').first();
  assert.equal((await shownLinks(first)).shareUrl, shareUrl);
}

/** Describes the focused element as a screen reader would. */
function focused(page) {
  return page.evaluate(() => {
    const at = document.activeElement;
    const labels = [...(at.labels ?? [])].map((label) => label.textContent);
    const described = (at.getAttribute('aria-labelledby') ?? '').split(' ').filter(Boolean)
      .map((id) => document.getElementById(id)?.textContent ?? '');
    const text = at.matches('a, button, [tabindex]') ? at.textContent : '';
    const name = [at.getAttribute('aria-label'), ...described, ...labels, text];
    return {
      tag: at.tagName,
      type: at.type,
      value: at.value,
      name: name.filter(Boolean).join(' '),
      row: at.closest('tr')?.textContent ?? '',
    };
  });
}

async function tabTo(page, wanted) {
  for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
    if (wanted(await focused(page))) return;
    await page.keyboard.press('Tab');
  }
  assert.fail(`${TABS_MAX} tabs do not lead to ${wanted}`);
}

function focusIsIn(dialog) {
  return dialog.evaluate((it) => it.contains(document.activeElement));
}

/** Asserts that the Tab key does not leave the dialog for the page behind it. */
async function assertFocusStaysInside(page, dialog) {
  const behind = () => page.evaluate(() => {
    const at = document.activeElement;
    return at !== document.body && !at.closest('dialog, [role=dialog]');
  });
  const first = await focused(page);
  for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
    await page.keyboard.press('Tab');
    assert.ok(!(await behind()), 'the page behind gets no focus');
    if ((await focused(page)).name === first.name) return;
  }
  assert.ok(await focusIsIn(dialog));
}

function focusIsVisible(page) {
  return page.evaluate(() => {
    const { outlineStyle, boxShadow } = getComputedStyle(document.activeElement);
    return outlineStyle !== 'none' || boxShadow !== 'none';
  });
}
