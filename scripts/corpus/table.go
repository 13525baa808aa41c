package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// writeTable prints what was found, a line for each result, and the sums.
func writeTable(w io.Writer, rows []result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "kernel\theader\tclang\ttypes\tmodules\tmismatches\tabsent\tseconds\tresult")
	var sum result
	for _, r := range rows {
		clang := r.clang
		if r.fast {
			clang += " --fast"
		}
		verdict := "holds"
		if r.broken > 0 {
			verdict = fmt.Sprintf("NOT VERIFIED: %d", r.broken)
		} else if !r.holds() {
			verdict = "MISMATCH"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%.1f\t%s\n", r.kernel, r.header, clang, r.types, r.modules, r.mismatches, r.absent, r.seconds, verdict)
		sum.types += r.types
		sum.mismatches += r.mismatches
		sum.absent += r.absent
		sum.seconds += r.seconds
	}
	fmt.Fprintf(t, "all\t\t\t%d\t\t%d\t%d\t%.1f\t%d of %d hold\n", sum.types, sum.mismatches, sum.absent, sum.seconds, len(rows)-countBad(rows), len(rows))
	return t.Flush()
}

// countBad returns the number of rows that do not hold.
func countBad(rows []result) int {
	n := 0
	for _, r := range rows {
		if !r.holds() {
			n++
		}
	}
	return n
}
