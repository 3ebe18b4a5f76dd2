// The page of one healing hub: its side in the hubs' tables (report/entities/hubs.py), and who cites it from its record as
// a work.
"use strict";
{
  const { make } = coevo;
  const KINDS = ["food", "housing", "clothing", "professionalization", "health_care", "connection_and_expression"];
  const SHAPES = [
    "M-6 0A6 6 0 1 0 6 0A6 6 0 1 0 -6 0Z", "M-5.5 -5.5H5.5V5.5H-5.5Z", "M0 -6.5L6.5 5.5H-6.5Z", "M0 -7.5L6.5 0L0 7.5L-6.5 0Z",
    "M-2.6 -6.5H2.6V-2.6H6.5V2.6H2.6V6.5H-2.6V2.6H-6.5V-2.6H-2.6Z", "M0 6.5L6.5 -5.5H-6.5Z",
  ]; // as report/atlas.py
  const REASONS = {
    no_such_offer: "nobody offers it", other_unit: "it is offered in another unit only", too_far: "every offer is too far away",
    other_time: "it is offered at another time", taken: "what is offered is given to others",
    not_worth_it: "the way costs more than it is worth",
  };
  const VERDICTS = { works: ["good", "works"], harms: ["bad", "harms"], unclear: ["warn", "unclear"], too_few: ["none", "too few cases"] };
  const EARTH = 6371.0088, WIDE = 480, HIGH = 300;

  const word = (name) => name.replaceAll("_", " ");
  const many = (number, one, more) => entity.many(number, one, more);
  const size = (bytes) => bytes < 1000 ? `${entity.count(bytes)} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB`
    : `${(bytes / 1e6).toFixed(1)} MB`;
  const far = (km) => km < 0.05 ? "same place" : km < 1 ? "under 1 km" : `${entity.count(Math.round(km))} km`;
  const value = (number, unit) => number === null ? "–" : `${entity.number(number)} ${unit}`.trim();
  const soft = entity.soft;

  const mark = (kind, hollow) => {
    const place = KINDS.indexOf(kind) + 1;
    const svg = entity.drawn("svg", { class: `mark k${place}${hollow ? " hollow" : ""}`, viewBox: "-8 -8 16 16", "aria-hidden": "true" });
    svg.append(entity.drawn("path", { d: SHAPES[place - 1] ?? SHAPES[0] }));
    return svg;
  };

  // ---- maps

  // A picture around a place: `across` in km; lengths are true at its middle (equirectangular).
  const around = ([latitude, longitude], across) => {
    const px = WIDE / across, shrink = Math.max(0.02, Math.cos(latitude * Math.PI / 180)), degree = EARTH * Math.PI / 180;
    return {
      across,
      x: (lon) => WIDE / 2 + (lon - longitude) * degree * shrink * px,
      y: (lat) => HIGH / 2 - (lat - latitude) * degree * px,
      near: (lon) => longitude + (((lon - longitude + 180) % 360) + 360) % 360 - 180,
    };
  };
  const path = (view, ring, turn = 0) => "M" + ring.map(([lon, lat]) => `${view.x(lon + turn).toFixed(1)} ${view.y(lat).toFixed(1)}`)
    .join("L") + "Z";

  const coasts = (view, land) => {
    let lines = "";
    for (const rings of land) {
      for (const flat of rings) {
        const ring = Array.from({ length: flat.length / 2 }, (_, at) => [flat[2 * at], flat[2 * at + 1]]);
        const ys = ring.map(([, lat]) => view.y(lat));
        if (Math.min(...ys) > HIGH || Math.max(...ys) < 0) continue;
        for (const turn of [-360, 0, 360]) { // the world goes on behind the date line
          const xs = ring.map(([lon]) => view.x(lon + turn));
          if (Math.min(...xs) <= WIDE && Math.max(...xs) >= 0) lines += path(view, ring, turn);
        }
      }
    }
    return lines ? entity.drawn("path", { class: "land", d: lines, "fill-rule": "evenodd" }) : null;
  };

  const bar = (view) => {
    const most = view.across / 5, power = 10 ** Math.floor(Math.log10(most));
    const km = [5, 2, 1].find((step) => step * power <= most) * power, long = km * WIDE / view.across;
    const words = entity.drawn("text", { x: 10, y: HIGH - 16 });
    words.append(km >= 1 ? `${entity.count(km)} km` : `${Math.round(km * 1000)} m`);
    return [entity.drawn("line", { class: "bar", x1: 10, x2: 10 + long, y1: HIGH - 10, y2: HIGH - 10 }), words];
  };

  const spot = (view, [latitude, longitude], kind, extra) => {
    const place = KINDS.indexOf(kind) + 1;
    return entity.drawn("path", { class: `spot k${place} ${extra}`, d: SHAPES[place - 1] ?? SHAPES[0],
      transform: `translate(${view.x(view.near(longitude)).toFixed(1)} ${view.y(latitude).toFixed(1)})` });
  };

  const picture = (title, told, label, parts) => {
    const svg = entity.drawn("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, role: "img", "aria-label": label, overflow: "hidden" });
    svg.append(...parts.filter(Boolean));
    return make("figure", {}, make("figcaption", {}, make("b", {}, title), make("span", {}, told)), svg);
  };

  const region = (hub, land) => {
    const close = (hub.near ?? []).filter((each) => each[5] < 1500);
    const across = Math.min(6000, Math.max(1600, 2.6 * (close.at(-1)?.[5] ?? 0)));
    const view = around(hub.at, across);
    const others = close.map(([, , kind, latitude, longitude]) => spot(view, [latitude, longitude], kind, "other"));
    const ring = entity.drawn("circle", { class: "ring", cx: WIDE / 2, cy: HIGH / 2, r: 12 });
    return picture("Where in the world", `${entity.count(Math.round(across))} km across. The ring is this hub` +
      (others.length ? "; the others are the nearest to it." : "; no other hub is near."), "The hub on a map of coasts",
    [coasts(view, land), ...others, spot(view, hub.at, hub.kind, hub.home ? "hollow" : ""), ring, ...bar(view)]);
  };

  const close = (hub) => {
    const points = (hub.numbers ?? []).filter((row) => row[9] !== null).map((row) => [row[9], row[10]]);
    const corners = (hub.area ?? []).flat().map(([lon, lat]) => [lat, lon]);
    if (!points.length && !corners.length) return null;
    const probe = around(hub.at, WIDE); // one km a pixel
    const reach = Math.max(0.05, ...[...points, ...corners].map(([latitude, longitude]) => Math.max(
      Math.abs(probe.x(probe.near(longitude)) - WIDE / 2), Math.abs(probe.y(latitude) - HIGH / 2) * WIDE / HIGH)));
    const view = around(hub.at, 2.4 * reach);
    const area = hub.area && entity.drawn("path", { class: "area", "fill-rule": "evenodd",
      d: hub.area.map((ring) => path(view, ring.map(([lon, lat]) => [view.near(lon), lat]))).join("") });
    const dots = points.map(([latitude, longitude]) => entity.drawn("circle", { class: "point", r: 4,
      cx: view.x(view.near(longitude)).toFixed(1), cy: view.y(latitude).toFixed(1) }));
    const told = [hub.area && "its area", points.length && `${many(new Set(points.map(String)).size, "place")} of the newest measurements`];
    return picture("Close by", `${told.filter(Boolean).join(", and ")}.`.replace(/^./, (first) => first.toUpperCase()),
      "The hub's area and where it measured", [area, ...dots, spot(view, hub.at, hub.kind, hub.home ? "hollow" : ""), ...bar(view)]);
  };

  // ---- sections

  const numbers = (id, hub, work) => {
    const proof = (label) => entity.proof("hubs.registry", { hub_id: id }, label);
    const [sets, measured, needs, offers] = hub.counts;
    const users = Object.values(work?.used ?? {}).reduce((sum, each) => sum + each, 0);
    return entity.section("In numbers", null, entity.cards([
      ["Data sets", proof(entity.count(sets)), "Files of its package."],
      ["Measurements", proof(entity.count(measured)), "Numbers in them."],
      ["Open needs", proof(entity.count(needs)), "On the day."],
      ["Open offers", proof(entity.count(offers)), "On the day."],
      work && ["Used by", entity.to("work", id, entity.count(users)), work.rank
        ? `Works that build on it: number ${entity.count(work.rank[0])} of ${entity.count(work.rank[1])} by influence.`
        : "Works that build on it."],
    ]));
  };

  const described = (id, hub) => entity.section("What it is", null,
    hub.description ? entity.paragraph("", entity.name(hub.description)) : null,
    hub.practices ? make("div", {}, entity.paragraph("told", "Practices"), entity.chips(hub.practices.map(entity.name))) : null,
    entity.facts([
      ["Place", ...(hub.place ? [entity.name(hub.place), " "] : []), soft(`${hub.at[0]}°, ${hub.at[1]}° (WGS84)`),
        hub.home ? soft(`; a private home: moved to the centre of a ${entity.number(hub.home)} km grid cell`) : null],
      ["Soil", hub.soil ? entity.name(hub.soil) : soft("not given")],
      ["Climate", hub.climate ? [entity.name(hub.climate), soft(" (Köppen-Geiger)")] : soft("not given")].flat(),
      ["Method", hub.method ? entity.name(hub.method) : soft("not given")],
      ["Capacity", hub.capacity ? entity.name(hub.capacity) : soft("not given")],
      hub.languages && ["Languages", entity.name(hub.languages.join(", "))],
      ["Licence of its data", entity.name(hub.license)],
      ["Contact", entity.outside(hub.contact)],
      ["Consent", entity.name(hub.consent_by), soft(`, ${hub.consent}`)],
      ["Published", `${hub.published}`, soft(` this version${hub.version ? ` (${hub.version})` : ""}; first ${hub.since}`)],
      hub.seen && ["Said by", entity.proof("hubs.packages", { date: hub.seen, hub_id: id }, make("code", {}, hub.raw.slice(0, 12)))],
    ]));

  const post = (id, side) => ([name, kind, item, asked, received, since, until, reach, sent, priority, state, matched, missing,
    reason, why, date]) => {
    const told = state !== "open" ? soft("over")
      : side === "offer" ? (matched ? `${matched} would go` : soft("nobody needs it, or nobody can get it"))
        : missing === null ? make("span", { class: "state good" }, "met")
          : [make("span", { class: "state warn" }, matched ? `${missing} missing` : "unmet"), " ", REASONS[reason] ?? "",
            why ? make("div", { class: "below" }, why) : null];
    return [
      [entity.name(item), soft(` ${word(kind)}`)],
      entity.proof("hubs.posts", { date, hub_id: id, side, post_id: name }, asked),
      ...(side === "need" ? [received ?? "–"] : []),
      since, until, [sent ? "by post" : null, sent && reach ? ", " : null, reach ? `${entity.number(reach)} km` : sent ? null : soft("as set")],
      ...(side === "need" ? [`${priority}`] : []), told,
    ];
  };

  const posts = (id, hub, title, side, rows) => {
    if (!rows) return make("div", {}, make("h3", {}, title), entity.paragraph("soft", `It has published no ${side}s.`));
    const heads = side === "need"
      ? ["What", "Amount#", "Came already#", "From@", "Until@", "How far", "Priority#", "On this day"]
      : ["What", "Amount#", "From@", "Until@", "How far", "On this day"];
    return make("div", {}, make("h3", {}, title), entity.table(many(rows[0][16], side), heads, rows.map(post(id, side))),
      entity.rest(rows.length, rows[0][16], `${side}s`, "hubs.posts"));
  };

  const matched = (hub) => !hub.matches ? entity.paragraph("soft", "No match with another hub on this day.")
    : make("div", {}, make("h3", {}, "Matches"), entity.table("Proposals: nothing is sent", ["Way", "What", "How much#", "Hub", "How", "Days"],
      hub.matches.map(([way, other, label, item, number, distance, sent, since, until, need_hub, need_id, offer_hub, offer_id]) => [
        way === "gets" ? "it would get" : "it would give", entity.name(item),
        entity.proof("hubs.matches", { need_hub, need_id, offer_hub, offer_id }, number),
        label ? entity.to("hub", other, label) : make("code", {}, other), sent ? "by post" : far(distance), `${since} to ${until}`])),
    entity.rest(hub.matches.length, hub.all_matches, "matches", "hubs.matches"));

  const exchanged = (id, hub) => entity.section("Needs and offers", null,
    posts(id, hub, "What it needs", "need", hub.wants), posts(id, hub, "What it offers", "offer", hub.gives), matched(hub),
    make("p", {}, make("a", { href: "resources.html" }, "Needs and offers of all hubs")));

  const sets = (id, hub) => entity.section("Data sets", "Files of its last package. What was read has the hash of what was read.",
    !hub.sets ? entity.paragraph("soft", "Its package has no file.")
      : entity.table("By what they say", ["File", "Says", "Rows#", "Refused#", "Size#", "Method", "SHA-256"],
        hub.sets.map(([name, role, form, title, at, rows, refused, bytes, sha256, checked, method, date]) => [
          [entity.name(title ?? name), make("div", { class: "below" }, /^https?:/.test(at) ? entity.outside(at) : make("code", {}, at))],
          `${word(role)}, ${form}`, rows === null ? "–" : entity.proof("hubs.datasets", { date, hub_id: id, resource: name }, entity.count(rows)),
          refused ? make("span", { class: "state warn" }, entity.count(refused)) : "0", bytes === null ? "–" : size(bytes),
          method ? entity.name(method) : "", sha256 ? [entity.proof("hubs.datasets", { date, hub_id: id, resource: name },
            make("code", {}, sha256.slice(0, 8))), checked ? null : soft(" as given")] : soft("none")])));

  const measured = (id, hub) => !hub.sums ? entity.section("Measurements", null, entity.paragraph("soft", "It has published no measurement."))
    : entity.section("Measurements", "In the units that people read; the rows behind the numbers hold SI units and what was written.",
      entity.table("What was measured", ["What", "File", "Numbers#", "Lowest#", "Mean#", "Highest#", "When"],
        hub.sums.map(([name, label, quantity, unit, number, low, mean, high, since, until, people, date, told]) => [
          [label, soft(` ${unit}`), told === label ? null : make("div", { class: "below" }, told)], make("code", {}, name),
          [entity.proof("hubs.measurements", { date, hub_id: id, resource: name, quantity }, entity.count(number)),
            people ? soft(` of ${many(people, "person", "people")}`) : null],
          entity.number(low), entity.number(mean), entity.number(high), since === null ? "–" : since === until ? since : `${since} to ${until}`])),
      make("details", {}, make("summary", {}, `The newest ${many(hub.numbers.length, "number")}, with what was written`),
        entity.table("Newest first", ["What", "Converted#", "As written", "Taken@", "Where"], hub.numbers.map(
          ([name, row, label, quantity, number, unit, given, given_unit, taken, latitude, longitude, , date]) => [
            label, entity.proof("hubs.measurements", { date, hub_id: id, resource: name, row, quantity }, value(number, unit)),
            entity.name(`${given} ${given_unit}`), taken ?? "–", latitude === null ? soft("at the hub") : `${latitude}°, ${longitude}°`])),
        entity.rest(hub.numbers.length, hub.counts[1], "numbers", "hubs.measurements")));

  const outcomes = (id, hub) => {
    if (!hub.outcomes && !hub.tried) {
      return entity.section("What it tried", null, entity.paragraph("soft", "It has published no outcome of a practice."));
    }
    return entity.section("What it tried", "Before and after, as the hub measured it; and what all hubs that tried the same say together.",
      !hub.outcomes ? null : entity.table("Outcomes of this hub", ["Practice", "Measured by", "Before#", "After#", "Days", "How"], hub.outcomes.map(
        ([row, practice, label, better, before, after, unit, given, few, all, people, since, until, method, date]) => [
          entity.name(practice), [label, soft(better === "up" ? " more is better" : " less is better")],
          [value(before, unit), few === null ? null : soft(` (${entity.count(few)})`)],
          [entity.proof("hubs.outcomes", { date, hub_id: id, row }, value(after, unit)), all === null ? null : soft(` (${entity.count(all)})`)],
          `${since} to ${until}`, [method ? entity.name(method) : "", people ? soft(` ${many(people, "person", "people")}`) : null]])),
      !hub.tried ? null : entity.table("All hubs together", ["Practice", "Measured by", "What may be said", "Effect#", "Interval#", "Hubs#"], hub.tried.map(
        ([practice, quantity, label, verdict, why, effect, interval, hubs]) => [entity.name(practice), label,
          [make("span", { class: `state ${VERDICTS[verdict][0]}` }, VERDICTS[verdict][1]), make("div", { class: "below" }, why)],
          entity.proof("hubs.strategies", { practice, quantity }, effect), interval, entity.count(hubs)])));
  };

  const nature = (id, hub) => {
    const title = "Seen nearby in open data";
    if (!hub.species && !hub.weather) {
      return entity.section(title, null, entity.paragraph("soft", "No open data of its place was collected up to this day."));
    }
    return entity.section(title, "What others recorded around its place: species from GBIF, the weather from NASA POWER.",
      !hub.species ? null : entity.table("Species, last seen first", ["Species", "Seen#", "Last@", "Nearest#", "Licence"], hub.species.map(
        ([name, label, number, last, distance, licence, url, native_id, date]) => [
          [make("i", {}, url ? make("a", { href: entity.outside(url).href ?? "#", rel: "noopener noreferrer" }, entity.name(name)) : entity.name(name)),
            label ? soft(" ", entity.name(label)) : null],
          entity.proof("hubs.observations", { date, hub_id: id, source: "gbif", variable: name }, entity.count(number)), last,
          distance === null ? "–" : `${entity.number(distance)} km`, licence ? entity.name(licence) : soft("not given")])),
      hub.species ? entity.rest(hub.species.length, hub.all_species, "species", "hubs.observations") : null,
      !hub.weather ? null : entity.table("The weather", ["What", "Last#", "On@", "Lowest#", "Mean#", "Highest#", "Days#"], hub.weather.map(
        ([label, variable, unit, days, , last, now, low, mean, high, date]) => [[label, soft(` ${unit}`)],
          entity.proof("hubs.observations", { date, hub_id: id, source: "nasa_power", variable }, entity.number(now)), last,
          entity.number(low), entity.number(mean), entity.number(high), entity.count(days)])));
  };

  const cited = (id, work) => {
    if (!work) return entity.section("Who cites it", null, entity.paragraph("soft", "Its data set is not in the graph of this day."));
    const side = (title, given, all, none) => make("div", {}, make("h3", {}, title), !given ? entity.paragraph("soft", none)
      : entity.table(many(all, "link"), ["Work", "How"], given.map(([other, label, , relation]) =>
        [entity.to("work", other, label), entity.VERBS[relation]])));
    const sum = (counts) => Object.values(counts ?? {}).reduce((total, each) => total + each, 0);
    return entity.section("Who cites it", null, make("div", { class: "columns" },
      side("Who uses it", work.users, sum(work.used), "Nothing in the graph cites it yet."),
      side("What it builds on", work.builds_on, sum(work.uses), "Its package names no source that is in the graph.")),
    make("p", {}, entity.to("work", id, "Its data set as a work: scores, links and rewards")));
  };

  const near = (hub) => !hub.near ? null : entity.section("The nearest hubs", null, make("ul", { class: "rows" },
    ...hub.near.map(([other, label, kind, , , distance]) => make("li", {}, mark(kind), " ", entity.to("hub", other, label),
      soft(` ${word(kind)}, ${far(distance)}`)))));

  const published = (id, hub) => !hub.versions ? null : entity.section("Versions", null,
    entity.table(many(hub.versions.length, "version"), ["Published@", "Version", "Seen@", "Said by"],
      hub.versions.map(([at, version, seen, raw, date]) => [at, version ? entity.name(version) : "–", seen,
        entity.proof("hubs.packages", { date, hub_id: id }, make("code", {}, raw.slice(0, 12)))])));

  const refused = (id, hub) => !hub.refused ? null : entity.section("Refused",
    `What of its package of ${hub.refused[0][5]} could not be taken, for whoever wrote it.`,
    entity.table(many(hub.all_refused, "thing"), ["Where", "What stands there", "What should", "For instance"], hub.refused.map(
      ([number, where, stands, expected, example, date]) => [make("code", {}, where),
        entity.proof("hubs.rejects", { date, hub_id: id, number }, stands || "nothing"), entity.name(expected),
        example ? make("code", {}, example) : "–"])),
    entity.rest(hub.refused.length, hub.all_refused, "refused things", "hubs.rejects"));

  entity.page("hub", async (id, hub) => {
    const [land, work] = await Promise.all([coevo.load("hubs/land"), (async () => {
      const found = await coevo.record("work", id);
      return found?.is ? coevo.record("work", found.is) : found;
    })()]);
    entity.head(hub.title);
    return [
      entity.paragraph("lead", make("span", { class: "chip" }, mark(hub.kind, hub.home), ` Hub: ${word(hub.kind)}`), " ",
        make("code", { class: "id" }, id), ...(hub.place ? [", ", entity.name(hub.place)] : [])),
      described(id, hub),
      numbers(id, hub, work),
      entity.section("Where it is", null, make("div", { class: "around" }, ...[region(hub, land ?? []), close(hub)].filter(Boolean))),
      exchanged(id, hub), outcomes(id, hub), measured(id, hub), sets(id, hub), nature(id, hub), cited(id, work), near(hub),
      published(id, hub), refused(id, hub), entity.permanent("hub", id),
    ];
  });
}
