package report

// pageText is the template of the page. Colours have a name each and two values, for
// light and for dark; dfs alone is coloured in the bars, so that it is found at once.
const pageText = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<title>dfs: benchmark results</title>
<style>` + pageStyle + `</style>
</head>
<body>
<header>
<h1>dfs: benchmark results</h1>
{{with .Time}}<p class="soft">{{.}}{{with $.Command}} · <code>{{.}}</code>{{end}}</p>{{end}}
<nav><a href="#bars">Tools side by side</a>{{if .Plots}} <a href="#growth">As the work grows</a>{{end}} <a href="#table">All results</a> <a href="#machine">Machine</a></nav>
</header>

<section id="bars">
<h2>Tools side by side</h2>
<p class="soft">Wall time, fastest first; shorter is better. A bar is the median, its whisker goes from the fastest run to the slowest.
The dashed line and the ratio refer to rsync with a sync at the end.</p>
<div class="charts">
{{range .Bars}}<figure>
<figcaption>{{.Title}}</figcaption>
<svg viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-label="{{.Label}}">
{{if .Base}}<path class="baseline" d="M{{.Base}} 2V{{.BaseEnd}}"/>{{end}}
{{range .Bars}}<text class="tool {{.Class}}" x="{{.LabelX}}" y="{{.TextY}}" text-anchor="end">{{.Tool}}</text>
{{if not .Failed}}<rect class="bar {{.Class}}" x="{{.X}}" y="{{.Y}}" width="{{.W}}" height="{{.H}}" rx="2"/>
{{if .Whisker}}<path class="whisker" d="M{{.From}} {{.CapTop}}V{{.CapBottom}}M{{.From}} {{.Middle}}H{{.To}}M{{.To}} {{.CapTop}}V{{.CapBottom}}"/>
{{end}}{{end}}<text class="value" x="{{.ValueX}}" y="{{.TextY}}">{{.Value}}</text>
{{end}}</svg>
</figure>
{{end}}</div>
</section>

{{if .Plots}}<section id="growth">
<h2>As the work grows</h2>
<p class="soft">The cost of a GiB, and of a file, for the same kind of work at several sizes. A level line is a cost that does not grow. Both axes are logarithmic.</p>
<div class="charts">
{{range .Plots}}{{$p := .}}<figure>
<figcaption>{{.Title}}</figcaption>
<svg viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-label="{{.Label}}">
{{range .YTicks}}<path class="grid" d="M{{$p.Left}} {{.At}}H{{$p.Right}}"/><text class="axis" x="{{$p.Left}}" dx="-8" y="{{.At}}" dy="4" text-anchor="end">{{.Text}}</text>
{{end}}{{range .XTicks}}<path class="grid" d="M{{.At}} {{$p.Top}}V{{$p.Bottom}}"/><text class="axis" x="{{.At}}" y="{{$p.Bottom}}" dy="17" text-anchor="middle">{{.Text}}</text>
{{end}}<text class="axis" x="{{.MiddleX}}" y="{{.Bottom}}" dy="36" text-anchor="middle">{{.XName}}</text>
<text class="axis" transform="translate(12 {{.MiddleY}}) rotate(-90)" text-anchor="middle">{{.YName}}</text>
{{range .Lines}}<g class="{{.Class}}"><polyline points="{{.Points}}"/>
{{range .Dots}}<circle cx="{{.X}}" cy="{{.Y}}" r="4"><title>{{.Text}}</title></circle>
{{end}}<text x="{{.NameX}}" y="{{.NameY}}">{{.Tool}}</text></g>
{{end}}</svg>
</figure>
{{end}}</div>
</section>{{end}}

<section id="table">
<h2>All results</h2>
<div class="wide"><table>
<thead><tr>{{range .Columns}}<th scope="col">{{.}}</th>{{end}}</tr></thead>
{{range .Groups}}<tbody>
<tr class="group"><th colspan="{{len $.Columns}}" scope="rowgroup">{{.Title}}</th></tr>
{{range .Rows}}<tr class="{{.Class}}" title="{{.Title}}">{{range $i, $c := .Cells}}{{if $i}}<td>{{$c}}</td>{{else}}<th scope="row">{{$c}}</th>{{end}}{{end}}</tr>
{{end}}</tbody>
{{end}}</table></div>
<p class="soft">Figures are medians; memory is the greatest peak, of anonymous memory and of resident memory, which holds mapped files too. “User+sys” is
processor time in user and system mode. Files and MiB a second are all that the work holds, whether it moved or not; none where only names are looked at.
Turns are round trips, each connection's handshake among them; on loopback they are counted in an untimed round, as are bytes that a tool does not tell. “Of limit” is the least time that the machine's own limits allow, as a part of the wall time:</p>
<dl>{{range .Formulas}}<dt>{{.Name}}</dt><dd><code>{{.Value}}</code></dd>{{end}}</dl>
{{if .Durability}}<h3>When a result is durable</h3>
<dl>{{range .Durability}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>{{end}}</dl>{{end}}
{{if .Remarks}}<h3>Remarks</h3>
<dl>{{range .Remarks}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>{{end}}</dl>{{end}}
</section>

<section id="machine">
<h2>Machine</h2>
{{range .Machines}}<p class="soft">{{.Time}}, seed {{.Seed}}{{with .Command}}, <code>{{.}}</code>{{end}}</p>
<div class="facts"><dl>{{range .Facts}}<dt>{{.Name}}</dt><dd>{{.Value}}</dd>{{end}}</dl>
<dl>{{range .Limits}}<dt>limit: {{.Name}}</dt><dd>{{.Value}}</dd>{{end}}</dl></div>
{{else}}<p>Not recorded.</p>
{{end}}</section>
</body>
</html>
`

const pageStyle = `
:root { --ground: #fff; --text: #1c2127; --soft: #59636e; --rule: #d9dee4; --stripe: #f5f7f9;
  --ours: #1f6feb; --base: #59636e; --other: #a9b3be; --mark: #1c2127;
  --l0: #1f6feb; --l1: #59636e; --l2: #b35900; --l3: #1a7f37; --l4: #8250df; --l5: #cf222e; --l6: #0b7285; --l7: #9a6700; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181d; --text: #e6eaef; --soft: #9aa5b1; --rule: #333b45; --stripe: #1b2027;
  --ours: #4c9aff; --base: #8b97a5; --other: #4c5763; --mark: #e6eaef;
  --l0: #4c9aff; --l1: #9aa5b1; --l2: #f0883e; --l3: #3fb950; --l4: #b392f0; --l5: #ff7b72; --l6: #39c5cf; --l7: #d9b440; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 24px; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 26px; margin: 0 0 4px; }
h2 { font-size: 20px; margin: 40px 0 4px; padding-top: 12px; border-top: 1px solid var(--rule); }
h3 { font-size: 16px; margin: 20px 0 4px; }
p { margin: 4px 0 12px; max-width: 80ch; }
.soft { color: var(--soft); }
code { font: 13px/1.5 ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
nav a { color: var(--ours); margin-right: 16px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(480px, 100%), 1fr)); gap: 24px 32px; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: 4px; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
svg text { font-size: 14px; fill: var(--text); }
svg .tool { fill: var(--soft); }
svg .tool.ours { fill: var(--text); font-weight: 700; }
svg .value { font-variant-numeric: tabular-nums; white-space: pre; paint-order: stroke; stroke: var(--ground); stroke-width: 5px; }
.bar.ours { fill: var(--ours); } .bar.base { fill: var(--base); } .bar.other { fill: var(--other); }
.whisker { stroke: var(--mark); stroke-width: 1.5; fill: none; }
.baseline { stroke: var(--base); stroke-dasharray: 4 4; fill: none; }
svg .axis { fill: var(--soft); font-size: 12px; }
.grid { stroke: var(--rule); fill: none; }
polyline { fill: none; stroke-width: 2; }
circle { stroke: var(--ground); stroke-width: 1.5; }
` + lineStyle + `
.wide { overflow-x: auto; margin-bottom: 16px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; font-variant-numeric: tabular-nums; white-space: nowrap; }
thead th { color: var(--soft); font-weight: 500; border-bottom: 1px solid var(--rule); }
th, td { padding: 4px 8px; text-align: right; }
th:first-child { text-align: left; }
tbody th { font-weight: 400; }
tr.group th { font-weight: 600; padding-top: 16px; border-bottom: 1px solid var(--rule); font-size: 14px; }
tr.ours { background: var(--stripe); } tr.ours th, tr.ours td { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; margin: 4px 0 12px; font-size: 14px; align-content: start; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(360px, 100%), 1fr)); gap: 8px 32px; }
@media (max-width: 640px) { body { padding: 12px; } dl { grid-template-columns: 1fr; } dd { margin-bottom: 6px; } }
@media print { body { max-width: none; } figure, tbody { break-inside: avoid; } }
`

const lineStyle = `.line0 * { stroke: var(--l0); } .line1 * { stroke: var(--l1); } .line2 * { stroke: var(--l2); } .line3 * { stroke: var(--l3); }
.line4 * { stroke: var(--l4); } .line5 * { stroke: var(--l5); } .line6 * { stroke: var(--l6); } .line7 * { stroke: var(--l7); }
.line0 circle, .line0 text { fill: var(--l0); } .line1 circle, .line1 text { fill: var(--l1); } .line2 circle, .line2 text { fill: var(--l2); } .line3 circle, .line3 text { fill: var(--l3); }
.line4 circle, .line4 text { fill: var(--l4); } .line5 circle, .line5 text { fill: var(--l5); } .line6 circle, .line6 text { fill: var(--l6); } .line7 circle, .line7 text { fill: var(--l7); }
[class^="line"] text { stroke: none; }
[class^="line"] circle { stroke: var(--ground); }
`
