// Try a sentence: the verdict as one types.

import { useEffect, useState } from "../lib/hooks.js";
import { call } from "../api.js";
import { Marked, Problem, Word, explainRow, html, labelWord, number, percent, t, tone, useDebounced, useFetched, useRecovery } from "../ui.js";

const EXAMPLES = {
  one: "오늘 방송 정말 재미있게 봤습니다. 다음 주도 기대할게요",
  two: "말 진짜 드럽게 못하네 ㅅㅂ",
  three: "못 배운 티 좀 그만 내세요",
  four: "기자님 기사 잘 읽었습니다\n너 같은 놈은 집 앞에서 기다렸다 죽여버린다\n네 시 발 기차 예매했어요",
};
const DRAFT = "kobert-draft";
const WAIT_MS = 250;
const MOST_LINES = 200;
// What is typed here is half-finished and nobody's comment: no text for the live feed.
const NOT_KEPT = { "X-Review-Feed": "off" };

export function Try({ info, infoError }) {
  const [text, setText] = useState(sessionStorage.getItem(DRAFT) || "");
  const [strictness, setStrictness] = useState("");
  const [policy, setPolicy] = useState("");
  const [cuts, setCuts] = useState({});
  const [round, setRound] = useState(0);
  const [policies] = useFetched((signal) => call("GET", "policies", { signal }).then((page) => page.data ?? []), []);
  const asked = useDebounced(JSON.stringify({ text, strictness, policy, cuts }), WAIT_MS);
  const [answer, error, isLate] = useVerdicts(asked, round);
  useRecovery(error, () => setRound((n) => n + 1));
  useEffect(() => sessionStorage.setItem(DRAFT, text), [text]);

  const levels = info?.model?.levels ?? {};
  const level = strictness || info?.model?.strictness || "standard";
  return html`
    <h1 class="hidden">${t("try")}</h1>
    <p class="lead">${t("try.welcome")}</p>
    <section class="two">
      <div>
        <label for="text">${t("try.text")}</label>
        <textarea id="text" rows="6" lang="ko" placeholder=${t("try.placeholder")} value=${text} onInput=${(event) => setText(event.target.value)}></textarea>
        <div class="chips" role="toolbar" aria-label=${t("try.examples")}>
          <small>${t("try.examples")}</small>
          ${Object.values(EXAMPLES).map((example) => html`<button type="button" class="chip" lang="ko" onClick=${() => setText(example)}>${example.split("\n")[0]}${example.includes("\n") ? " …" : ""}</button>`)}
        </div>
        <div class="row">
          <label>${t("try.strictness")}
            <select value=${strictness} onChange=${(event) => (setStrictness(event.target.value), setCuts({}))}>
              ${["", ...Object.keys(levels)].map((name) => html`<option value=${name}>${t(`strictness.${name}`)}${name ? "" : info?.model ? ` (${t(`strictness.${info.model.strictness}`)})` : ""}</option>`)}
            </select>
          </label>
          ${policies?.length !== 0 && html`<label>${t("try.policy")}
            <select value=${policy} onChange=${(event) => setPolicy(event.target.value)}>
              <option value="">${t("try.nopolicy")}</option>
              ${policies?.map(({ name }) => html`<option value=${name}>${name}</option>`)}
            </select>
          </label>`}
        </div>
        <${Thresholds} base=${levels[level] ?? {}} cuts=${cuts} setCuts=${setCuts} />
      </div>
      <div aria-live="polite" aria-busy=${isLate}>
        <${Problem} error=${error ?? (answer ? null : infoError)} />
        ${answer && html`<${Answer} answer=${answer} cuts=${{ ...(levels[level] ?? {}), ...cuts }} isTuned=${Object.keys(cuts).length > 0} labels=${info?.model?.labels ?? []} policy=${policy} again=${() => setRound((n) => n + 1)} />`}
      </div>
    </section>`;
}

// [what the service says, error, whether an answer is on its way]. A newer question cancels an older one.
function useVerdicts(asked, round) {
  const [state, setState] = useState([null, null, false]);
  useEffect(() => {
    const { text, strictness, policy, cuts } = JSON.parse(asked);
    const texts = text.split("\n").filter((line) => line.trim());
    if (!texts.length) return setState([null, null, false]);
    const aborter = new AbortController();
    const began = performance.now();
    const body = {
      ...(texts.length === 1 ? { text: texts[0] } : { texts: texts.slice(0, MOST_LINES) }),
      ...(strictness && { strictness }),
      ...(policy && { policy }),
      ...(Object.keys(cuts).length > 0 && { thresholds: cuts }),
      explain: true,
      mask: true,
    };
    setState(([old]) => [old, null, true]);
    call("POST", "predict", { json: body, headers: NOT_KEPT, signal: aborter.signal }).then(
      (reply) => setState([{ results: reply.results ?? [reply], took: performance.now() - began, left: texts.length - MOST_LINES }, null, false]),
      (error) => aborter.signal.aborted || setState([null, error, false]),
    );
    return () => aborter.abort();
  }, [asked, round]);
  return state;
}

// The sliders act at once on the scores that are there; the service is asked when they rest.
function Thresholds({ base, cuts, setCuts }) {
  const labels = Object.keys(base);
  return html`<details>
    <summary>${t("try.thresholds")}</summary>
    <div class="sliders">
      ${labels.map((label) => {
        const value = cuts[label] ?? base[label];
        return html`<label>${labelWord(label)} <output>${value.toFixed(2)}</output>
          <input type="range" min="0" max="1" step="0.01" value=${value} aria-label=${t("try.threshold", { label: labelWord(label) })}
            onInput=${(event) => setCuts({ ...cuts, [label]: Number(event.target.value) })} /></label>`;
      })}
    </div>
    <button type="button" class="quiet" onClick=${() => setCuts({})}>${t("try.reset")}</button>
  </details>`;
}

function Answer({ answer, ...rest }) {
  const { results, took, left } = answer;
  if (results.length === 1) return html`<${One} result=${results[0]} took=${took} ...${rest} />`;
  const flagged = results.filter((result) => result.error || result.classification !== "clean").length;
  return html`
    <p>${t("try.lines", { n: number(results.length), flagged: number(flagged) })} <small>${t("try.took", { n: Math.round(took) })}</small></p>
    ${left > 0 && html`<p role="alert">${t("try.limit", { n: number(MOST_LINES) })}</p>`}
    <div class="scroll" tabindex="0" role="region" aria-label=${t("try.verdict")}><table>
      <thead><tr><th scope="col">${t("try.line")}</th><th scope="col">${t("try.verdict")}</th><th scope="col">${t("try.certainty")}</th><th scope="col">${t("try.why")}</th></tr></thead>
      <tbody>${results.map((result, at) => html`<tr>
        <td>${at + 1}</td>
        ${result.error
          ? html`<td colspan="2">${explainRow(result.error)}</td>`
          : html`<td><${Word} label=${result.classification} /></td><td class="tight">${percent(result.confidence)}</td>`}
        <td lang="ko"><${Marked} text=${result.text} spans=${result.spans} /></td>
      </tr>`)}</tbody>
    </table></div>`;
}

// With sliders moved, the word follows them before the service has answered.
function wordBy(result, cuts, isTuned) {
  if (!isTuned) return result.classification;
  const over = Object.entries(cuts).filter(([label, cut]) => (result.scores[label] ?? 0) >= cut);
  over.sort(([a], [b]) => result.scores[b] - result.scores[a]);
  return over.length ? over[0][0] : "clean";
}

function One({ result, took, cuts, isTuned, labels, policy, again }) {
  if (result.error) return html`<div role="alert" class="problem"><p>${explainRow(result.error)}</p></div>`;
  const word = wordBy(result, cuts, isTuned);
  const bars = Object.entries(result.scores).filter(([label]) => label in cuts || label === "clean" || !Object.keys(cuts).length);
  return html`<article class="verdict">
    <p class="headline"><${Word} label=${word} /> <span>${percent(result.scores[word] ?? result.confidence)}</span> <small>${t("try.took", { n: Math.round(took) })}</small></p>
    <p lang="ko" class="judged"><${Marked} text=${result.text} spans=${result.spans} /></p>
    ${result.masked !== undefined && result.masked !== result.text && html`<p><small>${t("try.masked")}</small><br /><span class="text" lang="ko">${result.masked}</span></p>`}
    ${result.windows > 1 && html`<p><small>${t("try.windows", { n: result.windows })}</small></p>`}
    ${result.matches?.length > 0 && html`<p><small>${t("try.matches")}</small> ${result.matches.map((match) => html`<span class="chip">${t(`match.${match.list}`)}: ${match.term}</span>`)}</p>`}
    <div class="bars">
      ${bars.map(([label, score]) => html`<${Bar} label=${label} score=${score} cut=${cuts[label]} />`)}
    </div>
    ${result.corrected && html`<p class="note">${t("try.corrected")}</p>`}
    <${Correction} result=${result} labels=${labels} policy=${policy} again=${again} />
  </article>`;
}

function Bar({ label, score, cut }) {
  const counts = cut !== undefined && score >= cut;
  return html`<div class=${`bar ${counts || label === "clean" ? tone(label) : "below"}`}>
    <span>${labelWord(label)}</span>
    <svg viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=${`${t("try.score", { label: labelWord(label) })} ${percent(score)}`}>
      <rect class="track" width="100" height="10" /><rect class="fill" width=${Math.max(0.5, score * 100)} height="10" />
      ${cut !== undefined && html`<line x1=${cut * 100} x2=${cut * 100} y1="0" y2="10" />`}
    </svg>
    <span>${percent(score)}</span>
  </div>`;
}

function Correction({ result, labels, policy, again }) {
  const [isOpen, setOpen] = useState(false);
  const [made, setMade] = useState(null);
  const [error, setError] = useState(null);
  // A change reaches every worker within a second: until then the service is asked again.
  const [awaited, setAwaited] = useState(null);
  useEffect(() => (setOpen(false), setMade(null), setError(null), setAwaited(null)), [result.text]);
  useEffect(() => {
    if (!awaited || Boolean(result.corrected) === awaited.corrected || Date.now() > awaited.until) return undefined;
    const timer = setTimeout(again, 300);
    return () => clearTimeout(timer);
  }, [awaited, result]);
  const awaitAnswer = (corrected) => (setAwaited({ corrected, until: Date.now() + 5000 }), again());
  const choices = ["clean", ...labels.filter((label) => label !== "clean" && !label.includes("/"))].filter((label) => label !== result.classification);
  const correct = async (classification) => {
    try {
      setMade(await call("POST", "corrections", { json: { text: result.text, classification, ...(policy && { policy }) } }));
      setOpen(false);
      setError(null);
      awaitAnswer(true);
    } catch (failure) {
      setError(failure);
    }
  };
  const undo = async () => {
    try {
      await call("DELETE", `corrections/${encodeURIComponent(made.id)}`);
      setMade(null);
      awaitAnswer(false);
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<div class="correction">
    ${made
      ? html`<button type="button" class="secondary" onClick=${undo}>${t("try.undo")}</button>`
      : html`<button type="button" class="secondary" aria-expanded=${isOpen} onClick=${() => setOpen(!isOpen)}>${t("try.wrong")}</button>`}
    ${isOpen && html`<div class="chips" role="toolbar" aria-label=${t("try.should")}><small>${t("try.should")}</small>
      ${choices.map((label) => html`<button type="button" class="chip" onClick=${() => correct(label)}>${labelWord(label)}</button>`)}</div>`}
    <${Problem} error=${error} />
  </div>`;
}
