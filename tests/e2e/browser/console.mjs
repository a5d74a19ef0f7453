// Helpers for the admin pages. They find elements by their visible text.
import assert from 'node:assert/strict';

/** Signs in with an admin link. */
export async function signIn(page, link) {
  await page.goto(link);
  await page.waitForURL(/\/users$/);
}

/** Returns the row of a user or of a token. */
export function row(page, text) {
  return page.getByRole('row').filter({ hasText: text });
}

export async function openDialog(page, user) {
  await row(page, user).getByRole('button', { name: /new token url/i }).click();
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  return dialog;
}

/** Makes a token in the open dialog and returns its links. */
export async function make(dialog, { kind, hours, uses, note } = {}) {
  if (kind) await dialog.getByRole('radio', { name: kind }).check();
  if (hours) await dialog.getByLabel(/hours/i).fill(String(hours));
  if (uses) await dialog.getByLabel(/^uses/i).fill(String(uses));
  if (note) await dialog.getByLabel(/note/i).fill(note);
  await dialog.getByRole('button', { name: /create/i }).click();
  return shownLinks(dialog);
}

/** Returns the links that the dialog shows, by kind. */
export async function shownLinks(dialog) {
  await dialog.getByRole('button', { name: /copy/i }).first().waitFor();
  const found = await dialog.getByRole('textbox').evaluateAll((all) => all.map((f) => f.value));
  const one = (name, test) => {
    const links = found.filter(test);
    assert.equal(links.length, 1, `one ${name}`);
    return links[0];
  };
  return {
    importUrl: one('import link', (link) => link.startsWith('openvpn://import-profile/https://')),
    downloadUrl: one('https link', (link) => /^https:.*\?token=/.test(link)),
    shareUrl: one('share link', (link) => /^https:.*\/t\//.test(link)),
  };
}

export async function close(dialog) {
  await dialog.getByRole('button', { name: /^done$/i }).click();
  await dialog.waitFor({ state: 'hidden' });
}

export function autologinSwitch(page, user) {
  return row(page, user).getByRole('switch', { name: /autologin/i });
}
