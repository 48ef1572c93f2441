{{%AUTOESCAPE context="HTML"}}
<!--status-begin-->
<section id="status" class="banner {{INDICATOR}}" data-generated="{{GENERATED_MS}}" data-valid-for="{{VALID_FOR_MS}}">
<p class="headline"><svg class="icon" aria-hidden="true"><use href="#i-{{INDICATOR}}"/></svg> {{DESCRIPTION}}</p>
<p class="fresh">Updated at <time datetime="{{GENERATED}}">{{GENERATED_WORDS}}</time>, valid until <time datetime="{{VALID}}">{{VALID_WORDS}}</time>. If the time is past that, the status is unknown.</p>
</section>
<!--status-end-->
