// Light or dark as the reader chose, before anything is painted; the only thing that this page stores.
(() => {
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch { /* storage is switched off: the system's theme holds */ }
})();
