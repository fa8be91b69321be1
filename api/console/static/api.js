// Talks to the service. Addresses are relative to the page's base, so that a prefix of a proxy is kept.

const KEY = "kobert-key";
// The service says something every 15 seconds; longer silence is a connection that is gone.
const SILENCE_MS = 40_000;

export class ApiError extends Error {
  constructor(status, body, retryAfterS) {
    super(body?.error?.message || `HTTP ${status}`);
    this.status = status;
    this.code = body?.error?.code || "unknown";
    this.param = body?.error?.param || null;
    this.retryAfterS = retryAfterS;
  }
}

// Whether the service was not reached at all, and whether the same may succeed in a moment.
export const isLost = (error) => error instanceof TypeError;
export const isPassing = (error) => isLost(error) || (error instanceof ApiError && (error.status === 429 || error.status >= 502));

// The key stays in this tab and is gone when it is closed.
export const key = {
  get: () => sessionStorage.getItem(KEY) || "",
  set: (value) => (value ? sessionStorage.setItem(KEY, value) : sessionStorage.removeItem(KEY)),
};

const authorization = () => (key.get() ? { Authorization: `Bearer ${key.get()}` } : {});

export function address(path, query = {}) {
  const url = new URL(path.replace(/^\//, ""), document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

async function failure(answer) {
  let body = null;
  try {
    body = await answer.json();
  } catch {
    // A proxy in between may answer with a page of its own.
  }
  const error = new ApiError(answer.status, body, Number(answer.headers.get("retry-after")) || null);
  if (error.status === 401) dispatchEvent(new CustomEvent("key-needed", { detail: error }));
  return error;
}

export async function send(method, path, { query, json, body, headers, signal } = {}) {
  const answer = await fetch(address(path, query), {
    method,
    signal,
    headers: { ...authorization(), ...(json === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
    body: json === undefined ? body : JSON.stringify(json),
  });
  if (!answer.ok) throw await failure(answer);
  return answer;
}

export async function call(method, path, options) {
  const answer = await send(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

// Rows of JSON, one a line.
export async function lines(path, options) {
  const text = await (await send("GET", path, options)).text();
  return text.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

// Sends a form and tells how much of it is gone; fetch cannot.
export function upload(path, form, { query, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", address(path, query));
    for (const [name, value] of Object.entries(authorization())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onerror = () => reject(new TypeError("network"));
    request.onabort = () => reject(new DOMException("aborted", "AbortError"));
    request.onload = () => {
      if (request.status < 300) return resolve(request.response);
      const error = new ApiError(request.status, request.response, Number(request.getResponseHeader("retry-after")) || null);
      if (error.status === 401) dispatchEvent(new CustomEvent("key-needed", { detail: error }));
      return reject(error);
    };
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}

// Server-sent events by fetch, since EventSource can send no key. Ends when the server ends the stream, or is silent.
async function readEvents(path, onEvent, signal) {
  const silence = new AbortController();
  const leave = () => silence.abort();
  signal.addEventListener("abort", leave);
  let timer;
  const heard = () => (clearTimeout(timer), (timer = setTimeout(leave, SILENCE_MS)));
  try {
    heard();
    await readStream(await send("GET", path, { signal: silence.signal, headers: { Accept: "text/event-stream" } }), onEvent, heard);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
}

async function readStream(answer, onEvent, heard) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heard();
    waiting += value.replaceAll("\r\n", "\n");
    const events = waiting.split("\n\n");
    waiting = events.pop();
    for (const event of events) {
      const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data) onEvent(JSON.parse(data));
    }
  }
}

const pause = (milliseconds, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

// Follows a job to its end, over lost connections. `onLost` hears of each, with null when it is back.
export async function followJob(id, onJob, onLost, signal) {
  let isOver = false;
  let waitMs = 500;
  while (!isOver && !signal.aborted) {
    try {
      await readEvents(`jobs/${encodeURIComponent(id)}/events`, (job) => {
        waitMs = 500;
        onLost(null);
        isOver = hasEnded(job);
        onJob(job);
      }, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !isPassing(error)) throw error;
      onLost(error);
    }
    if (!isOver) await pause(waitMs, signal);
    waitMs = Math.min(waitMs * 2, 5000);
  }
}

export const hasEnded = (job) => ["completed", "failed", "cancelled", "expired"].includes(job.status);

// A plain link where no key is needed, so that the browser writes to disk as it loads.
export async function download(path, query, name) {
  const link = document.createElement("a");
  link.download = name;
  link.href = address(path, query);
  if (key.get()) link.href = URL.createObjectURL(await (await send("GET", path, { query })).blob());
  link.click();
  if (link.href.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
