// Before the page is painted: the theme that was chosen, and that there is
// JavaScript.
(() => {
  const root = document.documentElement;
  root.classList.add('js');
  try {
    const theme = localStorage.getItem('signals-theme');
    if (theme) root.dataset.theme = theme;
  } catch { /* no storage: the system's theme */ }
})();
