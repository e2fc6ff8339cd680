// The page works without this module: it is whole when it arrives. The module keeps it current from one
// stream of server-sent events and adds keys. The server renders everything; nothing here makes markup.

const find = (selector, root = document) => root.querySelector(selector);
const view = document.body.dataset.view;
document.documentElement.classList.add("scripted");

// --- bringing a rendered panel up to date in place -------------------------------------------------

// parse turns the server's markup into nodes. The server has escaped it; the policy forbids inline scripts.
function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

// The browser's own state of an element, which the server does not know.
const kept = new Set(["open"]);

// morph makes old like fresh and touches nothing that is the same already, so that focus, selection,
// scrolling and opened rows stay. Elements marked data-own are this module's and are left alone.
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) {
    old.data = fresh.data;
    return;
  }
  if (old.hasAttribute("data-own")) return;
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !kept.has(name)) old.removeAttribute(name);
  }
  if (old.id !== "filter") morphChildren(old, fresh);
}

// alike says whether one node can become the other.
const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && a.id === b.id;

function morphChildren(old, fresh) {
  const wanted = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    // What is gone makes way, and loose white space too, so that the rest need not move and keeps its focus.
    while (at && (at.id ? !wanted.has(at.id) : at.nodeType === Node.TEXT_NODE && child.id)) at = drop(at);
    const known = child.id ? named.get(child.id) : null;
    if (known && known !== at && alike(known, child)) {
      old.insertBefore(known, at);
      morph(known, child);
    } else if (at && alike(at, child)) {
      const next = at.nextSibling;
      morph(at, child);
      at = next;
    } else {
      old.insertBefore(child, at);
    }
  }
  while (at) at = drop(at);
}

function drop(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

function takePanel(html) {
  for (const fresh of [...parse(html).children]) {
    const old = document.getElementById(fresh.id);
    if (fresh.id === "detections" && !refiltered && reading()) hold(find("#rows", fresh).children);
    else if (old) morph(old, fresh);
    if (fresh.id === "detections") refiltered = false;
  }
}

// --- live detections -------------------------------------------------------------------------------

let paused = false;
let waiting = []; // rows that came while the list was held, newest first
let refiltered = false; // the next list answers a new filter
const list = () => find("#rows");

// reading: rows must not move under somebody who reads them.
function reading() {
  const rows = list();
  return rows && (paused || rows.matches(":hover") || rows.contains(document.activeElement) || find("details[open]", rows));
}

function takeRows(html) {
  if (!list()) return;
  hold(parse(html).children);
  if (!reading()) showRows();
}

// hold keeps rows, newest first, until they may be shown.
function hold(rows) {
  waiting.unshift(...[...rows].filter((row) => !row.id || !document.getElementById(row.id)));
  waiting.length = Math.min(waiting.length, Number(list().dataset.limit));
  showHeld();
}

// showRows puts the waiting rows on top and drops the oldest beyond the limit, except opened ones.
function showRows() {
  const rows = list();
  const focused = document.activeElement;
  rows.prepend(...waiting.filter((row) => !row.id || !document.getElementById(row.id)));
  waiting = [];
  const limit = Number(rows.dataset.limit);
  for (let row = rows.lastElementChild; row && rows.childElementCount > limit; ) {
    const before = row.previousElementSibling;
    if (!row.contains(focused) && !find("details[open]", row)) row.remove();
    row = before;
  }
  showHeld();
}

function showHeld() {
  const held = find("#held");
  const pause = find("#pause");
  if (!held) return;
  held.hidden = waiting.length === 0;
  held.textContent = `Show ${waiting.length} new`;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Go on" : "Pause";
}

function togglePause() {
  paused = !paused;
  if (!paused) showRows();
  showHeld();
}

// --- the stream ------------------------------------------------------------------------------------

let stream = null;
let retry = 0;

// connect opens the stream; its first events are the whole picture with the filter applied.
function connect() {
  disconnect();
  const query = new URLSearchParams({ view, q: new URLSearchParams(location.search).get("q") ?? "" });
  stream = new EventSource("/events?" + query);
  stream.addEventListener("open", () => tell("live", "live"));
  stream.addEventListener("panel", (event) => takePanel(event.data));
  stream.addEventListener("rows", (event) => takeRows(event.data));
  stream.addEventListener("error", () => {
    if (stream?.readyState !== EventSource.CLOSED) {
      tell("lost", "reconnecting; the picture stands still");
      return;
    }
    // An answer that is no stream: the session has ended, or too many pages are open.
    tell("lost", "cut off; reload the page to see why");
    retry = setTimeout(connect, 10000);
  });
}

function disconnect() {
  clearTimeout(retry);
  stream?.close();
  stream = null;
}

function tell(state, word) {
  const link = find("#link");
  const text = find(".word", link);
  if (text.textContent === word) return;
  link.dataset.state = state;
  text.textContent = word;
}

// A hidden page holds no connection: browsers allow six to one host, for all tabs together.
document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));

// --- the filter ------------------------------------------------------------------------------------

let typing = 0;

function applyFilter() {
  clearTimeout(typing);
  const filter = find("#filter");
  const url = new URL(location.href);
  if (filter.value.trim()) url.searchParams.set("q", filter.value.trim());
  else url.searchParams.delete("q");
  if (url.href === location.href) return;
  history.replaceState(null, "", url);
  waiting = [];
  refiltered = true;
  showHeld();
  connect();
}

document.addEventListener("input", (event) => {
  if (event.target.id !== "filter") return;
  clearTimeout(typing);
  typing = setTimeout(applyFilter, 250);
});

document.addEventListener("submit", (event) => {
  if (!event.target.matches(".filter")) return;
  event.preventDefault();
  applyFilter();
});

// --- buttons ---------------------------------------------------------------------------------------

const themes = ["auto", "dark", "light"];

async function nextTheme() {
  const button = find("#theme");
  const theme = button.value;
  const answer = await fetch("/theme", { method: "POST", body: new URLSearchParams({ theme, view }), redirect: "manual" });
  if (answer.type !== "opaqueredirect") return;
  document.documentElement.dataset.theme = theme;
  button.textContent = `Theme: ${theme}`;
  button.value = themes[(themes.indexOf(theme) + 1) % themes.length];
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.id === "pause") togglePause();
  if (button?.id === "held") showRows();
  if (button?.id === "help-open") find("#help").showModal();
  if (button?.id === "theme") {
    event.preventDefault();
    nextTheme();
  }
});

// --- keys ------------------------------------------------------------------------------------------

function move(step) {
  const rows = [...document.querySelectorAll("main .row")];
  if (rows.length === 0) return;
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = rows[at < 0 ? 0 : Math.min(Math.max(at + step, 0), rows.length - 1)];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

function escape(inFilter) {
  for (const open of document.querySelectorAll("#rows details[open]")) open.open = false;
  document.activeElement.blur();
  if (!inFilter && !paused) showRows();
}

const keys = {
  "/": () => find("#filter, #find")?.focus(),
  j: () => move(1),
  k: () => move(-1),
  p: () => list() && togglePause(),
  t: nextTheme,
  "?": () => find("#help").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || find("#help").open) return;
  const inFilter = event.target.matches("input");
  if (event.key === "Escape") return escape(inFilter);
  if (inFilter) return;
  const page = document.querySelectorAll("nav a")[Number(event.key) - 1];
  if (!keys[event.key] && !page) return;
  event.preventDefault();
  if (page) location.assign(page.href);
  else keys[event.key]();
});

// --- start -----------------------------------------------------------------------------------------

// The server writes the times; it learns the zone from this cookie.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
document.cookie = `tz=${encodeURIComponent(zone)}; path=/; samesite=strict; max-age=31536000`;
if (!document.hidden) connect();
