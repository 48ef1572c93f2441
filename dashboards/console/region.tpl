{{%AUTOESCAPE context="HTML"}}
<main>
<div class="facts"><span>Region <b>{{REGION}}</b></span><span>{{NOW}}</span><span>agent {{VERSION}}, pid {{PID}}</span><span>up {{UPTIME}}</span><span>{{MEMORY}}</span><span>{{CPU}} CPU since start</span>{{#GAMEDAY}}<span class="state warn">game day</span>{{/GAMEDAY}}{{#NOT_CONTROLLER}}<span class="state warn">not the controller</span>{{/NOT_CONTROLLER}}{{#BROWN_OUT}}<span class="state warn">brown-out: {{STEP}}</span><span>{{WHY}}</span>{{/BROWN_OUT}}</div>
<h2>Incidents</h2>
{{#NO_OPEN}}<p class="faint">No open incident.</p>{{/NO_OPEN}}
{{#OPEN}}
<div class="sheet alarm {{TONE}}" id="{{ID}}"><div class="top">{{>STATE}}<h3><a href="/incidents/{{ID}}">{{TITLE}}</a></h3><span class="faint small push">{{SCOPE}} · began {{BEGAN}} · confidence {{CONFIDENCE}}{{#ACK}} · taken by {{BY}}{{/ACK}}</span></div></div>
{{/OPEN}}
{{#WAITING}}
<div class="sheet alarm warn" id="wait-{{ID}}"><div class="inside"><p><b><a href="/runs/{{ID}}">{{RUNBOOK}}</a> waits for your approval.</b></p><p class="small">Look at the plan, then <code>mcguard runbook approve {{ID}}</code> or <code>mcguard runbook abort {{ID}}</code></p></div></div>
{{/WAITING}}
{{#PAUSE}}
<div class="sheet alarm warn" id="{{ID}}"><div class="inside"><p><b>{{WHAT}} {{WHEN}}.</b> mcguard {{STARTS}} nothing there by itself{{THEN}}.</p><p class="small">{{REASON}} · {{OWNER}} · <code>mcguard pause lift {{ID}}</code></p></div></div>
{{/PAUSE}}
<h2>Clusters</h2>
{{#NO_CLUSTER}}<p class="faint">No cluster is set up. Clusters are defined in agent.yaml.</p>{{/NO_CLUSTER}}
{{#CLUSTER}}
<section class="sheet" id="cluster-{{NAME}}">
<div class="top"><h3>{{NAME}}</h3>{{>STATE}}<span class="faint small">epoch {{EPOCH}}{{#PREPARING}}, preparing {{NEXT}}{{/PREPARING}}</span>{{#OPEN_LISTENER}}<span class="faint small">open listener {{ADDRESS}}</span>{{/OPEN_LISTENER}}<span class="figure push"><svg class="spark" viewBox="0 0 150 24" preserveAspectRatio="none" role="img" aria-label="Requests per second, last five minutes"><polyline points="{{POINTS}}"/></svg><span><b>{{RATE}}</b> <span class="faint small">requests/s</span></span></span></div>
<table>
<thead><tr><th>Proxy</th><th>State</th><th class="n">Connections</th><th class="n">Requests/s</th><th class="n">p50</th><th class="n">p99</th><th class="n">Slow</th><th class="n">Errors/s</th><th class="n">Epoch</th><th class="n">Since</th></tr></thead>
<tbody>
{{#PROXY}}
<tr id="{{ID}}" class="{{ROW}}"><td class="name whole">{{ID}} <span class="under">{{ADDRESS}}{{#HAS_PID}} · pid {{PID}}{{/HAS_PID}}</span></td><td data-label="State">{{>STATE}}</td><td class="n" data-label="Connections">{{CONNECTIONS}}</td><td class="n" data-label="Requests/s">{{RATE}}</td><td class="n" data-label="p50">{{P50}}</td><td class="n" data-label="p99">{{P99}}</td><td class="n" data-label="Slow">{{SLOW}}</td><td class="n" data-label="Errors/s">{{ERRORS}}</td><td class="n" data-label="Epoch">{{EPOCH}}</td><td class="n" data-label="Since">{{SINCE}}</td></tr>
{{/PROXY}}
</tbody>
</table>
<table>
<thead><tr><th>Backend</th><th>State</th><th class="n">Weight</th><th class="n">Slots</th><th class="n">Items</th><th class="n">Memory</th><th class="n">Requests/s</th><th class="n">p99</th><th class="n">Since</th></tr></thead>
<tbody>
{{#BACKEND}}
<tr id="{{ID}}" class="{{ROW}}"><td class="name whole">{{ID}} <span class="under">{{ADDRESS}}{{#HAS_PID}} · pid {{PID}}{{/HAS_PID}}</span></td><td data-label="State">{{>STATE}}</td><td class="n" data-label="Weight">{{WEIGHT}}</td><td class="n" data-label="Slots">{{SLOTS}}</td><td class="n" data-label="Items">{{ITEMS}}</td><td class="n whole" data-label="Memory">{{BYTES}} of {{LIMIT}}</td><td class="n" data-label="Requests/s">{{RATE}}</td><td class="n" data-label="p99">{{P99}}</td><td class="n" data-label="Since">{{SINCE}}</td></tr>
{{/BACKEND}}
</tbody>
</table>
</section>
{{/CLUSTER}}
<h2>Runs</h2>
{{#NO_RUN}}<p class="faint">No runbook has run yet.</p>{{/NO_RUN}}
{{#RUNS}}
<div class="sheet"><table>
<thead><tr><th>Run</th><th>State</th><th>Step</th><th>Incident</th><th class="n">Began</th><th class="n">Took</th></tr></thead>
<tbody>
{{#RUN}}
<tr id="{{ID}}"><td class="name whole"><a href="/runs/{{ID}}">{{RUNBOOK}}</a> <span class="under">{{TARGET}}</span></td><td data-label="State" class="whole">{{>STATE}}</td><td data-label="Step" class="whole">{{STEP}}</td><td data-label="Incident" class="whole">{{#HAS_INCIDENT}}<a href="/incidents/{{INCIDENT}}">{{INCIDENT}}</a>{{/HAS_INCIDENT}}</td><td class="n" data-label="Began">{{BEGAN}}</td><td class="n" data-label="Took">{{TOOK}}</td></tr>
{{/RUN}}
</tbody>
</table></div>
{{/RUNS}}
<h2>Past incidents</h2>
{{#NO_PAST}}<p class="faint">None yet.</p>{{/NO_PAST}}
{{#PASTS}}
<div class="sheet"><table>
<thead><tr><th>Incident</th><th>State</th><th>Scope</th><th class="n">Began</th><th class="n">Lasted</th></tr></thead>
<tbody>
{{#PAST}}
<tr id="{{ID}}"><td class="name whole"><a href="/incidents/{{ID}}">{{TITLE}}</a></td><td data-label="State">{{>STATE}}</td><td data-label="Scope" class="whole">{{SCOPE}}</td><td class="n" data-label="Began">{{BEGAN}}</td><td class="n" data-label="Lasted">{{LASTED}}</td></tr>
{{/PAST}}
</tbody>
</table></div>
{{/PASTS}}
</main>
