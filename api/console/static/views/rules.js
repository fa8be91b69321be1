// Rules of boards: strictness, words that are denied or allowed, and what a change would do before it is saved.

import { useEffect, useRef, useState } from "../lib/hooks.js";
import { ApiError, call, hasEnded, lines } from "../api.js";
import { Problem, Word, html, labelWord, number, shortened, t, time, useFetched, useRecovery } from "../ui.js";
import { Versions } from "./versions.js";

const SHOWN_ENTRIES = 200;
const SHOWN_RECENT = 10;
const TRIED_ROWS = 1000;
const AT_ONCE = 100;
const EMPTY = { strictness: null, thresholds: {}, labels: null, deny: [], allow: [], mask: null };
const RULES = Object.keys(EMPTY);
// Rules that are not saved yet, so that they are not lost with a look at another tab.
const DRAFT = "kobert-rules-";
const LISTS = ["deny", "allow"];
const BLANK = { typed: "", label: "denied", match: "word" };
const NOTHING_TYPED = { deny: BLANK, allow: BLANK };
const rulesOf = (policy) => Object.fromEntries(RULES.map((field) => [field, policy[field] ?? EMPTY[field]]));
const whoChanged = (who) => (who === "everybody" ? t("rules.everybody") : who);

// The entries with what stands in the field beside them: who saves at once means those words too.
function withTyped(entries, { typed, label, match }, list) {
  const known = new Set(entries.map((entry) => entry.term));
  const terms = [...new Set(typed.split(/[\n,]/).map((term) => term.trim()))].filter((term) => term && !known.has(term));
  return terms.length ? [...entries, ...terms.map((term) => ({ term, match, ...(list === "deny" && { label }) }))] : entries;
}

function withoutTerms(entries, others) {
  const known = new Set(others.map((other) => other.term));
  return entries.filter((entry) => !known.has(entry.term));
}
const withAdded = (rules, added) => (added ?? []).reduce((all, [list, entries]) => ({ ...all, [list]: [...all[list], ...withoutTerms(entries, all[list])] }), rules);

// What was changed of these rules in this tab; null where nothing was, or another version has been saved since.
function draftOf(name, policy) {
  const draft = JSON.parse(sessionStorage.getItem(DRAFT + name) ?? "null");
  return draft?.version === (policy?.version ?? 0) ? draft.rules : null;
}

function keepDraft(name, draft) {
  try {
    if (draft) sessionStorage.setItem(DRAFT + name, JSON.stringify(draft));
    else sessionStorage.removeItem(DRAFT + name);
  } catch {
    // The browser has no room for so many words; they are still on the page.
  }
}

export function Rules({ rest: name, info }) {
  const [page, error, reload] = useFetched((signal) => call("GET", "policies", { signal }), []);
  return html`
    <h1 class="hidden">${t("rules")}</h1>
    <p class="lead">${t("rules.welcome")}</p>
    <${Problem} error=${error} />
    <div class="row"><nav class="boards" aria-label=${t("rules.boards")}>${page?.data.map((policy) => html`<a href=${`#rules/${encodeURIComponent(policy.name)}`} class="chip" aria-current=${policy.name === name ? "page" : undefined}>${policy.name}</a>`)}</nav></div>
    ${page && html`<${NewBoard} taken=${page.data.map((policy) => policy.name)} />`}
    ${name && html`<${Board} key=${name} name=${name} labels=${info?.model?.labels ?? []} levels=${Object.keys(info?.model?.levels ?? {})} changed=${reload} />`}`;
}

function NewBoard({ taken }) {
  const [name, setName] = useState("");
  const open = (event) => (event.preventDefault(), (location.hash = `rules/${encodeURIComponent(name.trim())}`), setName(""));
  return html`<form class="row" onSubmit=${open}><label>${t("rules.new")}<input value=${name} maxlength="64" required pattern="\\s*[\\p{L}\\p{N}_.\\-]+\\s*" title=${t("error.invalid_request.name")} placeholder="free-board" onInput=${(event) => setName(event.target.value)} /></label>
    <button type="submit" class="secondary">${t(taken.includes(name.trim()) ? "rules.open" : "rules.make")}</button></form>`;
}

function Board({ name, labels, levels, changed }) {
  const path = `policies/${encodeURIComponent(name)}`;
  const [saved, setSaved] = useState(null);
  const [rules, setRules] = useState(null);
  const [error, setError] = useState(null);
  const [isSaved, setIsSaved] = useState(false);
  const [typing, setTyping] = useState(NOTHING_TYPED);
  const [hits] = useFetched(async (signal) => (await call("GET", `${path}/hits`, { signal })).data, [path, saved?.version]);
  const [feed] = useFetched((signal) => call("GET", "feed", { query: { limit: 1 }, signal }), []);
  const [round, setRound] = useState(0);
  // Words that were added to rules which somebody else has changed meanwhile; they are added to the new ones.
  const added = useRef(null);
  const fired = (list) => Object.fromEntries((hits ?? []).filter((one) => one.list === list).map((one) => [one.term, one.hits]));
  useEffect(() => {
    const begin = (policy) => (setSaved(policy), setRules(draftOf(name, policy) ?? withAdded(policy ? rulesOf(policy) : EMPTY, added.current)), setError(null));
    call("GET", path).then(begin, (failure) => (failure instanceof ApiError && failure.status === 404 ? begin(null) : setError(failure)));
  }, [path, round]);
  const reread = () => {
    added.current = rules && LISTS.map((list) => [list, withoutTerms(wanted[list], asSaved[list])]);
    setTyping(NOTHING_TYPED);
    setRound((n) => n + 1);
  };
  useRecovery(rules ? null : error, reread);
  const wanted = rules && LISTS.reduce((all, list) => ({ ...all, [list]: withTyped(all[list], typing[list], list) }), rules);
  const asSaved = saved ? rulesOf(saved) : EMPTY;
  const isChanged = rules !== null && JSON.stringify(wanted) !== JSON.stringify(asSaved);
  useEffect(() => void (rules && keepDraft(name, isChanged && { version: saved?.version ?? 0, rules: wanted })), [rules, typing, saved]);
  if (!rules) return html`<${Problem} error=${error} />`;
  const change = (field, value) => (setIsSaved(false), setRules({ ...rules, [field]: value }));
  const type = (list) => (typed) => (setIsSaved(false), setTyping({ ...typing, [list]: { ...typing[list], ...typed } }));
  const show = (policy) => (setSaved(policy), setRules(policy ? rulesOf(policy) : EMPTY), setTyping(NOTHING_TYPED), setError(null));
  const store = async (rules) => {
    try {
      const headers = saved ? { "If-Match": `"${saved.version}"` } : { "If-None-Match": "*" };
      const policy = await call("PUT", path, { json: rules, headers });
      show(policy);
      setIsSaved(true);
      changed();
    } catch (failure) {
      setError(failure);
    }
  };
  const remove = async () => {
    if (!confirm(t("rules.sure"))) return;
    try {
      await call("DELETE", path);
      show(null);
      setIsSaved(false);
      changed();
    } catch (failure) {
      setError(failure);
    }
  };
  const isFixed = saved?.read_only;
  return html`<section>
    <h2 class="name">${name}</h2>
    ${saved && html`<p><small>${t("rules.version", { n: saved.version, who: whoChanged(saved.updated_by), when: time(saved.updated_at) })}</small></p>`}
    ${isFixed && html`<p class="note">${t("rules.fixed")}</p>`}
    <label>${t("try.strictness")}<select value=${rules.strictness ?? ""} disabled=${isFixed} onChange=${(event) => change("strictness", event.target.value || null)}>
      ${["", ...levels].map((level) => html`<option value=${level}>${t(`strictness.${level}`)}</option>`)}</select></label>
    <${Words} list="deny" board=${name} isFed=${feed?.enabled} entries=${rules.deny} hits=${fired("deny")} labels=${labels} isFixed=${isFixed} typing=${typing.deny} type=${type("deny")} set=${(entries) => change("deny", entries)} />
    <${Words} list="allow" board=${name} isFed=${feed?.enabled} entries=${rules.allow} hits=${fired("allow")} labels=${labels} isFixed=${isFixed} typing=${typing.allow} type=${type("allow")} set=${(entries) => change("allow", entries)} />
    <${TryOut} rules=${wanted} path=${path} />
    <div class="actions">
      <button type="button" disabled=${isFixed || (!isChanged && saved)} onClick=${() => store(wanted)}>${t("rules.save")}</button>
      ${saved && !isFixed && html`<button type="button" class="secondary" onClick=${remove}>${t("job.delete")}</button>`}
      ${isChanged && saved && html`<button type="button" class="secondary" onClick=${() => show(saved)}>${t("rules.discard")}</button>`}
      <span role="status">${isChanged && saved ? t("rules.unsaved") : isSaved ? t("rules.saved") : ""}</span>
    </div>
    <${Problem} error=${error}>${error?.code === "precondition_failed" && html`<p><button type="button" class="secondary" onClick=${reread}>${t("rules.reread")}</button></p>`}<//>
    <${Versions} path=${path} name=${name} saved=${saved} restore=${(version) => store(rulesOf(version))} />
  </section>`;
}

// The texts of the live feed in which an entry of a board fired, the newest first.
function Recent({ board, list, term, close }) {
  const [page, error] = useFetched((signal) => call("GET", "feed", { query: { policy: board, list, term, limit: SHOWN_RECENT }, signal }), [board, list, term]);
  return html`<div class="recent" role="region" aria-label=${t("rules.recent.of", { term })}>
    <p><strong>${t("rules.recent.of", { term })}</strong> <button type="button" class="quiet" onClick=${close}>${t("close")}</button></p>
    <${Problem} error=${error} />
    ${page && !page.data.length && html`<p><small>${t("rules.norecent")}</small></p>`}
    <ul>${page?.data.map((one) => html`<li key=${one.number}><small>${time(one.arrived_at)}</small> <${Word} label=${one.classification} /> <span class="text" lang="ko">${one.text}</span></li>`)}</ul>
  </div>`;
}

function Words({ list, board, entries, hits, isFed, labels, isFixed, typing, type, set }) {
  const [recent, setRecent] = useState(null);
  const { typed, label, match } = typing;
  const [find, setFind] = useState("");
  const add = (event) => {
    event.preventDefault();
    set(withTyped(entries, typing, list));
    type({ typed: "" });
  };
  const shown = entries.filter((entry) => entry.term.includes(find));
  return html`<fieldset><legend><strong>${t(`rules.${list}`)}</strong></legend><p><small>${t(`rules.${list}.help`)}</small></p>
    ${!isFixed && html`<form class="row" onSubmit=${add}>
      <label class="wide">${t("rules.terms")}<textarea rows="1" lang="ko" required value=${typed} onInput=${(event) => type({ typed: event.target.value })}></textarea></label>
      ${list === "deny" && html`<label>${t("rules.label")}<select value=${label} onChange=${(event) => type({ label: event.target.value })}>${["denied", ...labels.filter((one) => one !== "clean" && !one.includes("/"))].map((one) => html`<option value=${one}>${labelWord(one)}</option>`)}</select></label>`}
      <label>${t("rules.match")}<select value=${match} onChange=${(event) => type({ match: event.target.value })}><option value="word">${t("rules.word")}</option><option value="part">${t("rules.part")}</option></select></label>
      <button type="submit" class="secondary">${t("rules.add")}</button>
    </form>`}
    ${entries.length > 20 && html`<label>${t("rules.find", { n: number(entries.length) })}<input type="search" value=${find} onInput=${(event) => setFind(event.target.value)} /></label>`}
    <div class="chips">${shown.slice(0, SHOWN_ENTRIES).map((entry) => html`<span class="chip" key=${entry.term + entry.match}>
      <span lang="ko">${entry.term}</span> <small>${entry.label && entry.label !== "denied" ? `${labelWord(entry.label)} · ` : ""}${t(`rules.${entry.match}`)}${hits?.[entry.term] ? ` · ${t("rules.hits", { n: number(hits[entry.term]) })}` : ""}</small>
      ${isFed && hits?.[entry.term] > 0 && html` <button type="button" class="link" aria-expanded=${recent === entry.term} aria-label=${t("rules.recent.of", { term: entry.term })} onClick=${() => setRecent(recent === entry.term ? null : entry.term)}>${t("rules.recent")}</button>`}
      ${!isFixed && html` <button type="button" class="remove" aria-label=${t("rules.remove", { term: entry.term })} onClick=${() => set(entries.filter((one) => one !== entry))}>×</button>`}
    </span>`)}${shown.length > SHOWN_ENTRIES && html`<small>${t("rules.more", { n: number(shown.length - SHOWN_ENTRIES) })}</small>`}</div>
    ${recent && html`<${Recent} board=${board} list=${list} term=${recent} close=${() => setRecent(null)} />`}
  </fieldset>`;
}

// What the rules, as they stand on the page, would change in rows of a file that was judged before.
function TryOut({ rules, path }) {
  const [page] = useFetched((signal) => call("GET", "jobs", { query: { limit: 50 }, signal }), []);
  const [job, setJob] = useState("");
  const [state, setState] = useState(null);
  const [error, setError] = useState(null);
  const jobs = (page?.data ?? []).filter((one) => hasEnded(one) && one.request_counts.completed > 0);
  const chosen = jobs.find((one) => one.id === job) ?? jobs[0];
  if (!chosen) return null;
  const run = async () => {
    setError(null);
    setState({ done: 0, rows: 0, changes: [] });
    try {
      const rows = (await lines(`jobs/${chosen.id}/results`, { query: { own_columns: "false", format: "jsonl", partial: "true", last: "true", limit: TRIED_ROWS } })).filter((row) => !row.error);
      setState({ done: 0, rows: rows.length, changes: [] });
      const changes = [];
      for (let start = 0; start < rows.length; start += AT_ONCE) {
        const texts = rows.slice(start, start + AT_ONCE).map((row) => row.text);
        const { data } = await call("POST", `${path}/try`, { json: { rules, texts } });
        data.forEach(({ was, now }, at) => {
          if (now && was.classification !== now.classification) changes.push({ text: texts[at], was: was.classification, is: now.classification });
        });
        setState({ done: Math.min(start + AT_ONCE, rows.length), rows: rows.length, changes: [...changes] });
      }
    } catch (failure) {
      setError(failure);
      setState(null);
    }
  };
  return html`<fieldset><legend><strong>${t("rules.try")}</strong></legend><p><small>${t("rules.try.help")}</small></p>
    <div class="row"><label>${t("files.name")}<select value=${chosen.id} onChange=${(event) => setJob(event.target.value)}>${jobs.map((one) => html`<option value=${one.id}>${shortened(one.file_name ?? t("files.unnamed"))} (${number(one.request_counts.total)})</option>`)}</select></label>
      <button type="button" class="secondary" onClick=${run}>${t("rules.run")}</button></div>
    <${Problem} error=${error} />
    ${state && html`<p role="status">${t("rules.changes", { n: number(state.changes.length), done: number(state.done), rows: number(state.rows) })}</p>
      ${state.changes.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label=${t("rules.try")}><table class="small"><thead><tr><th scope="col">${t("rules.was")}</th><th scope="col">${t("rules.is")}</th><th scope="col">${t("job.text")}</th></tr></thead>
        <tbody>${state.changes.slice(0, 50).map((one) => html`<tr><td><${Word} label=${one.was} /></td><td><${Word} label=${one.is} /></td><td lang="ko">${one.text}</td></tr>`)}</tbody></table></div>`}`}
  </fieldset>`;
}
