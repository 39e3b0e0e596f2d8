// Before the first paint: the theme that was chosen on this device. Without a choice it is dark, unless the system asks for light.
(function () {
  var theme = 'system';
  try {
    theme = localStorage.getItem('spaktok.theme') || 'system';
  } catch (error) {
    // Storage is blocked: the system decides.
  }
  if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
})();
