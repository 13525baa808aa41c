package main

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/xrash/smetrics"
)

const (
	maxSuggestions = 5
	// minLikeness is the Jaro-Winkler similarity from which on a name is worth
	// showing: a slip or two in a name of usual length.
	minLikeness = 0.85
	// maxNameLen leaves out names that nobody types; a hostile input may have
	// some of megabytes.
	maxNameLen = 100
)

// noSuchType is the error for a pattern that matches nothing: it names those
// types whose names are most like it.
func noSuchType(view *btfdump.View, pattern string) error {
	names := likeNames(view, pattern)
	if len(names) == 0 {
		return fmt.Errorf("--type %q matches no type of this kernel, and no name is close to it; types of a module need -m", pattern)
	}
	return fmt.Errorf("--type %q matches no type of this kernel; close to it: %s (types of a module need -m)", pattern, strings.Join(names, ", "))
}

// likeNames returns the names of types that are most like the pattern, the most
// alike first.
func likeNames(view *btfdump.View, pattern string) []string {
	// "struct sk_b*" is looked for as "sk_b".
	wanted := pattern[strings.LastIndexByte(pattern, ' ')+1:]
	wanted = strings.ToLower(strings.Map(func(r rune) rune {
		if strings.ContainsRune("*?[]^", r) {
			return -1
		}
		return r
	}, wanted))
	if wanted == "" || len(wanted) > maxNameLen {
		return nil
	}

	return alike(wanted, func(yield func(string) bool) {
		for t := range view.All() {
			switch t.Kind() {
			case btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64, btfdump.KindTypedef:
				if !yield(t.Name()) {
					return
				}
			}
		}
	})
}

// alike returns those of some names that are most like the one wanted, the most
// alike first.
func alike(wanted string, names iter.Seq[string]) []string {
	type candidate struct {
		name     string
		likeness float64
	}
	wanted = strings.ToLower(wanted)
	if len(wanted) > maxNameLen {
		return nil
	}
	var found []candidate
	seen := make(map[string]bool)
	for name := range names {
		if seen[name] || len(name) > maxNameLen || !btfdump.IsIdentifier(name) {
			continue
		}
		seen[name] = true
		if likeness := smetrics.JaroWinkler(wanted, strings.ToLower(name), 0.7, 4); likeness >= minLikeness {
			found = append(found, candidate{name, likeness})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(b.likeness, a.likeness), cmp.Compare(a.name, b.name))
	})
	var like []string
	for _, c := range found[:min(len(found), maxSuggestions)] {
		like = append(like, c.name)
	}
	return like
}
