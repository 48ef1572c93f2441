{{%AUTOESCAPE context="HTML"}}
<span class="state {{TONE}}"><svg class="icon" aria-hidden="true"><use href="#i-{{TONE}}"/></svg>{{WORDS}}</span>
