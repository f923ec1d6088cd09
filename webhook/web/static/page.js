// Keeps a page up to date with the fragments of its stream. Without this script the page is the same, as of its loading.
"use strict";

const live = document.getElementById("live");
const state = document.getElementById("live-state");
const announcement = document.getElementById("announcement");
const RETRY = 30000;
let source = null;
let retry = 0;

function address() {
  const wanted = new URL(window.location.href);
  wanted.searchParams.set("format", "stream");
  return wanted;
}

function isBeingEdited(element) {
  return element.matches("input, select, textarea");
}

// The element with the focus has the same id after the update, and the regions that scroll stay where they were.
function replace(html) {
  const focused = document.activeElement;
  if (focused && live.contains(focused) && isBeingEdited(focused)) {
    return;
  }
  const id = focused && live.contains(focused) ? focused.id : "";
  const places = [...live.querySelectorAll(".wide[id]")].map((one) => [one.id, one.scrollLeft]);
  live.innerHTML = html;
  addButtons();
  for (const [name, left] of places) {
    const region = document.getElementById(name);
    if (region) {
      region.scrollLeft = left;
    }
  }
  const again = id ? document.getElementById(id) : null;
  if (again) {
    again.focus({ preventScroll: true });
  }
}

function announce() {
  const marked = live.querySelector("[data-announce]");
  const text = marked ? marked.dataset.announce : "";
  if (text && text !== announcement.dataset.last) {
    if (announcement.dataset.last !== undefined) {
      announcement.textContent = text;
    }
    announcement.dataset.last = text;
  }
}

function addButtons() {
  if (!navigator.clipboard) {
    return;
  }
  for (const code of live.querySelectorAll(".commands code")) {
    const button = document.createElement("button");
    button.type = "button";
    button.id = `copy-${code.id}`;
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy: ${code.textContent}`);
    button.addEventListener("click", () => {
      navigator.clipboard.writeText(code.textContent).then(() => {
        button.textContent = "Copied";
      });
    });
    code.after(button);
  }
}

function open() {
  if (source || document.hidden) {
    return;
  }
  window.clearTimeout(retry);
  source = new EventSource(address());
  source.addEventListener("open", () => {
    state.textContent = "live";
  });
  source.addEventListener("fragment", (event) => {
    replace(event.data);
    announce();
  });
  source.addEventListener("gone", (event) => {
    close();
    state.textContent = event.data;
  });
  source.addEventListener("error", () => {
    if (source && source.readyState === EventSource.CLOSED) {
      close();
      state.textContent = "not live: too many pages are, or the server is gone";
      retry = window.setTimeout(open, RETRY);
    } else {
      state.textContent = "not live for the moment";
    }
  });
}

function close() {
  window.clearTimeout(retry);
  if (source) {
    source.close();
    source = null;
  }
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    close();
    state.textContent = "not live while hidden";
  } else {
    open();
  }
});
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", open);

announce();
addButtons();
