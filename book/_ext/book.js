// A wide table or equation scrolls inside itself; then the keyboard must reach it.
const reach = () => document.querySelectorAll(".bd-article :is(table, mjx-container[display='true'], pre)").forEach((box) => {
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
});
addEventListener("load", () => (window.MathJax?.startup?.promise ?? Promise.resolve()).then(reach));
addEventListener("resize", reach);
