{{%AUTOESCAPE context="HTML"}}
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<title>{{TITLE}}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/console.css">
<script type="module" src="/assets/console.js"></script>
</head>
<body>
<svg hidden width="0" height="0" aria-hidden="true">
<symbol id="i-good" viewBox="0 0 20 20"><circle cx="10" cy="10" r="8.5" fill="none" stroke="currentColor" stroke-width="2"/><path d="M6 10.5l2.8 2.8L14.2 7.5" fill="none" stroke="currentColor" stroke-width="2"/></symbol>
<symbol id="i-warn" viewBox="0 0 20 20"><path d="M10 2l8.5 15h-17z" fill="none" stroke="currentColor" stroke-width="2" stroke-linejoin="round"/><path d="M10 7.5v5" stroke="currentColor" stroke-width="2"/><circle cx="10" cy="14.7" r="1.1" fill="currentColor"/></symbol>
<symbol id="i-bad" viewBox="0 0 20 20"><rect x="2" y="2" width="16" height="16" rx="2" fill="none" stroke="currentColor" stroke-width="2"/><path d="M6.5 6.5l7 7m0-7l-7 7" stroke="currentColor" stroke-width="2.2"/></symbol>
<symbol id="i-dim" viewBox="0 0 20 20"><circle cx="10" cy="10" r="8.5" fill="none" stroke="currentColor" stroke-width="2" stroke-dasharray="3 2.3"/></symbol>
</svg>
<div class="wide">
<header><h1><a href="/">mcguard</a></h1></header>
<p class="link-lost" role="status">The agent does not answer. What follows is what it said last.</p>
<!--main-->
</div>
</body>
</html>
