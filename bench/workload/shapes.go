package workload

import "strings"

// shapes returns the statements of prose, cut where identifiers go.
func shapes() [][]string {
	const place = "$"
	statements := []string{
		"\n// $ $s the $ of $ and $ it.\nfunc $($ $, $ $) ($, error) {\n",
		"\tif err := $.$($, $); err != nil {\n\t\treturn fmt.Errorf(\"$ %s: %w\", $, err)\n\t}\n",
		"\t$, err := $.$($)\n\tif err != nil {\n\t\treturn nil, err\n\t}\n",
		"\tfor $, $ := range $.$ {\n\t\t$ = append($, $.$)\n\t}\n",
		"\tif $ == nil || $.$ > len($) {\n\t\treturn $\n\t}\n",
		"\t$ := make([]$, 0, len($))\n",
		"\tdefer $.$()\n",
		"\t$.$ = $.$($)\n",
		"\tswitch $ {\n\tcase $, $:\n\t\t$($)\n\tdefault:\n\t\t$++\n\t}\n",
		"\treturn $.$, nil\n}\n",
		"\ntype $ struct {\n\t$ $\n\t$ []$ // $ by $\n\t$ map[string]$\n}\n",
		"\nconst $ = \"$-$\"\n",
		"\t// The $ is $ before $, so that $ cannot $.\n",
		"\tgo func() {\n\t\t$ <- $.$($)\n\t}()\n",
		"\tt.Run(\"$ $\", func(t *testing.T) { $(t, $, $) })\n",
		"\t\t{name: \"$\", $: $, want: \"$ $\"},\n",
		"\t$ |= $ << $\n",
		"\tcopy($[$:], $.$)\n",
		"\tlog.Printf(\"$: $ %d of %d\", $, $)\n",
		"\t$.$, $.$ = $, $\n",
	}
	list := make([][]string, len(statements))
	for i, s := range statements {
		list[i] = strings.Split(s, place)
	}
	return list
}
