package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/verify"
)

// maxLeftOut is how many of the things that a header lacks are listed.
const maxLeftOut = 20

// printableView returns the view of what goes into a header: all, or with
// --skip-unprintable what C can express, of which it lists what it is not.
func (r *headerRequest) printableView(view *btfdump.View, console *console) (*btfdump.View, error) {
	if !r.skip {
		return view, nil
	}
	rest, left, err := cgen.Printable(view)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.origin(), err)
	}
	r.options.LeftOut = len(left)
	console.end()
	for _, e := range left[:min(len(left), maxLeftOut)] {
		console.say("%s", printable("left out: "+e.Error()))
	}
	if more := len(left) - maxLeftOut; more > 0 {
		console.say("left out: %s more", thousands(more))
	}
	return rest, nil
}

// unprintableHint adds to an error about a type that C can't express what can be
// done about it.
func (r *headerRequest) unprintableHint(view *btfdump.View, err error) error {
	err = fmt.Errorf("%s: %w", r.origin(), err)
	if r.skip {
		return err
	}
	if _, left, e := cgen.Printable(view); e == nil && len(left) > 0 {
		err = fmt.Errorf("%w; --skip-unprintable leaves out what C can't express (%s, which btfgen info lists)", err, count(len(left), "thing"))
	}
	return err
}

// verifyPrintable verifies a header that does not hold once more, against what C
// can express of the types, if that is not all of them: pointers to a struct
// "Option<u64>" can only be pointers to something else in C.
func verifyPrintable(ctx context.Context, path string, view *btfdump.View, set *btfdump.Set, compilers []string, opts verify.Options, reports []*verify.Report, console *console) ([]*verify.Report, error) {
	rest, left, err := cgen.Printable(view)
	if err != nil || len(left) == 0 {
		return reports, nil // what was found stands
	}
	if reports, err = runCompilers(ctx, path, rest, set, compilers, opts); err != nil {
		return nil, err
	}
	console.end()
	console.say("%s: compared with what C can express of the types: %s left out, which btfgen info lists", path, count(len(left), "thing is", "things are"))
	return reports, nil
}

// unprintableRemark says what of a BTF's own types C can't express; "" if
// nothing.
func unprintableRemark(view *btfdump.View) string {
	_, left, err := cgen.Printable(view)
	if err != nil {
		return "no C header can be made of it: " + err.Error()
	}
	const most = 5
	var list []string
	n := 0
	for _, e := range left {
		if e.ID < view.FirstID() {
			continue
		}
		if n++; n <= most {
			list = append(list, e.Error())
		}
	}
	if n == 0 {
		return ""
	}
	if n > most {
		list = append(list, fmt.Sprintf("and %s more", thousands(n-most)))
	}
	return fmt.Sprintf("C can't express %s, and --skip-unprintable makes a header without: %s", count(n, "thing"), strings.Join(list, "; "))
}
