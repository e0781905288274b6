const slides = [...document.querySelectorAll(".slide")], pages = {ArrowRight: 1, PageDown: 1, " ": 1, ArrowLeft: -1,
  PageUp: -1, Home: -1e9, End: 1e9};
const show = wanted => { const at = Math.max(0, Math.min(slides.length - 1, wanted));
  slides.forEach((slide, i) => slide.classList.toggle("shown", i === at));
  history.replaceState(null, "", "#" + (at + 1)); };
const now = () => slides.findIndex(slide => slide.classList.contains("shown"));
addEventListener("keydown", event => { if (event.key in pages && event.target.type !== "range") {
  event.preventDefault(); show(now() + pages[event.key]); } });
addEventListener("click", event => { if (!event.target.closest("a, button, input, label, summary"))
  show(now() + (event.clientX < innerWidth / 4 ? -1 : 1)); });
show(Number(location.hash.slice(1) || 1) - 1);
