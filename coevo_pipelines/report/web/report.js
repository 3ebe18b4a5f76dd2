// What every page of the report runs. Opened from disk a page may not fetch a file, but it may run one: data files are
// scripts that call coevo.put. Strangers' text becomes text nodes here, never HTML.
"use strict";
const coevo = {
  given: new Map(),
  asking: new Map(),

  // `made` names the report that a data file belongs to: a page that is still open when its report is replaced would mix
  // two.
  put(name, value, made) {
    coevo.given.set(name, value);
    if (!made) return;
    coevo.made ??= made;
    if (made !== coevo.made) coevo.stale();
  },

  // The value that data/<name>.js hands over; null when there is no such file.
  load(name) {
    if (coevo.given.has(name)) return Promise.resolve(coevo.given.get(name));
    if (!coevo.asking.has(name)) {
      coevo.asking.set(name, new Promise((resolve) => {
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onload = () => resolve(coevo.given.get(name) ?? null);
        script.onerror = () => resolve(null);
        document.head.append(script);
      }));
    }
    return coevo.asking.get(name);
  },

  stale() {
    if (document.getElementById("stale")) return;
    const again = coevo.make("button", { type: "button" }, "Load it again");
    again.addEventListener("click", () => location.reload());
    document.querySelector("main").prepend(
      coevo.make("p", { class: "note warn", id: "stale", role: "status" }, "This report has been made again since the page was opened. ",
        again));
  },

  // A record of a work, person, …; null when the report has none.
  async record(kind, id) {
    const about = await coevo.load("about");
    const shards = about?.shards[kind];
    if (!shards) return null;
    const held = await coevo.load(`${kind}/${coevo.crc32(id) % shards}`);
    return held && Object.hasOwn(held, id) ? held[id] : null;
  },

  crc32(text) {
    let sum = ~0;
    for (const byte of new TextEncoder().encode(text)) {
      sum ^= byte;
      for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return ~sum >>> 0;
  },

  // An element with attributes and children (text or elements).
  make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  },

  // What a work is, for people; as report/words.py.
  kind: (of) => (of === "hub_dataset" ? "hub data set" : of),

  asked(name) {
    return new URLSearchParams(location.search).get(name);
  },

  // Of the page of a work, person, repository, chamber or hub; as report/links.py.
  address(kind, id) {
    return `${kind}.html?id=${encodeURIComponent(id).replaceAll("%3A", ":").replaceAll("%2F", "/")}`;
  },

  proof(table, key = {}) {
    return `proof.html?${new URLSearchParams({ table, date: coevo.given.get("about").day, ...key })}`;
  },
};
