// Charts as SVG. Data reach the document as attributes' numbers and as text only, never as markup.

const NAMESPACE = "http://www.w3.org/2000/svg";
const MINUTE = 60_000;
const NARROWEST_SLOT = 3; // pixels; below, a line is drawn instead of candles
const LONGEST_GAP = 6; // slots
const LABEL_WIDTH = 46;
const LABEL_HEIGHT = 30; // with the mark below it
const RIGHT = 66;
const BOTTOM = 20;

export function svg(name, attributes = {}, ...children) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, typeof value === "number" ? Math.round(value * 100) / 100 : value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Round values between two numbers, about `count` of them. */
function ticks(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(value);
  return { step, values: found };
}

/** Lowest and highest with some air, also when both are the same. */
function bounds(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const air = (high - low) * 0.08 || Math.abs(high) * 0.001 || 1;
  return [low - air, high + air];
}

function frame(container, values) {
  const width = Math.max(240, container.clientWidth);
  const height = Math.max(160, container.clientHeight);
  const [low, high] = bounds(values);
  const top = 16;
  const y = (value) => top + ((high - value) / (high - low)) * (height - top - BOTTOM);
  return { width, height, top, low, high, right: width - RIGHT, y };
}

/** Lines and their values; none under the tag at `tag`. */
function grid(area, tag, format) {
  const { step, values } = ticks(area.low, area.high, Math.max(2, Math.floor(area.height / 55)));
  const digits = step >= 1 ? 0 : Math.min(4, Math.ceil(-Math.log10(step)));
  return values.flatMap((value) => [
    svg("line", { class: "grid", x1: 0, x2: area.right, y1: area.y(value), y2: area.y(value) }),
    tag !== null && Math.abs(area.y(tag) - area.y(value)) < 16
      ? null
      : svg("text", { x: area.right + 6, y: area.y(value) + 4 }, format.number(value, digits)),
  ]);
}

/** A line across the chart with its value on a tag at the right. */
function tagged(area, value, text, kind) {
  const y = area.y(value);
  return [
    svg("line", { class: kind, x1: 0, x2: area.right, y1: y, y2: y }),
    svg("rect", { class: "tag", x: area.right + 2, y: y - 8, width: RIGHT - 3, height: 16, rx: 3 }),
    svg("text", { class: "tag-text", x: area.right + 6, y: y + 4 }, text),
  ];
}

function picture(area, summary, parts) {
  return svg(
    "svg",
    { width: area.width, height: area.height, role: "img", "aria-label": summary },
    ...parts,
  );
}

/** Candles and the minutes without one, each a place on the axis; long gaps are shortened. */
function places(candles, now) {
  const found = [];
  const gap = (minutes, from) => {
    const shown = Math.min(minutes, LONGEST_GAP);
    for (let index = 0; index < shown; index += 1) found.push({ time: from, gap: minutes, first: index === 0, shown });
  };
  for (const candle of candles) {
    const time = Date.parse(candle.time);
    if (found.length && candle.missing_before) gap(candle.missing_before, time - candle.missing_before * MINUTE);
    found.push({ time, candle });
  }
  const end = found[found.length - 1].time + MINUTE;
  const late = Math.floor((now - end) / MINUTE) - 1;
  if (late > 1) gap(late, end);
  found.push({ time: Math.max(end, now - (now % MINUTE)), running: true });
  return found;
}

function timeLabels(area, slots, width, format) {
  const steps = [5, 10, 15, 30, 60, 120, 180, 240, 360, 720];
  const step = steps.find((minutes) => minutes * width >= 80) ?? 1440;
  const found = [];
  let free = 0;
  slots.forEach((slot, index) => {
    const at = new Date(slot.time);
    const x = (index + 0.5) * width;
    if (slot.gap || (at.getHours() * 60 + at.getMinutes()) % step || x < free || x < 18 || x > area.right - 18) return;
    found.push(svg("text", { x, y: area.height - 5, "text-anchor": "middle" }, format.minute(slot.time)));
    free = x + 60;
  });
  return found;
}

function gaps(area, slots, width, words) {
  return slots.flatMap((slot, index) => {
    if (!slot.gap || !slot.first) return [];
    const band = svg("rect", {
      class: "gap", x: index * width, y: area.top, width: slot.shown * width, height: area.height - area.top - BOTTOM,
    });
    band.append(svg("title", {}, words.gap.replace("{minutes}", slot.gap)));
    return [band];
  });
}

function bars(area, slots, width) {
  const body = Math.max(1.5, Math.min(9, width * 0.7));
  return slots.flatMap((slot, index) => {
    if (!slot.candle) return [];
    const { open, high, low, close, filled } = slot.candle;
    const x = (index + 0.5) * width;
    const kind = filled ? "filled" : close >= open ? "up" : "down";
    const top = area.y(Math.max(open, close));
    return [
      svg("line", { class: kind, x1: x, x2: x, y1: area.y(high), y2: area.y(low) }),
      svg("rect", {
        class: kind, x: x - body / 2, y: top, width: body, "stroke-width": 0,
        height: Math.max(1, area.y(Math.min(open, close)) - top),
      }),
    ];
  });
}

function closes(area, slots, width) {
  let pen = "M";
  let path = "";
  slots.forEach((slot, index) => {
    if (slot.candle) path += `${pen}${((index + 0.5) * width).toFixed(1)} ${area.y(slot.candle.close).toFixed(1)}`;
    pen = slot.candle ? "L" : "M";
  });
  return [svg("path", { class: "close", d: path })];
}

/** The agent's orders; sells that stand close together share one label with the sum of their results. */
function marks(area, slots, width, trades, format) {
  const shapes = [];
  const labels = [];
  for (const trade of trades) {
    const time = Date.parse(trade.time);
    const x = (Math.max(0, slots.findLastIndex((slot) => slot.time <= time)) + 0.5) * width;
    const y = area.y(trade.price);
    const isBuy = trade.side === "buy";
    const shape = svg("path", { class: trade.side, d: isBuy ? `M${x} ${y}l7 12h-14z` : `M${x} ${y}l7 -12h-14z` });
    shape.append(svg("title", {}, format.trade(trade)));
    shapes.push(shape);
    if (trade.pnl === null) continue;
    const near = labels.findLast((label) => x - label.x < LABEL_WIDTH && Math.abs(y - label.y) < LABEL_HEIGHT);
    if (near) Object.assign(near, { y: Math.min(near.y, y), pnl: near.pnl + trade.pnl });
    else labels.push({ x, y, pnl: trade.pnl });
  }
  const texts = labels.map(({ x, y, pnl }) =>
    svg(
      "text",
      { class: `pnl ${pnl >= 0 ? "gain" : "loss"}`, x: Math.min(Math.max(x, 20), area.right - 20), y: Math.max(y - 16, 10) },
      format.signed(pnl),
    ),
  );
  return [...shapes, ...texts];
}

/** `data` as of /api/candles, `price` the newest or null, `entry` the open position's price or null. */
export function drawPrice(container, data, { price, entry, now, words, format }) {
  const all = places(data.candles, now);
  const shown = data.candles.flatMap((candle) => [candle.low, candle.high]);
  const area = frame(container, [
    ...shown,
    ...data.trades.map((trade) => trade.price),
    ...(price === null ? [] : [price]),
  ]);
  const width = area.right / all.length;
  const inside = (value) => value !== null && value > area.low && value < area.high;
  const entryLine = inside(entry)
    ? [
        svg("line", { class: "entry", x1: 0, x2: area.right, y1: area.y(entry), y2: area.y(entry) }),
        svg("text", { class: "entry-text", x: 4, y: area.y(entry) - 4 }, `${words.entry_line} ${format.number(entry, 2)}`),
      ]
    : [];
  const count = (side) => data.trades.filter((trade) => trade.side === side).length;
  const summary = words.chart_summary
    .replace("{from}", format.minute(all[0].time))
    .replace("{to}", format.minute(now))
    .replace("{low}", format.number(Math.min(...shown), 2))
    .replace("{high}", format.number(Math.max(...shown), 2))
    .replace("{buys}", count("buy"))
    .replace("{sells}", count("sell"));
  container.replaceChildren(
    picture(area, summary, [
      ...grid(area, price, format),
      ...gaps(area, all, width, words),
      ...(width >= NARROWEST_SLOT ? bars(area, all, width) : closes(area, all, width)),
      ...entryLine,
      ...(price === null ? [] : tagged(area, price, format.number(price, 1), "now")),
      ...marks(area, all, width, data.trades, format),
      ...timeLabels(area, all, width, format),
    ]),
  );
}

/** `data` as of /api/equity, with at least one point. */
export function drawEquity(container, data, { words, format }) {
  const points = data.points.map((point) => ({ time: Date.parse(point.time), equity: point.equity }));
  const values = points.map((point) => point.equity);
  const now = data.equity_now;
  const area = frame(container, [...values, data.start_capital, ...(now === null ? [] : [now])]);
  const [first, last] = [points[0], points[points.length - 1]];
  const right = area.right - 6;
  const x = (time) => (last.time === first.time ? right : ((time - first.time) / (last.time - first.time)) * right);
  const step = points
    .map(({ time, equity }, index) =>
      index ? `H${x(time).toFixed(1)}V${area.y(equity).toFixed(1)}` : `M${x(time).toFixed(1)} ${area.y(equity).toFixed(1)}`,
    )
    .join("");
  const base = area.height - BOTTOM;
  const start = area.y(data.start_capital);
  const summary = words.equity_summary
    .replace("{from}", format.moment(first.time))
    .replace("{to}", format.moment(last.time))
    .replace("{first}", format.number(first.equity, 2))
    .replace("{last}", format.number(last.equity, 2))
    .replace("{low}", format.number(Math.min(...values), 2))
    .replace("{high}", format.number(Math.max(...values), 2));
  container.replaceChildren(
    picture(area, summary, [
      ...grid(area, now, format),
      svg("path", { class: "area", d: `${step}V${base}H0Z` }),
      svg("line", { class: "start", x1: 0, x2: area.right, y1: start, y2: start }),
      svg("text", { class: "start-text", x: 4, y: start - 4 }, `${words.start_capital} ${format.number(data.start_capital, 2)}`),
      svg("path", { class: "curve", d: step }),
      ...(now === null
        ? []
        : [
            ...tagged(area, now, format.number(now, 2), "now"),
            svg("circle", { class: "dot", cx: right, cy: area.y(now), r: 4 }),
          ]),
      svg("text", { x: 0, y: area.height - 5 }, format.moment(first.time)),
      svg("text", { x: area.right, y: area.height - 5, "text-anchor": "end" }, format.moment(last.time)),
    ]),
  );
}

/** One score from -1 to 1 as a bar from the middle; `null` is an empty one. */
export function scoreBar(score, width, title) {
  const height = 10;
  const middle = width / 2;
  const length = Math.min(1, Math.abs(score ?? 0)) * middle;
  return svg(
    "svg",
    { width, height, role: "img", "aria-label": title },
    svg("title", {}, title),
    svg("rect", { class: "score-back", width, height, rx: 2 }),
    score
      ? svg("rect", {
          class: score > 0 ? "score-buy" : "score-sell", x: score > 0 ? middle : middle - length, width: length, height,
        })
      : null,
    svg("line", { class: "axis", x1: middle, x2: middle, y1: 0, y2: height }),
  );
}
