{{%AUTOESCAPE context="HTML"}}
<main>
<h2>{{RUNBOOK}} {{TARGET}}</h2>
<div class="sheet inside"><dl class="facts-list">
<dt>State</dt><dd>{{>STATE}}</dd>
{{#MESSAGE_SECTION}}<dt>Says</dt><dd>{{MESSAGE}}</dd>{{/MESSAGE_SECTION}}
{{#WAITING}}<dt>Decide</dt><dd><code>mcguard runbook approve {{ID}}</code> or <code>mcguard runbook abort {{ID}}</code></dd>{{/WAITING}}
{{#INCIDENT_SECTION}}<dt>Incident</dt><dd><a href="/incidents/{{INCIDENT}}">{{INCIDENT}}</a></dd>{{/INCIDENT_SECTION}}
<dt>Asked by</dt><dd>{{REQUESTER}}</dd>
<dt>Began</dt><dd>{{BEGAN}}</dd>
{{#TOOK_SECTION}}<dt>Took</dt><dd>{{TOOK}}</dd>{{/TOOK_SECTION}}
<dt>Id</dt><dd><code>{{ID}}</code></dd>
</dl></div>
<h2>Steps</h2>
{{#NO_STEP}}<p class="faint">This run has no steps.</p>{{/NO_STEP}}
{{#STEPS}}
<div class="sheet"><table>
<thead><tr><th>Step</th><th>State</th><th>Note</th><th class="n">Began</th><th class="n">Took</th></tr></thead>
<tbody>
{{#STEP}}<tr><td class="name whole">{{ID}} <span class="under">{{ACTION}}</span></td><td data-label="State" class="whole">{{>STATE}}</td><td data-label="Note" class="whole">{{NOTE}}</td><td class="n" data-label="Began">{{BEGAN}}</td><td class="n" data-label="Took">{{TOOK}}</td></tr>
{{/STEP}}
</tbody>
</table></div>
{{/STEPS}}
<h2>Guards</h2>
{{#NO_GUARD}}<p class="faint">None were asked.</p>{{/NO_GUARD}}
{{#GUARDS}}
<div class="sheet"><table>
<thead><tr><th>Guard</th><th>Answer</th><th>Reason</th></tr></thead>
<tbody>
{{#GUARD}}<tr><td class="name whole">{{TEXT}}</td><td data-label="Answer" class="whole">{{>STATE}}</td><td data-label="Reason" class="whole">{{REASON}}</td></tr>
{{/GUARD}}
</tbody>
</table></div>
{{/GUARDS}}
<h2>Plan</h2>
<div class="sheet inside"><p class="faint small">Targets as they were frozen, and the state predicted after the run.</p>
<pre>{{TARGETS}}</pre>
<pre>{{PREDICTED}}</pre></div>
</main>
