// The head of every page: which theme, and the menu of a narrow screen. Runs before anything is painted.
"use strict";
{
  const THEMES = ["system", "light", "dark"];
  const MEDIA = { system: "screen and (prefers-color-scheme: dark)", light: "not all", dark: "screen" };
  const KEY = "coevo-theme";
  const dark = document.getElementById("dark");
  const changed = () => window.dispatchEvent(new Event("coevo:theme"));

  // A browser may forbid a page from disk to keep anything.
  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  let theme = THEMES.includes(kept()) ? kept() : "system";
  dark.media = MEDIA[theme];
  document.documentElement.classList.add("js");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    button.hidden = false;
    const say = () => (button.textContent = `Theme: ${theme}`);
    say();
    button.addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      dark.media = MEDIA[theme];
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // for this page only
      }
      say();
      changed();
    });

    const menu = document.getElementById("menu");
    menu.hidden = false;
    menu.addEventListener("click", () => {
      const open = document.getElementById("pages").classList.toggle("open");
      menu.setAttribute("aria-expanded", open);
    });

    // Which day comes after this one cannot be known when a report is made: the folder above tells.
    const days = coevo.make("script", { src: "../../days.js" });
    days.addEventListener("load", () => {
      const place = document.getElementById("after");
      const [after] = coevo.given.get("days").filter((day) => day > place.dataset.day).sort();
      if (!after) return;
      const same = location.pathname.split("/").pop() + location.search;
      const label = `the day after: ${after}`;
      place.replaceWith(coevo.make("a", { href: `../date=${after}/${same}`, rel: "next", "aria-label": label }, "→"));
    });
    document.head.append(days);
  });
}
