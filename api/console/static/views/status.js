// How the service stands: in plain words, and as charts of the last minutes.

import { useEffect, useRef, useState } from "../lib/hooks.js";
import { ApiError, call, send } from "../api.js";
import { Told, duration, explain, html, language, number, t, told } from "../ui.js";

const EVERY_MS = 2000;
const KEPT = 150;
const BUSY_TEXTS = 200;
// The least that a chart shows, so that its first samples stand where later ones will.
const LEAST_S = 60;

export function Status() {
  const [state, setState] = useState({ samples: [] });
  useEffect(() => {
    const aborter = new AbortController();
    let timer;
    const look = async () => {
      const seen = await observe(aborter.signal);
      if (aborter.signal.aborted) return;
      setState((old) => ({ ...seen, info: seen.info ?? old.info, samples: [...old.samples, seen.sample].slice(-KEPT) }));
      timer = setTimeout(look, EVERY_MS);
    };
    look();
    return () => (aborter.abort(), clearTimeout(timer));
  }, []);
  const { info, ready, error, samples, hasMetrics } = state;
  if (!ready && !error) return html`<p aria-busy="true">${t("loading")}</p>`;
  const workers = ready?.workers ?? info?.workers?.length ?? 0;
  const waiting = samples.at(-1)?.waiting ?? info?.inflight_texts ?? 0;
  const advice = adviceFor(error, waiting);
  return html`
    <h1 class="hidden">${t("state")}</h1>
    <section class=${`lamp ${error ? "red" : "green"}`} role="status">
      <strong>${t(error ? "state.bad" : "state.good")}</strong>
      <span>${t("state.workers", { n: number(workers) })}, ${t("state.waiting", { n: number(waiting) })}</span>
      ${advice && html`<p>${advice}</p>`}
      ${ready?.store_warnings && html`<p>${t("state.warnings")}</p>${ready.store_warnings.map((warning) => html`<p><${Told} sentence=${warning} /></p>`)}`}
    </section>
    ${hasMetrics === false && html`<p>${t("state.nometrics")}</p>`}
    ${hasMetrics && html`<section class="charts">
      <${Chart} title=${t("state.texts")} samples=${samples} lines=${[{ key: "texts", label: t("state.perSecond") }]} />
      <${Chart} title=${t("state.latency")} samples=${samples} lines=${[{ key: "p50", label: t("state.p50") }, { key: "p95", label: t("state.p95") }]} />
    </section>`}
    ${info && html`<${About} info=${info} />`}`;
}

function About({ info }) {
  const rows = [
    [t("state.model"), info.model && `${info.model.name} (${t("state.revision")} ${info.model.revision})`],
    [t("state.strictness"), info.model && t(`strictness.${info.model.strictness}`)],
    [t("state.version"), info.version],
    [t("state.uptime", { n: duration(info.uptime_s) }), ""],
  ];
  return html`<section><dl class="facts">${rows.filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`;
}

function adviceFor(error, waiting) {
  if (!error) return waiting > BUSY_TEXTS ? t("state.busy") : null;
  if (!(error instanceof ApiError)) return t("state.noserver");
  if (error.code === "no_worker") return t("state.noworker");
  return error.code === "store_unavailable" ? t("state.nostore") : explain(error).map(told).join(" ");
}

async function observe(signal) {
  const seen = { ready: null, error: null, info: null, hasMetrics: undefined, sample: { at: Date.now() / 1000 } };
  try {
    seen.ready = await call("GET", "ready", { signal });
  } catch (error) {
    seen.error = error;
  }
  try {
    seen.info = await call("GET", "info", { signal });
  } catch {
    // Said by the lamp already.
  }
  try {
    Object.assign(seen.sample, readMetrics(await (await send("GET", "metrics", { signal })).text()));
    seen.hasMetrics = true;
  } catch (error) {
    seen.hasMetrics = error instanceof ApiError ? false : undefined;
  }
  return seen;
}

// What the charts need of the Prometheus text: counters since the start, and buckets of seconds.
export function readMetrics(text) {
  const sample = { total: 0, waiting: 0, buckets: new Map() };
  for (const line of text.split("\n")) {
    const [, name, labels = "", value] = line.match(/^(\w+)(?:\{(.*)\})? (\S+)$/) ?? [];
    if (name === "kobert_predictions_total") sample.total += Number(value);
    else if (name === "kobert_inflight_texts") sample.waiting = Number(value);
    else if (name === "kobert_http_request_seconds_bucket" && labels.includes('route="/predict"')) {
      const bound = labels.match(/le="([^"]+)"/)[1];
      sample.buckets.set(bound, (sample.buckets.get(bound) ?? 0) + Number(value));
    }
  }
  return sample;
}

// [times, values of the first line, of the second …]; each point is what came between two samples.
export function series(samples, lines) {
  const points = samples.slice(1).map((sample, at) => between(samples[at], sample));
  return [samples.slice(1).map((sample) => sample.at), ...lines.map(({ key }) => points.map((point) => point[key] ?? null))];
}

function between(old, now) {
  if (old.total === undefined || now.total === undefined || now.total < old.total) return {};
  const counts = [...(now.buckets ?? [])].map(([bound, count]) => [bound, count - (old.buckets.get(bound) ?? 0)]);
  return { texts: (now.total - old.total) / (now.at - old.at), p50: quantile(counts, 0.5), p95: quantile(counts, 0.95) };
}

// Milliseconds below which that share of requests ended, by the bounds of the buckets.
function quantile(counts, share) {
  const all = Math.max(0, ...counts.map(([, count]) => count));
  if (!all) return null;
  let below = 0;
  let from = 0;
  for (const [bound, count] of counts.filter(([bound]) => bound !== "+Inf").sort(([a], [b]) => a - b)) {
    if (count >= all * share) return (from + (Number(bound) - from) * ((all * share - below) / Math.max(1, count - below))) * 1000;
    below = count;
    from = Number(bound);
  }
  return from * 1000;
}

function shownTimes(times) {
  const to = times.at(-1) ?? Date.now() / 1000;
  return [Math.min(times[0] ?? to, to - LEAST_S), to];
}

function Chart({ title, samples, lines }) {
  const place = useRef();
  const chart = useRef();
  const data = series(samples, lines);
  const isIdle = !data.slice(1).some((values) => values.some((value) => value > 0));
  useEffect(() => {
    const style = getComputedStyle(document.documentElement);
    const ink = style.getPropertyValue("--pico-color");
    const colours = [style.getPropertyValue("--chart-1"), style.getPropertyValue("--chart-2")];
    const axis = { stroke: ink, grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false } };
    const box = place.current;
    const size = () => ({ width: box.clientWidth, height: 200 });
    chart.current = new uPlot(
      {
        ...size(),
        cursor: { y: false },
        legend: { live: false },
        scales: { x: { range: ({ data: [times] }) => shownTimes(times) }, y: { range: (_, low, high) => [0, Math.max(1, (high ?? 0) * 1.1)] } },
        axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => new Intl.DateTimeFormat(language(), { timeStyle: "medium", hourCycle: "h23" }).format(new Date(tick * 1000))), space: 90 }, axis],
        series: [{}, ...lines.map(({ label }, at) => ({ label, stroke: colours[at], width: 2, spanGaps: false, dash: at ? [6, 4] : undefined }))],
      },
      data,
      box,
    );
    const resized = new ResizeObserver(() => chart.current.setSize(size()));
    resized.observe(box);
    return () => (resized.disconnect(), chart.current.destroy());
  }, []);
  useEffect(() => chart.current?.setData(data), [samples.length, samples.at(-1)?.at]);
  const latest = data.slice(1).map((values, at) => `${lines[at].label} ${values.at(-1) === null || values.at(-1) === undefined ? "–" : number(Math.round(values.at(-1)))}`);
  return html`<figure><figcaption>${title} <small>${t("state.now")}: ${latest.join(", ")}</small></figcaption>
    <div ref=${place} class="chart" role="img" aria-label=${`${title}: ${latest.join(", ")}`}></div>
    ${isIdle && html`<p class="idle"><small>${t("state.idle")}</small></p>`}</figure>`;
}
