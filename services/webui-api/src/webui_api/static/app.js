// Asks the API every few seconds, shows what it said, how old that is, and what failed. It changes nothing.

import * as view from "/page/view.js";

const { age, by, element, said, words } = view;
const POLL_MS = 5_000;
const SLOW_MS = 30_000;
const TIMEOUT_MS = 8_000;
const OLD_SECONDS = 15;
const TOKEN = "api-token";
const SPANS = [60, 240, 1440]; // minutes of the price chart
const PERIODS = ["24h", "7d", "30d", "all"];

let span = window.innerWidth < 600 ? 60 : 240;
let period = "all";
let polling = null;
let locked = false;

/** What is asked for: its path, how often, its newest answer with its time, and what went wrong since. */
const part = (path, every = POLL_MS) => ({ path, every, answer: null, at: null, asked: -Infinity, problem: null });
const parts = {
  status: part(() => "/api/status"),
  price: part(() => "/api/price"),
  candles: part(() => `/api/candles?limit=${span}`),
  decisions: part(() => "/api/decisions?limit=40"),
  trades: part(() => "/api/trades?limit=8"),
  equity: part(() => `/api/equity?period=${period}`, SLOW_MS),
  today: part(() => "/api/performance?period=today", SLOW_MS),
};

class Unauthorised extends Error {}

function portLink(port, path) {
  return Number(port) ? `${location.protocol}//${location.hostname}:${Number(port)}${path}` : null;
}
const exporterLink = portLink(document.body.dataset.exporterPort, "/mode");
const grafanaLink = portLink(document.body.dataset.grafanaPort, "/");

async function ask(one) {
  const token = sessionStorage.getItem(TOKEN);
  one.asked = Date.now();
  const path = one.path();
  let response;
  let body;
  try {
    response = await fetch(path, {
      headers: { accept: "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) },
      cache: "no-store",
      credentials: "omit",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    body = await response.json();
  } catch (error) {
    one.problem = { status: response?.status ?? 0, text: String(error.message ?? error) };
    return;
  }
  if (response.status === 401) throw new Unauthorised();
  if (path !== one.path()) return; // the person chose another span meanwhile: that answer is on its way
  if (response.ok) Object.assign(one, { answer: body, at: Date.now(), problem: null });
  else one.problem = { status: response.status, text: [body.error, body.detail].filter((text) => typeof text === "string").join(": ") };
}

async function poll() {
  clearTimeout(polling);
  const now = Date.now();
  const due = Object.values(parts).filter((one) => one.problem !== null || now - one.asked >= one.every - 500);
  const slow = due.filter((one) => one.every > POLL_MS);
  try {
    await Promise.all(due.filter((one) => !slow.includes(one)).map(ask));
    show();
    await Promise.all(slow.map(ask));
    if (slow.length) show();
  } catch (error) {
    if (!(error instanceof Unauthorised)) throw error;
    lock();
    return;
  } finally {
    clearTimeout(polling);
    if (!locked && !document.hidden) polling = setTimeout(poll, POLL_MS);
  }
}

/** Ask for the token; without it there is nothing to show. */
function lock() {
  by("login-problem").textContent = sessionStorage.getItem(TOKEN) === null ? "" : words.token_wrong;
  sessionStorage.removeItem(TOKEN);
  locked = true;
  for (const one of Object.values(parts)) Object.assign(one, { answer: null, at: null, asked: -Infinity, problem: null });
  for (const id of ["content", "trouble", "state", "forget"]) by(id).hidden = true;
  by("freshness").textContent = "";
  by("login").hidden = false;
  by("token").focus();
}

function unlock(event) {
  event.preventDefault();
  const token = by("token").value.trim();
  by("token").value = "";
  by("login-problem").textContent = "";
  if (!/^[\x21-\x7e]+$/.test(token)) {
    by("login-problem").textContent = words.token_wrong;
    return;
  }
  sessionStorage.setItem(TOKEN, token);
  locked = false;
  by("login").hidden = true;
  by("freshness").textContent = words.loading;
  poll();
}

function show() {
  const { status, price, candles, decisions, trades, equity, today } = parts;
  by("content").hidden = status.answer === null;
  by("forget").hidden = sessionStorage.getItem(TOKEN) === null;
  if (status.answer) {
    view.showMoney(status.answer);
    view.showNotes(status.answer);
    view.showMode(status.answer, exporterLink);
    view.showPosition(status.answer);
    view.showResult(status.answer, today.answer);
    view.showServices(status.answer);
  }
  if (decisions.answer) view.showDecisions(decisions.answer);
  if (trades.answer) view.showTrades(trades.answer);
  draw();
  tell();
}

/** The charts need the room that they have, so they are drawn anew when it changes. */
function draw() {
  const { status, price, candles, equity } = parts;
  if (by("content").hidden) return;
  if (candles.answer) view.showChart(candles.answer, price.problem ? null : price.answer, status.answer);
  if (equity.answer) view.showCurve(equity.answer);
}

/** How old everything is, and what failed: every second, whether or not an answer came. */
function tell() {
  if (locked) return;
  const { status, price } = parts;
  const seconds = status.at === null ? null : (Date.now() - status.at) / 1000;
  const old = seconds !== null && seconds > OLD_SECONDS;
  if (seconds !== null) by("freshness").textContent = said("updated", { age: age(seconds) });
  by("freshness").classList.toggle("bad", old);
  by("content").classList.toggle("old", old);
  if (old) view.showState("unknown");
  const missing = price.problem?.status === 503; // an answer, too: there is no price, and why
  view.showPrice(missing ? null : price.answer, (Date.now() - price.at) / 1000, price.problem?.text);
  complain(status.problem ? [`${said(failure(status))} ${status.problem.text}`] : outdated(missing));
}

function failure(status) {
  if (status.at === null) return "never_answered";
  return status.problem.status ? "api_failed" : "no_answer";
}

function outdated(priceIsMissing) {
  return Object.entries(parts)
    .filter(([name, one]) => one.problem !== null && !(name === "price" && priceIsMissing))
    .map(([, one]) => `${one.path()} ${words.failed_part}: ${one.problem.text}`);
}

/** Only what is new is written, because screen readers read all that is. */
function complain(lines) {
  const box = by("trouble");
  if (box.dataset.shown === JSON.stringify(lines)) return;
  box.dataset.shown = JSON.stringify(lines);
  box.hidden = lines.length === 0;
  box.replaceChildren(...lines.map((line) => element("p", "", line)));
}

function choices(container, values, name, chosen, choose) {
  const buttons = values.map((value) => {
    const button = element("button", "", said(`${name}_${value}`));
    button.type = "button";
    button.setAttribute("aria-pressed", String(value === chosen));
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      choose(value);
    });
    return button;
  });
  by(container).replaceChildren(...buttons);
}

function askAnew(one) {
  one.asked = -Infinity;
  poll();
}

choices("spans", SPANS, "span", span, (value) => {
  span = value;
  askAnew(parts.candles);
});
choices("periods", PERIODS, "period", period, (value) => {
  period = value;
  askAnew(parts.equity);
});
for (const [link, name] of [[exporterLink, "change_mode"], [grafanaLink, "dashboard"]]) {
  if (link === null) continue;
  const anchor = element("a", "", words[name]);
  anchor.href = link;
  by("links").append(anchor);
}
by("zone").textContent = said("times", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone });
by("login").addEventListener("submit", unlock);
by("forget").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  location.reload(); // nothing of what was shown stays
});
document.addEventListener("visibilitychange", () => {
  clearTimeout(polling);
  if (!document.hidden && !locked) poll();
});
new ResizeObserver(draw).observe(by("chart-box"));
setInterval(tell, 1000);
poll();
