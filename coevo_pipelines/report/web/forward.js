// In data_lake/report/index.html: ?page=work&id=… leads on to that page of the newest day that has a report.
"use strict";
coevo.load("days").then((days) => {
  const asked = new URLSearchParams(location.search);
  const page = asked.get("page");
  asked.delete("page");
  // A name of a page and nothing else, so that no address can lead out of the report.
  if (days?.length && /^[a-z]+$/.test(page ?? "")) location.replace(`snapshot/date=${days[0]}/${page}.html?${asked}`);
});
