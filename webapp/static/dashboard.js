// Keeps the dashboard in step with its address and with the numbers: fetches what moves, and draws the charts.
import { fetched, Unanswered } from "./asking.js";
import { drawLines, drawPie, colour, redrawAll } from "./charts.js";
import { fillTable, keepingFocus } from "./tables.js";

const EVERY_MS = 2000;
const LONG_EVERY_MS = 10000;
const FILTERS = ["category", "brand", "source", "lang", "kind", "reposts", "by"];
const STATE = ["as_of", "at"];
const PARTS = ["live", "ranges", "summary", "categories", "brands", "days"];

const byId = (id) => document.getElementById(id);
const form = byId("filter");

// The server's words for each part, as last put in place: the page opens details and paints in them.
const said = new Map(PARTS.map((id) => [id, byId(id).innerHTML]));

let measure = "n";
let seen = {};
let lastTrend = null;
let round = 0;

function asked() {
  return new URLSearchParams(location.search);
}

function only(params, names) {
  const kept = new URLSearchParams();
  for (const name of names) if (params.get(name)) kept.set(name, params.get(name));
  return kept;
}

// What a fetch brought, or null where it is what the last one brought.
async function changed(url) {
  const asking = round;
  const text = await fetched(url);
  if (seen[url] === text) return null;
  if (asking === round) seen[url] = text; // else nobody draws it, and the next one must
  return text;
}

function say(message) {
  const lost = byId("lost");
  if (lost.hidden === (message === null) && lost.textContent === (message ?? "")) return; // it would be read aloud again
  lost.hidden = message === null;
  lost.textContent = message ?? "";
}

// Puts new content in place, keeping the focus where it was, opened details open and tables where they were scrolled to.
function put(id, fresh) {
  const here = byId(id);
  const there = fresh.getElementById(id);
  if (!there || said.get(id) === there.innerHTML) return;
  said.set(id, there.innerHTML);
  const open = [...here.querySelectorAll("details")].map((one) => one.open);
  const scrolled = [...here.querySelectorAll(".scroll")].map((one) => [one.scrollLeft, one.scrollTop]);
  keepingFocus(here, () => {
    here.replaceChildren(...there.childNodes);
    here.querySelectorAll("details").forEach((one, at) => { one.open = open[at] ?? false; });
    here.querySelectorAll(".scroll").forEach((one, at) => { [one.scrollLeft, one.scrollTop] = scrolled[at] ?? [0, 0]; });
  });
}

function showNumbers(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  if (!fresh.getElementById("days")) throw new Unanswered("Something else answers in place of the dashboard's server. Reload this page.");
  for (const id of PARTS) put(id, fresh);
  document.title = fresh.title;
  moveTo(fresh.getElementById("days").dataset);
  paint();
}

// The days that the numbers are of, as the server says them: an address without days has other ones after midnight.
function shownDays() {
  return byId("days").dataset;
}

function moveTo({ first, last }) {
  const here = shownDays();
  if (first === here.first && last === here.last) return; // somebody may be typing a date
  Object.assign(here, { first, last });
  seen = {}; // a trend of these days that was fetched before is not the one that is drawn
  fillDays();
}

function paint() {
  const by = asked().get("by") || "category";
  byId("pie-by").textContent = by;
  const rows = [...document.querySelectorAll(`table.drinks[data-by="${by}"] tbody tr[data-value]`)];
  const names = rows.map((row) => row.dataset.value);
  for (const swatch of document.querySelectorAll("[data-swatch]")) {
    swatch.style.background = swatch.classList.contains("on") ? colour(swatch.dataset.swatch, names) : "";
  }
  const slices = rows.map((row) => ({
    name: row.dataset.value, value: Number(row.dataset.n), itemStyle: { color: colour(row.dataset.value, names) },
  }));
  // where the question picks one row, the others are still part of the mix
  const whole = Number(document.querySelector(`table.drinks[data-by="${by}"]`).dataset.mixTotal);
  const rest = whole - slices.reduce((sum, one) => sum + one.value, 0);
  drawPie(byId("pie"), slices, rest, (name) => {
    const link = rows.find((row) => row.dataset.value === name)?.querySelector("td.num a");
    if (link) location.assign(link.href);
  });
}

// A trend as it came, with what it was asked with: its links lead to the posts of that question, also where another one
// was asked since and refused. `whole` is what a share divides by, as [category, brand], in the server's words.
function came(text, params) {
  const answer = JSON.parse(text);
  const { category, brand } = document.querySelector(`table.drinks[data-by="${answer.by}"]`).dataset;
  return { answer, params, whole: [category, brand] };
}

// The address of the posts behind one number of a trend: of a series, or of the denominator where `one` is null.
function postsUrl({ answer, params, whole }, one, at) {
  const question = only(params, ["source", "lang", "kind", "reposts"]);
  const [category, brand] = one ? [one.category, one.brand] : whole;
  if (category) question.set("category", category);
  if (brand) question.set("brand", brand);
  question.set("period", answer.periods[at].slice(0, answer.grain === "hour" ? 13 : 16));
  question.set("at", answer.at);
  return `/posts?${question}`;
}

// Draws a trend as lines, and lists it as text; both lead to the posts.
function showLines(chart, table, trend, what) {
  const url = (one, at) => postsUrl(trend, one, at);
  drawLines(byId(chart), trend.answer, what, only(trend.params, FILTERS).toString(), (one, at) => location.assign(url(one, at)));
  fillTable(byId(table), trend.answer, what, url);
}

function manyDays() {
  const { first, last } = shownDays();
  return (Date.parse(last) - Date.parse(first)) / 86400000 + 1;
}

async function showTrend(params, mine) {
  const question = only(params, [...FILTERS, ...STATE]);
  const { first, last } = shownDays();
  question.set("from", first);
  question.set("to", last);
  question.set("grain", params.get("grain") || (manyDays() > 7 ? "day" : "hour"));
  const text = await changed(`/api/v1/trend?${question}`);
  if (text === null || mine !== round) return;
  lastTrend = came(text, params);
  drawTrend();
}

function drawTrend() {
  if (lastTrend) showLines("trend", "trend-table", lastTrend, measure);
}

async function showNow(params, mine) {
  const question = only(params, FILTERS);
  question.set("grain", "minute");
  question.set("last", "60");
  const text = await changed(`/api/v1/trend?${question}`);
  if (text === null || mine !== round) return;
  const now = came(text, params);
  const { answer } = now;
  showLines("now", "now-table", now, "n");
  const holes = answer.totals.filter((total) => total === null).length;
  const none = answer.totals.every((total) => !total);
  byId("now-hole").hidden = holes === 0 && !none;
  byId("now-hole").textContent = holes ? "Minutes that no layer can answer for are left out of the lines." : "No post of the last hour was counted yet.";
  const until = answer.freshness.stale_since ?? answer.freshness.until;
  byId("now-updated").textContent = until ? `updated ${until.slice(11, 19)}` : "no live layer answers for this hour";
}

async function refresh() {
  const mine = (round += 1);
  const params = asked();
  try {
    const numbers = await changed(`/numbers?${params}`);
    if (mine !== round) return;
    if (numbers !== null) showNumbers(numbers);
    await Promise.all([showNow(params, mine), showTrend(params, mine)]);
    if (mine === round) say(null);
  } catch (error) {
    if (error instanceof Unanswered) {
      if (mine === round) say(error.message); // else another question was asked meanwhile
      return;
    }
    seen = {}; // what could not be drawn is to be drawn again
    say(`The numbers came, but this page cannot draw them: ${error.message}. Reload it; what it shows may be old.`);
    reportError(error);
  }
}

async function keepGoing() {
  for (;;) {
    if (!document.hidden) await refresh();
    const wait = manyDays() > 93 ? LONG_EVERY_MS : EVERY_MS;
    await new Promise((done) => setTimeout(done, wait));
  }
}

// The address says what is shown, so it can be shared and the back button works.
function go(url) {
  // Enter in a field is a change and then a submit: one step back must undo both
  if (new URL(url, location.href).search !== location.search) history.pushState(null, "", url);
  fillForm();
  seen = {};
  refresh();
}

function fillForm() {
  const params = asked();
  for (const field of form.elements) {
    if (field.name) field.value = params.get(field.name) ?? "";
    if (field.selectedIndex === -1) field.value = ""; // what is so unless chosen may stand in an address: reposts=exclude
  }
  fillDays();
}

function fillDays() {
  const params = asked();
  const { first, last } = shownDays();
  form.elements.from.value = params.get("from") || first;
  form.elements.to.value = params.get("to") || last;
}

function submit() {
  if (!form.reportValidity()) return;
  const params = only(asked(), STATE);
  for (const [name, value] of new FormData(form)) if (value) params.set(name, value);
  go(`/?${params}`);
}

form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
form.addEventListener("change", () => { if (form.checkValidity()) submit(); });
window.addEventListener("pageshow", fillForm); // a browser that restores a page puts back what stood in its fields
window.addEventListener("popstate", () => { if (location.pathname === "/") { fillForm(); seen = {}; refresh(); } });
document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-go]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    const to = link.href.baseVal ?? link.getAttribute("href"); // a link in an SVG has an animated one
    if (to === "/") location.assign("/");
    else go(to);
  }
  const button = event.target.closest("[data-measure]");
  if (button) {
    measure = button.dataset.measure;
    for (const one of document.querySelectorAll("[data-measure]")) one.setAttribute("aria-pressed", String(one === button));
    drawTrend();
  }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { paint(); redrawAll(); });

// Which state is asked about stands in the address, and goes with it; the form carries it where no script runs only.
for (const name of STATE) form.elements[name]?.remove();
paint();
keepGoing();
