// What the pages of a work, person, repository, chamber and hub share: they take one record out of the files beside them and
// show it. Names and titles become text nodes (coevo.make), never HTML.
"use strict";
const entity = {
  PAGE: 25, // rows of a long list that are shown at once

  RELATIONS: {
    derives_from: "derives from it", trained_on: "was trained on it", depends_on: "depends on it", cites: "cites it",
    mentions: "mentions it",
  },
  VERBS: {
    derives_from: "derives from", trained_on: "was trained on", depends_on: "depends on", cites: "cites",
    mentions: "mentions",
  },
  HELD: {
    retracted: "the work was withdrawn", licence: "its licence is none that the round allows",
    work_opted_out: "the work was taken out", owner_opted_out: "the owner opted out", opted_out: "the person opted out",
    disputed: "two people claim it", unknown_person: "nobody is named as its maker",
    unverified: "nobody has claimed it with a proof",
  },

  // Numbers, the same on every page.
  count: (number) => number.toLocaleString("en"),
  percent: (part) => part === 0 ? "0%" : 100 * part < 0.001 ? "under 0.001%" : `${(100 * part).toPrecision(3)}%`,
  number: (value) => value === 0 ? "0" : Math.abs(value) >= 1000 ? entity.count(Math.round(value))
    : String(Number(value.toPrecision(3))),
  money(minor, currency, decimals) {
    const digits = BigInt(minor).toString().padStart(decimals + 1, "0");
    const whole = BigInt(digits.slice(0, digits.length - decimals)).toLocaleString("en");
    return `${whole}${decimals ? "." + digits.slice(-decimals) : ""} ${currency}`;
  },
  many: (number, one, more = `${one}s`) => `${entity.count(number)} ${number === 1 ? one : more}`,

  // Links. A name keeps its own direction of writing.
  to: (kind, id, label) => coevo.make("a", { href: coevo.address(kind, id) }, coevo.make("bdi", {}, label || id)),
  name: (label) => coevo.make("bdi", {}, label),
  proof: (table, key, label) =>
    coevo.make("a", { class: "proof", href: coevo.proof(table, key), title: "where this comes from" }, label),
  outside(url) {
    let parsed;
    try { parsed = new URL(url); } catch { return entity.name(url); }
    if (!["http:", "https:"].includes(parsed.protocol)) return entity.name(url);
    return coevo.make("a", { href: parsed.href, rel: "noopener noreferrer" }, coevo.make("bdi", {}, url));
  },
  soft: (...children) => coevo.make("span", { class: "soft" }, ...children),
  paragraph: (kind, ...children) => coevo.make("p", kind ? { class: kind } : {}, ...children),

  section(title, told, ...children) {
    const id = title.toLowerCase().replaceAll(/[^a-z]+/g, "-");
    return coevo.make(
      "section", { "aria-labelledby": id }, coevo.make("h2", { id }, title), told ? entity.paragraph("told", ...[told].flat()) : null,
      ...children,
    );
  },

  // Number cards: [name, value, sentence that says what it is].
  cards: (rows) => coevo.make("dl", { class: "told-cards" }, ...rows.filter(Boolean).map(([name, value, told]) =>
    coevo.make("div", {}, coevo.make("dt", {}, name), coevo.make("dd", {}, value),
      told ? coevo.make("dd", { class: "why" }, told) : null))),

  facts: (rows) => coevo.make("dl", { class: "facts" }, ...rows.filter((row) => row && row[1] !== undefined)
    .map(([name, ...value]) => coevo.make("div", {}, coevo.make("dt", {}, name), coevo.make("dd", {}, ...value)))),

  chips: (items) => coevo.make("ul", { class: "chips" }, ...items.map((item) => coevo.make("li", {}, item))),

  // As html.table: roles are said because a narrow screen shows the rows as blocks. A head that ends in # is of
  // numbers, one that ends in @ of days.
  table(caption, heads, rows) {
    const names = heads.map((head) => head.replace(/[#@]$/, ""));
    const of = (place) => ({ "#": { class: "n" }, "@": { class: "date" } })[heads[place].at(-1)] ?? {};
    const cell = (content) => [content].flat().filter((each) => each !== null && each !== undefined);
    const body = coevo.make("tbody", { role: "rowgroup" });
    const table = coevo.make("table", { role: "table", class: "many" }, coevo.make("caption", {}, caption),
      coevo.make("thead", { role: "rowgroup" }, coevo.make("tr", { role: "row" }, ...names.map((name, place) =>
        coevo.make("th", { role: "columnheader", scope: "col", ...of(place) }, name)))), body);
    const show = (first) => body.replaceChildren(...rows.slice(first, first + entity.PAGE).map((row) =>
      coevo.make("tr", { role: "row" }, ...row.map((content, place) => place
        ? coevo.make("td", { role: "cell", "data-of": names[place], ...of(place) }, ...cell(content))
        : coevo.make("th", { role: "rowheader", scope: "row" }, ...cell(content))))));
    return entity.paged(table, rows.length, show, caption);
  },

  // `show(first)` puts PAGE entries into `held`; buttons where there are more.
  paged(held, length, show, caption) {
    show(0);
    if (length <= entity.PAGE) return held;
    let first = 0;
    const said = coevo.make("span", { role: "status" });
    const button = (label, step) => {
      const made = coevo.make("button", { type: "button" }, label);
      made.addEventListener("click", () => move(first + step));
      return made;
    };
    const back = button("Previous", -entity.PAGE), next = button("Next", entity.PAGE);
    const move = (to) => {
      first = to;
      show(first);
      back.disabled = first === 0;
      next.disabled = first + entity.PAGE >= length;
      said.textContent = `${entity.count(first + 1)} to ${entity.count(Math.min(first + entity.PAGE, length))} of ` +
        entity.count(length);
    };
    move(0);
    return coevo.make("div", {}, held, coevo.make("nav", { class: "pager", "aria-label": caption }, back, said, next));
  },

  rest: (shown, all, what, where) => all > shown
    ? entity.paragraph("soft", `And ${entity.count(all - shown)} more ${what}, not shown: see ${where}.`) : null,

  // The days of a line of `length` values: the last that the report knows.
  days: (length) => coevo.given.get("about").days.slice(-length),

  // A line over the days, its values in words; days without a value are gaps in it. `say` writes a value.
  spark(line, name, say) {
    const days = entity.days(line.length);
    const found = line.map((value, place) => [place, value]).filter(([, value]) => value !== null);
    if (!found.length) return null;
    const [, first] = found[0], [last, now] = found.at(-1);
    const values = found.map(([, value]) => value);
    const least = Math.min(...values), most = Math.max(...values);
    const gaps = line.length - found.length;
    const told = `${name}: ${say(first)} on ${days[found[0][0]]}` +
      (found.length > 1 ? `, ${say(now)} on ${days[last]}; between ${say(least)} and ${say(most)}` : "") +
      (gaps ? `; no value on ${entity.many(gaps, "day")} of ${line.length}` : "");
    const wide = 100, high = 28;
    const x = (place) => line.length > 1 ? (wide - 4) * place / (line.length - 1) + 2 : wide / 2;
    const y = (value) => most > least ? high - 3 - (high - 6) * (value - least) / (most - least) : high / 2;
    const svg = entity.drawn("svg", { class: "spark", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": told });
    let run = [];
    const flush = () => {
      if (run.length > 1) svg.append(entity.drawn("polyline", { points: run.map((each) => each.join()).join(" ") }));
      else if (run.length) svg.append(entity.drawn("circle", { cx: run[0][0], cy: run[0][1], r: 1.5 }));
      run = [];
    };
    line.forEach((value, place) => value === null ? flush() : run.push([x(place).toFixed(1), y(value).toFixed(1)]));
    flush();
    svg.append(entity.drawn("circle", { class: "end", cx: x(last).toFixed(1), cy: y(now).toFixed(1), r: 2.5 }));
    const change = found.length > 1 && first !== now ? `${say(first)} → ${say(now)}`
      : found.length > 1 ? `${say(now)}, unchanged` : `${say(now)}, one day so far`;
    return coevo.make("div", { class: "line" }, coevo.make("span", { class: "of" }, name), svg,
      coevo.make("span", { class: "now" }, change, gaps ? entity.soft(` (${entity.many(gaps, "day")} without a value)`) : null));
  },

  drawn(tag, attributes) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  },

  history(lines, told) {
    const days = coevo.given.get("about").days, shown = lines.filter(Boolean);
    if (!shown.length) return null;
    const day = (date) => coevo.make("time", { class: "date" }, date);
    return entity.section("Over the days", told ?? [`${entity.many(Math.min(days.length, 60), "day")} of the lake, `,
      day(days.slice(-60)[0]), " to ", day(days.at(-1)), ". A gap is a day without a value."],
    coevo.make("div", { class: "lines" }, ...shown));
  },

  // The addresses of this record: as of this day for ever, and on the newest day.
  permanent(kind, id) {
    const query = coevo.address(kind, id).split("?")[1];
    const here = new URL(coevo.address(kind, id), location.href).href;
    const newest = new URL(`../../index.html?page=${kind}&${query}`, location.href).href;
    return entity.section("Permanent link", "The first address always shows this day, the second the newest one that there is.",
      entity.copied(`As of ${coevo.given.get("about").day}`, here), entity.copied("On the newest day", newest));
  },

  copied(label, address) {
    const field = coevo.make("input", { readonly: "", value: address, size: 60 });
    const said = coevo.make("span", { role: "status", class: "soft" });
    const button = coevo.make("button", { type: "button" }, "Copy", coevo.make("span", { class: "hidden-words" }, `: ${label}`));
    button.addEventListener("click", async () => {
      field.select();
      try {
        await navigator.clipboard.writeText(address);
        said.textContent = "Copied.";
      } catch {
        said.textContent = document.execCommand("copy") ? "Copied." : "Selected: copy it with the keyboard.";
      }
    });
    return coevo.make("div", { class: "permalink" }, coevo.make("label", {}, label, field), button, said);
  },

  // Show what the address asks for. `draw(id, record)` gives the elements below the heading, and may set the heading.
  async page(kind, draw) {
    const asked = coevo.asked("id"), held = document.getElementById("record");
    if (asked === null || asked === "") return held.append(entity.goto(kind));
    let id = asked, record = await coevo.record(kind, id);
    if (record?.is) [id, record] = [record.is, await coevo.record(kind, record.is)];
    if (!record) {
      held.append(
        entity.paragraph("note warn", `This report has no ${kind} `, entity.name(asked),
          `. It may be of another day${kind === "person" ? ", under another name, or of someone who opted out" : ""}.`),
        entity.goto(kind, asked),
      );
      return;
    }
    document.getElementById("leading").hidden = true;
    for (const below of document.querySelectorAll("#leading ~ *")) below.hidden = true;
    const moved = id === asked ? null
      : entity.paragraph("note", entity.name(asked), " is known as ", entity.name(id), " on this day.");
    held.removeAttribute("aria-live"); // a page as a whole is no message
    const shown = await draw(id, record);
    held.replaceChildren(...[moved, ...shown].filter(Boolean));
    held.querySelector(".facts, section").before(entity.contents(held));
  },

  contents: (held) => coevo.make("nav", { class: "here", "aria-label": "On this page" },
    entity.chips([...held.querySelectorAll("h2")].map((head) => coevo.make("a", { href: `#${head.id}` }, head.textContent)))),

  head(title) {
    document.querySelector("h1").replaceChildren(entity.name(title));
    document.title = `${title} · ${coevo.given.get("about").day}`;
  },

  // A form would be forbidden to send anything: the button goes there itself.
  goto(kind, asked = "") {
    const EXAMPLES = { work: "arxiv:1306.2257", person: "orcid:0000-0002-1825-0097", repository: "github:owner/name",
      chamber: "2026-11-20-0001", hub: "hub:green-valley" };
    const field = coevo.make("input", { type: "search", placeholder: EXAMPLES[kind] });
    const form = coevo.make("form", { class: "search", role: "search" },
      coevo.make("label", {}, `Identifier of a ${kind}`, field), coevo.make("button", { type: "submit" }, "Show"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (field.value.trim()) location.href = coevo.address(kind, field.value.trim());
    });
    const search = kind === "work" || kind === "repository"
      ? entity.paragraph("", "By title: ",
        coevo.make("a", { href: `works.html${asked ? `?${new URLSearchParams({ q: asked })}` : ""}` }, "search all works"), ".")
      : null;
    return coevo.make("div", {}, form, search);
  },
};
