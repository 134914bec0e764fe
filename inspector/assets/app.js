// The server renders the page. Here, once a second, what has changed is put
// into it, and links within the inspector change the stream instead of loading
// a page. Without this file everything works but does not move.
(() => {
  'use strict';
  const root = document.documentElement;
  const version = new URL(document.currentScript.src).search;
  let source = null, paused = false, left = false, row = -1, shown = null;

  // The last segment of a path: the pages are all in one directory.
  const viewOf = (url) => url.pathname.slice(url.pathname.lastIndexOf('/') + 1) || 'signals';

  // What this page shows, as the server is asked for it; null while nobody sees
  // it, or it does not change.
  function feed() {
    if (paused || left || document.hidden || viewOf(location) === 'stacks') return null;
    const params = new URLSearchParams(location.search);
    params.delete('slash');
    params.set('view', viewOf(location));
    return params.toString();
  }

  // All pages of the browser share the stream of a worker; where there are no
  // such workers, on some phones, the one page that is seen has its own.
  let worker = null;
  try {
    worker = new SharedWorker('worker.js' + version);
    worker.port.onmessage = ({ data }) => {
      if (data.off) root.dataset.live = 'off'; else if (data.feed === shown) show(data.data);
    };
    worker.onerror = () => {
      worker = null;
      listen();
    };
    setInterval(() => worker?.port.postMessage({ feed: shown }), 20_000);
  } catch { /* there are none */ }

  function listen() {
    shown = feed();
    if (shown === null) root.dataset.live = paused ? 'paused' : 'off';
    source?.close();
    source = null;
    if (worker) return worker.port.postMessage({ feed: shown });
    if (shown === null) return;
    const opened = source = new EventSource('live?feed=' + encodeURIComponent(shown));
    opened.addEventListener('page', (event) => { if (source === opened) show(event.data); });
    opened.onerror = () => {
      if (source !== opened) return;
      root.dataset.live = 'off';
      if (opened.readyState === EventSource.CLOSED) setTimeout(() => { if (source === opened) listen(); }, 5000);
    };
  }
  document.addEventListener('visibilitychange', listen);
  addEventListener('pagehide', () => {
    left = true;
    listen();
  });
  addEventListener('pageshow', (event) => {
    left = false;
    if (event.persisted) listen();
  });

  function show(body) {
    root.dataset.live = 'on';
    const next = new DOMParser().parseFromString('<!doctype html><body>' + body, 'text/html');
    children(document.body, next.body);
    decorate();
  }

  // Make the children of one element like those of another, keeping the nodes
  // that are there: the focus, the selection, what is unfolded.
  function children(have, want) {
    const named = new Map();
    for (const node of have.children) if (node.id) named.set(node.id, node);
    let at = have.firstChild;
    for (const node of [...want.childNodes]) {
      let same = node.id ? named.get(node.id) : at;
      if (same && (same.nodeName !== node.nodeName || (!node.id && same.id))) same = null;
      if (!same) {
        have.insertBefore(document.importNode(node, true), at);
        continue;
      }
      if (same !== at) have.insertBefore(same, at); else at = at.nextSibling;
      become(same, node);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  function become(have, want) {
    if (have.nodeType !== Node.ELEMENT_NODE) {
      if (have.nodeValue !== want.nodeValue) have.nodeValue = want.nodeValue;
      return;
    }
    if (have.nodeName === 'INPUT' && have.type === 'search') {
      if (have !== document.activeElement) have.value = want.getAttribute('value') || '';
      return;
    }
    for (const { name } of [...have.attributes]) {
      if (!want.hasAttribute(name) && name !== 'open' && name !== 'data-at') have.removeAttribute(name);
    }
    for (const { name, value } of want.attributes) {
      if (have.getAttribute(name) !== value) have.setAttribute(name, value);
    }
    children(have, want);
  }

  function decorate() {
    const button = document.querySelector('[data-do=pause]');
    if (button) button.textContent = paused ? 'Go on' : 'Pause';
    rows().forEach((r, i) => r.toggleAttribute('data-at', i === row));
  }

  function go(url, how) {
    history[how](null, '', url);
    document.body.dataset.view = viewOf(location);
    listen();
  }

  document.addEventListener('click', (event) => {
    const button = event.target.closest('[data-do]');
    if (button) return actions[button.dataset.do]();
    const link = event.target.closest('a[href]');
    if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const url = new URL(link.getAttribute('href'), location.href);
    const pages = ['signals', 'signal', 'graph', 'failures', 'diagnosis'];
    if (url.origin !== location.origin || link.hasAttribute('data-plain') || paused || viewOf(location) === 'stacks' || !pages.includes(viewOf(url))) return;
    event.preventDefault();
    const moved = viewOf(url) !== viewOf(location);
    row = -1;
    go(url, 'pushState');
    if (moved) scrollTo(0, 0);
  });

  let typing = 0;
  document.addEventListener('input', (event) => {
    if (event.target.id !== 'q') return;
    clearTimeout(typing);
    typing = setTimeout(() => {
      const params = new URLSearchParams(location.search);
      params.delete('offset');
      if (event.target.value) params.set('q', event.target.value); else params.delete('q');
      go(location.pathname + (params.size ? '?' + params : ''), 'replaceState');
    }, 150);
  });
  document.addEventListener('submit', (event) => {
    if (!paused) event.preventDefault();
  });
  addEventListener('popstate', () => listen());

  const rows = () => [...document.querySelectorAll('tr[data-row]')];
  function move(by) {
    const all = rows();
    if (!all.length) return;
    row = Math.max(0, Math.min(all.length - 1, row + by));
    decorate();
    all[row].scrollIntoView({ block: 'nearest' });
  }

  const actions = {
    pause() {
      paused = !paused;
      decorate();
      listen();
    },
    theme() {
      const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
      root.dataset.theme = dark ? 'light' : 'dark';
      try { localStorage.setItem('signals-theme', root.dataset.theme); } catch { /* not kept */ }
    },
  };

  document.addEventListener('keydown', (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const field = event.target.closest('input, textarea, select');
    if (event.key === 'Escape' && field) return field.blur();
    if (field) return;
    const tab = document.querySelectorAll('nav a')['12345'.indexOf(event.key)];
    switch (event.key) {
      case '/': document.getElementById('q')?.focus(); break;
      case 'j': move(1); break;
      case 'k': move(-1); break;
      case 'Enter':
        if (row < 0 || event.target.closest('a, button, summary')) return;
        rows()[row]?.querySelector('a')?.click();
        break;
      case 'p': actions.pause(); break;
      case 't': actions.theme(); break;
      default:
        if (!tab) return;
        tab.click();
    }
    event.preventDefault();
  });

  listen();
})();
