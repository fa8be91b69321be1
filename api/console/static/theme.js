// Runs before the first paint, so that the page does not flash in the wrong colours or language.
(() => {
  const theme = localStorage.getItem("kobert-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (localStorage.getItem("kobert-language") === "en") document.documentElement.lang = "en";
})();
