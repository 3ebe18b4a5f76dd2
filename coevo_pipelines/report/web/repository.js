// The page of one repository: its genome side (report/entities/repositories.py), and its links from its record as a work.
"use strict";
{
  const { make } = coevo;
  const LEVELS = { 1: "commit and tree", 2: "object store", 3: "files", 4: "whole tree" };
  const STATES = { packed: ["good", "in the genome"], not_yet: ["none", "not yet in the genome"], left_out: ["warn", "left out"] };
  const REASONS = {
    packed: "packed as text", submodule: "a submodule", symlink: "a symbolic link", lfs_pointer: "a pointer to a large file",
    extension: "of a kind that is not packed", too_large: "too large", binary: "not text", undecodable: "cannot be read as text",
    archive_limit: "too much in an archive", archive_damaged: "in a damaged archive",
  };

  const size = (bytes) => bytes < 1000 ? `${entity.count(bytes)} B` : bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB`
    : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(1)} GB`;

  const packed = (repository) => {
    const own = repository.genome;
    if (!own) {
      return entity.section("In the genome", null, entity.paragraph("soft", repository.repo
        ? "The genome of this day has no row of it."
        : "It is not part of the ecosystem that the genome is made of: no setting, README, owner or topic lists it."));
    }
    const proof = (label) => entity.proof("genome.repositories", { repo: repository.repo }, label);
    const [looks, words] = STATES[own.status];
    return entity.section("In the genome", "The genome is one text of all repositories of the ecosystem, under one hash.",
      make("p", {}, make("span", { class: `state ${looks}` }, words), own.why ? entity.soft(" ", entity.name(own.why)) : null),
      own.status === "packed" ? entity.cards([
        ["Text", proof(size(own.text_bytes)), own.share === null ? null : `${entity.percent(own.share)} of the genome's text.`],
        ["Tokens", proof(entity.count(own.tokens)), "Of the packed text."],
        ["Files packed", make("span", {}, proof(entity.count(own.packed)), " ", make("small", {}, `of ${entity.count(own.files)}`)),
          "The others are listed with a reason."],
        ["Place", make("span", {}, proof(entity.count(own.place)), " ", make("small", {}, `of ${entity.count(own.repositories)}`)),
          "In the order of the curriculum."],
      ]) : null,
      entity.facts([
        ["Name", make("code", {}, repository.repo)],
        own.commit && ["Commit", make("code", { class: "id" }, own.commit), entity.soft(` of ${own.committed}`)],
        own.swhid && ["Software Heritage", make("code", { class: "id" }, own.swhid)],
        ["Licence", own.license ? entity.name(own.license) : entity.soft("none that is certain from its licence file")],
        own.root && ["Root of the genome", entity.proof("genome.manifest", { root: own.root }, make("code", {}, own.root))],
      ]));
  };

  const listed = (repository) => {
    const own = repository.listed;
    if (!own) return null;
    const by = { settings: "the settings", readme: "the README of", owner: "the owner", topic: "the topic", works: "the work" };
    return entity.section("Where it came from", null, entity.facts([
      ["Address", own.url.startsWith("sample://") ? make("code", {}, own.url) : entity.outside(own.url)],
      ["Listed by", entity.proof("genome.ecosystem", { repo: repository.repo }, by[own.listed_by]),
        ...(own.listed_in ? [" ", entity.name(own.listed_in)] : [])],
      ["Last fetch", make("span", { class: `state ${own.status === "fetched" ? "good" : "bad"}` }, own.status),
        entity.soft(` ${own.fetched} UTC`)],
      own.error && ["Why nothing is new", entity.name(own.error)],
      own.head && ["Default branch", make("code", {}, own.head.replace("refs/heads/", ""))],
      own.kept > 0 && ["Kept", `${entity.many(own.kept, "branch or tag", "branches and tags")} that the remote rewrote or deleted`],
    ]));
  };

  const audited = (repository) => !repository.audits ? null : entity.section("Audit",
    "Four checks of every object of its commit. Whatever fails one is left out of the genome.",
    entity.table("On this day", ["Level", "Result", "Looked at#", "Differing#", "What differs"], repository.audits.map(
      ([level, status, checked, differing, differences]) => [
        `${level}: ${LEVELS[level]}`,
        make("span", { class: `state ${{ passed: "good", failed: "bad", not_run: "none" }[status]}` }, status.replace("_", " ")),
        entity.proof("genome.audits", { repo: repository.repo, level }, entity.count(checked)), entity.count(differing),
        differences.length ? differences.map((each) => make("div", {}, make("code", {}, each))) : ""])));

  const files = (repository) => !repository.files ? null : entity.section("Files", null, make("div", { class: "columns" },
    entity.table("What became of them", ["Reason", "Files#", "Size#"], repository.files.map(([reason, number, bytes]) => [
      REASONS[reason] ?? reason, entity.proof("genome.files", { repo: repository.repo, reason }, entity.count(number)), size(bytes)])),
    repository.languages ? entity.table("Packed text by language", ["Language", "Files#", "Text#", "Tokens#"],
      repository.languages.map(([language, number, bytes, tokens]) => [entity.name(language), entity.count(number),
        bytes === null ? "" : size(bytes), tokens === null ? "" : entity.count(tokens)])) : null));

  const changed = (repository) => !repository.changed ? null : entity.section("Changes",
    "What became different in the genome from one day to the next.",
    entity.table("By day, newest first", ["Day@", "Added#", "Changed#", "Removed#", "Lines"], repository.changed.map(
      ([date, added, other, removed, plus, minus]) => [
        entity.proof("genome.changes", { date, repo: repository.repo }, date), entity.count(added), entity.count(other),
        entity.count(removed), [make("ins", {}, `+${entity.count(plus)}`), " ", make("del", {}, `−${entity.count(minus)}`)]])),
    make("details", {}, make("summary", {}, `The last ${entity.many(repository.paths.length, "file")}`),
      entity.table("Newest first", ["File", "Day@", "What", "Lines"], repository.paths.map(([date, path, change, plus, minus]) => [
        make("code", {}, path), date, entity.proof("genome.changes", { date, repo: repository.repo, path }, change),
        plus === null ? "" : [make("ins", {}, `+${plus}`), " ", make("del", {}, `−${minus}`)]]))),
    make("p", {}, make("a", { href: "genome.html" }, "All changes of the day, with their text")));

  const history = (repository) => repository.history && entity.history([
    entity.spark(repository.history[0], "Text", size),
    entity.spark(repository.history[1], "Tokens", entity.count),
    entity.spark(repository.history[2], "Files packed", entity.count),
  ], "What of it was in the genome. A gap is a day on which it was not.");

  const depends = (id, work) => {
    if (!work) {
      return entity.section("Dependents and dependencies", null, entity.paragraph("soft",
        "No source of the graph knows this repository, so nothing is known of who uses it."));
    }
    const side = (title, links, all, none, into) => {
      const own = (links ?? []).filter((link) => link[3] === "depends_on");
      if (!own.length) return make("div", {}, make("h3", {}, title), entity.paragraph("soft", none));
      return make("div", {}, make("h3", {}, title), entity.table(entity.many(all, "link"), ["Work", "Where it says so"],
        own.map(([other, label, , relation, , , evidence, , , date, source, target]) => [entity.to("work", other, label),
          entity.proof("citations.edges", { date, source: source ?? (into ? other : id), target: target ?? (into ? id : other),
            relation }, make("code", {}, evidence))])),
      entity.rest(own.length, all, "links", "citations.edges"));
    };
    return entity.section("Dependents and dependencies", null, make("div", { class: "columns" },
      side("What depends on it", work.users, work.used?.depends_on ?? 0, "Nothing in the graph says that it depends on it.", true),
      side("What it depends on", work.builds_on, work.uses?.depends_on ?? 0, "No manifest of it names anything.", false)),
      make("p", {}, entity.to("work", id, "All its links, scores and rewards: its page as a work")));
  };

  entity.page("repository", async (id, repository) => {
    const work = repository.work ? await coevo.record("work", id) : null;
    entity.head(repository.title ?? id);
    return [
      entity.paragraph("lead", make("span", { class: "chip" }, "Repository"), " ", make("code", { class: "id" }, id),
        work?.rank ? `, number ${entity.count(work.rank[0])} of ${entity.count(work.rank[1])} works by influence.` : ""),
      packed(repository), audited(repository), files(repository), history(repository), changed(repository),
      depends(id, work), listed(repository), entity.permanent("repository", id),
    ];
  });
}
