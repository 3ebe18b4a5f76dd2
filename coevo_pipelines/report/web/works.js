// The search over all works of the day, out of files that are loaded when it is first used, and the sorting of the list.
"use strict";
{
  const A_PAGE = 25;
  const form = document.getElementById("search");
  const [words, kind, order] = ["words", "kind", "order"].map((id) => document.getElementById(id));
  const [found, results, leading] = ["found", "results", "leading"].map((id) => document.getElementById(id));
  const plain = (text) => text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  let all = null;
  let loading = null;

  // Rows of data/works/*.js, each with the text that is searched as its last.
  const load = () => {
    loading ??= Promise.all(
      Array.from({ length: Number(form.dataset.files) }, (_, number) => coevo.load(`works/${number}`)),
    ).then((files) => {
      all = files.flatMap((rows) => rows ?? []);
      for (const row of all) row.push(plain(`${row[1] ?? ""} ${row[0]}`));
    });
    return loading;
  };

  const ORDERS = {
    influence: (a, b) => b[4] - a[4],
    used: (a, b) => b[5] - a[5] || b[4] - a[4],
    new: (a, b) => ((a[3] ?? "") < (b[3] ?? "") ? 1 : (a[3] ?? "") > (b[3] ?? "") ? -1 : b[4] - a[4]),
    title: (a, b) => (a[6] < b[6] ? -1 : 1),
  };

  const percent = (share) => (share < 1e-6 ? "0%" : `${Number((100 * share).toPrecision(3))}%`);

  const cell = (of, ...children) => coevo.make("td", { role: "cell", "data-of": of, class: "n" }, ...children);

  const row = ([id, title, what, created, influence, used]) =>
    coevo.make(
      "tr",
      { role: "row" },
      coevo.make(
        "th",
        { role: "rowheader", scope: "row" },
        coevo.make("a", { href: coevo.address("work", id) }, coevo.make("bdi", {}, title ?? id)),
        coevo.make("div", { class: "below" }, `${what ?? "only named"} · ${id}`),
      ),
      cell("Since", created ?? "–"),
      cell("Influence", coevo.make("a", { class: "proof", href: coevo.proof("influence.scores", { node_id: id }) },
        percent(influence))),
      cell("Used by", used.toLocaleString("en")),
    );

  const HEADS = ["Work", "Since", "Influence", "Used by"];

  const table = (rows) =>
    coevo.make(
      "table",
      { role: "table" },
      coevo.make("caption", {}, "Works that were found"),
      coevo.make("thead", { role: "rowgroup" }, coevo.make("tr", { role: "row" }, ...HEADS.map((head, place) =>
        coevo.make("th", { role: "columnheader", scope: "col", class: place ? "n" : "" }, head)))),
      coevo.make("tbody", { role: "rowgroup" }, ...rows.map(row)),
    );

  const show = (rows, page) => {
    const pages = Math.max(1, Math.ceil(rows.length / A_PAGE));
    const from = page * A_PAGE;
    results.replaceChildren(...(rows.length ? [table(rows.slice(from, from + A_PAGE))] : []));
    if (pages > 1) {
      const step = (label, to, which) => {
        const button = coevo.make("button", { type: "button", id: which }, label);
        button.disabled = to < 0 || to >= pages;
        button.addEventListener("click", () => {
          show(rows, to);
          const same = document.getElementById(which);
          (same.disabled ? results.querySelector("nav button:enabled") : same).focus();
        });
        return button;
      };
      results.append(coevo.make("nav", { class: "pager", "aria-label": "Pages of what was found" },
        step("← Before", page - 1, "before"),
        coevo.make("span", {}, `Page ${(page + 1).toLocaleString("en")} of ${pages.toLocaleString("en")}`),
        step("Next →", page + 1, "next")));
    }
  };

  let asked = 0;
  const search = async () => {
    const number = ++asked;
    const parts = plain(words.value).split(/\s+/).filter(Boolean);
    const idle = !parts.length && !kind.value;
    leading.hidden = !idle;
    if (idle) {
      found.textContent = "";
      results.replaceChildren();
      return;
    }
    if (!all) found.textContent = "Loading the list of works …";
    await load();
    if (number !== asked) return;
    const fits = (each) =>
      (!kind.value || (each[2] ?? "named") === kind.value) && parts.every((part) => each[6].includes(part));
    const rows = all.filter(fits);
    if (order.value !== "influence") rows.sort(ORDERS[order.value]);
    found.textContent = rows.length
      ? `${rows.length.toLocaleString("en")} of ${all.length.toLocaleString("en")} found.`
      : "Nothing has all of these words in its title or identifier.";
    show(rows, 0);
    remember();
  };

  // So that a link to what was found can be handed on; a browser may refuse that to a page from disk.
  const remember = () => {
    const given = Object.entries({ q: words.value, kind: kind.value, order: order.value });
    const query = new URLSearchParams(given.filter(([name, value]) => value && value !== "influence"));
    try {
      history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
    } catch {
      // the page works without
    }
  };

  if (form) {
    form.hidden = false;
    words.value = coevo.asked("q") ?? "";
    kind.value = coevo.asked("kind") ?? "";
    order.value = coevo.asked("order") ?? "influence";
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("focusin", load);
    words.addEventListener("input", search);
    kind.addEventListener("change", search);
    order.addEventListener("change", search);
    if (words.value || kind.value) search();
  }

  // The list of the leading works: a click on a head sorts by it, another one turns it round.
  const value = (cells, place) => {
    const said = cells[place].textContent;
    return place ? Number.parseFloat(said.replaceAll(",", "")) : cells[0].querySelector("a").textContent;
  };
  const compare = (place) => (a, b) => {
    const [one, other] = [value(a.cells, place), value(b.cells, place)];
    if (!place) return one.localeCompare(other, "en");
    return (Number.isNaN(other) ? -1 : other) - (Number.isNaN(one) ? -1 : one);
  };
  const top = document.querySelector("#top table");
  const heads = [...(top?.tHead.rows[0].cells ?? [])];
  const wide = matchMedia("(min-width: 44.01rem)");
  const sort = (head, place) => {
    const first = place ? "descending" : "ascending";
    const turned = head.getAttribute("aria-sort") === first;
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", turned ? (place ? "ascending" : "descending") : first);
    const rows = [...top.tBodies[0].rows].sort(compare(place));
    top.tBodies[0].replaceChildren(...(turned ? rows.reverse() : rows));
  };
  // A narrow screen does not show the heads: there is nothing to click on, and nothing that a key should reach.
  const dress = () => {
    for (const [place, head] of heads.entries()) {
      if (!wide.matches) {
        head.replaceChildren(head.textContent);
        continue;
      }
      const button = coevo.make("button", { type: "button" }, head.textContent);
      button.addEventListener("click", () => sort(head, place));
      head.replaceChildren(button);
    }
  };
  heads[1]?.setAttribute("aria-sort", "descending");
  wide.addEventListener("change", dress);
  dress();
}
