// What all views share: markup, words, small parts.

import { h } from "./lib/preact.js";
import htm from "./lib/htm.js";
import { useEffect, useRef, useState } from "./lib/hooks.js";
import { ApiError, isLost, isPassing } from "./api.js";
import { inKorean } from "./sentences.js";
import { words } from "./words.js";

const AGAIN_MS = 3000;

export const html = htm.bind(h);

export const language = () => (document.documentElement.lang === "en" ? "en" : "ko");

// A sentence in the chosen language; {name} stands for a value.
export function t(name, values = {}) {
  const sentence = words[language()][name] ?? words.ko[name] ?? name;
  return sentence.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

// What the service said, in the chosen language where it can be.
export const told = (sentence) => (language() === "ko" && inKorean(sentence)) || sentence;
export const Told = ({ sentence }) => html`<small lang=${told(sentence) === sentence ? "en" : language()}>${told(sentence)}</small>`;

export const number = (value) => new Intl.NumberFormat(language()).format(value);
// Never rounded up to a certainty that no model has.
export const percent = (value) => (value === 1 || value === 0 ? `${value * 100} %` : `${Math.min(value * 100, 99.9).toFixed(value > 0.995 || value < 0.1 ? 1 : 0)} %`);
// A long name in a list to choose from, which cannot wrap.
export const shortened = (name, most = 24) => (Array.from(name).length > most ? `${Array.from(name).slice(0, most - 1).join("")}…` : name);
export const time = (seconds) =>
  new Intl.DateTimeFormat(language(), { dateStyle: "short", timeStyle: "short" }).format(new Date(seconds * 1000));

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds < 90) return t("seconds", { n: Math.max(0, Math.round(seconds)) });
  if (seconds < 5400) return t("minutes", { n: Math.round(seconds / 60) });
  return t("hours", { n: (seconds / 3600).toFixed(1) });
}

// Words for the labels of the included model; others show their own name.
export const labelWord = (label) => words[language()][`label.${label}`] ?? label;

// A colour for each kind of label; a text is never told by its colour alone.
export function tone(label) {
  if (label === "clean" || label === "neutral") return "calm";
  if (label === "positive") return "good";
  return `tone-${["curse", "insult", "hate", "threat"].find((kind) => label.startsWith(kind)) ?? "other"}`;
}

export const Word = ({ label }) => html`<strong class=${`word ${tone(label)}`}>${labelWord(label)}</strong>`;

// The text with what is at fault marked. Positions count code points.
export function Marked({ text, spans }) {
  if (!spans?.length) return html`<span class="text">${text}</span>`;
  const characters = Array.from(text);
  const labels = characters.map((_, at) => spans.filter((span) => span.start <= at && at < span.end).map((span) => span.label));
  const parts = [];
  for (let at = 0; at < characters.length; ) {
    const here = labels[at].join(", ");
    let end = at + 1;
    while (end < characters.length && labels[end].join(", ") === here) end += 1;
    const part = characters.slice(at, end).join("");
    const names = labels[at].map(labelWord).join(", ");
    parts.push(here ? html`<mark class=${tone(labels[at][0])} title=${names}>${part}<span class="hidden"> (${names})</span></mark>` : part);
    at = end;
  }
  return html`<span class="text">${parts}</span>`;
}

// What went wrong, in words that help; and what the service said, where these words leave out what it names.
export function explain(error) {
  if (isLost(error)) return [t("error.network"), ""];
  if (!(error instanceof ApiError)) return [String(error?.message ?? error), ""];
  const [exact, known] = [`error.${error.code}.${error.param}`, `error.${error.code}`].map((name) => words[language()][name]);
  const wait = error.retryAfterS ? ` ${t("retry", { n: error.retryAfterS })}` : "";
  // Which limit it is, where the service's own sentence tells.
  if (["overloaded", "quota_exceeded"].includes(error.code) && told(error.message) !== error.message) return [told(error.message) + wait, ""];
  // A title above the names of the columns: no column that could be typed would help.
  if (error.param === "header_row") return [told(error.message), ""];
  if (exact) return [exact + wait, ["text_column", "format", null].includes(error.param) ? error.message : ""];
  return known ? [known + wait, ["invalid_request", "store_unfit"].includes(error.code) || error.status === 413 ? error.message : ""] : [told(error.message) + wait, ""];
}

// The same of an error in an answer: of one row among others.
export const explainRow = ({ code, message }) => words[language()][`error.${code}`] ?? told(message);

// The same of a row of a file, whose number among the rows need not be that of its line; the service's own sentence names it.
export const explainLine = ({ line, ...error }) =>
  line && words[language()][`error.${error.code}`] ? `${explainRow(error)} (${t("job.line", { n: number(line) })})` : explainRow(error);

export function Problem({ error, children }) {
  if (!error) return null;
  const [said, detail] = explain(error);
  return html`<div role="alert" class="problem"><p>${said}</p>${detail && html`<p><${Told} sentence=${detail} /></p>`}${children}</div>`;
}

// Calls `again` a moment after an error that may be over by then, or once the key that lacked is given.
export function useRecovery(error, again) {
  const latest = useRef();
  latest.current = again;
  useEffect(() => {
    if (error instanceof ApiError && error.status === 401) {
      const retry = () => latest.current();
      addEventListener("key-given", retry);
      return () => removeEventListener("key-given", retry);
    }
    if (!error || !isPassing(error)) return undefined;
    const timer = setTimeout(() => latest.current(), Math.max(AGAIN_MS, (error.retryAfterS ?? 0) * 1000));
    return () => clearTimeout(timer);
  }, [error]);
}

// A value that is fetched once, again when `inputs` change, and until the service is back: [value, error, reload].
export function useFetched(fetchIt, inputs) {
  const [state, setState] = useState([null, null]);
  const [round, setRound] = useState(0);
  useEffect(() => {
    const aborter = new AbortController();
    fetchIt(aborter.signal).then(
      (value) => setState([value, null]),
      (error) => aborter.signal.aborted || setState((old) => [old[0], error]),
    );
    return () => aborter.abort();
  }, [...inputs, round]);
  const reload = () => setRound((n) => n + 1);
  useRecovery(state[1], reload);
  return [...state, reload];
}

export function useDebounced(value, milliseconds) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
