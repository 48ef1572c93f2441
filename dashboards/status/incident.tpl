{{%AUTOESCAPE context="HTML"}}
<!doctype html>
<html lang="en">
<head>
{{>HEAD}}
{{#LIVE}}<noscript><meta http-equiv="refresh" content="15"></noscript>{{/LIVE}}
<title>{{NAME}} · {{PAGE_NAME}} status</title>
</head>
<body>
{{>ICONS}}
<div class="wide">
<header><h1><a href="../index.html">{{PAGE_NAME}} status</a></h1></header>
<main>
{{#LIVE}}{{>BANNER}}{{/LIVE}}
<article>
<h2>{{NAME}}</h2>
<dl class="facts">
<dt>State</dt><dd><strong class="{{STATUS}}">{{STATUS_WORDS}}</strong></dd>
<dt>Affected</dt><dd>{{WHERE}}</dd>
<dt>Impact</dt><dd>{{IMPACT}}</dd>
<dt>Began</dt><dd><time datetime="{{STARTED}}">{{STARTED_WORDS}}</time></dd>
{{#LASTED_SECTION}}<dt>Lasted</dt><dd>{{LASTED}}</dd>{{/LASTED_SECTION}}
</dl>
<h2>Updates</h2>
<ol class="updates sheet">
{{#UPDATES}}{{>UPDATE}}{{/UPDATES}}
</ol>
</article>
</main>
<footer class="faint"><a href="../index.html">Present status</a><a href="../history.html">All incidents</a><p>All times are UTC.</p></footer>
</div>
{{#LIVE}}{{>SCRIPT}}{{/LIVE}}
</body>
</html>
