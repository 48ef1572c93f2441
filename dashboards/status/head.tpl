{{%AUTOESCAPE context="HTML"}}
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<link rel="icon" href="data:,">
<style>
:root {
  --ground: #f6f7f9; --sheet: #ffffff; --ink: #1c2430; --faint: #576273; --line: #d9dee6;
  --good: #14713d; --slow: #8a5a00; --part: #b04a00; --bad: #b3161f; --dim: #5b6472; --link: #1b5bbf;
  --good-ground: #e4f5ea; --slow-ground: #fdf3d7; --part-ground: #fdeadb; --bad-ground: #fde7e7;
  --dim-ground: #e9ecf1;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11151b; --sheet: #1a2029; --ink: #e8ecf2; --faint: #a3afbf; --line: #323c4a;
    --good: #63d391; --slow: #f0c355; --part: #ff9d5c; --bad: #ff8a87; --dim: #b5bfcc; --link: #8ab8ff;
    --good-ground: #14301f; --slow-ground: #352b10; --part-ground: #3a2313; --bad-ground: #411a1c;
    --dim-ground: #262e39;
  }
}
* { box-sizing: border-box; }
svg[hidden] { display: none; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
.wide { max-width: 58rem; margin: 0 auto; padding: 0 1rem; }
header { padding: 1.5rem 0 1rem; }
h1 { font-size: 1.35rem; margin: 0; overflow-wrap: anywhere; }
h1 a { color: inherit; text-decoration: none; }
h2 { font-size: 1.1rem; margin: 2.25rem 0 .75rem; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0; overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 2px; }
time { white-space: nowrap; }
.faint { color: var(--faint); font-size: .9rem; }
.icon { width: 1.15em; height: 1.15em; flex: none; vertical-align: -.2em; }
.banner { border: 1px solid; border-left-width: 6px; border-radius: 8px; padding: .9rem 1.1rem; }
.banner .headline { font-size: 1.3rem; font-weight: 650; line-height: 1.3; }
.banner .fresh { color: var(--ink); font-size: .9rem; margin-top: .35rem; }
.none, .operational, .resolved { color: var(--good); }
.minor, .degraded_performance, .monitoring { color: var(--slow); }
.major, .partial_outage, .identified { color: var(--part); }
.critical, .major_outage, .investigating { color: var(--bad); }
.banner.none { background: var(--good-ground); }
.banner.minor { background: var(--slow-ground); }
.banner.major { background: var(--part-ground); }
.banner.critical { background: var(--bad-ground); }
.banner.unknown { background: var(--dim-ground); color: var(--dim); }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); gap: 1rem; }
.sheet { background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; }
.sheet > .top { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between;
  padding: .75rem 1rem; border-bottom: 1px solid var(--line); }
ul.parts, ol.updates, ul.past { list-style: none; margin: 0; padding: 0; }
ul.parts li { padding: .7rem 1rem; }
ul.parts li + li, ul.past li + li, ol.updates li + li { border-top: 1px solid var(--line); }
.row { display: flex; flex-wrap: wrap; gap: .1rem 1rem; justify-content: space-between; }
.state { display: inline-flex; align-items: center; gap: .4rem; font-weight: 600; white-space: nowrap; }
ol.updates li, ul.past li { padding: .75rem 1rem; }
.incident { margin-bottom: 1rem; }
.last-known { display: none; }
.banner.unknown ~ .live .last-known { display: block; }
.banner.unknown ~ .live .state { color: var(--dim); font-weight: 400; }
.banner.unknown ~ .live .icon { visibility: hidden; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1rem; margin: 1rem 0 0; }
dl.facts dt { color: var(--faint); }
dl.facts dd { margin: 0; }
footer { margin: 2.5rem 0 2rem; padding-top: 1rem; border-top: 1px solid var(--line); }
footer a { display: inline-block; margin-right: 1.25rem; padding: .3rem 0; }
</style>
