// Keeps the console live: at each `status` event it fetches the page's <main> again, rendered by the
// agent, and changes only what differs, so that a selection, the focus and the scroll position stay.
const wait = 250;
let busy = false, again = false;

function same(a, b) {
  return a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || '') === (b.id || '');
}

function morph(now, next) {
  if (now.nodeType === Node.TEXT_NODE) {
    if (now.data !== next.data) now.data = next.data;
    return;
  }
  if (now.nodeType !== Node.ELEMENT_NODE) return;
  for (const {name} of [...now.attributes]) if (!next.hasAttribute(name)) now.removeAttribute(name);
  for (const {name, value} of next.attributes) {
    if (now.getAttribute(name) !== value) now.setAttribute(name, value);
  }
  let at = now.firstChild;
  for (const wanted of [...next.childNodes]) {
    if (at && same(at, wanted)) {
      morph(at, wanted);
      at = at.nextSibling;
    } else {
      now.insertBefore(document.importNode(wanted, true), at);
    }
  }
  while (at) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch(location.pathname + '?part=main', {cache: 'no-store'});
    if (answer.ok) {
      const parsed = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const main = parsed.querySelector('main');
      if (main) morph(document.querySelector('main'), main);
      document.body.classList.remove('lost');
    }
  } catch {
    document.body.classList.add('lost');
  }
  setTimeout(() => {
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }, wait);
}

const events = new EventSource('/api/v1/events');
events.addEventListener('status', refresh);
events.addEventListener('error', () => {
  document.body.classList.add('lost');
  // A closed stream is one that the browser has given up; a page that lives long asks again.
  if (events.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 5000);
});
