// Keeps the page current and copies commands. Every page is complete without this script.
"use strict";

(() => {
  const root = document.documentElement.dataset.root;
  const live = document.querySelector(".live");
  // Several events within this time, milliseconds, cause one refresh.
  const SETTLE = 300;
  // Relative times and the state of the process change without an event.
  const REFRESH = 30000;
  // An interruption that lasts this long, milliseconds, is shown.
  const LOST = 5000;
  let source = null;
  let lost = null;
  let timer = null;
  let pending = false;
  let busy = false;

  const show = (state, text) => {
    if (live.dataset.state === state) return;
    live.dataset.state = state;
    live.textContent = text;
    live.hidden = false;
  };

  // A person who selects or edits text keeps it: the refresh waits.
  const editing = () => {
    const selection = document.getSelection();
    const selected = selection && !selection.isCollapsed && document.querySelector("main").contains(selection.anchorNode);
    const active = document.activeElement;
    return selected || (active && active.matches("main input, main select"));
  };

  const focusPath = () => {
    const active = document.activeElement;
    const main = document.querySelector("main");
    if (!active || active === main || !main.contains(active)) return null;
    if (active.id) return (fresh) => fresh.querySelector("#" + CSS.escape(active.id));
    const same = (element) =>
      element.tagName === active.tagName && element.getAttribute("href") === active.getAttribute("href") &&
      element.textContent === active.textContent;
    const before = [...main.querySelectorAll(active.tagName)].filter(same).indexOf(active);
    return (fresh) => [...fresh.querySelectorAll(active.tagName)].filter(same)[before];
  };

  const replace = (text) => {
    const fresh = new DOMParser().parseFromString(text, "text/html");
    const main = document.querySelector("main");
    const next = fresh.querySelector("main");
    const assets = fresh.documentElement.dataset.assets;
    // The error of a proxy has neither; the page stays as it is.
    if (!next || !assets) throw new Error("not a page of the collector");
    if (assets !== document.documentElement.dataset.assets) {
      // Another version of the collector answers.
      location.reload();
      return;
    }
    const open = new Set([...main.querySelectorAll("details[id][open]")].map((details) => details.id));
    const known = new Set([...main.querySelectorAll("[data-id]")].map((element) => element.dataset.id));
    const find = focusPath();
    const [x, y] = [scrollX, scrollY];
    const adopted = document.adoptNode(next);
    for (const details of adopted.querySelectorAll("details[id]")) {
      details.open = details.open || open.has(details.id);
    }
    for (const element of adopted.querySelectorAll("[data-id]")) {
      element.classList.toggle("fresh", !known.has(element.dataset.id));
    }
    main.replaceWith(adopted);
    document.title = fresh.title;
    for (const id of ["clusters", "time"]) {
      const [old, update] = [document.getElementById(id), fresh.getElementById(id)];
      if (old && update) old.replaceWith(document.adoptNode(update));
    }
    scrollTo(x, y);
    const focused = find && find(adopted);
    if (focused) focused.focus({ preventScroll: true });
    prepare(adopted);
  };

  const refresh = async () => {
    timer = null;
    if (document.hidden || busy || editing()) {
      pending = true;
      if (editing()) show("waiting", "waits while you edit");
      return;
    }
    pending = false;
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      // Also the pages with 404 and 503, which say why there is no other answer.
      replace(await answer.text());
      if (source && source.readyState === EventSource.OPEN) show("live", "live");
    } catch {
      show("offline", "offline");
    } finally {
      busy = false;
      if (pending && !editing()) plan();
    }
  };

  const plan = () => {
    if (timer === null) timer = setTimeout(refresh, SETTLE);
  };

  const connect = () => {
    if (source || document.hidden) return;
    source = new EventSource(root + "api/v1/stream");
    source.onopen = () => {
      clearTimeout(lost);
      show("live", "live");
    };
    source.onerror = () => {
      clearTimeout(lost);
      // A proxy without event streams answers with an error, and the browser does not try again.
      if (source.readyState === EventSource.CLOSED) show("interval", "refreshes every 30 s");
      // A stream ends from time to time and is opened again at once.
      else lost = setTimeout(() => show("offline", "offline, reconnecting"), LOST);
    };
    // `event` is a new event; `reload` follows events that could not be sent.
    for (const name of ["event", "reload"]) source.addEventListener(name, plan);
  };

  const disconnect = () => {
    clearTimeout(lost);
    if (source) source.close();
    source = null;
  };

  const prepare = (part) => {
    for (const button of part.querySelectorAll("button[data-copy]")) {
      button.hidden = !navigator.clipboard;
      button.addEventListener("click", async () => {
        const text = document.getElementById(button.dataset.copy).textContent;
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = "Copied";
        } catch {
          button.textContent = "Select the command";
        }
        setTimeout(() => { button.textContent = "Copy"; }, 2000);
      });
    }
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      disconnect();
      show("paused", "paused");
      return;
    }
    connect();
    plan();
  });
  for (const moment of ["focusout", "selectionchange"]) {
    document.addEventListener(moment, () => { if (pending) plan(); });
  }
  setInterval(() => {
    if (source && source.readyState === EventSource.CLOSED) {
      disconnect();
      connect();
    }
    plan();
  }, REFRESH);
  prepare(document);
  connect();
})();
