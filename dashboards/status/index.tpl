{{%AUTOESCAPE context="HTML"}}
<!doctype html>
<html lang="en">
<head>
{{>HEAD}}
<noscript><meta http-equiv="refresh" content="15"></noscript>
<title>{{PAGE_NAME}} status</title>
<meta name="description" content="Status and incidents of {{PAGE_NAME}}">
<link rel="alternate" type="application/atom+xml" title="Incident history" href="history.atom">
</head>
<body>
{{>ICONS}}
<div class="wide">
<header><h1>{{PAGE_NAME}} status</h1></header>
<main>
{{>BANNER}}
{{#ACTIVE_SECTION}}
<section class="live">
<h2>Happening now</h2>
{{#ACTIVE}}
<article class="sheet incident">
<div class="top"><h3><a href="incidents/{{ID}}.html">{{NAME}}</a></h3><span class="faint">{{WHERE}}</span></div>
<ol class="updates">
{{#UPDATES}}{{>UPDATE}}{{/UPDATES}}
</ol>
</article>
{{/ACTIVE}}
</section>
{{/ACTIVE_SECTION}}
<section class="live">
<h2>Components</h2>
<p class="last-known faint">Last known state:</p>
<div class="grid">
{{#GROUP}}
<div class="sheet">
<div class="top"><h3>{{NAME}}</h3><span class="state {{STATUS}}"><svg class="icon" aria-hidden="true"><use href="#i-{{ICON}}"/></svg>{{STATUS_WORDS}}</span></div>
<ul class="parts">
{{#COMPONENT}}
<li><div class="row"><span>{{NAME}}</span><span class="state {{STATUS}}"><svg class="icon" aria-hidden="true"><use href="#i-{{ICON}}"/></svg>{{STATUS_WORDS}}</span></div>
<p class="faint">{{TEXT}}</p></li>
{{/COMPONENT}}
</ul>
</div>
{{/GROUP}}
</div>
{{#NO_GROUP}}<p class="faint">No cluster is set up yet.</p>{{/NO_GROUP}}
</section>
<section>
<h2>Past incidents</h2>
{{#NO_PAST}}<p class="faint">No incident has been reported and resolved so far.</p>{{/NO_PAST}}
{{#PAST_SECTION}}
<ul class="past sheet">
{{#PAST}}
<li><p><a href="incidents/{{ID}}.html">{{NAME}}</a></p>
<p class="faint"><span class="{{STATUS}}">{{STATUS_WORDS}}</span> · <time datetime="{{STARTED}}">{{STARTED_WORDS}}</time> · lasted {{LASTED}}</p></li>
{{/PAST}}
</ul>
{{/PAST_SECTION}}
</section>
</main>
<footer class="faint"><a href="history.html">All incidents</a><a href="history.atom">Atom feed</a><a href="api/v2/summary.json">API</a><p>All times are UTC.</p></footer>
</div>
{{>SCRIPT}}
</body>
</html>
