{{%AUTOESCAPE context="HTML"}}
{{#UPDATES}}<p><small>{{MONTH}} <var data-var='date'>{{DAY_OF_MONTH}}</var>, <var data-var='time'>{{CLOCK}}</var> UTC</small><br><strong>{{STATUS_WORDS}}</strong> - {{BODY}}</p>
{{/UPDATES}}
