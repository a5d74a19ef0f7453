// What the operators' pages do that a plain page cannot: copy, confirm, change
// without loading anew, and say times in the reader's zone. Lists come from the
// server as HTML and are only swapped here; changes go to /api/v1, which alone
// decides. Nothing here writes HTML from text.

// A link to sign in has its token behind the `#`. Whatever page it led to, it
// must not stay in the address bar or in the history of this tab.
let fragment = takeFragment();

function takeFragment() {
  const text = location.hash.slice(1);
  if (text) history.replaceState(history.state, "", location.pathname + location.search);
  return text;
}

/** Tells whether a fragment is a token, and no place on a page. */
function isToken(text) {
  return /^[\w-]{80,}$/.test(text);
}

addEventListener("hashchange", () => {
  if (!isToken(location.hash.slice(1))) return;
  fragment = takeFragment();
  arrive();
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

/** `24 Nov 2026, 13:00 (12:00 UTC)`; the date in UTC only where it differs. */
function moment(date, local = localHour, universal = utcHour) {
  const utc = universal.format(date);
  if (isUtc) return `${utcDay.format(date)}, ${utc} UTC`;
  const here = localDay.format(date);
  const other = here === utcDay.format(date) ? utc : `${utcDate.format(date)}, ${utc}`;
  return `${here}, ${local.format(date)} (${other} UTC)`;
}

function counted(number, unit) {
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}

/** Rounded down like the server's, in the two largest units. */
function span(milliseconds) {
  const minutes = Math.floor(milliseconds / minute);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const join = (large, unit, small, smaller) =>
    counted(large, unit) + (small ? ` ${counted(small, smaller)}` : "");
  if (days) return join(days, "day", hours % 24, "hour");
  if (hours) return join(hours, "hour", minutes % 60, "minute");
  return minutes ? counted(minutes, "minute") : "less than a minute";
}

function tellTimes(root = document) {
  for (const time of $$("time[datetime]", root)) {
    const date = new Date(time.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    time.textContent = written(time, date);
    time.title = `${zone}; ${time.dateTime}`;
    const relative = $(".relative", time.parentElement);
    if (!relative) continue;
    const left = date.getTime() - Date.now();
    relative.textContent = left > 0 ? `in ${span(left)}` : `${span(-left)} ago`;
  }
}

function written({ dataset }, date) {
  if (dataset.short !== undefined) return shortly(date);
  return dataset.seconds === undefined ? moment(date) : moment(date, localSecond, utcSecond);
}

/** The hour alone while that is clear, else the day as well. */
function shortly(date) {
  const isNear = date.getTime() - Date.now() < 20 * 60 * minute;
  return isNear ? localHour.format(date) : `${localDay.format(date)}, ${localHour.format(date)}`;
}

tellTimes();
setInterval(tellTimes, minute / 2);

// What was done, and what went wrong.

/** Says something for a while, to eyes and to screen readers. */
function say(text, hint = "", isBad = false) {
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

/** Shows in `place` what the API said. */
function complain(place, error) {
  place.textContent = sentence(error.message);
  if (error.hint) {
    const small = document.createElement("small");
    small.textContent = sentence(error.hint);
    place.append(small);
  }
  place.hidden = false;
}

function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.?!]$/.test(text) ? "" : ".");
}

class ApiError extends Error {
  constructor(message, hint) {
    super(message);
    this.hint = hint;
  }
}

/** Asks the API. A session that ended leads to the sign-in and back again. */
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
  const answer = await response.json().catch(() => ({}));
  if (response.status === 401) return signIn();
  if (response.ok) return answer;
  const error = answer.error ?? {};
  throw new ApiError(error.message ?? `the node answers ${response.status}`, error.hint);
}

/** Goes to the sign-in page; what waits for an answer waits for good. */
function signIn() {
  const next = location.pathname + location.search;
  location.assign(`/sign-in?${new URLSearchParams({ next, why: "ended" })}`);
  return new Promise(() => {});
}

/** Runs `work` once at a time for `button`, and keeps the focus there. */
async function busy(button, work) {
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

// Lists: loaded anew without leaving the page.

let newest = 0;

/** Swaps the list for that of `address`, and keeps the focus where it was. */
async function swap(address) {
  const turn = ++newest;
  let response;
  try {
    response = await fetch(address, { headers: { Accept: "text/html" } });
  } catch {
    return say("The node does not answer.", "Is it running, and are you connected?", true);
  }
  if (new URL(response.url).pathname === "/sign-in") return signIn();
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const list = $("#list", page);
  if (turn !== newest) return undefined;
  if (!list) return say($("main p", page)?.textContent ?? "That did not work.", "", true);
  const focused = document.activeElement;
  const path = $("#list").contains(focused) ? place(focused) : undefined;
  $("#list").replaceWith(document.adoptNode(list));
  tellTimes(list);
  $("#heard").textContent = $(".count", list)?.textContent ?? "";
  if (path) (path() ?? $("#main")).focus();
  return true;
}

/** How to find an element again in the next list: by its row and its task. */
function place(element) {
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

// A choice in a list of choices needs no button.
for (const select of $$(".filter select")) {
  select.addEventListener("change", () => select.form.requestSubmit());
}

// Dialogs. The browser gives the focus back to whoever opened one; if that is
// gone meanwhile, its successor has it.

function open(dialog, opener) {
  const successor = place(opener);
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

const made = $("#token-made");
const order = $("#new-token");
const createForm = $("form[data-create]");

/** Opens the form for a new token of the row's user. */
function askForToken(button) {
  const row = button.closest("tr");
  const { user } = row.dataset;
  const permit = $("[data-permit]", row);
  const isPermitted = permit
    ? permit.getAttribute("aria-checked") === "true"
    : $("[data-permitted]", row)?.dataset.permitted === "true";
  createForm.reset();
  createForm.dataset.user = user;
  $("[data-name]", order).textContent = user;
  $("[data-problem]", order).hidden = true;
  $("[data-permission]", order).disabled = !isPermitted;
  const why = $("[data-why]", order);
  why.hidden = isPermitted;
  why.textContent = permit
    ? `Turn on Allow Autologin for ${user} first.`
    : `${user} is not permitted; an admin can allow it.`;
  for (const input of $$("input", createForm)) input.removeAttribute("aria-invalid");
  createForm.uses.disabled = false;
  tellUntil();
  open(order, button);
  createForm.hours.focus();
  createForm.hours.select();
}

function tellUntil() {
  const hours = createForm.hours.valueAsNumber;
  const at = new Date(Date.now() + hours * 60 * minute);
  const isGood = createForm.hours.validity.valid && !Number.isNaN(at.getTime());
  $("[data-until]", order).textContent = isGood ? `Until ${moment(at)}` : "";
}

/** Tells the first thing that is wrong with the form, in words. */
function faultOf(form) {
  const { hours, uses } = form;
  if (!hours.validity.valid) return [hours, `The hours must be a number from ${hours.min} to ${hours.max}.`];
  if (!uses.disabled && !uses.validity.valid) return [uses, "The uses must be a whole number, at least 1."];
  return [];
}

async function create() {
  const problem = $("[data-problem]", order);
  problem.hidden = true;
  for (const input of $$("input", createForm)) input.removeAttribute("aria-invalid");
  const [field, fault] = faultOf(createForm);
  if (field) {
    field.setAttribute("aria-invalid", "true");
    complain(problem, new ApiError(fault));
    field.focus();
    return;
  }
  const { hours, uses, unlimited, note } = createForm;
  const wish = {
    user: createForm.dataset.user,
    profile_type: $(":checked[name=profile_type]", createForm).value,
    lifetime: Math.max(1, Math.round(hours.valueAsNumber * 3600)),
    uses: unlimited.checked ? "unlimited" : uses.valueAsNumber,
  };
  if (note.value.trim()) wish.note = note.value.trim();
  try {
    show(await api("POST", "tokens", wish));
  } catch (error) {
    complain(problem, error);
  }
}

// Whether something of the links that are shown was taken.
let isCopied = false;

/** Closes the links, which are gone then; who took none of them is asked. */
function putAway() {
  if (isCopied) made.close();
  else $("#leave").showModal();
}

/** Shows a token that was made. This is the only time. */
function show(token) {
  const fact = (name, text) => {
    $(`[data-fact=${name}]`, made).textContent = text;
  };
  $("[data-name]", made).textContent = token.user;
  for (const input of $$("[data-link]", made)) {
    input.value = token[input.dataset.link];
    input.scrollLeft = 0;
  }
  fact("kind", $(`[value="${token.profile_type}"]`, order).parentElement.querySelector("strong").textContent);
  fact("uses", token.uses === null ? "Unlimited" : String(token.uses));
  fact("expires", moment(new Date(token.expires_at)));
  fact("id", token.id);
  const drawing = new DOMParser().parseFromString(token.qr_svg, "image/svg+xml").documentElement;
  drawing.setAttribute("role", "img");
  drawing.setAttribute("aria-label", "QR code that imports this profile into OpenVPN Connect");
  $("[data-qr]", made).replaceChildren(document.adoptNode(drawing));
  isCopied = false;
  order.close();
  const opener = document.activeElement;
  open(made, opener);
  $("h2", made).focus();
}

if (createForm) {
  createForm.addEventListener("submit", (event) => {
    event.preventDefault();
    busy($("[type=submit]", createForm), create);
  });
  createForm.addEventListener("input", tellUntil);
  createForm.unlimited.addEventListener("change", ({ target }) => {
    createForm.uses.disabled = target.checked;
  });
  made.addEventListener("copy", () => {
    isCopied = true;
  });
  // Chromium asks the event `cancel` only once in a row.
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    event.preventDefault();
    putAway();
  });
  made.addEventListener("cancel", (event) => {
    if (event.target !== made) return;
    event.preventDefault();
    putAway();
  });
  made.addEventListener("close", () => {
    for (const input of $$("[data-link]", made)) input.value = "";
    $("[data-qr]", made).replaceChildren();
    $("[data-said]", made).textContent = "";
    for (const button of $$("[data-copy]", made)) button.textContent = "Copy";
  });
}

async function permit(button) {
  const { user } = button.closest("tr").dataset;
  const allowed = button.getAttribute("aria-checked") !== "true";
  try {
    await api("PUT", `users/${encodeURIComponent(user)}/autologin`, { allowed });
    button.setAttribute("aria-checked", String(allowed));
    say(allowed ? `${user} may have autologin profiles.` : `${user} may have no autologin profiles.`);
  } catch (error) {
    say(sentence(error.message), error.hint && sentence(error.hint), true);
  }
}

async function copy(button) {
  const input = document.getElementById(button.dataset.copy);
  const what = button.getAttribute("aria-label").replace("Copy ", "");
  const said = $("[data-said]", made);
  said.textContent = "";
  const isTaken = await navigator.clipboard?.writeText(input.value).then(
    () => true,
    () => false,
  );
  if (!isTaken) {
    input.focus();
    input.select();
    said.textContent = `This browser does not let the page copy; the ${what} is selected, copy it yourself.`;
    return;
  }
  isCopied = true;
  button.textContent = "Copied";
  said.textContent = `Copied the ${what}.`;
  setTimeout(() => {
    button.textContent = "Copy";
  }, 2_500);
}

// Tokens.

/** Asks before something is revoked; there is no way back. */
function askToRevoke(opener, title, text, confirm, wish, done) {
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
        await api("POST", "revocations", wish);
      } catch (error) {
        complain(problem, error);
        return;
      }
      await swap(location.href);
      dialog.close();
      say(done);
    });
  };
  open(dialog, opener);
  $("[data-close]", dialog).focus();
}

function revoke(button) {
  const { id, user, expires } = button.closest("tr").dataset;
  askToRevoke(
    button,
    `Revoke this token of ${user}?`,
    `Its link stops working at once, everywhere. This cannot be undone. Id ${id}.`,
    "Revoke",
    { token: id, expires_at: expires },
    `Revoked a token of ${user}.`,
  );
}

function revokeUser(button) {
  const user = button.dataset.revokeUser;
  askToRevoke(
    button,
    `Revoke all of ${user}?`,
    `Every link for ${user} that was made until now stops working, also those minted offline that are not in this list. Links made later work. This cannot be undone.`,
    "Revoke all",
    { user },
    `Revoked all tokens of ${user} made until now.`,
  );
}

async function refresh() {
  if (await swap(location.href)) say("The list is up to date.");
}

// One ear for all buttons, because lists come and go.
const tasks = {
  new: askForToken,
  permit: (button) => busy(button, () => permit(button)),
  copy: (button) => copy(button),
  revoke,
  revokeUser,
  refresh: (button) => busy(button, refresh),
  close: (button) => button.closest("dialog").close(),
  putAway,
  leave: (button) => {
    button.closest("dialog").close();
    made.close();
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

const entry = $("form[data-sign-in]");

/** Does what the fragment of the address asked for. */
function arrive() {
  if (entry) return enter();
  if (isToken(fragment) || fragment === "signed-in") tellWhoIsIn();
  return undefined;
}

/** A link changes nobody's session: it may come from anybody. */
function tellWhoIsIn() {
  const name = $(".who strong")?.textContent;
  if (name) say(`You are signed in as ${name}.`, "Sign out to use another link.", true);
}

/** Signs in with the token of the link, unless somebody is signed in. */
async function enter() {
  const hasToken = isToken(fragment);
  // Who was just told of a problem is to read it.
  if (!hasToken && $("#problem")) return;
  // A link from elsewhere comes without the cookie, and ends here although
  // there is a session.
  const page = await fetch(location.href, { redirect: "manual" }).catch(() => undefined);
  if (page?.type === "opaqueredirect") {
    const next = entry.elements.next.value || "/users";
    location.replace(hasToken ? `${next}#signed-in` : next);
    return;
  }
  await page?.text();
  if (!hasToken) return;
  entry.elements.token.value = fragment;
  entry.requestSubmit();
}

await arrive();
