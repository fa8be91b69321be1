// Files: choose one, see how it is read, start; and those of before.

import { useEffect, useRef, useState } from "../lib/hooks.js";
import { address, call, key, upload } from "../api.js";
import { sheetsOf } from "../sheets.js";
import { Problem, explainRow, html, number, percent, t, time, useFetched } from "../ui.js";

const EXAMPLE = "console/files/examples/comments.csv";
// The beginning of these is enough to see how they are read; the others have their index at their end.
const BY_LINE = /\.(csv|tsv|tab|txt|jsonl|ndjson|json)$/i;
const HEAD_BYTES = 256 * 1024;
const MOST_BYTES = 8 * 1024 * 1024;
const ENCODINGS = ["utf-8", "cp949", "utf-16"];
const PAGE = 20;
const MOST_HEADER_ROW = 100;
// A file that cannot be previewed may be a table, unless its name says that it is one of these.
const PARQUET = /\.(parquet|pq)(\.gz)?$/i;

export function Files() {
  const [file, setFile] = useState(null);
  return html`
    <h1 class="hidden">${t("files")}</h1>
    <p class="lead">${t("files.welcome")}</p>
    ${file ? html`<${Chosen} file=${file} leave=${() => setFile(null)} />` : html`<${Chooser} choose=${setFile} />`}
    <${History} />`;
}

function Chooser({ choose }) {
  const [isOver, setOver] = useState(false);
  const [error, setError] = useState(null);
  const input = useRef();
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer.files[0]) choose(event.dataTransfer.files[0]);
  };
  const tryExample = async () => {
    try {
      const content = await (await fetch(address(EXAMPLE))).blob();
      choose(new File([content], "예시 댓글.csv", { type: "text/csv" }));
    } catch (failure) {
      setError(failure);
    }
  };
  return html`<section>
    <label class=${`drop ${isOver ? "over" : ""}`} onDragOver=${(event) => (event.preventDefault(), setOver(true))} onDragLeave=${() => setOver(false)} onDrop=${drop}>
      <strong>${t("files.drop")}</strong><small>${t("files.kinds")}</small>
      <input ref=${input} type="file" class="hidden" accept=".xlsx,.xlsm,.csv,.tsv,.txt,.jsonl,.ndjson,.json,.parquet,.gz" onChange=${(event) => event.target.files[0] && choose(event.target.files[0])} />
    </label>
    <p><button type="button" class="secondary" onClick=${tryExample}>${t("files.example")}</button></p>
    <${Problem} error=${error} />
  </section>`;
}

function form(file, name) {
  const body = new FormData();
  body.append("file", file, name);
  return body;
}

function Chosen({ file, leave }) {
  const [options, setOptions] = useState({});
  const [sent, setSent] = useState(null);
  const [error, setError] = useState(null);
  const aborter = useRef();
  useEffect(() => () => aborter.current?.abort(), []);
  const isByLine = BY_LINE.test(file.name);
  const canPreview = isByLine || file.size <= MOST_BYTES;
  const [seen, previewError] = useFetched(async (signal) => {
    if (!canPreview) return null;
    const head = isByLine && file.size > HEAD_BYTES ? file.slice(0, HEAD_BYTES) : file;
    return call("POST", "jobs/preview", { query: options, body: form(head, file.name), signal });
  }, [file, JSON.stringify(options)]);
  // What was seen of another sheet, or in another encoding, is not what would be judged.
  const preview = previewError?.status === 422 ? null : seen;
  const [sheets] = useFetched(() => sheetsOf(file), [file]);
  const refusal = previewError ?? error;
  // No choice here makes another kind of file readable.
  const isReadable = preview || !canPreview || (previewError?.status === 422 && previewError.param !== "format");
  const start = async () => {
    aborter.current = new AbortController();
    setError(null);
    setSent(0);
    try {
      const job = await upload("jobs", form(file, file.name), { query: { ...options, explain: "true" }, onProgress: setSent, signal: aborter.current.signal });
      location.hash = `job/${job.id}`;
    } catch (failure) {
      if (failure.name !== "AbortError") setError(failure);
      setSent(null);
    }
  };
  const change = (name, value) => setOptions({ ...options, [name]: value });
  // Another line has other names, among which the column of the texts is another.
  const changeHeader = (row, header) => {
    setError(null);
    setOptions({ ...options, text_column: undefined, header_row: row, header });
  };
  // Each sheet has columns of its own.
  const changeSheet = (event) => setOptions({ sheet: event.target.value || undefined });
  return html`<section>
    <h2 class="name">${t("files.first", { name: file.name })}</h2>
    ${!canPreview && html`<p>${t("files.nopreview")}</p>`}
    ${sheets?.length > 1 && html`<label>${t("files.sheet")}
      <select value=${options.sheet ?? ""} onChange=${changeSheet}>
        <option value="">${t("files.sheet.first")}</option>
        ${sheets.map((name) => html`<option value=${name}>${name}</option>`)}
      </select></label>`}
    ${canPreview && !preview && !previewError && html`<p aria-busy="true">${t("files.reading")}</p>`}
    <${Problem} error=${previewError}><${NamesFound} error=${previewError} use=${changeHeader} /></${Problem}>
    ${!preview && ["text_column", "header_row"].includes(refusal?.param) && html`<label>${t("files.column")} <small>${t("files.column.type")}</small>
      <input value=${options.text_column ?? ""} onChange=${(event) => change("text_column", event.target.value)} /></label>`}
    ${isReadable && html`<div class="row">
      ${preview && html`<p>${t("files.format")}<br /><strong>${preview.format}</strong></p>`}
      ${(preview ? preview.encoding : isByLine) && html`<label>${t("files.encoding")}
        <select value=${options.encoding ?? ""} onChange=${(event) => change("encoding", event.target.value)}>
          <option value="">${t("files.auto", { found: preview?.encoding ?? "?" })}</option>
          ${ENCODINGS.map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>`}
      ${preview?.columns.length > 1 && html`<label>${t("files.column")}
        <select value=${preview.text_column} onChange=${(event) => change("text_column", event.target.value)}>
          ${preview.columns.map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>`}
      ${(preview ? ["csv", "tsv", "xlsx"].includes(preview.format) : !PARQUET.test(file.name)) && html`<${Header} options=${options} found=${preview?.header_row} change=${changeHeader} />`}
    </div>`}
    ${preview && html`<${Rows} preview=${preview} />`}
    ${sent === null
      ? html`<div class="actions"><button type="button" disabled=${Boolean(previewError)} onClick=${start}>${t("files.start")}</button>
          <button type="button" class="secondary" onClick=${leave}>${t("files.other")}</button></div>`
      : html`<div><label>${t("files.sending", { n: percent(sent) })}<progress max="1" value=${sent}></progress></label>
          <button type="button" class="secondary" onClick=${() => aborter.current.abort()}>${t("cancel")}</button></div>`}
    <${Problem} error=${error}><${NamesFound} error=${error} use=${changeHeader} /></${Problem}>
  </section>`;
}

// What a service tells that has seen the names of the columns below a title.
function NamesFound({ error, use }) {
  const found = error?.param === "header_row" && error.message.match(/say header_row=(\d+)/);
  return found && html`<button type="button" class="secondary" onClick=${() => use(found[1])}>${t("files.headerrow.use", { n: found[1] })}</button>`;
}

// Which line of a table has the names of its columns, or that none has.
function Header({ options, found, change }) {
  const hasNames = options.header !== "false";
  return html`<label><input type="checkbox" checked=${hasNames} onChange=${(event) => change(undefined, event.target.checked ? undefined : "false")} /> ${t("files.header")}</label>
    ${hasNames && html`<label>${t("files.headerrow")} <small>${t("files.headerrow.help")}</small>
      <input type="number" min="1" max=${MOST_HEADER_ROW} value=${options.header_row ?? found ?? ""} onChange=${(event) => change(event.target.value || undefined)} /></label>`}`;
}

function Rows({ preview }) {
  const { columns, text_column: chosen, rows } = preview;
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${t("files.format")}><table class="small">
    <thead><tr><th scope="col">#</th>${columns.map((name) => html`<th scope="col" class=${name === chosen ? "chosen" : ""}>${name}</th>`)}</tr></thead>
    <tbody lang="ko">${rows.slice(0, 8).map((row) => html`<tr>
      <td>${row.line}</td>
      ${row.error ? html`<td colspan=${columns.length}><em>${explainRow(row.error)}</em></td>` : row.cells.map((cell, at) => html`<td class=${columns[at] === chosen ? "chosen" : ""}>${cell}</td>`)}
    </tr>`)}</tbody>
  </table></div>`;
}

function History() {
  const [jobs, setJobs] = useState([]);
  const [page, error] = useFetched((signal) => call("GET", "jobs", { query: { limit: PAGE }, signal }), [key.get()]);
  const [hasMore, setMore] = useState(false);
  const [moreError, setMoreError] = useState(null);
  useEffect(() => page && (setJobs(page.data), setMore(page.has_more)), [page]);
  const showMore = async () => {
    try {
      const next = await call("GET", "jobs", { query: { limit: PAGE, after: jobs.at(-1).id } });
      setJobs([...jobs, ...next.data]);
      setMore(next.has_more);
      setMoreError(null);
    } catch (failure) {
      setMoreError(failure);
    }
  };
  return html`<section>
    <h2>${t("files.history")}</h2>
    <${Problem} error=${error ?? moreError} />
    ${page && !jobs.length && html`<p>${t("files.none")}</p>`}
    ${jobs.length > 0 && html`<div class="scroll" tabindex="0" role="region" aria-label=${t("files.history")}><table class="cards">
      <thead><tr><th scope="col">${t("files.name")}</th><th scope="col">${t("files.rows")}</th><th scope="col">${t("files.state")}</th><th scope="col">${t("files.when")}</th></tr></thead>
      <tbody>${jobs.map((job) => html`<tr>
        <td><a href=${`#job/${job.id}`}>${job.file_name ?? t("files.unnamed")}</a></td>
        <td class="tight" data-label=${t("files.rows")}>${number(job.request_counts.total)}</td><td class="tight">${t(`job.${job.status}`)}</td><td class="tight">${time(job.created_at)}</td>
      </tr>`)}</tbody>
    </table></div>`}
    ${hasMore && html`<button type="button" class="secondary" onClick=${showMore}>${t("more")}</button>`}
  </section>`;
}
