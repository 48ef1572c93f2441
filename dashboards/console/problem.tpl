{{%AUTOESCAPE context="HTML"}}
<main>
<h2>{{TITLE}}</h2>
<p>{{TEXT}}</p>
<p><a href="/">Back to the region</a></p>
</main>
