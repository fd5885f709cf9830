// From the API's answers to the document. Every text goes through `textContent` or a text node.

import { drawEquity, drawPrice, scoreBar } from "/page/charts.js";

const MOST_ROWS = 10;
const STRATEGIES = ["technical", "orderbook", "flow", "qlearning"];

export const words = JSON.parse(document.body.dataset.words);
export const by = (id) => document.getElementById(id);

export function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A sentence of the page's language with its parts filled in; a name without words is shown as it is. */
export function said(name, parts = {}) {
  return Object.entries(parts).reduce((text, [key, value]) => text.replace(`{${key}}`, () => value), words[name] ?? name);
}

export function age(seconds) {
  const [unit, size] = [["d", 86_400], ["h", 3_600], ["min", 60]].find(([, each]) => seconds >= 2 * each) ?? ["s", 1];
  return `${Math.max(0, Math.floor(seconds / size))} ${unit}`;
}

const locale = words.language;
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const minute = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const moment = new Intl.DateTimeFormat(locale, {
  day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23",
});
const decimals = (digits, sign = "auto") =>
  new Intl.NumberFormat(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: sign });

export const format = {
  number: (value, digits) => decimals(digits).format(value),
  signed: (value) => decimals(2, "exceptZero").format(value),
  score: (value) => decimals(2, "exceptZero").format(value),
  percent: (fraction) => `${decimals(2, "exceptZero").format(fraction * 100)} %`,
  size: (value) => new Intl.NumberFormat(locale, { maximumSignificantDigits: 4 }).format(value),
  clock: (time) => clock.format(new Date(time)),
  minute: (time) => minute.format(time),
  moment: (time) => moment.format(new Date(time)),
  recent: (time) => (new Date(time).toDateString() === new Date().toDateString() ? format.clock(time) : format.moment(time)),
  trade: (trade) =>
    [
      `${said(trade.side)} ${format.size(trade.size)} BTC @ ${format.number(trade.price, 2)}`,
      format.clock(trade.time ?? trade.timestamp * 1000),
      trade.exit_reason ? said(`exit_${trade.exit_reason}`) : null,
      trade.pnl === null ? null : `${format.signed(trade.pnl)} USDT`,
    ]
      .filter((part) => part !== null)
      .join(" · "),
};

function money(value, sign = true) {
  if (value === null) return element("span", "soft", words.not_yet);
  const kind = !sign || value === 0 ? "" : value > 0 ? "gain" : "loss";
  return element("span", kind, `${sign ? format.signed(value) : format.number(value, 2)} USDT`);
}

/** Rows of (name, value, small print). */
function facts(...rows) {
  return element(
    "dl",
    "",
    ...rows.flatMap(([name, value, note]) => [
      element("dt", "", name),
      element("dd", "", value, note ? element("small", "beside", note) : null),
    ]),
  );
}

/** `late`: seconds since the answer came. */
export function showPrice(price, late, problem) {
  if (price === null) {
    by("price").replaceChildren(
      element("p", "number", "—"),
      element("p", "bad", words.price_missing),
      element("p", "soft", problem ?? ""),
    );
    return;
  }
  const change = price.change_24h_pct;
  by("price").replaceChildren(
    element("p", "number", `${format.number(price.price, 2)} USDT`),
    element(
      "p",
      "soft",
      change === null ? "" : element("span", change < 0 ? "loss" : "gain", format.percent(change / 100)),
      change === null ? "" : ` ${words.day_change} · `,
      `${price.symbol} · ${said("price_age", { age: age(price.age_seconds + late) })}`,
    ),
  );
}

export function showMoney(status) {
  const real = status.mode.effective === "live";
  by("money").classList.toggle("live", real);
  by("money-kind").textContent = said(real ? "money_live" : "money_dry");
  by("money-note").textContent = said(real ? "venue_live" : `venue_${status.venue}`);
  showState(status.status);
}

export function showState(state) {
  by("state").hidden = false;
  by("state").className = `pill ${state}`;
  by("state").textContent = said(`status_${state}`);
}

/** What is not as it should be, and what an owner should know. */
export function showNotes(status) {
  const { requested, effective } = status.mode;
  const own = [
    status.halted ? said("note_halted") : null,
    requested === effective
      ? null
      : said("note_mode", { requested: requested.toUpperCase(), effective: effective.toUpperCase() }),
    status.winding_down ? said("note_winding_down") : null,
  ].filter((note) => note !== null);
  by("notes").hidden = own.length + status.why.length === 0;
  const why = status.why.map((text) => {
    const item = element("li", "", text);
    item.lang = "en";
    return item;
  });
  by("notes").replaceChildren(element("ul", "", ...own.map((text) => element("li", "", text)), ...why));
}

export function showMode(status, exporterLink) {
  const link = exporterLink ? element("a", "", words.change_mode) : null;
  if (link) link.href = exporterLink;
  const { requested, effective } = status.mode;
  by("mode").replaceChildren(
    facts(
      [words.in_effect, element("span", effective === "live" ? "bad" : "", said(effective))],
      [words.requested, element("span", requested === effective ? "" : "degraded", said(requested))],
      [
        words.entries,
        element("span", status.halted ? "bad" : "", status.halted ? words.entries_halted : words.entries_allowed),
      ],
    ),
    link ? element("p", "after", link) : "",
  );
}

export function showPosition(status) {
  const open = status.position;
  if (open === null) {
    by("position").replaceChildren(element("p", "lead", element("small", "", words.flat)));
    return;
  }
  const flags = [open.trailing_armed ? words.trailing : null, open.partial_done ? words.partial : null];
  by("position").replaceChildren(
    element(
      "p",
      "lead",
      money(open.unrealized_pnl),
      " ",
      element("small", "", open.gain === null ? "" : format.percent(open.gain)),
    ),
    facts(
      [words.size, `${format.size(open.size)} BTC`],
      [words.entry, format.number(open.entry_price, 2)],
      [words.value, open.value === null ? "—" : money(open.value, false)],
      [words.since, format.recent(open.opened_at)],
    ),
    element("p", "after soft", flags.filter((flag) => flag !== null).join(" · ")),
  );
}

export function showResult(status, today) {
  const all = status.performance;
  const closed = all.winning_trades + all.losing_trades;
  by("result").replaceChildren(
    element(
      "p",
      "lead",
      all.equity === null ? "—" : format.number(all.equity, 2),
      " ",
      element("small", "", `USDT ${words.equity.toLowerCase()}`),
    ),
    facts(
      [words.realised, money(all.total_pnl)],
      [words.today, today ? money(today.total_pnl) : "…"],
      ...(status.position ? [[words.unrealised, money(all.unrealized_pnl)]] : []),
      [words.win_rate, closed ? said("of", { won: all.winning_trades, all: closed }) : words.not_yet],
      [words.orders, String(all.total_trades)],
      [words.fees, money(all.fees, false)],
    ),
  );
}

export function showServices(status) {
  by("services").replaceChildren(
    facts(
      ...Object.entries(status.services).map(([name, service]) => [
        name,
        element("span", service.status.replace("never seen", "silent"), said(service.status)),
        service.age_seconds === null ? null : age(service.age_seconds),
      ]),
    ),
  );
}

export function showTrades(trades) {
  if (trades.length === 0) {
    by("trades").replaceChildren(element("p", "soft", words.no_trades_ever));
    return;
  }
  const rows = trades.map((trade) =>
    element(
      "li",
      "line",
      element("span", "soft", format.recent(trade.timestamp * 1000)),
      element("span", `${trade.side}-text`, said(trade.side)),
      element("span", "", `${format.size(trade.size)} BTC @ ${format.number(trade.price, 2)}`),
      trade.exit_reason ? element("span", "soft", said(`exit_${trade.exit_reason}`)) : null,
      trade.pnl === null ? null : element("span", "right", money(trade.pnl)),
    ),
  );
  by("trades").replaceChildren(element("ul", "rows", ...rows));
}

function outcome(decision) {
  if (decision.outcome === "refused") {
    const code = `refusal_${decision.outcome_code}`;
    const shown = element("span", "degraded", said("outcome_refused", { why: words[code] ?? decision.outcome_code }));
    shown.title = decision.outcome_detail ?? "";
    return shown;
  }
  if (decision.outcome) return element("span", decision.outcome === "executed" ? "gain" : "bad", said(`outcome_${decision.outcome}`));
  return decision.signal_id ? element("span", "soft", words.outcome_pending) : null;
}

/** The engine's own sentences are in English, whatever the page's language. */
function reason(text) {
  const shown = element("span", "why soft", String(text ?? ""));
  shown.lang = "en";
  return shown;
}

function votes(decision) {
  const cells = STRATEGIES.flatMap((name) => {
    const score = decision.scores[name] ?? null;
    const shown = score === null ? words.abstained : format.score(score);
    const weight = Math.round((decision.weights[name] ?? 0) * 100);
    return [
      element("span", "", said(name), " ", element("small", "soft", `${weight} %`)),
      scoreBar(score, 84, `${said(name)}: ${shown}`),
      element("span", "number", score === null ? "—" : shown),
      reason(score === null ? `${words.abstained}: ${decision.reasons[name] ?? ""}` : decision.reasons[name]),
    ];
  });
  return element("div", "votes", ...cells);
}

/** Decisions in a row that say the same and led to nothing are one: the newest of them, and since when. */
function runs(decisions) {
  const found = [];
  for (const decision of decisions) {
    const last = found[found.length - 1];
    const same = last && last.newest.action === decision.action && !last.newest.signal_id && !decision.signal_id;
    if (same) Object.assign(last, { since: decision.decided_at, count: last.count + 1 });
    else found.push({ newest: decision, since: decision.decided_at, count: 1 });
  }
  return found;
}

function head({ newest, since, count }, mini) {
  const bars = STRATEGIES.map((name) => {
    const score = newest.scores[name] ?? null;
    return scoreBar(score, 36, `${said(name)}: ${score === null ? words.abstained : format.score(score)}`);
  });
  return element(
    "div",
    "line",
    element("span", "soft", format.clock(newest.decided_at)),
    element("span", `badge ${newest.action}`, said(newest.action)),
    element("span", "", `${words.score} ${format.score(newest.score)}`),
    mini
      ? element("span", "mini", ...bars)
      : element("span", "soft", `${words.confidence} ${Math.round(newest.confidence * 100)} %`),
    reason(String(newest.reasons.decision ?? "").replace(/^[A-Z]+: /, "")), // the action has its own place
    count > 1 ? element("span", "soft", said("repeated", { count, time: format.clock(since) })) : null,
    outcome(newest),
  );
}

/** The newest decision in full, those before it in a line each. */
export function showDecisions(decisions) {
  if (decisions.length === 0) {
    by("decisions").replaceChildren(element("p", "soft", words.no_decisions));
    return;
  }
  const rows = runs(decisions)
    .slice(0, MOST_ROWS)
    .map((run, index) => element("li", "", head(run, index > 0), index === 0 ? votes(run.newest) : null));
  by("decisions").replaceChildren(element("ul", "rows", ...rows), element("p", "legend", words.scale));
}

export function showChart(candles, price, status) {
  if (candles.candles.length === 0) {
    by("chart").replaceChildren(element("p", "empty", words.no_candles));
    return;
  }
  const entry = status?.position?.entry_price ?? null;
  drawPrice(by("chart"), candles, { price: price?.price ?? null, entry, now: Date.now(), words, format });
}

export function showCurve(curve) {
  by("curve-note").textContent = curve.complete ? words.equity_note : words.equity_cut;
  if (curve.points.length === 0 || curve.start_capital === null) {
    by("curve").replaceChildren(element("p", "empty", words.no_trades_ever));
    return;
  }
  drawEquity(by("curve"), curve, { words, format });
}
