// Times in the reader's zone, frames as high as their mail, copying, and news as they happen.
"use strict";

const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

function said(moment) {
  const seconds = (Date.now() - moment) / 1000;
  if (Math.abs(seconds) < 45) return seconds >= 0 ? "just now" : "in a moment";
  const minutes = Math.round(Math.abs(seconds) / 60);
  if (minutes < 60) {
    const span = `${minutes} minute${minutes === 1 ? "" : "s"}`;
    return seconds > 0 ? `${span} ago` : `in ${span}`;
  }
  const sameDay = new Date(moment).toDateString() === new Date().toDateString();
  if (sameDay) return CLOCK.format(moment);
  if (Math.abs(seconds) < 6 * 86400) return `${DAY.format(moment)}, ${CLOCK.format(moment)}`;
  return DAY.format(moment) + (new Date(moment).getFullYear() === new Date().getFullYear() ? "" : ` ${new Date(moment).getFullYear()}`);
}

function tellTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const moment = Date.parse(element.getAttribute("datetime"));
    if (Number.isNaN(moment)) continue;
    element.textContent = element.classList.contains("full") ? FULL.format(moment) : said(moment);
    element.title = FULL.format(moment);
  }
}

function fit(frame) {
  const inside = frame.contentDocument;
  if (!inside || !inside.body) return;
  const measure = () => { frame.style.height = `${Math.max(inside.body.scrollHeight, 24) + 2}px`; };
  measure();
  for (const image of inside.images) image.addEventListener("load", measure);
}

function fitAll(root) {
  for (const frame of root.querySelectorAll("iframe[data-fit]")) {
    if (frame.dataset.watched) continue;
    frame.dataset.watched = "yes";
    frame.addEventListener("load", () => fit(frame));
    if (frame.contentDocument && frame.contentDocument.readyState === "complete") fit(frame);
  }
}

let toastTimer;
function toast(text) {
  const place = document.getElementById("toast");
  place.textContent = text;
  place.classList.add("shown");
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => place.classList.remove("shown"), 6000);
}

document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    const field = document.querySelector(copy.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy");
    }
    toast("Copied");
  }
  const images = event.target.closest("[data-images]");
  if (images) {
    for (const frame of images.closest(".body").querySelectorAll("iframe")) {
      const address = new URL(frame.src);
      address.searchParams.set("images", "true");
      frame.src = address;
    }
    images.closest(".images").remove();
  }
  for (const open of document.querySelectorAll("details.confirm[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("toggle", (event) => {
  for (const frame of event.target.querySelectorAll("iframe[data-fit]")) fit(frame);
}, true);

window.addEventListener("resize", () => {
  for (const frame of document.querySelectorAll("iframe[data-fit]")) fit(frame);
});

document.addEventListener("input", (event) => {
  if (event.target.matches("textarea")) {
    event.target.style.height = "auto";
    event.target.style.height = `${event.target.scrollHeight + 2}px`;
  }
});

// "Send later": the chosen time is the reader's; the form carries it with its zone.
document.addEventListener("change", (event) => {
  const field = event.target.closest("[data-moment]");
  if (!field) return;
  const button = field.form.querySelector("[data-sends]");
  document.querySelector(field.dataset.moment).value = field.value ? new Date(field.value).toISOString() : "";
  button.textContent = field.value ? button.dataset.schedules : button.dataset.sends;
});

// Contacts that fit the address which is being typed, below its field.
let suggesting = 0;
async function suggest(field) {
  const typed = field.value.split(/[,;]/).pop().trim();
  const turn = ++suggesting;
  const answer = typed.length < 2 ? null : await fetch(`/contacts/suggest?q=${encodeURIComponent(typed)}`);
  if (turn !== suggesting) return;
  const found = answer && answer.ok ? await answer.json() : [];
  closeSuggestions();
  const open = found.filter((person) => person.email !== typed);
  if (!open.length || document.activeElement !== field) return;
  const menu = document.createElement("ul");
  menu.className = "suggestions";
  for (const person of open) {
    const choice = document.createElement("button");
    choice.type = "button";
    choice.textContent = person.name ? `${person.name} <${person.email}>` : person.email;
    choice.addEventListener("click", () => {
      const before = field.value.split(/[,;]/).slice(0, -1).map((part) => part.trim());
      field.value = [...before, person.email].join(", ");
      closeSuggestions();
      field.focus();
    });
    const item = document.createElement("li");
    item.append(choice);
    menu.append(item);
  }
  field.closest("label").after(menu);
}

function closeSuggestions() {
  for (const menu of document.querySelectorAll(".suggestions")) menu.remove();
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-people]")) suggest(event.target);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") closeSuggestions();
  if (event.key === "ArrowDown" && event.target.matches("[data-people]")) {
    const first = document.querySelector(".suggestions button");
    if (first) { event.preventDefault(); first.focus(); }
  }
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("form.reply textarea")) {
    event.target.form.requestSubmit();
  }
});
document.addEventListener("focusin", (event) => {
  if (!event.target.closest(".suggestions") && !event.target.matches("[data-people]")) closeSuggestions();
});

const newestLook = new Map();
async function refresh(message) {
  const mails = document.getElementById("mails");
  if (!mails || message.conversation_id !== mails.dataset.conversation) return;
  const look = (newestLook.get(message.id) || 0) + 1;
  newestLook.set(message.id, look);
  const answer = await fetch(`/messages/${message.id}/card`);
  if (!answer.ok || newestLook.get(message.id) !== look) return;
  const holder = document.createElement("template");
  holder.innerHTML = await answer.text();
  const card = holder.content.firstElementChild;
  const shown = document.getElementById(card.id);
  if (shown) shown.replaceWith(card);
  else mails.append(card);
  htmx.process(card);
  tellTimes(card);
  fitAll(card);
  if (!shown && card.classList.contains("unread") && document.visibilityState === "visible") {
    htmx.ajax("POST", `/conversations/${mails.dataset.conversation}/read`, { source: mails, swap: "none" });
  }
}

function listen() {
  const live = document.getElementById("live");
  const source = new EventSource(`/stream?last_event_id=${document.body.dataset.seen}`);
  source.onopen = () => { live.hidden = false; };
  source.onerror = () => { live.hidden = true; };
  const hear = (type, act) => source.addEventListener(type, (event) => act(JSON.parse(event.data).data));
  hear("account.state_changed", () => htmx.trigger(document.body, "news-account"));
  hear("conversation.updated", () => htmx.trigger(document.body, "news-conversation"));
  hear("contact.updated", () => htmx.trigger(document.body, "news-conversation"));
  for (const type of ["message.created", "message.updated"]) hear(type, refresh);
  window.addEventListener("pagehide", () => source.close());
}

document.addEventListener("DOMContentLoaded", () => {
  tellTimes(document);
  fitAll(document);
  if ("seen" in document.body.dataset) listen();
  const last = document.querySelector("#mails > article:last-of-type");
  if (last && !location.hash) last.scrollIntoView({ block: "nearest" });
  setInterval(() => tellTimes(document), 30000);
  document.body.addEventListener("htmx:afterSettle", () => { tellTimes(document); fitAll(document); });
  document.body.addEventListener("mail-queued", (event) => refresh(event.detail));
  // An open menu or half-made choice is not taken away by an update.
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    if (event.target.id === "account" && document.querySelector("#account details[open]")) event.preventDefault();
  });
  document.body.addEventListener("htmx:responseError", (event) => {
    let text = "That did not work. Please try again.";
    try { text = JSON.parse(event.detail.xhr.responseText).detail || text; } catch { /* no problem document */ }
    toast(text);
  });
  document.body.addEventListener("htmx:sendError", () => toast("The server cannot be reached. Your text is still here."));
});
