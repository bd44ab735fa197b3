// Renews the parts of the page by server-sent events, and draws today's curve with uPlot. Without it every figure stands.
"use strict";
(() => {
  const body = document.body;
  const zone = body.dataset.zone;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const fields = { production_power_w: "sun", load_power_w: "house", net_power_w: "grid", battery_power_w: "battery" };
  let plot = null, data = null, shown = [], number = null, first = null;

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const plotHeight = () => (innerWidth < 760 ? 250 : innerWidth < 1100 ? 300 : 330);
  const holder = () => document.getElementById("live-curve");

  function makeSeries(names) {
    return shown.map((field) => ({
      label: names[fields[field]],
      stroke: () => colour(fields[field]),
      fill: field === "production_power_w" ? () => colour("sun-fill") : undefined,
      width: field === "production_power_w" ? 2 : 1.75,
      points: { show: false },
      value: (_, v) => (v === null || v === undefined ? "–" : formatWatts(v)),
      spanGaps: false,
    }));
  }

  function formatWatts(watts) {
    const size = Math.abs(watts);
    const text = size < 999.5 ? number.format(Math.round(watts) + 0) + " W" : number.format(watts / 1000) + " kW";
    return text.replace("-", "\u2212");
  }

  const isGap = (at, last) => at - last > Number(holder().dataset.gap);

  function withGaps(curve) {
    const columns = [[], ...shown.map(() => [])];
    curve.at.forEach((at, i) => {
      const last = columns[0][columns[0].length - 1];
      if (last !== undefined && isGap(at, last)) {
        columns[0].push(last + 1);
        shown.forEach((_, n) => columns[n + 1].push(null));
      }
      columns[0].push(at);
      shown.forEach((field, n) => columns[n + 1].push(curve[field][i]));
    });
    return columns;
  }

  function draw() {
    const place = holder();
    if (!place || !data || typeof uPlot === "undefined") return;
    const names = Object.fromEntries(place.dataset.names.split(" ").map((pair) => pair.split("=")));
    const from = Number(place.dataset.from), to = Number(place.dataset.to);
    if (plot) plot.destroy();
    const axis = { stroke: () => colour("soft"), grid: { stroke: () => colour("line"), width: 1 }, ticks: { show: false },
      font: "12px system-ui, sans-serif" };
    plot = new uPlot({
      width: place.clientWidth, height: plotHeight(),
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), zone),
      scales: { x: { time: true, range: () => [from, to] }, y: { range: (_, low, high) => uPlot.rangeNum(Math.min(0, low), Math.max(500, high), 0.08, true) } },
      axes: [
        { ...axis, values: (_, ticks) => ticks.map((t) => { const d = uPlot.tzDate(new Date(t * 1000), zone); return d.getHours() + ":00"; }),
          incrs: [3600, 7200, 10800, 14400, 21600], space: 56 },
        { ...axis, size: 56, values: (_, ticks) => ticks.map(formatWatts) },
      ],
      series: [{ label: "\u00a0", value: (_, t) => (t === null || t === undefined ? "" : clock(t)) }, ...makeSeries(names)],
      cursor: { drag: { x: false, y: false }, points: { size: 7 } },
      legend: { live: true },
    }, data, place);
    body.classList.add("drawn");
  }

  function clock(at) {
    const d = uPlot.tzDate(new Date(at * 1000), zone);
    return String(d.getHours()).padStart(2, "0") + ":" + String(d.getMinutes()).padStart(2, "0");
  }

  async function fetchCurve() {
    const answer = await fetch(body.dataset.curve);
    if (!answer.ok) return;
    const curve = await answer.json();
    shown = Object.keys(fields).filter((field) => curve[field]);
    if (!shown.length || !holder()) return;
    data = withGaps(curve);
    draw();
  }

  // A page without a curve is loaded again when a newer point arrives than that of its first message.
  function add(point) {
    const place = holder();
    if (first === null) first = point.at || 0;
    if (!place) { if (point.at > first) location.reload(); return; }
    if (!plot || !point.at || point.at <= data[0][data[0].length - 1]) return;
    if (point.at >= Number(place.dataset.to)) { location.reload(); return; }
    if (isGap(point.at, data[0][data[0].length - 1])) { fetchCurve(); return; }
    data[0].push(point.at);
    shown.forEach((field, n) => data[n + 1].push(point[field] === undefined ? null : point[field]));
    plot.setData(data);
  }

  function renew(parts) {
    for (const [id, html] of Object.entries(parts)) {
      const place = document.getElementById(id);
      if (!place) continue;
      const unfolded = Array.from(place.querySelectorAll("details"), (each) => each.open);
      place.innerHTML = html;
      place.querySelectorAll("details").forEach((each, i) => { each.open = Boolean(unfolded[i]); });
    }
  }

  // The server sends only what changed, so the text that was there before the connection was lost is put back.
  let isFirst = true, before = null;
  const state = document.getElementById("state");
  function listen() {
    const stream = new EventSource(body.dataset.live);
    stream.onopen = () => {
      if (!isFirst) fetchCurve();
      isFirst = false;
      if (before !== null) state.innerHTML = before;
      before = null;
      body.classList.remove("cut-off");
    };
    stream.onmessage = (event) => {
      const message = JSON.parse(event.data);
      renew(message.parts);
      add(message.point);
      body.dataset.renewed = String(Number(body.dataset.renewed || 0) + 1);
    };
    stream.onerror = () => {
      body.classList.add("cut-off");
      if (before === null) before = state.innerHTML;
      const chip = document.createElement("span");
      chip.className = "chip stale";
      chip.textContent = body.dataset.cutOff;
      state.replaceChildren(chip);
      if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 10000);
    };
  }

  dark.addEventListener("change", draw);
  let width = 0;
  new ResizeObserver(() => {
    const place = holder();
    if (plot && place && place.clientWidth !== width) {
      width = place.clientWidth;
      plot.setSize({ width, height: plotHeight() });
    }
  }).observe(document.getElementById("curve"));

  // Every figure stands already. The chart and the events follow after the first paint, or soon where none is told.
  let hasBegun = false;
  function begin() {
    if (hasBegun) return;
    hasBegun = true;
    number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 });
    const chart = document.createElement("script");
    chart.src = body.dataset.chart;
    chart.onload = fetchCurve;
    document.head.append(chart);
    listen();
  }
  const FIRST = "first-contentful-paint";
  new PerformanceObserver((seen) => { if (seen.getEntriesByName(FIRST).length) begin(); }).observe({ type: "paint", buffered: true });
  setTimeout(begin, 2000);
})();
