// A wide table or equation scrolls inside itself; then the keyboard must reach it.
const reach = () => document.querySelectorAll(".bd-article :is(table, mjx-container[display='true'], pre)").forEach((box) => {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
});

// Cells whose code is folded stand under one bar, as long as nothing is shown between them.
const join = () => document.querySelectorAll("details.hide.above-input").forEach((first) => {
  const cell = first.closest(".cell"), before = cell.previousElementSibling;
  const bar = before?.querySelector("details.hide.above-input");
  if (!bar || before.querySelector(".cell_output")) return;
  const head = bar.leader ?? bar;
  first.leader = head;
  first.querySelector("summary").hidden = true;
  head.addEventListener("toggle", () => { first.open = head.open; });
});

// One switch hides all code, on every page, until it is pressed again.
const kept = { // a reader may forbid it
  get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { } },
};
const codeSwitch = () => {
  const place = document.querySelector(".article-header-buttons");
  if (!place || !document.querySelector(".bd-article .cell_input")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "btn btn-sm code-switch";
  const show = (hidden) => {
    document.documentElement.classList.toggle("no-code", hidden);
    button.textContent = hidden ? "Show code" : "Hide code";
    kept.set("hide-code", hidden ? "yes" : "no");
  };
  button.addEventListener("click", () => show(!document.documentElement.classList.contains("no-code")));
  show(kept.get("hide-code") === "yes");
  place.prepend(button);
};

// A box under each exercise keeps the reader's guess in this browser, to be set beside what the run says.
const guesses = () => document.querySelectorAll(".bd-article .exercise.admonition").forEach((exercise) => {
  const label = document.createElement("label"), box = document.createElement("textarea");
  const key = `guess:${location.pathname.split("/").pop()}#${exercise.id}`;
  label.className = "guess";
  label.append("Your guess before you run it, kept in this browser: ", box);
  box.rows = 2;
  box.value = kept.get(key) ?? "";
  box.addEventListener("input", () => kept.set(key, box.value));
  exercise.append(label);
});

// What each verdict of the map rests on, the paper's number beside ours, out of its row of the ledger.
const map = () => {
  const found = {};
  let claim = "", paper = "";
  document.querySelectorAll(".ledger tbody tr").forEach((row) => {
    const [first, claimed, evidence, , measured] = [...row.cells].map((cell) => cell.textContent.trim());
    if (first) [claim, paper] = [first.split(",")[0], claimed.match(/The paper: .*$/)?.[0] ?? "The paper gives no number."];
    found[`${claim} ${evidence.split(":")[0]}`] = `${claim}. ${paper} Ours, ${evidence}: ${measured}`;
  });
  const heads = [...document.querySelectorAll(".verdicts thead th")].map((cell) => cell.textContent.trim());
  document.querySelectorAll(".verdicts tbody tr").forEach((row) => [...row.cells].forEach((cell, at) => {
    const told = found[`${row.cells[0].textContent.trim()} ${heads[at]}`];
    if (told) (cell.querySelector("a") ?? cell).title = told.replaceAll(/\\[()]/g, "");
  }));
};

// A term's definition, which the mouse gets as a title, for the keyboard and for touch: the first tap shows it.
const terms = () => {
  const box = Object.assign(document.createElement("div"), { className: "term-box", id: "term-box", hidden: true });
  box.setAttribute("role", "tooltip");
  document.body.append(box);
  const hide = () => { box.hidden = true; box.of?.removeAttribute("aria-describedby"); box.of = null; };
  const show = (link) => {
    box.textContent = link.title;
    box.hidden = false;
    box.of = link;
    link.setAttribute("aria-describedby", "term-box");
    const at = link.getBoundingClientRect(), width = Math.min(420, innerWidth - 24);
    Object.assign(box.style, { width: `${width}px`, left: `${Math.max(12, Math.min(at.left, innerWidth - width - 12)) + scrollX}px`,
      top: `${at.bottom + scrollY + 6}px` });
  };
  document.querySelectorAll(".bd-article a[title]:has(.std-term), .verdicts a[title]").forEach((link) => {
    let touched = false;
    link.addEventListener("pointerdown", (event) => { touched = event.pointerType === "touch" && box.of !== link; });
    link.addEventListener("click", (event) => { if (touched) { event.preventDefault(); show(link); } });
    link.addEventListener("focus", () => { if (link.matches(":focus-visible")) show(link); });
    link.addEventListener("blur", hide);
  });
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("pointerdown", (event) => { if (box.of && !event.target.closest?.("a")) hide(); });
};

// The ledger's rows by claim, shown by paper, verdict and chapter; the row that a link leads to is marked.
const ledger = () => {
  const tables = document.querySelectorAll(".ledger"), claims = [];
  if (!tables.length) return;
  document.querySelectorAll(".ledger tbody tr").forEach((row) => {
    const mark = row.querySelector("[data-chapter]");
    if (mark) claims.push({ id: mark.id, paper: mark.id[6].toUpperCase(), chapter: mark.dataset.chapter, rows: [], verdicts: new Set() });
    const claim = claims.at(-1);
    claim.rows.push(row);
    row.querySelectorAll("td:nth-child(4) span[class]").forEach((span) => claim.verdicts.add(span.className.replaceAll("-", " ")));
  });
  const bar = Object.assign(document.createElement("div"), { className: "bar" });
  const chosen = {};
  const apply = () => {
    claims.forEach((claim) => {
      const shown = (!chosen.paper || claim.paper === chosen.paper) && (!chosen.chapter || claim.chapter === chosen.chapter)
        && (!chosen.verdict || claim.verdicts.has(chosen.verdict));
      claim.rows.forEach((row) => { row.hidden = !shown; });
    });
    told.textContent = `${claims.filter((claim) => !claim.rows[0].hidden).length} of ${claims.length} claims`;
  };
  const values = { paper: claims.map((c) => c.paper), verdict: claims.flatMap((c) => [...c.verdicts]), chapter: claims.map((c) => c.chapter) };
  for (const [key, all] of Object.entries(values)) {
    const label = document.createElement("label"), select = document.createElement("select");
    label.append(`${key} `, select);
    select.append(new Option("all", ""), ...[...new Set(all)].sort().map((value) => new Option(value.replaceAll("_", " "), value)));
    select.addEventListener("change", () => { chosen[key] = select.value; apply(); });
    bar.append(label);
  }
  const told = document.createElement("output");
  bar.append(told);
  tables[0].before(bar);
  const mark = () => {
    document.querySelectorAll(".ledger tr.target").forEach((row) => row.classList.remove("target"));
    const claim = claims.find((one) => `#${one.id}` === location.hash);
    claim?.rows.forEach((row) => row.classList.add("target"));
    if (claim) { claim.rows.forEach((row) => { row.hidden = false; }); claim.rows[0].scrollIntoView({ block: "center" }); }
  };
  apply();
  mark();
  addEventListener("hashchange", mark);
};

addEventListener("DOMContentLoaded", () => { join(); codeSwitch(); guesses(); map(); terms(); ledger(); });
addEventListener("load", () => {
  document.querySelectorAll(".copybtn").forEach((button) => button.setAttribute("aria-label", "Copy this code"));
  (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach);
});
addEventListener("resize", reach);
