{{%AUTOESCAPE context="HTML"}}
<script>
(function () {
  // The age is judged by the web server's clock where it tells, since a visitor's may be wrong.
  var offset = 0;
  function banner() { return document.querySelector('.banner'); }
  function judge() {
    var b = banner();
    if (!b || !b.dataset.generated) return;
    var age = Date.now() + offset - Number(b.dataset.generated);
    if (age <= Number(b.dataset.validFor)) return;
    b.className = 'banner unknown';
    b.querySelector('use').setAttribute('href', '#i-unknown');
    b.querySelector('.headline').lastChild.data = ' Status unknown';
    var last = b.querySelector('time');
    b.querySelector('.fresh').textContent = 'The last update is from ' + last.textContent +
      '. Nothing newer has arrived; what follows is the last known state.';
    delete b.dataset.generated;
  }
  function take(text) {
    var parsed = new DOMParser().parseFromString(text, 'text/html');
    var next = parsed.querySelector('main'), now = document.querySelector('main');
    var fresh = next && next.querySelector('.banner');
    if (!next) return;
    // The banner changes each time; the rest is left alone unless it differs (a reader may have
    // selected text in it).
    if (fresh && banner()) banner().replaceWith(document.importNode(fresh, true));
    if (now.innerHTML !== next.innerHTML) now.replaceWith(document.importNode(next, true));
  }
  function refresh() {
    fetch(location.href, {cache: 'no-store'}).then(function (r) {
      var date = Date.parse(r.headers.get('Date'));
      if (date) offset = date - Date.now();
      return r.ok ? r.text().then(take) : null;
    }).catch(function () {}).then(judge);
  }
  refresh();
  setInterval(refresh, 10000);
  setInterval(judge, 1000);
})();
</script>
