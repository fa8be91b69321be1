// The versions of a board's rules: who changed what and when, what is different, and the way back.

import { useState } from "../lib/hooks.js";
import { call, download } from "../api.js";
import { Problem, html, labelWord, number, t, time, useFetched } from "../ui.js";

const SHOWN_TERMS = 30;
const said = (entry) => `${entry.term}${entry.label && entry.label !== "denied" ? ` (${labelWord(entry.label)})` : ""} · ${t(`rules.${entry.match}`)}`;
const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

// What the newer rules have and the older ones lack, and the other way round.
export function differences(older, newer) {
  const found = [];
  for (const list of ["deny", "allow"]) {
    const [old, now] = [older, newer].map((rules) => (rules?.[list] ?? []).map(said));
    const [was, is] = [new Set(old), new Set(now)];
    const added = now.filter((one) => !was.has(one));
    const removed = old.filter((one) => !is.has(one));
    if (added.length) found.push({ name: t(`rules.${list}`), sign: "+", terms: added });
    if (removed.length) found.push({ name: t(`rules.${list}`), sign: "−", terms: removed });
  }
  const shown = (field, value) => {
    if (value === null || value === undefined) return t("versions.unset");
    if (field === "strictness") return t(`strictness.${value}`);
    if (field === "labels") return value.map(labelWord).join(", ");
    return Object.entries(value).map(([key, one]) => `${labelWord(key)} ${Array.isArray(one) ? one.map(labelWord).join(", ") : one}`).join(", ") || t("versions.unset");
  };
  for (const field of ["strictness", "thresholds", "labels", "mask"]) {
    const [old, now] = [older?.[field], newer?.[field]];
    if (!same(old, now) && shown(field, old) !== shown(field, now)) found.push({ name: t(`versions.${field}`), old: shown(field, old), now: shown(field, now) });
  }
  return found;
}

export function Versions({ path, name, saved, restore }) {
  const [page, error] = useFetched((signal) => call("GET", `${path}/versions`, { signal }).catch((failure) => {
    if (failure.status === 404) return { data: [] };
    throw failure;
  }), [path, saved?.version]);
  if (!page?.data.length) return html`<${Problem} error=${error} />`;
  return html`<details class="versions" open=${page.current === null}>
    <summary>${t("versions", { n: number(page.data.length) })}</summary>
    ${page.current === null && html`<p class="note">${t("versions.deleted")}</p>`}
    <ol>${page.data.map((head, place) => html`<${Version} key=${head.version} path=${path} name=${name} head=${head} before=${page.data[place + 1]} isCurrent=${head.version === page.current} isFixed=${saved?.read_only} restore=${restore} />`)}</ol>
  </details>`;
}

function Version({ path, name, head, before, isCurrent, isFixed, restore }) {
  const [isOpen, setOpen] = useState(false);
  const [error, setError] = useState(null);
  const [pair, pairError] = useFetched(async (signal) => {
    if (!isOpen) return null;
    const get = (version) => call("GET", `${path}/versions/${version}`, { signal });
    return { now: await get(head.version), old: before ? await get(before.version) : null };
  }, [isOpen, head.version]);
  const bringBack = async () => {
    try {
      if (isFixed) await download(`${path}/versions/${head.version}`, { format: "toml" }, `${name}-${head.version}.toml`);
      else await restore(await call("GET", `${path}/versions/${head.version}`));
    } catch (failure) {
      setError(failure);
    }
  };
  const changes = pair && differences(pair.old, pair.now);
  return html`<li>
    <p><span>${t("rules.version", { n: head.version, who: head.updated_by === "everybody" ? t("rules.everybody") : head.updated_by, when: time(head.updated_at) })}</span>
      ${isCurrent && html` <strong>${t("versions.current")}</strong>`}
      <small> ${t("rules.deny")} ${number(head.counts.deny)}, ${t("rules.allow")} ${number(head.counts.allow)}</small></p>
    <div class="actions">
      <button type="button" class="quiet" aria-expanded=${isOpen} aria-label=${t("versions.show.of", { n: head.version })} onClick=${() => setOpen(!isOpen)}>${t("versions.show")}</button>
      ${!isCurrent && html`<button type="button" class="quiet" aria-label=${t(isFixed ? "versions.toml.of" : "versions.restore.of", { n: head.version })} onClick=${bringBack}>${t(isFixed ? "versions.toml" : "versions.restore")}</button>`}
    </div>
    <${Problem} error=${error ?? pairError} />
    ${isOpen && changes && html`<ul class="changes">
      ${!before && html`<li><small>${t("versions.first")}</small></li>`}
      ${before && !changes.length && html`<li><small>${t("versions.same")}</small></li>`}
      ${changes.map((one) => html`<li>${one.name}: ${one.terms
        ? html`<strong>${one.sign}</strong> <span lang="ko">${one.terms.slice(0, SHOWN_TERMS).join(", ")}</span>${one.terms.length > SHOWN_TERMS ? ` ${t("rules.more", { n: number(one.terms.length - SHOWN_TERMS) })}` : ""}`
        : html`${one.old} → <strong>${one.now}</strong>`}</li>`)}
    </ul>`}
  </li>`;
}
