// The review queue: rows that want a human, one keystroke each, no row for two people.

import { useEffect, useRef, useState } from "../lib/hooks.js";
import { call, download, hasEnded } from "../api.js";
import { Problem, Word, duration, explainRow, html, labelWord, number, percent, shortened, t, time, tone, useFetched, useRecovery } from "../ui.js";

const NAME = "kobert-reviewer";
const HELD = 10;
const REFILL_AT = 4;
const LIVE = "live";
const LIVE_EVERY_MS = 4000;
// How a queue is called: by its file, or as the live feed.
const titleOf = (review) => (review.source === "feed" ? t("queue.live") : review.file_name ?? t("files.unnamed"));
// The labels that a digit stands for when a row is rejected as something else.
const DIGITS = ["curse", "insult", "hate", "threat"];

export function Queue({ rest: id, info }) {
  return id ? html`<${Review} id=${id} info=${info} />` : html`<${Queues} labels=${info?.model?.labels ?? []} />`;
}

function Queues({ labels }) {
  const [reviews, error, reload] = useFetched((signal) => call("GET", "reviews", { signal }), []);
  const [failure, setFailure] = useState(null);
  const remove = (review) => confirm(t("queue.sure")) && call("DELETE", `reviews/${encodeURIComponent(review.id)}`).then(() => (setFailure(null), reload()), setFailure);
  return html`
    <h1 class="hidden">${t("queue")}</h1>
    <p class="lead">${t("queue.welcome")}</p>
    <${NewQueue} labels=${labels} />
    <${Problem} error=${failure ?? error} />
    ${reviews?.data.length > 0 && html`<section><h2>${t("queue.list")}</h2>
      <div class="scroll" tabindex="0" role="region" aria-label=${t("queue.list")}><table class="cards">
        <thead><tr><th scope="col">${t("files.name")}</th><th scope="col">${t("queue.open")}</th><th scope="col">${t("queue.done")}</th><th scope="col">${t("queue.today")}</th><th scope="col">${t("queue.made")}</th><th scope="col"><span class="hidden">${t("job.delete")}</span></th></tr></thead>
        <tbody>${reviews.data.map((review) => html`<tr key=${review.id}>
          <td><a href=${`#queue/${review.id}`}>${titleOf(review)}</a></td>
          <td class="tight" data-label=${t("queue.open")}>${number(review.open + review.held)}</td><td class="tight" data-label=${t("queue.done")}>${number(review.approved + review.rejected)}</td>
          <td class="tight" data-label=${t("queue.today")}>${number(review.decided_today)}</td><td class="tight" data-label=${t("queue.made")}>${time(review.created_at)}</td>
          <td><button type="button" class="quiet" aria-label=${t("queue.delete.of", { name: titleOf(review) })} onClick=${() => remove(review)}>${t("job.delete")}</button></td>
        </tr>`)}</tbody>
      </table></div></section>`}`;
}

function NewQueue({ labels }) {
  const [page, pageError] = useFetched((signal) => call("GET", "jobs", { query: { limit: 100 }, signal }), []);
  const [feed] = useFetched((signal) => call("GET", "feed", { query: { limit: 1 }, signal }), []);
  const [job, setJob] = useState("");
  const [only, setOnly] = useState("");
  const [label, setLabel] = useState("");
  const [error, setError] = useState(null);
  const jobs = (page?.data ?? []).filter((one) => hasEnded(one) && one.request_counts.completed > 0);
  const isLive = Boolean(feed?.enabled) && (job === LIVE || !jobs.length);
  const chosen = isLive ? null : jobs.find((one) => one.id === job) ?? jobs[0];
  const make = async () => {
    try {
      const json = { ...(isLive ? { feed: true } : { job_id: chosen.id }), ...(only && { only }), ...(label && { label }) };
      location.hash = `queue/${(await call("POST", "reviews", { json })).id}`;
    } catch (failure) {
      setError(failure);
    }
  };
  if (!page) return html`<${Problem} error=${pageError} />`;
  if (!chosen && !isLive) return html`<p>${t("queue.nojobs")} <a href="#files">${t("files")}</a></p>`;
  return html`<section>
    <div class="row">
      <label class="wide">${t("queue.from")}<select value=${isLive ? LIVE : chosen.id} onChange=${(event) => (setJob(event.target.value), setLabel(""))}>${feed?.enabled && html`<option value=${LIVE}>${t("queue.live")}</option>`}${jobs.map((one) => html`<option value=${one.id}>${shortened(one.file_name ?? t("files.unnamed"), 20)} (${number(one.request_counts.total)}, ${time(one.created_at)})</option>`)}</select></label>
      <label class="wide">${t("job.show")}<select value=${only} onChange=${(event) => setOnly(event.target.value)}><option value="">${t("queue.doubtful")}</option><option value="flagged">${t("job.flagged")}</option></select></label>
      <label>${t("try.verdict")}<select value=${label} onChange=${(event) => setLabel(event.target.value)}><option value="">${t("job.all")}</option>${(isLive ? labels : Object.keys(chosen.label_counts)).map((name) => html`<option value=${name}>${labelWord(name)}</option>`)}</select></label>
    </div>
    ${isLive && html`<p><small>${t("queue.live.help", { n: number(feed.max_texts), time: duration(feed.ttl_s) })}</small></p>`}
    <div class="actions"><button type="button" onClick=${make}>${t("queue.start")}</button></div>
    <${Problem} error=${error} />
  </section>`;
}

function Review({ id, info }) {
  const [name, setName] = useState(sessionStorage.getItem(NAME) || "");
  if (!name) return html`<${AskName} done=${(given) => (sessionStorage.setItem(NAME, given), setName(given))} />`;
  return html`<${Desk} id=${id} reviewer=${name} labels=${info?.model?.labels ?? []} />`;
}

function AskName({ done }) {
  const [typed, setTyped] = useState("");
  const submit = (event) => (event.preventDefault(), typed.trim() && done(typed.trim()));
  return html`<form onSubmit=${submit}><label>${t("queue.name")}<input required maxlength="60" value=${typed} onInput=${(event) => setTyped(event.target.value)} /></label>
    <button type="submit">${t("queue.begin")}</button></form>`;
}

function Desk({ id, reviewer, labels }) {
  const [items, setItems] = useState(null);
  const [at, setAt] = useState(0);
  const [chosen, setChosen] = useState(new Set());
  const [done, setDone] = useState([]);
  const [error, setError] = useState(null);
  const [review, , reload] = useFetched((signal) => call("GET", `reviews/${id}`, { signal }), [id]);
  const isBusy = useRef(false);
  const path = `reviews/${encodeURIComponent(id)}`;
  const digits = DIGITS.filter((label) => labels.includes(label));

  const refill = async () => {
    const { data } = await call("POST", `${path}/lease`, { json: { reviewer, count: HELD } });
    setItems(data);
    setAt((old) => Math.max(0, Math.min(old, data.length - 1)));
  };
  const guarded = async (work) => {
    if (isBusy.current) return;
    isBusy.current = true;
    try {
      await work();
      setError(null);
    } catch (failure) {
      setError(failure);
    } finally {
      isBusy.current = false;
      reload();
    }
  };
  useEffect(() => void guarded(refill), [id]);
  // What was lost is the rows, or one decision: rows are fetched again, a decision is the person's to repeat.
  useRecovery(error, () => guarded(refill));
  // Texts go on coming into the live feed; new ones are fetched where there is room for them.
  const look = useRef();
  look.current = () => (items && items.length < REFILL_AT ? guarded(refill) : reload());
  useEffect(() => {
    if (review?.source !== "feed") return undefined;
    const timer = setInterval(() => document.hidden || look.current(), LIVE_EVERY_MS);
    return () => clearInterval(timer);
  }, [review?.source]);

  const targets = () => (chosen.size ? items.filter((one) => chosen.has(one.item)) : [items[at]]).filter(Boolean);
  const decide = (decision, classification) => guarded(async () => {
    const these = targets();
    if (!these.length) return;
    const decisions = these.map((one) => ({ item: one.item, decision, ...(classification && { classification }) }));
    const { results } = await call("POST", `${path}/decisions`, { json: { reviewer, decisions } });
    const gone = new Set(these.map((one) => one.item));
    setDone((old) => [...results.filter((one) => !one.error).map((one) => one.item), ...old]);
    setChosen(new Set());
    const left = items.filter((one) => !gone.has(one.item));
    setItems(left);
    setAt((old) => Math.max(0, Math.min(old, left.length - 1)));
    if (left.length < REFILL_AT) await refill();
    const refused = results.find((one) => one.error);
    if (refused) throw new Error(explainRow(refused.error));
  });
  const undo = () => guarded(async () => {
    if (!done.length) return;
    const item = await call("POST", `${path}/undo`, { json: { reviewer, item: done[0] } });
    setDone(done.slice(1));
    setItems([item, ...items]);
    setAt(0);
  });
  const toggle = (item) => setChosen((old) => {
    const next = new Set(old);
    if (!next.delete(item)) next.add(item);
    return next;
  });

  const keys = useRef();
  keys.current = (event) => {
    if (event.target.matches("input:not([type=checkbox]), textarea, select") || event.ctrlKey || event.metaKey || event.altKey || !items) return;
    const act = {
      j: () => setAt(Math.min(at + 1, items.length - 1)),
      k: () => setAt(Math.max(at - 1, 0)),
      a: () => decide("approve"),
      d: () => decide("reject"),
      u: undo,
      x: () => items[at] && toggle(items[at].item),
      ...Object.fromEntries(digits.map((label, place) => [String(place + 1), () => decide("reject", label)])),
    }[koreanKey(event)];
    if (act) event.preventDefault(), act();
  };
  useEffect(() => {
    const listen = (event) => keys.current(event);
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);

  const fetchDecisions = async (format) => {
    try {
      await download(`${path}/decisions`, { format, safe: "true" }, `decisions.${format}`);
    } catch (failure) {
      setError(failure);
    }
  };
  if (!items) return html`<p><a href="#queue">${t("queue.back")}</a></p>${error ? html`<${Problem} error=${error} />` : html`<p aria-busy="true">${t("loading")}</p>`}`;
  return html`
    <p><a href="#queue">${t("queue.back")}</a></p>
    <h1 class="name">${review ? titleOf(review) : t("queue")}</h1>
    ${review && html`<p class="figures" aria-live="polite">
      <span>${t("queue.left", { n: number(review.open + review.held) })}</span>
      <span>${t("queue.approved", { n: number(review.approved) })}</span><span>${t("queue.rejected", { n: number(review.rejected) })}</span>
      <span>${t("queue.todayn", { n: number(review.decided_today) })}</span>
      ${review.left_out > 0 && html`<span>${t("queue.leftout", { n: number(review.left_out) })}</span>`}
      ${Object.entries(review.reviewers).map(([who, count]) => html`<span>${who} ${number(count)}</span>`)}
    </p>`}
    <${Problem} error=${error} />
    <div class="actions" role="toolbar" aria-label=${t("queue")}>
      <button type="button" onClick=${() => decide("approve")}>${t("queue.approve")} <kbd>a</kbd></button>
      <button type="button" class="reject" onClick=${() => decide("reject")}>${t("queue.reject")} <kbd>d</kbd></button>
      ${digits.map((label, place) => html`<button type="button" class="secondary" onClick=${() => decide("reject", label)}>${labelWord(label)} <kbd>${place + 1}</kbd></button>`)}
      <button type="button" class="secondary" disabled=${!done.length} onClick=${undo}>${t("queue.undo")} <kbd>u</kbd></button>
      ${chosen.size > 0 && html`<span>${t("queue.chosen", { n: chosen.size })}</span>`}
    </div>
    ${items.length === 0 && html`<p class="note">${t("queue.empty")}</p>`}
    <ol class="desk">${items.map((one, place) => html`<li key=${one.item} class=${place === at ? "here" : ""} aria-current=${place === at ? "true" : undefined} onClick=${() => setAt(place)}>
      <label class="pick"><input type="checkbox" checked=${chosen.has(one.item)} onChange=${() => toggle(one.item)} aria-label=${t("queue.pick", { n: one.row ?? place + 1 })} /></label>
      <div><p class="text" lang="ko">${one.text}</p>
        <small><${Word} label=${one.classification} /> ${percent(one.confidence)} · ${one.row === null ? t("queue.arrived", { when: time(one.arrived_at) }) : t("queue.row", { n: number(one.row) })}
          ${Object.entries(one.scores).filter(([label, score]) => label !== "clean" && label !== one.classification && score >= 0.2).map(([label, score]) => html` <span class=${`word ${tone(label)}`}>${labelWord(label)} ${percent(score)}</span>`)}</small></div>
    </li>`)}</ol>
    <p><small>${t("queue.keys")}</small></p>
    <div class="actions">${["csv", "jsonl"].map((format) => html`<button type="button" class="secondary" onClick=${() => fetchDecisions(format)}>${t("queue.export")} (${format})</button>`)}</div>`;
}

// On a Korean keyboard the same keys give jamo.
const koreanKey = (event) => (/^Key[A-Z]$/.test(event.code) ? event.code[3].toLowerCase() : event.key);
