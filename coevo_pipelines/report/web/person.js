// The page of one person: report/entities/people.py says what is in the record.
"use strict";
{
  const { make } = coevo;

  const kind = (id) => id.startsWith("person:") ? "a person of the register, with claims"
    : id.startsWith("orcid:") ? "an ORCID iD"
    : id.endsWith("#unknown") ? "whoever made a work that names nobody"
    : id.includes("#") ? "a place in the list of authors of one work"
    : "an account";

  const title = (id, person) => person.name ?? (id.endsWith("#unknown") ? `Unnamed makers of ${id.slice(0, -"#unknown".length)}` : id);

  const known = (id, person) => entity.facts([
    ["Identifier", make("code", { class: "id" }, id), entity.soft(` ${kind(id)}`)],
    id.startsWith("orcid:") && ["ORCID", entity.outside(`https://orcid.org/${id.slice("orcid:".length)}`)],
    person.identifiers && ["Also known as", entity.chips(person.identifiers.slice(0, 40).map((each) => make("code", {}, each))),
      person.identifiers.length > 40 ? entity.soft(`and ${entity.count(person.identifiers.length - 40)} more`) : ""],
    ["Standing", person.verified ? make("span", { class: "state good" }, "verified")
      : make("span", { class: "state none" }, "not verified"),
      entity.soft(person.verified ? " a claim with a proof, which nobody disputes"
        : ` ${entity.HELD[person.held] ?? "no claim with a proof"}`)],
    person.channels && ["Can be paid by", person.channels.map((each) => each.replaceAll("_", " ")).join(", ")],
  ]);

  const scored = (id, person) => {
    if (!person.scores) return null;
    const [influence, inflow, guarded] = person.scores;
    const proof = (label) => person.rows?.length === 1
      ? entity.proof("influence.people", { person_id: person.rows[0] }, label) : label;
    return entity.section("Scores", "Each work's score is divided equally among the people behind it.", entity.cards([
      ["Inflow", proof(entity.percent(inflow)), "What arrives at the works over links, as a share of all that arrives."],
      person.rank && ["Rank", make("span", {}, entity.count(person.rank[0]), " ", make("small", {}, `of ${entity.count(person.rank[1])}`)),
        "Place by inflow among people whom a source names and whose works are used."],
      ["Guarded inflow", proof(entity.percent(guarded)), "The same after links that look arranged are weakened. Rewards go by it."],
      ["Influence", proof(entity.percent(influence)), "Part of all works' influence, with what starts at the works themselves."],
      ["Works", proof(entity.count(person.all_works)), "That count here."],
    ]), person.rows?.length > 1 ? entity.paragraph("soft", "Added up from ", ...person.rows.slice(0, 40).flatMap((row, place) =>
      [place ? ", " : "", entity.proof("influence.people", { person_id: row }, row)]), ".") : null);
  };

  const works = (id, person) => entity.section("Works", null, person.works
    ? entity.table("The most influential first", ["Work", "Part#", "Influence#", "Appeared@"],
      person.works.map(([work, label, , created, position, persons, influence]) => [
        entity.to("work", work, label), id.endsWith("#unknown") ? entity.soft("nobody is named") : persons === 1 ? "alone" : `${position} of ${persons}`,
        influence === null ? "" : entity.proof("influence.scores", { node_id: work }, entity.percent(influence)), created ?? ""]))
    : entity.paragraph("soft", "No work of this day's graph names this person."),
    entity.rest(person.works?.length ?? 0, person.all_works ?? 0, "works", "influence.people"));

  const rewarded = (id, person) => {
    if (!person.rounds) {
      return entity.section("Rewards", null, entity.paragraph("soft", "No round of this day has anything for this person: " +
        "nothing arrives at the works over guarded links, or no round was held."));
    }
    const parts = person.rounds.map(([name, currency, decimals, amount, floor, receipt, held, capped, dropped, paid, , merit]) => {
      const say = (minor) => entity.proof("rewards.allocations", { round: name, person_id: person.paid_as },
        entity.money(minor, currency, decimals));
      return make("div", {}, make("h3", {}, `Round ${name}`), entity.cards([
        ["Amount", say(amount), `${entity.percent(merit)} of the round's merit.`],
        ["To be paid", say(receipt), receipt === "0" ? "Nothing can be paid yet." : paid ? "Paid with the day." : "Shown, not paid: the round does not close on this day."],
        ["Held back", say(held), held === "0" ? "Nothing waits." : "Waits in escrow until it is claimed or expires."],
        ["Equal part", say(floor), "The floor, which every verified person gets alike."],
      ]), capped ? entity.paragraph("note", "Held down by the round's cap.") : null,
      dropped ? entity.paragraph("note", "Below the least that is paid: it goes to the others.") : null);
    });
    return entity.section("Rewards", null, ...parts, ...explained(id, person), ...held(person));
  };

  const PARTS = { floor: "equal part of every verified person", use: "its use", lineage: "descent: what builds on its users",
    past: "earlier uses", rest: "many small parts" };

  const explained = (id, person) => {
    const rounds = new Map();
    for (const row of person.explained ?? []) rounds.set(row[0], [...(rounds.get(row[0]) ?? []), row]);
    return [...rounds].flatMap(([name, rows]) => {
      const [, currency, decimals] = person.rounds.find((round) => round[0] === name) ?? [name, "", 0];
      const link = (work) => !work ? "" : work[2] ? entity.to("work", work[0], work[1]) : entity.name(work[0]);
      return [make("h3", {}, "Where it comes from"),
        entity.table(`Parts in ${name}, the largest first`, ["Part", "Of the work", "Used by", "Amount#"],
          rows.map(([, , place, part, work, via, relation, amount]) => [
            PARTS[part] ?? part, link(work), [link(via), relation ? entity.soft(` ${entity.VERBS[relation]} it`) : null],
            entity.proof("rewards.explanations", { round: name, person_id: person.paid_as, place },
              entity.money(amount, currency, decimals))])),
        entity.rest(rows.length, rows[0][1], "parts", "rewards.explanations")];
    });
  };

  const held = (person) => !person.held_parts ? [] : [make("h3", {}, "What is in the way"),
    make("ul", { class: "rows" }, ...person.held_parts.map(([round, why, subject, merit]) => make("li", {},
      make("span", { class: "state warn" }, entity.HELD[why]), entity.soft(` ${entity.percent(merit)} of the merit of ${round}, as `),
      make("code", {}, subject))))];

  const waiting = (id, person) => {
    if (!person.escrow) return null;
    const open = person.escrow.some((row) => row[4] === "open");
    return entity.section("Escrow", "What is held back waits here. On the day when it expires it goes back to the pool.",
      entity.table("Holdings", ["Round", "State", "Why", "Holdings#", "Amount#", "First expires@"],
        person.escrow.map(([round, currency, decimals, why, state, count, amount, expires, own]) => [
          entity.name(round), state, entity.HELD[why],
          entity.proof("rewards.escrow", { round, person_id: own, held: why, state }, entity.count(count)),
          entity.money(amount, currency ?? "", decimals ?? 0), state === "open" ? expires : ""])),
      open && !person.verified && !id.endsWith("#unknown") ? entity.paragraph("note", make("b", {}, "Is this you? "),
        "A claim in the round keeper's register, with a proof that this identifier is yours, releases what waits. ",
        "The project's docs say how, in the explanation of rewards.") : null);
  };

  const paid = (person) => !person.receipts ? null : entity.section("Paid so far", null,
    entity.table("Newest first", ["Day@", "Round", "What", "Amount#"], person.receipts.map(
      ([date, round, currency, decimals, what, amount, holding, own]) => [date, entity.name(round),
        what === "round" ? "part of the round" : "released from escrow",
        entity.proof("rewards.receipts", { date, round, person_id: own, kind: what,
          ...(holding ? { holding_id: holding } : {}) }, entity.money(amount, currency, decimals))])),
    entity.rest(person.receipts.length, person.all_receipts ?? 0, "payments", "rewards.receipts"));

  const claimed = (id, person) => !person.claims ? null : entity.section("Claims",
    "Identifiers that this person says are theirs. A claim counts with a proof, and while nobody else claims the same.",
    entity.table("In the register on this day", ["Identifier", "State", "Since@"], person.claims.map(
      ([subject, proven, since, disputed]) => [
        entity.proof("traces.claims", { person_id: id, subject }, make("code", {}, subject)),
        disputed ? make("span", { class: "state bad" }, "disputed") : proven ? make("span", { class: "state good" }, "proven")
          : make("span", { class: "state warn" }, "without a proof"), since])));

  const history = (person) => entity.history([
    person.history && entity.spark(person.history[0], "Inflow", entity.percent),
    person.history && entity.spark(person.history[1], "Works", entity.count),
    ...(person.rounds ?? []).map(([name, currency, decimals, , , , , , , , line]) => entity.spark(line, `Amount in ${name}`,
      (value) => entity.money(Math.round(value), currency, decimals))),
  ]);

  entity.page("person", (id, person) => {
    entity.head(title(id, person));
    const rank = person.rank ? `Number ${entity.count(person.rank[0])} of ${entity.count(person.rank[1])} people by inflow` : "";
    const made = person.all_works ? `${rank ? ", with " : "Behind "}${entity.many(person.all_works, "work")}` : "";
    return [
      entity.paragraph("lead", rank || made ? `${rank}${made}.` : "Known from the register or a round; no source names works."),
      known(id, person), scored(id, person), works(id, person), history(person), rewarded(id, person),
      waiting(id, person), paid(person), claimed(id, person), entity.permanent("person", id),
    ];
  });
}
