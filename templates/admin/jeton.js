// The behavior of the admin pages that HTML alone cannot provide: copying, confirming,
// changing without a reload, and times in the reader's zone. Lists come from the server
// as HTML and are swapped in here. Changes go to /api/v1, which makes every decision.
// Nothing here builds HTML from text.

// An admin link has its token in the fragment. On every page, the fragment must leave
// the address bar and the history of this tab.
let fragment = takeFragment();

function takeFragment() {
  const text = location.hash.slice(1);
  if (text) history.replaceState(history.state, "", location.pathname + location.search);
  return text;
}

/** Returns `true` if a fragment is a token rather than an anchor of the page. */
function isToken(text) {
  return /^[\w-]{80,}$/.test(text);
}

addEventListener("hashchange", () => {
  if (!isToken(location.hash.slice(1))) return;
  fragment = takeFragment();
  handleFragment();
});

const $ = (selector, root = document) => root.querySelector(selector);
const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

// Times.

const minute = 60_000;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const isUtc = ["UTC", "Etc/UTC", "GMT"].includes(zone);
const day = { day: "numeric", month: "short", year: "numeric" };
const hour = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const second = { ...hour, second: "2-digit" };
const format = (options) => new Intl.DateTimeFormat("en-GB", options);
const localDay = format(day);
const localHour = format(hour);
const localSecond = format(second);
const utcDay = format({ ...day, timeZone: "UTC" });
const utcDate = format({ day: "numeric", month: "short", timeZone: "UTC" });
const utcHour = format({ ...hour, timeZone: "UTC" });
const utcSecond = format({ ...second, timeZone: "UTC" });

/** Returns `24 Nov 2026, 13:00 (12:00 UTC)`, with the UTC date only if it differs. */
function formatDate(date, local = localHour, inUtc = utcHour) {
  const utc = inUtc.format(date);
  if (isUtc) return `${utcDay.format(date)}, ${utc} UTC`;
  const here = localDay.format(date);
  const other = here === utcDay.format(date) ? utc : `${utcDate.format(date)}, ${utc}`;
  return `${here}, ${local.format(date)} (${other} UTC)`;
}

function withUnit(number, unit) {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** Formats a duration in its two largest units, rounded down as on the server. */
function formatDuration(milliseconds) {
  const minutes = Math.floor(milliseconds / minute);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const join = (large, unit, small, smaller) =>
    withUnit(large, unit) + (small ? ` ${withUnit(small, smaller)}` : "");
  if (days) return join(days, "day", hours % 24, "hour");
  if (hours) return join(hours, "hour", minutes % 60, "minute");
  return minutes ? withUnit(minutes, "minute") : "less than a minute";
}

/** Writes all times in the reader's zone, and the relative times beside them. */
function updateTimes(root = document) {
  for (const time of $$("time[datetime]", root)) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    time.textContent = formatTime(time, date);
    time.title = `${zone}; ${time.dateTime}`;
    const relative = $(".relative", time.parentElement);
    if (!relative) continue;
    const left = date.getTime() - Date.now();
    relative.textContent = left > 0 ? `in ${formatDuration(left)}` : `${formatDuration(-left)} ago`;
  }
}

function formatTime({ dataset }, date) {
  if (dataset.short !== undefined) return formatShort(date);
  return dataset.seconds === undefined ? formatDate(date) : formatDate(date, localSecond, utcSecond);
}

/** Returns the time of day, with the date if it is 20 hours or more away. */
function formatShort(date) {
  const isNear = date.getTime() - Date.now() < 20 * 60 * minute;
  return isNear ? localHour.format(date) : `${localDay.format(date)}, ${localHour.format(date)}`;
}

updateTimes();
setInterval(updateTimes, minute / 2);

// Messages.

/** Shows a message for a while. Screen readers read it out. */
function showToast(text, hint = "", isBad = false) {
  const region = $("#toasts");
  if (!region) return;
  const toast = document.createElement("div");
  toast.className = isBad ? "toast bad" : "toast";
  toast.append(text);
  if (hint) {
    const small = document.createElement("small");
    small.textContent = hint;
    toast.append(small);
  }
  region.append(toast);
  setTimeout(() => toast.remove(), isBad ? 20_000 : 6_000);
}

/** Shows an error of the API in `element`. */
function showError(element, error) {
  element.textContent = asSentence(error.message);
  if (error.hint) {
    const small = document.createElement("small");
    small.textContent = asSentence(error.hint);
    element.append(small);
  }
  element.hidden = false;
}

function asSentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
}

class ApiError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** Sends a request to the API. If the session has ended, goes to the sign-in page, which
 * leads back here. */
async function api(method, path, body) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, {
      method,
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
  } catch {
    throw new ApiError("the node does not answer", "is it running, and are you connected?");
  }
  const result = await response.json().catch(() => ({}));
  if (response.status === 401) return signIn();
  if (response.ok) return result;
  const error = result.error ?? {};
  throw new ApiError(error.message ?? `the node answers ${response.status}`, error.hint);
}

/** Goes to the sign-in page. The promise never settles, so callers stop there. */
function signIn() {
  const next = location.pathname + location.search;
  location.assign(`/sign-in?${new URLSearchParams({ next, why: "ended" })}`);
  return new Promise(() => {});
}

/** Runs `work` unless it is already running for `button`, which keeps the focus. */
async function busy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// Lists, which are reloaded without leaving the page.

let latestSwap = 0;

/** Replaces the list with that of `address` and keeps the focus. Returns `true` on
 * success. */
async function swap(address) {
  const number = ++latestSwap;
  let response;
  try {
    response = await fetch(address, { headers: { Accept: "text/html" } });
  } catch {
    return showToast("The node does not answer.", "Is it running, and are you connected?", true);
  }
  if (new URL(response.url).pathname === "/sign-in") return signIn();
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const list = $("#list", page);
  if (number !== latestSwap) return undefined;
  if (!list) return showToast($("main p", page)?.textContent ?? "That did not work.", "", true);
  const focused = document.activeElement;
  const findFocused = $("#list").contains(focused) ? finder(focused) : undefined;
  $("#list").replaceWith(document.adoptNode(list));
  updateTimes(list);
  $("#announcement").textContent = $(".count", list)?.textContent ?? "";
  if (findFocused) (findFocused() ?? $("#main")).focus();
  return true;
}

/** Returns a function that finds the same button in a reloaded list, by its row and its
 * task. */
function finder(element) {
  const task = ["new", "permit", "revoke", "revokeUser", "refresh"].find(
    (name) => element.dataset[name] !== undefined,
  );
  if (!task) return () => undefined;
  const row = element.closest("[data-id], tr[data-user]");
  const attribute = `[data-${task.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`;
  const { id, user } = row?.dataset ?? {};
  return () =>
    $$(attribute).find((candidate) => {
      const other = candidate.closest("[data-id], tr[data-user]")?.dataset ?? {};
      return other.id === id && other.user === user;
    });
}

for (const form of $$("form[data-live]")) {
  let timer;
  const load = () => {
    const query = new URLSearchParams(new FormData(form));
    for (const [key, value] of [...query]) if (!value.trim()) query.delete(key);
    const address = query.size ? `${form.getAttribute("action")}?${query}` : form.action;
    history.replaceState(null, "", address);
    return swap(address);
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(load, 250);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    load();
  });
}

// Selecting an option submits the filter.
for (const select of $$(".filter select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Dialogs. When one closes, the browser returns the focus to the button that opened it.
// If that button was replaced meanwhile, its successor gets the focus.

function open(dialog, opener) {
  const successor = finder(opener);
  dialog.addEventListener(
    "close",
    () => {
      if (!opener.isConnected) (successor() ?? $("#main")).focus();
    },
    { once: true },
  );
  dialog.showModal();
}

// Users.

const linksDialog = $("#new-links");
const createDialog = $("#new-token");
const createForm = $("form[data-create]");

/** Opens the dialog for a new token of the row's user. */
function openCreateDialog(button) {
  const row = button.closest("tr");
  const { user } = row.dataset;
  const permit = $("[data-permit]", row);
  const isPermitted = permit
    ? permit.getAttribute("aria-checked") === "true"
    : $("[data-permitted]", row)?.dataset.permitted === "true";
  createForm.reset();
  createForm.dataset.user = user;
  $("[data-name]", createDialog).textContent = user;
  $("[data-problem]", createDialog).hidden = true;
  $("[data-permission]", createDialog).disabled = !isPermitted;
  const reason = $("[data-why]", createDialog);
  reason.hidden = isPermitted;
  reason.textContent = permit
    ? `Turn on Allow Autologin for ${user} first.`
    : `${user} is not permitted; an admin can allow it.`;
  for (const input of $$("input", createForm)) input.removeAttribute("aria-invalid");
  createForm.uses.disabled = false;
  updateExpiry();
  open(createDialog, button);
  createForm.hours.focus();
  createForm.hours.select();
}

/** Shows until when the new token will be valid. */
function updateExpiry() {
  const hours = createForm.hours.valueAsNumber;
  const at = new Date(Date.now() + hours * 60 * minute);
  const isValid = createForm.hours.validity.valid && !Number.isNaN(at.getTime());
  $("[data-until]", createDialog).textContent = isValid ? `Until ${formatDate(at)}` : "";
}

/** Returns the first invalid field of the form and what is wrong with it. */
function firstFault(form) {
  const { hours, uses } = form;
  if (!hours.validity.valid) return [hours, `The hours must be a number from ${hours.min} to ${hours.max}.`];
  if (!uses.disabled && !uses.validity.valid) return [uses, "The uses must be a whole number, at least 1."];
  return [];
}

async function create() {
  const problem = $("[data-problem]", createDialog);
  problem.hidden = true;
  for (const input of $$("input", createForm)) input.removeAttribute("aria-invalid");
  const [field, fault] = firstFault(createForm);
  if (field) {
    field.setAttribute("aria-invalid", "true");
    showError(problem, new ApiError(fault));
    field.focus();
    return;
  }
  const { hours, uses, unlimited, note } = createForm;
  const body = {
    user: createForm.dataset.user,
    profile_type: $(":checked[name=profile_type]", createForm).value,
    lifetime: Math.max(1, Math.round(hours.valueAsNumber * 3600)),
    uses: unlimited.checked ? "unlimited" : uses.valueAsNumber,
  };
  if (note.value.trim()) body.note = note.value.trim();
  try {
    showLinks(await api("POST", "tokens", body));
  } catch (error) {
    showError(problem, error);
  }
}

// Whether any of the shown links was copied.
let isCopied = false;

/** Closes the links, which cannot be shown again. Asks first if none was copied. */
function closeLinks() {
  if (isCopied) linksDialog.close();
  else $("#leave").showModal();
}

/** Shows the links of a new token. They are not shown again. */
function showLinks(token) {
  const fact = (name, text) => {
    $(`[data-fact=${name}]`, linksDialog).textContent = text;
  };
  $("[data-name]", linksDialog).textContent = token.user;
  for (const input of $$("[data-link]", linksDialog)) {
    input.value = token[input.dataset.link];
    input.scrollLeft = 0;
  }
  fact("kind", $(`[value="${token.profile_type}"]`, createDialog).parentElement.querySelector("strong").textContent);
  fact("uses", token.uses === null ? "Unlimited" : String(token.uses));
  fact("expires", formatDate(new Date(token.expires_at)));
  fact("id", token.id);
  const image = new DOMParser().parseFromString(token.qr_svg, "image/svg+xml").documentElement;
  image.setAttribute("role", "img");
  image.setAttribute("aria-label", "QR code that imports this profile into OpenVPN Connect");
  $("[data-qr]", linksDialog).replaceChildren(document.adoptNode(image));
  isCopied = false;
  createDialog.close();
  const opener = document.activeElement;
  open(linksDialog, opener);
  $("h2", linksDialog).focus();
}

if (createForm) {
  createForm.addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("[type=submit]", createForm), create);
  });
  createForm.addEventListener("input", updateExpiry);
  createForm.unlimited.addEventListener("change", ({ target }) => {
    createForm.uses.disabled = target.checked;
  });
  linksDialog.addEventListener("copy", () => {
    isCopied = true;
  });
  // Chromium fires a cancelable `cancel` event only once in a row, so handle the key too.
  linksDialog.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    closeLinks();
  });
  linksDialog.addEventListener("cancel", (event) => {
    if (event.target !== linksDialog) return;
    event.preventDefault();
    closeLinks();
  });
  linksDialog.addEventListener("close", () => {
    for (const input of $$("[data-link]", linksDialog)) input.value = "";
    $("[data-qr]", linksDialog).replaceChildren();
    $("[data-copy-status]", linksDialog).textContent = "";
    for (const button of $$("[data-copy]", linksDialog)) button.textContent = "Copy";
  });
}

async function permit(button) {
  const { user } = button.closest("tr").dataset;
  const allowed = button.getAttribute("aria-checked") !== "true";
  try {
    await api("PUT", `users/${encodeURIComponent(user)}/autologin`, { allowed });
    button.setAttribute("aria-checked", String(allowed));
    showToast(allowed ? `${user} may have autologin profiles.` : `${user} may have no autologin profiles.`);
  } catch (error) {
    showToast(asSentence(error.message), error.hint && asSentence(error.hint), true);
  }
}

async function copy(button) {
  const input = document.getElementById(button.dataset.copy);
  const name = button.getAttribute("aria-label").replace("Copy ", "");
  const status = $("[data-copy-status]", linksDialog);
  status.textContent = "";
  const isWritten = await navigator.clipboard?.writeText(input.value).then(
    () => true,
    () => false,
  );
  if (!isWritten) {
    input.focus();
    input.select();
    status.textContent = `This browser does not let the page copy; the ${name} is selected, copy it yourself.`;
    return;
  }
  isCopied = true;
  button.textContent = "Copied";
  status.textContent = `Copied the ${name}.`;
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2_500);
}

// Tokens.

/** Asks for confirmation, then revokes. A revocation cannot be undone. */
function confirmRevocation(opener, title, text, confirm, body, done) {
  const dialog = $("#revoke");
  const problem = $("[data-problem]", dialog);
  const button = $("[data-confirm]", dialog);
  problem.hidden = true;
  $("[data-title]", dialog).textContent = title;
  $("[data-text]", dialog).textContent = text;
  button.textContent = confirm;
  dialog.onsubmit = (event) => {
    event.preventDefault();
    busy(button, async () => {
      try {
        await api("POST", "revocations", body);
      } catch (error) {
        showError(problem, error);
        return;
      }
      await swap(location.href);
      dialog.close();
      showToast(done);
    });
  };
  open(dialog, opener);
  $("[data-close]", dialog).focus();
}

function revoke(button) {
  const { id, user, expires } = button.closest("tr").dataset;
  confirmRevocation(
    button,
    `Revoke this token of ${user}?`,
    `Its link stops working at once, everywhere. This cannot be undone. ID ${id}.`,
    "Revoke",
    { token: id, expires_at: expires },
    `Revoked a token of ${user}.`,
  );
}

function revokeUser(button) {
  const user = button.dataset.revokeUser;
  confirmRevocation(
    button,
    `Revoke all links of ${user}?`,
    `Every link for ${user} that was made until now stops working, including those minted offline that are not in this list. Links made later work. This cannot be undone.`,
    "Revoke all",
    { user },
    `Revoked all links of ${user} made until now.`,
  );
}

async function refresh() {
  if (await swap(location.href)) showToast("The list is up to date.");
}

// One listener serves all buttons, because lists are replaced.
const tasks = {
  new: openCreateDialog,
  permit: (button) => busy(button, () => permit(button)),
  copy: (button) => copy(button),
  revoke,
  revokeUser,
  refresh: (button) => busy(button, refresh),
  close: (button) => button.closest("dialog").close(),
  closeLinks,
  leave: (button) => {
    button.closest("dialog").close();
    linksDialog.close();
  },
};
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || button.disabled) return;
  for (const [name, task] of Object.entries(tasks)) {
    if (button.dataset[name] !== undefined) task(button);
  }
});

// Signing in.

const signInForm = $("form[data-sign-in]");

/** Handles the token or the marker in the fragment of the address. */
function handleFragment() {
  if (signInForm) return signInByLink();
  if (isToken(fragment) || fragment === "signed-in") showSignedInUser();
  return undefined;
}

/** Shows who is signed in. A link never replaces a session: anyone could have sent it. */
function showSignedInUser() {
  const name = $(".who strong")?.textContent;
  if (name) showToast(`You are signed in as ${name}.`, "Sign out to use another link.", true);
}

/** Signs in with the token of the link, unless there is a session. */
async function signInByLink() {
  const hasToken = isToken(fragment);
  // Leaves an error message on screen.
  if (!hasToken && $("#problem")) return;
  // A browser that follows a link from another site sends no cookie, so this page can
  // appear despite a session.
  const page = await fetch(location.href, { redirect: "manual" }).catch(() => undefined);
  if (page?.type === "opaqueredirect") {
    const next = signInForm.elements.next.value || "/users";
    location.replace(hasToken ? `${next}#signed-in` : next);
    return;
  }
  await page?.text();
  if (!hasToken) return;
  signInForm.elements.token.value = fragment;
  signInForm.requestSubmit();
}

await handleFragment();
