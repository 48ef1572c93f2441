{{%AUTOESCAPE context="HTML"}}
<main>
<h2>{{TITLE}}</h2>
<div class="sheet inside"><dl class="facts-list">
<dt>State</dt><dd>{{>STATE}}</dd>
<dt>Type</dt><dd>{{TYPE}}</dd>
<dt>Scope</dt><dd>{{SCOPE}}</dd>
<dt>Began</dt><dd>{{BEGAN}}</dd>
<dt>Detected</dt><dd>{{DETECTED}}{{#DELAY_SECTION}} ({{DELAY}} later){{/DELAY_SECTION}}</dd>
{{#RESOLVED_SECTION}}<dt>Resolved</dt><dd>{{RESOLVED}} (lasted {{LASTED}})</dd>{{/RESOLVED_SECTION}}
<dt>Confidence</dt><dd>{{CONFIDENCE}}</dd>
<dt>Taken by</dt><dd>{{#ACK}}{{BY}}{{/ACK}}{{#NO_ACK}}nobody: <code>mcguard incident ack {{ID}}</code>{{/NO_ACK}}</dd>
<dt>Id</dt><dd><code>{{ID}}</code></dd>
</dl></div>
<h2>Timeline</h2>
{{#NO_TIMELINE}}<p class="faint">Nothing has been written down yet.</p>{{/NO_TIMELINE}}
{{#TIMELINE}}
<ol class="line sheet">
{{#ENTRY}}<li><time datetime="{{AT}}">{{CLOCK}}</time><span class="faint">{{KIND}}</span><span class="what">{{TEXT}}</span></li>
{{/ENTRY}}
</ol>
{{/TIMELINE}}
<h2>Evidence</h2>
{{#NO_EVIDENCE}}<p class="faint">None recorded.</p>{{/NO_EVIDENCE}}
{{#EVIDENCE}}
<div class="sheet"><table>
<thead><tr><th>Series</th><th class="n">Usual</th><th class="n">Observed</th><th>Unit</th></tr></thead>
<tbody>
{{#ITEM}}<tr><td class="name whole">{{SERIES}}</td><td class="n" data-label="Usual">{{BASELINE}}</td><td class="n" data-label="Observed">{{OBSERVED}}</td><td data-label="Unit">{{UNIT}}</td></tr>
{{/ITEM}}
</tbody>
</table></div>
{{/EVIDENCE}}
<h2>Runs</h2>
{{#NO_RUN}}<p class="faint">No runbook has run for this incident.</p>{{/NO_RUN}}
{{#RUNS}}
<div class="sheet inside">{{#RUN}}<p><a href="/runs/{{RUN_ID}}">{{RUN_ID}}</a></p>{{/RUN}}</div>
{{/RUNS}}
</main>
