// What all views share: markup, words, small parts.

import { h } from "./lib/preact.js";
import htm from "./lib/htm.js";
import { useEffect, useState } from "./lib/hooks.js";
import { ApiError } from "./api.js";
import { words } from "./words.js";

export const html = htm.bind(h);

export const language = () => (document.documentElement.lang === "en" ? "en" : "ko");

// A sentence in the chosen language; {name} stands for a value.
export function t(name, values = {}) {
  const sentence = words[language()][name] ?? words.ko[name] ?? name;
  return sentence.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
}

export const number = (value) => new Intl.NumberFormat(language()).format(value);
// Never rounded up to a certainty that no model has.
export const percent = (value) => `${(value === 1 ? 100 : Math.min(value * 100, 99.9)).toFixed(value > 0.995 || value < 0.1 ? 1 : 0)} %`;
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

// What went wrong, in words that help.
export function explain(error) {
  if (error instanceof ApiError) {
    const known = words[language()][`error.${error.code}`];
    const wait = error.retryAfterS ? ` ${t("retry", { n: error.retryAfterS })}` : "";
    return known ? known + wait : error.message + wait;
  }
  return error instanceof TypeError ? t("error.network") : String(error?.message ?? error);
}

export function Problem({ error, children }) {
  if (!error) return null;
  return html`<div role="alert" class="problem"><p>${explain(error)}</p>${children}</div>`;
}

// A value that is fetched once, and again when `inputs` change: [value, error, reload].
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
  return [...state, () => setRound((n) => n + 1)];
}

export function useDebounced(value, milliseconds) {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), milliseconds);
    return () => clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
