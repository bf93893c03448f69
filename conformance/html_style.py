"""How the page of ``conformance.html_page`` looks: no request leaves it."""

STYLE = """
:root { color-scheme: light dark; --ink: #1a1c1f; --paper: #fff; --soft: #5b626b;
  --line: #d5d9de; --shade: #f4f6f8; --good: #0b5cad; --bad: #a63a00; --bad-paper: #fff1e6; }
@media screen and (prefers-color-scheme: dark) { :root {
  --ink: #e6e8ea; --paper: #15181b; --soft: #a0a7af; --line: #3a4047;
  --shade: #1e2226; --good: #7db8f5; --bad: #ff9d5c; --bad-paper: #33200f; } }
* { box-sizing: border-box; }
body { margin: 2rem auto; max-width: 88rem; padding: 0 1.5rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; }
p { margin: .25rem 0 .75rem; }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace; }
.soft { color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left;
  vertical-align: top; white-space: nowrap; }
thead th { background: var(--shade); }
th[rowspan], tbody th { position: sticky; left: 0; background: var(--shade); }
tbody th { font: 13px/1.6 ui-monospace, "DejaVu Sans Mono", monospace; }
td.none { color: var(--soft); text-align: center; }
td.fail { background: var(--bad-paper); border-left: 4px solid var(--bad); }
td.fail a, .failed { color: var(--bad); font-weight: 600; }
.equal { color: var(--good); }
td.note { color: var(--soft); white-space: normal; }
td.wide { white-space: normal; overflow-wrap: anywhere; max-width: 36rem; }
details { border: 1px solid var(--line); border-left: 4px solid var(--bad); margin: .5rem 0;
  padding: .45rem .8rem; }
details:target { outline: 2px solid var(--bad); }
summary { cursor: pointer; font-weight: 600; }
h3 { font-size: .95rem; margin: .9rem 0 .2rem; }
pre { background: var(--shade); margin: .2rem 0 .4rem; overflow-x: auto; padding: .6rem .8rem; }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--good); outline-offset: 2px; }
@media print {
  @page { size: landscape; margin: 12mm; }
  body { margin: 0; max-width: none; padding: 0; font-size: 9pt; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 7.5pt; }
  h3, summary { break-after: avoid; }
  .scroll { overflow: visible; }
  table, tbody th { font-size: 7.5pt; }
  th, td { padding: .1rem .3rem; }
  th[rowspan], tbody th { position: static; }
}
"""

SCRIPT = """
"use strict";
function openTarget() {
  const found = document.getElementById(location.hash.slice(1));
  if (found instanceof HTMLDetailsElement) { found.open = true; found.scrollIntoView(); }
}
let closed = [];
addEventListener("hashchange", openTarget);
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const found of closed) found.open = true;
});
addEventListener("afterprint", () => { for (const found of closed) found.open = false; });
document.addEventListener("click", (event) => {
  if (event.target.closest("a[href^='#']")) setTimeout(openTarget);
});
openTarget();
"""
