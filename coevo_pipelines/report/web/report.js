// What every page of the report runs. Opened from disk a page may not fetch a file, but it may run one: data files are
// scripts that call coevo.put. Strangers' text becomes text nodes here, never HTML.
"use strict";
const coevo = {
  given: new Map(),
  waiting: new Map(),

  put(name, value) {
    coevo.given.set(name, value);
    coevo.waiting.get(name)?.(value);
  },

  // The value that data/<name>.js hands over; null when there is no such file.
  load(name) {
    if (coevo.given.has(name)) return Promise.resolve(coevo.given.get(name));
    return new Promise((resolve) => {
      coevo.waiting.set(name, resolve);
      const script = document.createElement("script");
      script.src = `data/${name}.js`;
      script.onerror = () => resolve(null);
      document.head.append(script);
    });
  },

  // A record of a work, person, …; null when the report has none.
  async record(kind, id) {
    const about = await coevo.load("about");
    const shards = about.shards[kind];
    if (!shards) return null;
    const held = await coevo.load(`${kind}/${coevo.crc32(id) % shards}`);
    return held?.[id] ?? null;
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

  asked(name) {
    return new URLSearchParams(location.search).get(name);
  },

  // Of the page of a work, person, repository or chamber; as report/links.py.
  address(kind, id) {
    return `${kind}.html?id=${encodeURIComponent(id).replaceAll("%3A", ":").replaceAll("%2F", "/")}`;
  },

  proof(table, key = {}) {
    return `proof.html?${new URLSearchParams({ table, date: coevo.given.get("about").day, ...key })}`;
  },
};
