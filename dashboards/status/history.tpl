{{%AUTOESCAPE context="HTML"}}
<!doctype html>
<html lang="en">
<head>
{{>HEAD}}
<noscript><meta http-equiv="refresh" content="15"></noscript>
<title>Incidents · {{PAGE_NAME}} status</title>
<link rel="alternate" type="application/atom+xml" title="Incident history" href="history.atom">
</head>
<body>
{{>ICONS}}
<div class="wide">
<header><h1><a href="index.html">{{PAGE_NAME}} status</a></h1></header>
<main>
{{>BANNER}}
<section>
{{#NO_PAST}}<h2>Incidents</h2><p class="faint">No incident has been reported so far.</p>{{/NO_PAST}}
{{#DAY}}
<h2>{{DATE}}</h2>
<ul class="past sheet">
{{#PAST}}
<li><p><a href="incidents/{{ID}}.html">{{NAME}}</a></p>
<p class="faint"><span class="{{STATUS}}">{{STATUS_WORDS}}</span> · {{WHERE}} · <time datetime="{{STARTED}}">{{STARTED_WORDS}}</time>{{#LASTED_SECTION}} · lasted {{LASTED}}{{/LASTED_SECTION}}</p></li>
{{/PAST}}
</ul>
{{/DAY}}
</section>
</main>
<footer class="faint"><a href="index.html">Present status</a><a href="history.atom">Atom feed</a><p>All times are UTC.</p></footer>
</div>
{{>SCRIPT}}
</body>
</html>
