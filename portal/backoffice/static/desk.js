// Small comforts of the back office. Every page works without this file.
(() => {
  const root = document.documentElement;

  // Light or dark: the system's choice until somebody presses the button.
  const stored = () => { try { return localStorage.getItem('otc-theme'); } catch { return null; } };
  if (stored()) root.dataset.theme = stored();
  document.querySelector('[data-theme-button]')?.addEventListener('click', () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === 'dark'
      : matchMedia('(prefers-color-scheme: dark)').matches;
    root.dataset.theme = dark ? 'light' : 'dark';
    try { localStorage.setItem('otc-theme', root.dataset.theme); } catch { /* private window */ }
  });

  // The navigation on a phone.
  const menu = document.querySelector('[data-menu]');
  menu?.addEventListener('click', () => {
    const open = document.body.classList.toggle('menu-open');
    menu.setAttribute('aria-expanded', String(open));
  });

  // Times in the zone of the person who reads them, UTC kept on hover.
  for (const time of document.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    const local = at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium', hourCycle: 'h23' });
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    time.title = `${local} ${zone} · ${time.title}`;
    if (Math.abs(Date.now() - at) > 86400000) {
      time.textContent = at.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short', hourCycle: 'h23' });
    }
  }

  // A whole row opens its record; j and k walk the rows, Enter opens, / searches, Escape closes.
  const rows = [...document.querySelectorAll('main table tbody tr')].filter((row) => row.querySelector('.row-link'));
  for (const row of rows) {
    row.classList.add('opens');
    row.addEventListener('click', (event) => {
      if (!event.target.closest('a, button, input, label') && !getSelection().toString()) row.querySelector('.row-link').click();
    });
  }
  let at = -1;
  const walk = (step) => {
    if (!rows.length) return;
    rows[at]?.classList.remove('at');
    at = Math.min(rows.length - 1, Math.max(0, at + step));
    rows[at].classList.add('at');
    rows[at].scrollIntoView({ block: 'nearest' });
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') { document.activeElement?.blur(); document.body.classList.remove('menu-open'); return; }
    if (event.target.closest('input, textarea, select, [contenteditable]')) return;
    if (event.key === '/') { event.preventDefault(); document.querySelector('[data-find]')?.focus(); }
    if (event.key === 'j') walk(1);
    if (event.key === 'k') walk(-1);
    if (event.key === 'Enter' && at >= 0 && document.activeElement === document.body) rows[at].querySelector('.row-link').click();
  });

  // A form is sent once.
  for (const form of document.querySelectorAll('form[method=post]')) {
    form.addEventListener('submit', () => { setTimeout(() => { for (const b of form.querySelectorAll('button')) b.disabled = true; }); });
  }
  addEventListener('pageshow', () => { for (const b of document.querySelectorAll('form[method=post] button')) b.disabled = false; });
})();
