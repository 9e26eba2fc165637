/// \file What the simulator's reports add to the style sheet of all reports.
#pragma once

namespace hearth::simulate {

inline constexpr const char* kSimulateStyle = R"css(
:root { --s0: #c04a10; --s1: #2c6aae; --s2: #4b7f62; --s3: #8a4fa3; --s4: #b08514; --s5: #64748b; --s6: #b0305c;
  --s7: #168091; --band: #a3142e1c; --good-field: #2f7a4f22; --waste-field: #d9a02b33; --bad-field: #a3142e22; }
@media (prefers-color-scheme: dark) {
  :root { --s0: #f58a4b; --s1: #74aeea; --s2: #7fbf97; --s3: #c893e0; --s4: #e0b04c; --s5: #9aa8bb; --s6: #f07fa6;
    --s7: #5cc3d3; --band: #f0637a2e; --good-field: #79c89826; --waste-field: #e0b04c33; --bad-field: #f0637a2e; }
}
svg .line.thin { stroke-width: 1.8; } svg .line.ink { stroke: var(--ink); } svg .line.lost { stroke: var(--lost); }
svg .line.front { stroke: var(--soft); stroke-dasharray: 2 4; }
svg .band { fill: var(--band); } svg .fault { fill: var(--lost); fill-opacity: 0.55; } svg .whisker { stroke: var(--ink); stroke-width: 1.4; stroke-opacity: 0.55; }
svg .fill.faint { fill-opacity: 0.4; }
.swatch.ink { background: var(--ink); } .swatch.band { background: var(--lost); opacity: 0.55; }
svg.strip { height: 22px; width: 100%; min-width: 130px; overflow: hidden; }
svg .margin { fill: var(--grid); } svg .zero { stroke: var(--soft); stroke-opacity: 0.7; }
svg .rail { stroke: var(--grid); stroke-width: 2; } svg .reach { stroke-width: 3; stroke: var(--soft); }
svg .reach.good { stroke: var(--good); } svg .reach.bad { stroke: var(--bad); } svg .reach.edge { stroke: var(--edge); }
svg .reach.cloud { stroke: var(--cloud); } svg .fill.good { fill: var(--good); } svg .fill.bad { fill: var(--bad); }
svg .fill.same { fill: var(--soft); }
header .lead { max-width: 100ch; } td.strip { width: 44%; } td.bar { width: 26%; } .meter { min-width: 56px; } td.left, th.left { text-align: left; }
td.good { color: var(--good); font-weight: 600; } td.bad { color: var(--bad); font-weight: 600; }
td.soft, span.soft { color: var(--soft); }
tr.group th { text-align: left; color: var(--ink); font-weight: 620; padding-top: 16px; }
table.roads td, table.roads th { padding: 9px 12px; } table.roads td:first-child { padding-left: 0; }
table.roads td b { font-weight: 640; display: block; } table.roads td small { color: var(--soft); }
table.roads .well { background: var(--good-field); } table.roads .waste { background: var(--waste-field); }
table.roads .missed { background: var(--bad-field); }
.reached { display: flex; height: 12px; min-width: 56px; border-radius: 6px; overflow: hidden; background: var(--grid); }
.reached i { background: var(--good); } .reached u { background: var(--fell); }
.swatch.good { background: var(--good); } .swatch.well { background: var(--good-field); }
.swatch.waste { background: var(--waste-field); } .swatch.missed { background: var(--bad-field); }
.two { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 0 48px; }
@media (max-width: 860px) { .two { grid-template-columns: minmax(0, 1fr); } }
td:first-child { white-space: nowrap; } .two td:first-child { white-space: normal; } p.after { font-size: 14px; color: var(--soft); margin-top: 12px; }
div.placed { display: flex; height: 14px; border-radius: 7px; overflow: hidden; background: var(--grid); }
div.placed .swatch { height: 14px; border-radius: 0; margin: 0; } td.placed { width: 40%; }
.swatch.lost { background: var(--lost); } pre { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace; margin: 6px 0 0; overflow-x: auto; }
)css"
                                              R"css(
svg .line.s0 { stroke: var(--s0); } svg .fill.s0 { fill: var(--s0); } .swatch.s0 { background: var(--s0); } th.s0 { color: var(--s0); }
svg .line.s1 { stroke: var(--s1); } svg .fill.s1 { fill: var(--s1); } .swatch.s1 { background: var(--s1); } th.s1 { color: var(--s1); }
svg .line.s2 { stroke: var(--s2); } svg .fill.s2 { fill: var(--s2); } .swatch.s2 { background: var(--s2); } th.s2 { color: var(--s2); }
svg .line.s3 { stroke: var(--s3); } svg .fill.s3 { fill: var(--s3); } .swatch.s3 { background: var(--s3); } th.s3 { color: var(--s3); }
svg .line.s4 { stroke: var(--s4); } svg .fill.s4 { fill: var(--s4); } .swatch.s4 { background: var(--s4); } th.s4 { color: var(--s4); }
svg .line.s5 { stroke: var(--s5); } svg .fill.s5 { fill: var(--s5); } .swatch.s5 { background: var(--s5); } th.s5 { color: var(--s5); }
svg .line.s6 { stroke: var(--s6); } svg .fill.s6 { fill: var(--s6); } .swatch.s6 { background: var(--s6); } th.s6 { color: var(--s6); }
svg .line.s7 { stroke: var(--s7); } svg .fill.s7 { fill: var(--s7); } .swatch.s7 { background: var(--s7); } th.s7 { color: var(--s7); }
)css";

}  // namespace hearth::simulate
