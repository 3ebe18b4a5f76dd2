// proof.html?table=T&date=D&column=value…: the row as a query, its file, the ledger's entry of that file and what it was
// made from. Without `table` the page stays what it is: the dictionary of all tables.
"use strict";
{
  const { make } = coevo;
  const FIELDS = ["date", "rows", "bytes", "sha256", "complete", "vintage", "observed_until", "note", "seq", "hash",
    "run_id", "committed_at", "code_version", "inputs"]; // as in pages/proof.py
  const entry = (values) => Object.fromEntries(FIELDS.map((name, place) => [name, values[place]]));
  const count = (number) => number.toLocaleString("en");
  const code = (text) => make("code", {}, text);
  const id = (text) => make("code", { class: "id" }, text);
  const address = (table, date, key = {}) => `proof.html?${new URLSearchParams({ table, date, ...key })}`;
  const link = (table, date, label = table) => make("a", { href: address(table, date) }, label);
  // Relative to report/snapshot/date=…/, where this page lies in the lake.
  const file = (table, date) => `${table.replace(".", "/")}/date=${date}/part.parquet`;

  // What is invisible or turns the direction of reading: as on the server's side (html.py).
  const UNSEEN = /([\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff])/;
  const text = (value) => value.split(UNSEEN).map((part, place) =>
    place % 2 ? `chr(${part.codePointAt(0)})` : part && `'${part.replaceAll("'", "''")}'`).filter(Boolean).join(" || ");
  // A value of the address as SQL, by its column's type; null for what can only be a mistake.
  function literal(value, type) {
    if (type === "string") return text(value) || "''";
    if (type === "bool") return ["true", "false"].includes(value.toLowerCase()) ? value.toLowerCase() : null;
    if (type === "timestamp") return /^[-0-9:T.+ Z]{10,40}$/.test(value) ? `TIMESTAMPTZ '${value}'` : null;
    return /^-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?$/i.test(value) ? value : null;
  }
  // For a shell: in double quotes where nothing in them has a meaning to it.
  const quoted = (sql) => /[\\"$`!]/.test(sql) ? `'${sql.replaceAll("'", "'\\''")}'` : `"${sql}"`;

  function lake() {
    const root = decodeURIComponent(location.pathname).split("/report/snapshot/")[0];
    if (location.protocol !== "file:" || /\/data_lake$/.test(root)) return "";
    return ` --lake ${/^[\w./-]+$/.test(root) ? root : quoted(root)}`;
  }

  function copied(label, words) {
    const button = make("button", { type: "button", "aria-label": `Copy ${label}` }, "Copy");
    const told = make("span", { role: "status", class: "soft" });
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(words);
        told.textContent = " copied";
      } catch { // no clipboard for pages from disk in some browsers: marked, it can be copied by hand
        getSelection().selectAllChildren(shown);
        told.textContent = " marked: copy it with the keyboard";
      }
    });
    const shown = code(words);
    return make("div", { class: "copied" }, make("pre", {}, shown), button, told);
  }

  function facts(...pairs) {
    return make("dl", { class: "facts" }, ...pairs.filter(([, value]) => value !== null && value !== "")
      .map(([name, ...value]) => make("div", {}, make("dt", {}, name), make("dd", {}, ...value))));
  }

  const section = (title, ...parts) => make("section", {}, make("h2", {}, title), ...parts);

  // The row that is asked for: what picks it out, and how to see it.
  async function row(table, date, key, held) {
    const picked = [], strange = [], shown = [];
    for (const [name, value] of Object.entries(key)) {
      const column = held.columns[name];
      const said = column && !column[1].startsWith("list") ? literal(value, column[1]) : null;
      if (said === null) strange.push(name);
      else {
        picked.push(`${column[0]} = ${said}`);
        shown.push([code(name), make("bdi", {}, value)]);
      }
    }
    const where = [`date = DATE '${date}'`, ...picked].join(" AND ");
    const sql = `FROM ${held.sql} WHERE ${where}`;
    const parts = [];
    if (shown.length) parts.push(facts([code("date"), date], ...shown));
    if (strange.length) {
      parts.push(make("p", { class: "note warn" }, `Left out of the question, because the table has no such column or it cannot hold that: ${strange.join(", ")}.`));
    }
    parts.push(make("p", { class: "told" }, picked.length ? "Ask for it, in the terminal or in any DuckDB client:" : "All rows of the day, in the terminal or in any DuckDB client:"));
    parts.push(copied("the command", `coevo query ${quoted(sql)}${lake()}`), copied("the SQL", `${sql};`));
    if (held.not_in_catalog.length) {
      const named = held.not_in_catalog.join(", ");
      const bare = `SELECT ${held.not_in_catalog.map((name) => held.columns[name][0]).join(", ")} FROM '${file(table, date)}'${picked.length ? ` WHERE ${picked.join(" AND ")}` : ""};`;
      parts.push(make("p", { class: "told" }, `Its ${named} is in the Parquet file only (in the lake's folder):`), copied("the SQL", bare));
    }
    const pages = await Promise.all(Object.entries(key).flatMap(([, value]) => Object.keys(coevo.given.get("about").shards)
      .map(async (kind) => (await coevo.record(kind, value)) && make("li", {}, make("a", { href: coevo.address(kind, value) }, `The page of this ${kind}`)))));
    if (pages.some(Boolean)) parts.push(make("ul", { class: "rows" }, ...pages.filter(Boolean)));
    return section(picked.length ? "The row" : "The rows", ...parts);
  }

  function state(found) {
    return found.complete ? make("span", { class: "state good" }, "complete")
      : make("span", {}, make("span", { class: "state warn" }, "incomplete"), ` ${found.note}`);
  }

  function fileOf(table, found) {
    return section("The file", facts(
      ["Parquet", make("a", { href: `../../../${file(table, found.date)}` }, code(file(table, found.date)))],
      ["rows", count(found.rows)], ["bytes", count(found.bytes)], ["sha256", id(found.sha256)],
      ["all there?", state(found)],
      ["vintage", found.vintage === "observed" ? "observed: everything was seen by the day's end plus the grace period"
        : "reconstructed: made later, from facts that do not change"],
      ["seen until", found.observed_until ?? ""],
      ["remark", found.complete ? found.note : ""],
    ));
  }

  function entryOf(found) {
    return section("The ledger's entry", facts(
      ["entry", make("a", { href: "../../../ledger/commits.jsonl" }, `line ${count(found.seq)} of ledger/commits.jsonl`)],
      ["hash", id(found.hash)], ["written", found.committed_at], ["run", id(found.run_id || "none")],
      ["code", `coevo_pipelines ${found.code_version}`],
    ));
  }

  // A list of partitions that is only made when it is opened.
  function partitions(table, until) {
    const details = make("details", {}, make("summary", {}, "its partitions"));
    details.addEventListener("toggle", async () => {
      const held = await coevo.load(`ledger/${table}`);
      const found = (held?.entries ?? []).map(entry).filter((each) => each.date <= until);
      const older = (held?.partitions ?? 0) - (held?.entries.length ?? 0);
      details.append(make("ul", { class: "rows" }, ...found.map((each) => make("li", {}, link(table, each.date, each.date), ` ${count(each.rows)} rows `, id(each.sha256)))));
      if (older > 0) details.append(make("p", { class: "soft" }, `And ${count(older)} older ones, in the ledger.`));
    }, { once: true });
    return details;
  }

  function inputs(given) {
    const rows = [], absent = new Map();
    for (const [table, scope, date, number, sha256] of given) {
      if (!number) absent.set(table, [...(absent.get(table) ?? []), date]);
      else {
        rows.push(make("li", {}, link(table, date), scope === "upto"
          ? ` up to ${date}: ${count(number)} partition${number === 1 ? "" : "s"}, together ` : ` of ${date}: `,
        id(sha256), number > 1 ? partitions(table, date) : null));
      }
    }
    for (const [table, dates] of absent) {
      const span = dates.length > 1 ? `${count(dates.length)} days from ${dates[0]} to ${dates.at(-1)}` : dates[0];
      rows.push(make("li", { class: "soft" }, `${table}: looked for ${span}, which the lake does not have.`));
    }
    return make("ul", { class: "rows" }, ...rows);
  }

  async function madeFrom(table, found, place, held) {
    if (table.startsWith("scrapes.")) {
      return section("Made from", make("p", {}, "Nothing of the lake: these are the raw answers of the source, byte for byte, with the time when they came."));
    }
    if (found.inputs) {
      const given = (await coevo.load(`inputs/${table.split(".")[0]}`))?.[found.inputs];
      if (given) return section("Made from", make("p", { class: "told" }, "Digests as they were when it was made. The next run makes it again when one has changed."), inputs(given));
    }
    return section("Made from", place < held.inputs_of ? make("p", {}, "Nothing of the lake.")
      : make("p", {}, "Too long ago for this report: see ", make("a", { href: `../date=${found.date}/${address(table, found.date)}` }, `the report of ${found.date}`), ", or the ledger's line."));
  }

  function origins(held, date) {
    if (!held.ancestors.length) return null;
    const stages = new Map();
    for (const name of held.ancestors) {
      const [stage] = name.split(".");
      stages.set(stage, [...(stages.get(stage) ?? []), name]);
    }
    return section("Down to the raw answers", make("p", { class: "told" }, "Everything that it goes back to, source first."),
      facts(...[...stages].map(([stage, names]) => [stage, ...names.flatMap((name) => [link(name, date, name.split(".")[1]), ", "]).slice(0, -1)])));
  }

  function check(table, found) {
    const path = file(table, found.date);
    return section("Check it", make("p", { class: "told" }, "All of the lake, or this file by hand, in the lake's folder:"),
      copied("the command", `coevo verify${lake()}`),
      copied("the commands", `sha256sum ${path}\nsed -n ${found.seq}p ledger/commits.jsonl`));
  }

  // No partition of that day here: why, and where to go.
  function missing(table, date, held, day) {
    const parts = [];
    if (!held) parts.push(make("p", { class: "note warn" }, "There is no such table: choose one below."));
    else if (date > day) parts.push(make("p", { class: "note" }, `This is the report of ${day}: it knows of no later day. See `, make("a", { href: `../date=${date}/${address(table, date)}` }, `the report of ${date}`), "."));
    else if (held.entries.length && held.entries.length < held.partitions && date < held.entries.at(-1)[0]) {
      parts.push(make("p", { class: "note" }, `This report carries the last ${count(held.entries.length)} partitions only. See `, make("a", { href: `../date=${date}/${address(table, date)}` }, `the report of ${date}`), ", or ask:"),
        copied("the command", `coevo query ${quoted(`FROM lake.commits WHERE table_name = '${table}' AND date = DATE '${date}'`)}${lake()}`));
    } else {
      parts.push(make("p", { class: "note warn" }, `The lake has no partition of ${table} dated ${date}.`));
      if (held.entries.length) parts.push(make("ul", { class: "chips" }, ...held.entries.slice(0, 31).map(([each]) => make("li", {}, link(table, each, each)))));
    }
    return parts;
  }

  async function show() {
    const asked = new URLSearchParams(location.search);
    const table = asked.get("table");
    if (!table) return;
    const about = await coevo.load("about");
    const date = /^\d{4}-\d{2}-\d{2}$/.test(asked.get("date") ?? "") ? asked.get("date") : about.day;
    const key = Object.fromEntries([...asked].filter(([name]) => name !== "table" && name !== "date"));
    const held = /^[a-z]+\.[a-z0-9_]+$/.test(table) ? await coevo.load(`ledger/${table}`) : null;
    const place = held ? held.entries.findIndex(([each]) => each === date) : -1;
    const home = document.getElementById("proof");
    const name = make("p", {}, make("a", { href: "proof.html" }, "All tables"), " › ", code(table), ` › ${date}`);
    if (place < 0) home.append(name, ...missing(table, date, held, about.day));
    else {
      const found = entry(held.entries[place]);
      const described = document.getElementById(table);
      home.append(name, make("p", {}, described.querySelector(".what").textContent),
        await row(table, date, key, held), make("div", { class: "columns" }, fileOf(table, found), entryOf(found)),
        await madeFrom(table, found, place, held));
      const deep = origins(held, date);
      if (deep) home.append(deep);
      described.open = true;
      home.append(check(table, found), section("What its columns mean", described));
      document.getElementById("tables").hidden = true;
    }
    home.hidden = false;
    document.querySelector("#main > .lead").hidden = true;
    document.title = `${table} ${date} · proof`;
  }

  // An address with #citations.edges opens that table.
  function opened() {
    const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (named?.tagName === "DETAILS") {
      named.open = true;
      named.scrollIntoView();
    }
  }

  show().then(opened);
  addEventListener("hashchange", opened);
}
