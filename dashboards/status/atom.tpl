{{%AUTOESCAPE context="XML"}}
<?xml version="1.0" encoding="UTF-8"?>
<feed xml:lang="en-US" xmlns="http://www.w3.org/2005/Atom">
<id>tag:{{HOST}},2005:/history</id>
<link rel="alternate" type="text/html" href="{{URL}}"/>
<link rel="self" type="application/atom+xml" href="{{URL}}/history.atom"/>
<title>{{PAGE_NAME}} Status - Incident History</title>
<updated>{{UPDATED}}</updated>
<author><name>{{PAGE_NAME}}</name></author>
{{#ENTRY}}
<entry>
<id>tag:{{HOST}},2005:Incident/{{ID}}</id>
<published>{{PUBLISHED}}</published>
<updated>{{UPDATED}}</updated>
<link rel="alternate" type="text/html" href="{{URL}}/incidents/{{ID}}.html"/>
<title>{{NAME}}</title>
<content type="html">{{CONTENT}}</content>
</entry>
{{/ENTRY}}
</feed>
