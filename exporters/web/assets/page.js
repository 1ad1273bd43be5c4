// Keeps the page current and copies commands. Every page is complete without this script.
"use strict";

(() => {
  const root = document.documentElement.dataset.root;
  const live = document.querySelector(".live");
  // Several events within this time, milliseconds, cause one refresh.
  const SETTLE = 300;
  // Relative times and the state of the process change without an event.
  const REFRESH = 30000;
  let source = null;
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
    if (!next || fresh.documentElement.dataset.assets !== document.documentElement.dataset.assets) {
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
      return;
    }
    pending = false;
    busy = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      // A Job that is not stored any more answers with 404 and a page that says so.
      if (answer.ok || answer.status === 404) replace(await answer.text());
    } catch {
      show("offline", "offline");
    } finally {
      busy = false;
    }
  };

  const plan = () => {
    if (timer === null) timer = setTimeout(refresh, SETTLE);
  };

  const connect = () => {
    if (source || document.hidden) return;
    source = new EventSource(root + "api/v1/stream");
    source.onopen = () => show("live", "live");
    source.onerror = () => {
      // A proxy without event streams answers with an error, and the browser does not try again.
      if (source.readyState === EventSource.CLOSED) show("interval", "refreshes every 30 s");
      else show("offline", "offline, reconnecting");
    };
    // An event stream may name its events; the page refreshes on each of them.
    for (const name of ["message", "event"]) source.addEventListener(name, plan);
  };

  const disconnect = () => {
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
  setInterval(plan, REFRESH);
  prepare(document);
  connect();
})();
