// Before the first paint: the theme that was chosen, if one was. Classic script on purpose.
(function () {
  'use strict';
  try {
    var chosen = localStorage.getItem('breakeven-theme');
    if (chosen === 'dark' || chosen === 'light') document.documentElement.dataset.theme = chosen;
  } catch (e) { /* storage is off: the system's preference holds */ }
})();
