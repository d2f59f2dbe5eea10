//! The style of the page: on a wide and on a narrow screen, on a dark one, and on paper.

use std::fmt::Write;

use crate::common::figure::scene::DARK;
use crate::common::figure::svg::hex;

const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #222; --faint: #555; --line: #ccc; --head: #f3f3f3; --paper: #fff; \
--warn: #fdf3ec; --link: #0645ad; --edge: rgb(0 0 0 / 35%); }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; color: var(--ink); background: var(--paper); \
font: 1rem/1.5 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
a { color: var(--link); }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.25rem; margin: 1rem 0; padding: 0; list-style: none; }
.notices { border-left: 4px solid #d55e00; background: var(--warn); padding: 0.5rem 1rem 0.5rem 2rem; \
overflow-wrap: anywhere; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.875rem; }
caption { text-align: left; padding: 0.5rem 0; }
th, td { border: 1px solid var(--line); padding: 0.25rem 0.5rem; text-align: right; \
font-variant-numeric: tabular-nums; white-space: nowrap; }
th { text-align: left; font-weight: 600; }
thead th { background: var(--head); vertical-align: bottom; white-space: normal; }
td.words { text-align: left; white-space: normal; overflow-wrap: anywhere; min-width: 7rem; }
figure { margin: 1.5rem 0; }
figure svg { max-width: 100%; height: auto; display: block; }
figure svg > rect:first-of-type { fill: none; }
summary { cursor: pointer; font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 0 1rem; font-size: 0.875rem; }
dd { margin: 0; overflow-wrap: anywhere; }
@media screen and (max-width: 56rem) {
.wide { border: 1px solid var(--line); border-right: 3px double var(--faint); padding: 0 0.5rem; \
background: linear-gradient(to left, var(--paper) 1.5rem, transparent 3rem) right / 3rem 100% no-repeat local, \
linear-gradient(to left, var(--edge), transparent) right / 1.25rem 100% no-repeat scroll; }
.wide::before { content: \"Scroll sideways for the rest \\2192\"; display: block; position: sticky; left: 0; width: \
max-content; \
color: var(--faint); font-size: 0.8rem; }
.wide svg { max-width: none; width: 45rem; }
caption { max-width: calc(100vw - 4rem); }
.summary thead { display: none; }
.summary tr { display: block; border-top: 1px solid var(--line); padding: 0.5rem 0; }
.summary th, .summary td { display: block; border: 0; padding: 0; }
.summary caption { display: block; }
dl { display: block; }
dt { font-weight: 600; }
}
@media print {
@page { margin: 12mm; }
body { max-width: none; padding: 0; font-size: 0.8rem; }
nav { display: none; }
.wide { overflow: visible; }
table { font-size: 0.6rem; }
dl { font-size: 0.65rem; }
th, td { padding: 0.1rem 0.25rem; }
td.words { min-width: 4rem; }
tr, figure { break-inside: avoid; }
h2, caption { break-after: avoid; }
details::details-content { content-visibility: visible; block-size: auto; }
}
";

const DARK_PAGE: &str =
    "--line: #44484e; --head: #26292e; --warn: #33241a; --link: #8ab4f8; --edge: rgb(255 255 255 / 35%);";

/// The CSS rules of the page. Those for a dark screen also change the colors of the figures, which are elements of the
/// page.
pub fn rules() -> String {
    let mut out = STYLE.to_owned();
    out.push_str("@media screen and (prefers-color-scheme: dark) {\n");
    let names = ["paper", "ink", "faint"];
    let own: String = names.iter().zip(DARK).map(|(name, (_, dark))| format!(" --{name}: {};", hex(dark))).collect();
    let _ = writeln!(out, ":root {{ {DARK_PAGE}{own} }}");
    for (light, dark) in DARK {
        let (light, dark) = (hex(light), hex(dark));
        let _ = writeln!(out, "svg [fill=\"{light}\"] {{ fill: {dark}; }}");
        let _ = writeln!(out, "svg [stroke=\"{light}\"] {{ stroke: {dark}; }}");
    }
    out.push_str("}\n");
    out
}
