// The page of one resonance chamber: report/entities/chambers.py says what is in the record.
"use strict";
{
  const { make } = coevo;

  const links = (chambers) => chambers.flatMap(([id, known], place) =>
    [place ? ", " : "", known ? entity.to("chamber", id, id) : make("code", {}, id)]);

  const measured = (id, chamber) => {
    const date = chamber.ended ?? coevo.given.get("about").day;
    const proof = (label) => entity.proof("influence.chambers", { date, chamber_id: id }, label);
    return entity.section("In numbers", chamber.ended ? `As of ${chamber.ended}, its last day.` : "As of the day.", entity.cards([
      ["Works", proof(entity.count(chamber.size)), "That are in it."],
      ["Linked pairs", proof(entity.count(chamber.links)), "Pairs of its works with a link between them."],
      ["Density", proof(entity.percent(chamber.density)), "Linked pairs, of all pairs that there could be."],
      ["Conductance", chamber.conductance === undefined ? entity.soft("unknown") : proof(entity.percent(chamber.conductance)),
        "Share of its links that lead out: low is closed, high is open."],
      ["Modularity", proof(entity.number(chamber.modularity)), "What it adds to how well the whole falls into chambers."],
    ]));
  };

  const members = (chamber) => chamber.ended
    ? entity.section("Works", null, entity.paragraph("soft", "It is no more on this day, so nothing is in it."))
    : entity.section("Works", null,
      entity.table("The most influential first", ["Work", "Kind", "Influence#", "Core#"], (chamber.members ?? []).map(
        ([node, label, kind, influence, core, crystalline]) => [
          [entity.to("work", node, label), crystalline ? entity.soft(" crystalline") : null], kind ? coevo.kind(kind) : "only named",
          influence === null ? "" : entity.proof("influence.scores", { node_id: node }, entity.percent(influence)),
          entity.proof("influence.lattice", { node_id: node }, entity.count(core))])),
      entity.rest(chamber.members?.length ?? 0, chamber.size, "works", "influence.lattice"));

  const bridges = (chamber) => entity.section("Works that bridge it",
    "Its works that are linked with other chambers, the most integrative first.", !chamber.bridges
      ? entity.paragraph("soft", "None: no work of it is linked with another chamber.")
      : entity.table("Bridges", ["Work", "Integrative potential#", "Chambers#", "Links across#"], chamber.bridges.map(
        ([node, label, , potential, others, pairs]) => [entity.to("work", node, label),
          potential === null ? entity.soft("unknown")
            : entity.proof("influence.scores", { node_id: node }, entity.number(potential)), entity.count(others), entity.count(pairs)])),
    entity.rest(chamber.bridges?.length ?? 0, chamber.all_bridges ?? 0, "bridging works", "citations.edges"));

  const neighbours = (chamber) => entity.section("Neighbours", "Chambers that links lead to and from.", !chamber.neighbours
    ? entity.paragraph("soft", "None: no link leads out of it.")
    : entity.table("The most linked first", ["Chamber", "Works#", "Linked pairs#"], chamber.neighbours.map(
      ([other, pairs, terms, size]) => [[entity.to("chamber", other, terms.join(", ") || other), entity.soft(` ${other}`)],
        size === null ? "" : entity.proof("influence.chambers", { chamber_id: other }, entity.count(size)), entity.count(pairs)])),
    entity.rest(chamber.neighbours?.length ?? 0, chamber.all_neighbours ?? 0, "chambers", "citations.edges"));

  const moved = (id, chamber) => entity.section("How it moved", null,
    entity.table("Newest first", ["Day@", "What happened", "Works#", "Overlap with the day before#"], chamber.events.map(
      ([date, event, origins, size, jaccard]) => {
        const from = origins.filter(([origin]) => origin !== id);
        return [entity.proof("influence.chambers", { date, chamber_id: id }, date),
          [event, from.length ? ", out of " : "", ...links(from)], entity.count(size),
          jaccard === null ? entity.soft("new") : entity.percent(jaccard)];
      })),
    chamber.went ? entity.paragraph("", "Works of it went on to ",
      ...chamber.went.flatMap(([date, other], place) => [place ? ", " : "", entity.to("chamber", other, other), ` on ${date}`]), ".")
      : null);

  entity.page("chamber", (id, chamber) => {
    entity.head(chamber.terms?.slice(0, 4).join(", ") || id);
    return [
      entity.paragraph("lead", make("span", { class: "chip" }, "Chamber"), " ", make("code", { class: "id" }, id),
        chamber.ended ? ` was last seen on ${chamber.ended}.` : ` holds ${entity.many(chamber.size, "work")}. `,
        "A community of the graph, recognised from day to day."),
      chamber.terms && make("div", {}, entity.paragraph("told", "Words of its titles that other chambers use less"),
        entity.chips(chamber.terms.map(entity.name))),
      measured(id, chamber),
      entity.history([entity.spark(chamber.history[0], "Works", entity.count), entity.spark(chamber.history[1], "Density", entity.percent)]),
      members(chamber), bridges(chamber), neighbours(chamber), moved(id, chamber), entity.permanent("chamber", id),
    ];
  });
}
