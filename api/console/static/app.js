// The frame of the page: which view is shown, language, colours, the key.

import { render } from "./lib/preact.js";
import { useEffect, useRef, useState } from "./lib/hooks.js";
import { call, key } from "./api.js";
import { html, language, t, useFetched } from "./ui.js";
import { Try } from "./views/try.js";
import { Files } from "./views/files.js";
import { Job } from "./views/job.js";
import { Queue } from "./views/queue.js";
import { Rules } from "./views/rules.js";
import { Status } from "./views/status.js";

// The address after # names the view; what follows a slash is the view's own.
const VIEWS = { try: Try, files: Files, job: Job, queue: Queue, rules: Rules, state: Status };
const TABS = ["try", "files", "queue", "rules", "state"];

const place = () => {
  const [view, ...rest] = location.hash.slice(1).split("/");
  return { view: VIEWS[view] ? view : "try", rest: decodeURIComponent(rest.join("/")) };
};

function App() {
  const [here, setHere] = useState(place);
  const [, setRound] = useState(0);
  const [keyError, setKeyError] = useState(null);
  useEffect(() => {
    const move = () => setHere(place());
    const ask = (event) => setKeyError(event.detail);
    addEventListener("hashchange", move);
    addEventListener("key-needed", ask);
    return () => (removeEventListener("hashchange", move), removeEventListener("key-needed", ask));
  }, []);
  const redraw = () => setRound((n) => n + 1);
  const [info, infoError, reloadInfo] = useFetched((signal) => call("GET", "info", { signal }), []);
  document.title = `${t(TABS.includes(here.view) ? here.view : "files")} · ${t("title")}`;
  const View = VIEWS[here.view];
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), document.querySelector("main").focus())}>${t("skip")}</a>
    <header>
      <a class="brand" href="#try"><img src="console/files/icon.svg" alt="" width="24" height="24" />${t("title")}</a>
      <nav aria-label=${t("title")}>
        ${TABS.map((tab) => {
          const isHere = tab === here.view || (tab === "files" && here.view === "job");
          return html`<a href=${`#${tab}`} aria-current=${isHere ? "page" : undefined}>${t(tab)}</a>`;
        })}
      </nav>
      <${Preferences} redraw=${redraw} />
    </header>
    <main id="main" tabindex="-1">
      <${View} rest=${here.rest} info=${info} infoError=${infoError} key=${here.view + language()} />
    </main>
    ${keyError && html`<${KeyDialog} error=${keyError} onDone=${() => (setKeyError(null), reloadInfo(), dispatchEvent(new Event("key-given")))} />`}
  `;
}

function Preferences({ redraw }) {
  const root = document.documentElement;
  const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const setTheme = () => {
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("kobert-theme", root.dataset.theme);
    redraw();
  };
  const setLanguage = () => {
    root.lang = language() === "ko" ? "en" : "ko";
    localStorage.setItem("kobert-language", root.lang);
    redraw();
  };
  return html`<div class="preferences">
    <button type="button" class="quiet" onClick=${setTheme}>${t(isDark ? "light" : "dark")}</button>
    <button type="button" class="quiet" lang=${language() === "ko" ? "en" : "ko"} onClick=${setLanguage}>${t("language")}</button>
    ${key.get() && html`<button type="button" class="quiet" onClick=${() => (key.set(""), location.reload())}>${t("key.forget")}</button>`}
  </div>`;
}

function KeyDialog({ error, onDone }) {
  const dialog = useRef();
  const [typed, setTyped] = useState("");
  const wasTried = Boolean(key.get());
  useEffect(() => dialog.current.open || dialog.current.showModal(), []);
  const enter = (event) => {
    event.preventDefault();
    key.set(typed.trim());
    onDone();
  };
  return html`<dialog ref=${dialog} aria-labelledby="key-title" onCancel=${(event) => event.preventDefault()}>
    <form onSubmit=${enter}>
      <h2 id="key-title">${t("key")}</h2>
      <p>${t(wasTried ? "key.wrong" : "key.needed")}</p>
      ${error.code === "too_many_wrong_keys" && html`<p role="alert">${error.message}</p>`}
      <label>${t("key")}<input type="password" required autocomplete="off" value=${typed} onInput=${(event) => setTyped(event.target.value)} /></label>
      <button type="submit">${t("key.enter")}</button>
    </form>
  </dialog>`;
}

const root = document.getElementById("app");
root.replaceChildren();
render(html`<${App} />`, root);
