// The page of one work: report/entities/works.py says what is in its record.
"use strict";
{
  const SCORES = ["influence", "inflow", "guarded_influence", "guarded_inflow", "rescaled_influence", "traffic",
    "in_degree", "citations", "cd_index", "betweenness", "betweenness_is_exact", "field", "neighbours_in",
    "neighbours_out", "delta_in", "delta_out", "fields_in", "fields_out", "integrative_potential"];
  const { make } = coevo;

  const described = (id, work) => {
    const found = work.found && { date: work.found[0], work_id: work.found[1], source: work.found[2] };
    return entity.facts([
      ["Identifier", make("code", { class: "id" }, id)],
      work.aliases && ["Also known as", ...spaced(work.aliases.map((each) => make("code", { class: "id" }, each))),
        work.all_aliases > work.aliases.length ? ` and ${entity.count(work.all_aliases - work.aliases.length)} more` : ""],
      work.url && ["Page", entity.outside(work.url)],
      work.authors && ["Made by", ...people(work)],
      work.owner && ["Held by", work.owner[0] ? entity.to("person", work.owner[0], work.owner[1]) : entity.name(work.owner[1])],
      work.created ? ["Appeared", found ? entity.proof("traces.works", found, work.created) : work.created]
        : ["First named", work.named ?? "unknown"],
      ["In the graph since", work.first ? entity.proof("citations.nodes", { date: work.first, node_id: id }, work.first)
        : "unknown"],
      work.status && ["Access", work.status],
      !work.stub && ["Licence", work.licence ? entity.name(work.licence) : entity.soft("none that a source names")],
      work.version && ["Version", entity.name(work.version)],
      work.topics && ["Found under", entity.chips(work.topics.map(entity.name))],
      work.fields && ["Fields", entity.chips(work.fields.map(entity.name))],
      work.tags && ["Tags", entity.chips(work.tags.map(entity.name)),
        work.all_tags > work.tags.length ? entity.soft(`and ${entity.count(work.all_tags - work.tags.length)} more`) : ""],
    ]);
  };

  const spaced = (items) => items.flatMap((item, place) => place ? [", ", item] : [item]);

  const people = (work) => {
    const shown = spaced(work.authors.map(([page, name]) =>
      page ? entity.to("person", page, name) : entity.name(name ?? "somebody who is not named")));
    const more = work.all_authors - work.authors.length;
    return more > 0 ? [...shown, ` and ${entity.count(more)} more (traces.people)`] : shown;
  };

  const scored = (id, work) => {
    if (!work.scores) {
      return entity.section("Scores", null, entity.paragraph("soft", "No scores were made on this day."));
    }
    const score = Object.fromEntries(SCORES.map((name, place) => [name, work.scores[place]]));
    const proof = (label) => entity.proof("influence.scores", { node_id: id }, label);
    const given = (value, say) => value === null ? entity.soft("unknown") : proof(say(value));
    const fields = (value) => value === null ? "an unknown number of" : entity.number(value);
    return entity.section("Scores",
      `As of the day. Rank ${entity.count(work.rank[0])} of ${entity.count(work.rank[1])} by influence.`,
      entity.cards([
        ["Influence", given(score.influence, entity.percent),
          "PageRank over dated, typed links: its share of all works' influence."],
        ["Rank", make("span", {}, proof(entity.count(work.rank[0])), " ", make("small", {}, `of ${entity.count(work.rank[1])}`)),
          "Place among all works by influence."],
        ["Inflow", given(score.inflow, entity.percent),
          "What arrives over links from other works, as a share of all that arrives."],
        ["Guarded inflow", given(score.guarded_inflow, entity.percent),
          "Inflow after links that look arranged are weakened. Rewards go by it."],
        ["Used by", given(score.in_degree, entity.count),
          `Other works that use it; ${entity.count(score.citations)} of them cite it.`],
        ["Integrative potential", given(score.integrative_potential, entity.number),
          score.integrative_potential === null
            ? "How far it joins fields. Unknown below three neighbours whose field is known."
            : "How far it joins fields: 0 is one field only, 1 is as far apart as fields can be."],
        ["Disruption", given(score.cd_index, entity.number), score.cd_index === null
          ? "Whether later works need what came before it. Unknown for works without references."
          : "1: later works build on it alone. −1: always together with what it builds on. Five years."],
        ["Against its age", given(score.rescaled_influence, (value) => `${value > 0 ? "+" : ""}${entity.number(value)} σ`),
          "Standard deviations of influence from the works nearest in age."],
      ]),
      make("details", {}, make("summary", {}, "More measures"), entity.facts([
        ["Guarded influence", given(score.guarded_influence, entity.percent), " influence with the same guards as above"],
        ["Traffic", given(score.traffic, entity.percent), " visits expected of readers who begin at recent works (CiteRank)"],
        ["Betweenness", given(score.betweenness, entity.number), ` shortest paths through it, ${score.betweenness_is_exact ? "exact" : "estimated"}`],
        ["Field", score.field === null ? entity.soft("unknown") : proof(entity.name(score.field))],
        ["Fields that build on it", `${fields(score.fields_in)} in effect, of ${entity.many(score.neighbours_in, "work")} with a field; diversity `,
          given(score.delta_in, entity.number)],
        ["Fields that it builds on", `${fields(score.fields_out)} in effect, of ${entity.many(score.neighbours_out, "work")} with a field; diversity `,
          given(score.delta_out, entity.number)],
      ])));
  };

  const placed = (id, work) => {
    if (!work.lattice) return null;
    const [chamber, size, terms, core, persistence, crystalline] = work.lattice;
    const proof = (label) => entity.proof("influence.lattice", { node_id: id }, label);
    return entity.section("Where it sits", "A chamber is a community of the graph that is recognised from day to day.",
      entity.facts([
        ["Chamber", ...(chamber ? [entity.to("chamber", chamber, terms.join(", ") || chamber), entity.soft(` ${entity.many(size, "work")}`)]
          : [entity.soft("none: nothing is linked with it, or its links say too little")])],
        ["Core", proof(entity.count(core)), entity.soft(" the deepest k-core that it is in; 0 has no links")],
        ["Persistence", persistence === null ? entity.soft("unknown: no links") : proof(entity.percent(persistence)),
          entity.soft(" of the days its links had both ends in one chamber")],
        ["Crystalline", proof(crystalline ? "yes" : "no"), entity.soft(" core and persistence stayed above their thresholds")],
      ]),
      make("p", {}, make("a", { href: `graph.html?id=${encodeURIComponent(id)}` }, "Show it in the graph")));
  };

  const linked = (id, title, told, links, counts, phrases, where, none, turned) => {
    const all = Object.values(counts ?? {}).reduce((sum, number) => sum + number, 0);
    if (!links) return entity.section(title, null, entity.paragraph("soft", none));
    const groups = Object.keys(entity.VERBS).filter((relation) => counts[relation]);
    return entity.section(title, told,
      ...groups.map((relation) => {
        const own = links.filter((link) => link[3] === relation);
        const caption = `${phrases[relation]}: ${entity.count(counts[relation])}`;
        if (!own.length) return entity.paragraph("soft", `${caption}, none among the first ${entity.count(links.length)}.`);
        return entity.table(caption, ["Work", "Influence#", "Since@", "Where it says so", "Proof"], own.map((link) => {
          const [other, label, kind, , influence, at, evidence, raw, weightless, date, source, target] = link;
          const [from, to] = turned ? [id, other] : [other, id];
          const key = { date, source: source ?? from, target: target ?? to, relation };
          return [
            [entity.to("work", other, label), kind ? "" : entity.soft(" only named"),
              weightless ? entity.soft(` counts nothing: ${{ self_loop: "the same work", same_owner: "the same owner",
                same_authors: "the same authors" }[weightless]}`) : null],
            influence === null ? "" : entity.proof("influence.scores", { node_id: other }, entity.percent(influence)),
            at, make("code", {}, evidence ?? ""),
            entity.proof("citations.edges", key, make("code", {}, raw.slice(0, 8))),
          ];
        }));
      }),
      entity.rest(links.length, all, "links", where));
  };

  const bonded = (id, work) => !work.bonds ? null : entity.section("Bonds",
    "Works linked with it, and on how many of the last days both were in one chamber.",
    entity.table("The most lasting first", ["Work", "Days together#"], work.bonds.map(([other, label, together, days, first]) => [
      entity.to("work", other, label),
      entity.proof("influence.bonds", first ? { work_id: id, other_id: other } : { work_id: other, other_id: id },
        `${together} of ${days}`)])),
    entity.rest(work.bonds.length, work.all_bonds, "bonds", "influence.bonds"));

  const counted = (work) => {
    if (!work.metrics) {
      return entity.section("Counters", null, entity.paragraph("soft",
        "No source that counts stars, downloads or citations was asked for it up to this day."));
    }
    const cards = work.metrics.map(([metric, , last]) => {
      const name = metric[0].toUpperCase() + metric.slice(1);
      if (!last) return [name, entity.soft("not seen"), "Asked too late: a counter of a past day cannot be known."];
      const [date, value, id, source] = last;
      const today = date === coevo.given.get("about").day;
      return [name, entity.proof("traces.metrics", { date, work_id: id, metric }, entity.count(value)),
        `${source}, ${today ? "on the day" : `last seen on ${date}; nobody looked since`}.`];
    });
    return entity.section("Counters", "True only when observed: a day on which nobody looked has no value.", entity.cards(cards));
  };

  const history = (id, work) => {
    const [influence, inflow, rank] = work.history ?? [[], [], []];
    return entity.history([
      work.history && entity.spark(influence, "Influence", entity.percent),
      work.history && entity.spark(inflow, "Inflow", entity.percent),
      work.history && entity.spark(rank.map((place) => place === null ? null : -place), "Rank", (value) => entity.count(-value)),
      ...(work.metrics ?? []).filter(([, line]) => line.some((value) => value !== null))
        .map(([metric, line]) => entity.spark(line, metric[0].toUpperCase() + metric.slice(1), entity.count)),
      ...(work.rewards ?? []).filter((round) => round[6]).map(([name, currency, decimals, , , , line]) =>
        entity.spark(line, `Earned in ${name}`, (value) => entity.money(Math.round(value), currency, decimals))),
    ]);
  };

  const rewarded = (id, work) => {
    const held = (work.held ?? []).map(([round, why, count, merit]) => entity.paragraph("note",
      `In the round ${round} the part of ${count === 1 ? "one person" : `${entity.count(count)} people`} in it is held back, `,
      entity.proof("rewards.eligibility", { round, subject: id }, `${entity.percent(merit)} of all merit`),
      `: ${entity.HELD[why]}.`));
    const rounds = (work.rewards ?? []).map(([name, currency, decimals, total, number, payees]) => make("div", {},
      make("p", {}, `Round ${name}: `, make("b", {}, entity.money(total, currency, decimals)),
        ` for ${number === 1 ? "one person" : `${entity.count(number)} people`} who can be paid.`),
      entity.table(`Who gets it in ${name}`, ["Person", "Amount#"], payees.map(([page, who, amount, person]) => [
        page ? entity.to("person", page, who) : entity.name(who),
        person ? entity.proof("rewards.explanations", { round: name, person_id: person, work_id: id },
          entity.money(amount, currency, decimals)) : entity.money(amount, currency, decimals)])),
      entity.rest(payees.length, number, "people", "rewards.explanations")));
    return entity.section("Rewards", "What it brings to the people behind it on this day.", ...rounds, ...held,
      rounds.length || held.length ? null : entity.paragraph("soft",
        "Nobody who can be paid gets anything for it: nothing arrives at it over guarded links, or nobody has claimed it."));
  };

  const contained = (work) => !work.corpora
    ? entity.section("Corpora", null, entity.paragraph("soft",
      "No corpus looked at it: there is no text of it here, or no corpus was made on this day."))
    : entity.section("Corpora", "Which training corpora hold its texts, and by which rule others are out.",
      entity.table("Documents of it", ["Corpus", "In it", "Documents#", "Tokens#", "One of them"],
        work.corpora.map(([name, rule, documents, tokens, example, detail]) => [
          entity.name(name), rule ? [make("span", { class: "state none" }, "out"), entity.soft(` ${rule.replaceAll("_", " ")}`)]
            : make("span", { class: "state good" }, "in"),
          entity.proof("corpora.documents", { blueprint: name, doc_id: example }, entity.count(documents)),
          tokens === null ? entity.soft("not counted") : entity.count(tokens),
          [make("code", {}, example), detail ? entity.soft(` ${detail}`) : null]])),
      make("p", {}, make("a", { href: "corpora.html" }, "All corpora")));

  const happened = (id, work) => !work.events ? null : entity.section("What happened to it", null,
    entity.table("Newest first", ["When@", "What", "Source", "Access", "Version", "Licence"],
      work.events.map(([date, at, event, source, status, version, licence, known]) => [
        entity.proof("traces.works", { date, work_id: known ?? id, source }, at),
        [event, known ? entity.soft(" as ", entity.name(known)) : null], source, status,
        version ? entity.name(version) : "", licence ? entity.name(licence) : ""])));

  entity.page("work", (id, work) => {
    entity.head(work.title ?? id);
    const kind = work.stub ? "Only named" : coevo.kind(work.kind).replace(/^./, (first) => first.toUpperCase());
    return [
      entity.paragraph("lead", make("span", { class: "chip" }, kind), " ",
        work.stub ? "No source told of this work itself: it is known only because other works name it."
          : work.rank ? `Number ${entity.count(work.rank[0])} of ${entity.count(work.rank[1])} by influence` +
            `${work.used ? `; ${entity.many(Object.values(work.used).reduce((sum, each) => sum + each), "link leads", "links lead")} to it` : ""}.`
            : "It has no score on this day.",
        ...(work.kind === "repository" ? [" ", make("a", { href: coevo.address("repository", id) }, "Its side in the genome")] : []),
        ...(work.kind === "hub_dataset" ? [" ", make("a", { href: coevo.address("hub",
          [id, ...(work.aliases ?? [])].find((each) => each.startsWith("hub:")) ?? id) }, "The hub that it is of")] : [])),
      described(id, work),
      scored(id, work),
      linked(id, work.stub ? "What names it" : "Who uses it", "The reason for its score: links into it, of the most influential users first.",
        work.users, work.used, Object.fromEntries(Object.entries(entity.RELATIONS).map(([key, verb]) => [key, `What ${verb}`])),
        "citations.edges", "Nothing in the graph uses it.", false),
      linked(id, "What it builds on", "Links out of it: its score passes on along these.", work.builds_on, work.uses,
        Object.fromEntries(Object.entries(entity.VERBS).map(([key, verb]) => [key, `What it ${verb}`])),
        "citations.edges", work.stub ? "Unknown: no source told of it." : "It names nothing that is in the graph.", true),
      placed(id, work),
      history(id, work),
      counted(work),
      rewarded(id, work),
      contained(work),
      bonded(id, work),
      happened(id, work),
      entity.permanent("work", id),
    ];
  });
}
