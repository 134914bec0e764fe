// One stream for all pages of a browser: over HTTP/1.1 it has six connections
// to the whole application, and a stream for each page would soon hold them
// all. Pages say what they show ("feed", the parameters of live), or null when
// nobody sees them, and say so again now and then: one that has crashed is
// forgotten.
(() => {
  'use strict';
  const most = 8; // feeds of a stream, see maxFeeds
  const pages = new Map(); // port: { feed, heard }
  let source = null, open = '', soon = 0, again = 0;

  function feeds() {
    return [...new Set([...pages.values()].map((page) => page.feed).filter((feed) => feed !== null))].slice(0, most);
  }

  function tell(message, wanted) {
    for (const [port, page] of pages) if (page.feed !== null && wanted(page.feed)) port.postMessage(message);
  }

  function listen() {
    clearTimeout(soon);
    clearTimeout(again);
    const wanted = feeds(), name = wanted.join('\n');
    if (name === open) return;
    source?.close();
    source = null;
    open = name;
    if (!wanted.length) return;
    const opened = source = new EventSource('live?' + wanted.map((feed) => 'feed=' + encodeURIComponent(feed)).join('&'));
    opened.addEventListener('page', (event) => tell({ data: event.data, feed: event.lastEventId }, (feed) => feed === event.lastEventId));
    opened.onerror = () => {
      if (source !== opened) return;
      tell({ off: true }, () => true);
      if (opened.readyState !== EventSource.CLOSED) return; // it tries again
      source = null;
      open = '';
      again = setTimeout(listen, 5000);
    };
  }

  addEventListener('connect', (event) => {
    const port = event.ports[0];
    port.onmessage = ({ data }) => {
      const page = pages.get(port);
      pages.set(port, { feed: data.feed, heard: Date.now() });
      if (page && page.feed === data.feed) return;
      clearTimeout(soon);
      soon = setTimeout(listen, 10); // a page that is left and the next one are one change
    };
  });

  setInterval(() => {
    for (const [port, page] of pages) if (Date.now() - page.heard > 180_000) pages.delete(port);
    listen();
  }, 30_000);
})();
