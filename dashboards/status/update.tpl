{{%AUTOESCAPE context="HTML"}}
<li><p><strong class="{{STATUS}}">{{STATUS_WORDS}}</strong> <span class="faint"><time datetime="{{AT}}">{{AT_WORDS}}</time></span></p>
<p>{{BODY}}</p></li>
