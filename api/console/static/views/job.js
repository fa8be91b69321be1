// One file: its progress, its verdicts page by page, its downloads.

import { useEffect, useRef, useState } from "../lib/hooks.js";
import { ApiError, call, download, followJob, hasEnded, lines } from "../api.js";
import { Marked, Problem, Word, duration, explainLine, html, labelWord, number, percent, t, tone, useDebounced, useFetched, useRecovery } from "../ui.js";

const PAGE = 50;
// Rows that one request searches.
const PART = 20_000;
const NO_FILTER = { only: "", label: "", contains: "", min_confidence: "", max_confidence: "" };
const CONFIDENCES = ["", "0.5", "0.6", "0.7", "0.8", "0.9"];

export function Job({ rest: id }) {
  const [job, setJob] = useState(null);
  const [lost, setLost] = useState(null);
  const [error, setError] = useState(null);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const aborter = new AbortController();
    call("GET", `jobs/${encodeURIComponent(id)}`, { signal: aborter.signal })
      .then((found) => {
        setError(null);
        setJob(found);
        if (!hasEnded(found)) return followJob(id, setJob, setLost, aborter.signal);
      })
      .catch((failure) => aborter.signal.aborted || setError(failure));
    return () => aborter.abort();
  }, [id, round]);
  useRecovery(error, () => setRound((n) => n + 1));
  const act = async (method, path) => {
    try {
      const changed = await call(method, `jobs/${encodeURIComponent(id)}${path}`);
      if (method === "DELETE") location.hash = "files";
      else setJob(changed), setRound((n) => n + 1);
    } catch (failure) {
      setError(failure);
    }
  };
  return html`
    <p><a href="#files">${t("files.back")}</a></p>
    ${error instanceof ApiError && error.status === 404 ? html`<h1 class="hidden">${t("files")}</h1><p role="alert" class="problem">${t("job.gone")}</p>` : html`<${Problem} error=${error} />`}
    ${job && html`
      <h1 class="name">${job.file_name ?? t("files.unnamed")}</h1>
      <${Progress} job=${job} lost=${lost} act=${act} />
      <${Distribution} job=${job} />
      ${hasEnded(job) ? html`<${Results} job=${job} />` : html`<p>${t("job.waiting")}</p>`}`}
    ${!job && !error && html`<p aria-busy="true">${t("loading")}</p>`}`;
}

function Progress({ job, lost, act }) {
  const { total, completed, failed } = job.request_counts;
  const done = completed + failed;
  const isOver = hasEnded(job);
  const began = job.in_progress_at ?? job.created_at;
  const ended = job.completed_at ?? job.cancelled_at ?? job.failed_at ?? job.expired_at;
  return html`<section aria-live="polite">
    <label class="hidden" for="progress">${t("job.progress", { done: number(done), total: number(total) })}</label>
    <progress id="progress" max=${Math.max(total, 1)} value=${done}></progress>
    <p class="figures">
      <strong>${t(`job.${job.status}`)}</strong>
      <span>${t("job.progress", { done: number(done), total: number(total) })}</span>
      ${job.rows_per_s !== null && html`<span>${t("job.speed", { n: number(Math.round(job.rows_per_s)) })}</span>`}
      ${!isOver && job.eta_seconds !== null && html`<span>${t("job.left", { n: duration(job.eta_seconds) })}</span>`}
      ${isOver && ended && html`<span>${t("job.took", { n: duration(ended - began) })}</span>`}
      ${failed > 0 && html`<span>${t("job.failedrows", { n: number(failed) })}</span>`}
    </p>
    ${lost && html`<p role="status" class="note">${t("job.lost")}</p>`}
    <div class="actions">
      ${!isOver && html`<button type="button" class="secondary" disabled=${job.status === "cancelling"} onClick=${() => act("POST", "/cancel")}>${t("job.cancel")}</button>`}
      <button type="button" class="secondary" onClick=${() => confirm(t("job.sure")) && act("DELETE", "")}>${t("job.delete")}</button>
    </div>
  </section>`;
}

function Distribution({ job }) {
  const counts = Object.entries(job.label_counts).filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a);
  const most = Math.max(1, ...counts.map(([, count]) => count));
  const all = counts.reduce((sum, [, count]) => sum + count, 0);
  if (!counts.length) return null;
  return html`<section><h2>${t("job.distribution")}</h2><div class="bars" role="list">
    ${counts.map(([label, count]) => html`<div class=${`bar ${tone(label)}`} role="listitem">
      <span>${labelWord(label)}</span>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="track" width="100" height="10" /><rect class="fill" width=${Math.max(0.5, (count / most) * 100)} height="10" /></svg>
      <span>${number(count)} <small>(${percent(count / all)})</small></span>
    </div>`)}
  </div></section>`;
}

// A page of rows that pass a filter, from `cursor` on or, where `before` is set, the last ones before it. The file is
// searched in parts, so that no request reads all of a large one; `onSearch` hears of each part.
async function findRows(job, filter, { cursor = 0, before = null }, onSearch, signal) {
  const { total } = job.request_counts;
  const isLast = before !== null;
  const wanted = PAGE + 1;
  let [low, high] = [cursor, isLast ? before : total + 1];
  let rows = [];
  while (rows.length < wanted && high - low > 1) {
    const part = isLast ? { cursor: Math.max(low, high - 1 - PART), before: high } : { cursor: low, before: Math.min(high, low + PART + 1) };
    const query = { ...filter, ...part, limit: wanted - rows.length, ...(isLast && { last: "true" }), own_columns: "false", format: "jsonl", partial: "true" };
    const found = await lines(`jobs/${encodeURIComponent(job.id)}/results`, { query, signal });
    rows = isLast ? [...found, ...rows] : [...rows, ...found];
    if (isLast) high = part.cursor + 1;
    else low = part.before - 1;
    onSearch(isLast ? total - high + 1 : low);
  }
  const hasMore = rows.length > PAGE;
  const shown = isLast ? rows.slice(-PAGE) : rows.slice(0, PAGE);
  return { rows: shown, hasPrevious: isLast ? hasMore : cursor > 0, hasNext: isLast ? before <= total : hasMore };
}

function Results({ job }) {
  const [filter, setFilter] = useState(NO_FILTER);
  const [place, setPlace] = useState({ cursor: 0 });
  const [searched, setSearched] = useState(null);
  const heading = useRef();
  const settled = useDebounced(JSON.stringify(filter), 250);
  useEffect(() => setPlace({ cursor: 0 }), [settled]);
  const [found, error] = useFetched(async (signal) => {
    setSearched(0);
    const page = await findRows(job, JSON.parse(settled), place, (rows) => signal.aborted || setSearched(rows), signal);
    setSearched(null);
    return page;
  }, [job.id, settled, JSON.stringify(place)]);
  const change = (name) => (event) => setFilter({ ...filter, [name]: event.target.value });
  const go = (next) => {
    setPlace(next);
    if (heading.current.getBoundingClientRect().top < 0) heading.current.scrollIntoView();
  };
  const labels = Object.keys(job.label_counts);
  return html`<section>
    <h2 id="results" ref=${heading}>${t("job.results")}</h2>
    <${Downloads} job=${job} />
    <div class="row">
      <label>${t("job.show")}<select value=${filter.only} onChange=${change("only")}>
        <option value="">${t("job.all")}</option><option value="flagged">${t("job.flagged")}</option><option value="errors">${t("job.errors")}</option></select></label>
      <label>${t("try.verdict")}<select value=${filter.label} onChange=${change("label")}>
        <option value="">${t("job.all")}</option>${labels.map((label) => html`<option value=${label}>${labelWord(label)}</option>`)}</select></label>
      <label>${t("job.least")}<select value=${filter.min_confidence} onChange=${change("min_confidence")}>${CONFIDENCES.map((value) => html`<option value=${value}>${value || "–"}</option>`)}</select></label>
      <label>${t("job.most")}<select value=${filter.max_confidence} onChange=${change("max_confidence")}>${CONFIDENCES.map((value) => html`<option value=${value}>${value || "–"}</option>`)}</select></label>
      <label>${t("job.find")}<input type="search" maxlength="200" value=${filter.contains} onInput=${change("contains")} /></label>
    </div>
    <${Problem} error=${error} />
    <div class="scroll" tabindex="0" role="region" aria-labelledby="results" aria-busy=${searched !== null}><table class="results">
      <thead><tr><th scope="col">${t("job.row")}</th><th scope="col">${t("try.verdict")}</th><th scope="col">${t("try.certainty")}</th><th scope="col">${t("job.text")}</th></tr></thead>
      <tbody>${found?.rows.map((row) => html`<tr key=${row.row}>
        <td>${number(row.row)}</td>
        ${row.error
          ? html`<td colspan="2"><em>${explainLine(row.error)}</em></td>`
          : html`<td><${Word} label=${row.classification} /></td><td class="tight">${percent(row.confidence)}</td>`}
        <td lang="ko"><${Marked} text=${row.text ?? ""} spans=${row.spans} /></td>
      </tr>`)}</tbody>
    </table></div>
    <p role="status">${searched > 0 ? t("job.searching", { done: number(searched), total: number(job.request_counts.total) }) : found && !found.rows.length ? t("job.empty") : ""}</p>
    <${Pager} found=${found} total=${job.request_counts.total} go=${go} />
  </section>`;
}

function Pager({ found, total, go }) {
  const [row, setRow] = useState("");
  const jump = (event) => (event.preventDefault(), go({ cursor: Math.min(Math.max(1, Number(row)), total) - 1 }));
  const step = (word, isOpen, place) => html`<button type="button" class="secondary" disabled=${!isOpen} onClick=${() => go(place())}>${t(word)}</button>`;
  return html`<div class="actions pager">
    ${step("job.first", found?.hasPrevious, () => ({ cursor: 0 }))}
    ${step("job.previous", found?.hasPrevious, () => ({ before: found.rows[0]?.row ?? total + 1 }))}
    ${step("job.next", found?.hasNext, () => ({ cursor: found.rows.at(-1)?.row ?? 0 }))}
    ${step("job.last", found?.hasNext, () => ({ before: total + 1 }))}
    ${total > PAGE && html`<form onSubmit=${jump}><label>${t("job.goto")} <input type="number" min="1" max=${total} required value=${row} onInput=${(event) => setRow(event.target.value)} /></label>
      <button type="submit" class="secondary">${t("job.go")}</button></form>`}
  </div>`;
}

function Downloads({ job }) {
  const [error, setError] = useState(null);
  const own = ["csv", "tsv", "xlsx", "parquet", "jsonl"].includes(job.format) ? job.format : "csv";
  const kinds = [...new Set([own, "xlsx", "csv"])];
  const stem = (job.file_name ?? "results").replace(/\.[^.]*(\.gz)?$/i, "");
  const fetchFile = (format, only) => async () => {
    try {
      setError(null);
      const query = { format, only, partial: "true", safe: "true" };
      await download(`jobs/${encodeURIComponent(job.id)}/results`, query, `${stem}_${only || "results"}.${format}`);
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<div class="actions" role="toolbar" aria-label=${t("job.downloads")}>
    <span>${t("job.downloads")}</span>
    ${kinds.map((format) => html`<button type="button" class="secondary" onClick=${fetchFile(format, "")}>${t("job.download.all")} (${format})</button>`)}
    <button type="button" class="secondary" onClick=${fetchFile(kinds[0], "flagged")}>${t("job.download.flagged")} (${kinds[0]})</button>
    <${Problem} error=${error} />
  </div>`;
}
