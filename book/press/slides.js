const slides = [...document.querySelectorAll(".slide")], pages = {ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1,
  PageUp: -1, Home: -1e9, End: 1e9}, noted = document.body.classList;
// The largest letters, and with them the largest drawings, with captions below or beside, with which all is seen.
const fit = held => { const drawn = held.querySelector(".panels"), steps = drawn ? 18 : 1;
  for (const text of [1.2, 1.1, 1, 0.9, 0.8, 0.7, 0.6, 0.5].slice(drawn ? 2 : 0)) for (let i = 0; i < steps; i++)
    for (const side of ["below", "beside"].slice(0, drawn ? 2 : 1)) { held.dataset.caption = side;
      held.style.setProperty("--text", text); held.style.setProperty("--drawing", 2.5 - i / 10);
      if (held.scrollHeight <= held.clientHeight && held.scrollWidth <= held.clientWidth) return; } };
const stage = () => document.body.style.setProperty("--stage",
  Math.min(innerWidth / 1280, innerHeight / (noted.contains("with-notes") ? 960 : 720)));
const show = wanted => { const at = Math.max(0, Math.min(slides.length - 1, wanted));
  slides.forEach((slide, i) => slide.classList.toggle("shown", i === at));
  history.replaceState(null, "", "#" + (at + 1)); };
const now = () => slides.findIndex(slide => slide.classList.contains("shown"));
addEventListener("keydown", event => { if (event.target.type === "range") return;
  if (event.key in pages) { event.preventDefault(); show(now() + pages[event.key]); }
  if (event.key === "n") { noted.toggle("with-notes"); stage(); } });
addEventListener("click", event => { if (!event.target.closest("a, button, input, label, summary"))
  show(now() + (event.clientX < innerWidth / 4 ? -1 : 1)); });
addEventListener("resize", stage);
if (slides.length) { stage(); show(Number(location.hash.slice(1) || 1) - 1); }
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(() => {
  document.querySelectorAll(".held").forEach(fit); document.body.dataset.fitted = ""; }));
