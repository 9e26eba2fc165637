/// \file The report's style sheet. Both colour schemes are the same variables with other values.
#pragma once

namespace hearth::tool {

inline constexpr const char* kReportStyle = R"css(
:root {
  color-scheme: light dark;
  --page: #faf9f6; --card: #ffffff; --ink: #1d1c1a; --soft: #66625c; --hair: #e4e0d8; --grid: #ece9e2;
  --edge: #4b7f62; --cloud: #2c6aae; --hearth: #c04a10; --home: #b9b2a4; --fell: #d9a02b; --lost: #a3142e;
  --good: #2f7a4f; --bad: #a3142e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #141517; --card: #1c1e21; --ink: #ecebe8; --soft: #a09c94; --hair: #303337; --grid: #2a2d31;
    --edge: #7fbf97; --cloud: #74aeea; --hearth: #f58a4b; --home: #5d5f63; --fell: #e0b04c; --lost: #f0637a;
    --good: #79c898; --bad: #f0637a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 48px 28px 64px; }
h1 { font-size: 30px; line-height: 1.2; font-weight: 650; letter-spacing: -0.015em; margin: 0 0 6px; }
h2 { font-size: 17px; font-weight: 620; margin: 0 0 2px; letter-spacing: -0.005em; }
p { margin: 0; } p.lead, p.sub { color: var(--soft); } p.sub { font-size: 14px; margin-bottom: 10px; }
header { margin-bottom: 30px; } header .lead { max-width: 74ch; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(196px, 1fr)); gap: 14px; margin-bottom: 14px; }
.card { background: var(--card); border: 1px solid var(--hair); border-radius: 12px; padding: 20px 22px; }
.tile b { display: block; font-size: 32px; line-height: 1.15; font-weight: 640; letter-spacing: -0.02em;
  font-variant-numeric: tabular-nums; }
.tile b small { font-size: 17px; font-weight: 500; letter-spacing: 0; }
.tile span { color: var(--soft); font-size: 14px; line-height: 1.4; display: block; margin-top: 4px; }
.cards { display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); gap: 14px; }
.half { grid-column: span 6; } .wide { grid-column: span 12; } .seven { grid-column: span 7; }
.five { grid-column: span 5; }
@media (max-width: 860px) { .half, .seven, .five { grid-column: span 12; } main { padding: 28px 14px; } }
table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 7px 0 7px 14px; border-top: 1px solid var(--hair); font-weight: 400; }
th:first-child, td:first-child { text-align: left; padding-left: 0; color: var(--soft); }
td:not(:first-child) { white-space: nowrap; }
thead th { border-top: 0; white-space: nowrap; color: var(--soft); font-size: 14px; }
.scroll { overflow-x: auto; }
td.ours { font-weight: 640; } th.edge, th.cloud, th.hearth { font-weight: 600; }
.edge { color: var(--edge); } .cloud { color: var(--cloud); } .hearth { color: var(--hearth); }
.bad { color: var(--bad); }
ul.claims { list-style: none; margin: 8px 0 0; padding: 0; }
ul.claims li { padding: 9px 0 9px 30px; border-top: 1px solid var(--hair); position: relative; font-size: 15px; }
ul.claims li:first-child { border-top: 0; }
ul.claims li::before { content: "\2713"; position: absolute; left: 3px; color: var(--good); font-weight: 700; }
ul.claims li.misses::before { content: "\2717"; color: var(--bad); }
ul.claims span { display: block; color: var(--soft); font-size: 14px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 12.5px; fill: var(--ink); font-variant-numeric: tabular-nums; }
svg .tick, svg .name, svg .note { fill: var(--soft); } svg .word { font-weight: 600; font-size: 13.5px; }
svg .word.edge { fill: var(--edge); } svg .word.cloud { fill: var(--cloud); }
svg .word.hearth { fill: var(--hearth); }
svg .grid { stroke: var(--grid); } svg .axis { stroke: var(--soft); stroke-opacity: 0.55; }
svg .marker { stroke: var(--ink); stroke-opacity: 0.6; stroke-dasharray: 3 4; }
svg .line { fill: none; stroke-width: 2.4; stroke-linejoin: round; stroke-linecap: round; }
svg .line.edge { stroke: var(--edge); } svg .line.cloud { stroke: var(--cloud); }
svg .line.hearth { stroke: var(--hearth); }
svg .fill.edge { fill: var(--edge); } svg .fill.cloud { fill: var(--cloud); }
svg .fill.hearth { fill: var(--hearth); }
svg .fill.home { fill: var(--home); } svg .fill.fell { fill: var(--fell); } svg .fill.lost { fill: var(--lost); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13.5px; color: var(--soft); margin: 4px 0 8px; }
.swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 7px;
  background: var(--soft); }
.swatch.edge { background: var(--edge); } .swatch.cloud { background: var(--cloud); }
.swatch.hearth { background: var(--hearth); } .swatch.home { background: var(--home); }
.swatch.fell { background: var(--fell); } .swatch.lost { background: var(--lost); }
.meter { display: flex; height: 12px; min-width: 120px; border-radius: 6px; overflow: hidden;
  background: var(--home); }
.meter i { background: var(--cloud); }
td.bar { width: 34%; }
.zero { font-size: 66px; line-height: 1; font-weight: 660; letter-spacing: -0.03em; color: var(--good);
  margin: 8px 0 6px; }
.zero.bad { color: var(--bad); }
footer { color: var(--soft); font-size: 13px; margin-top: 26px; overflow-wrap: anywhere; }
footer code, td code { font: 12.5px/1.5 ui-monospace, "DejaVu Sans Mono", "Liberation Mono", monospace; }
)css";

}  // namespace hearth::tool
