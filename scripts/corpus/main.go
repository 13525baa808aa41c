// Command corpus has btfgen make and verify the headers of whole kernels: those
// that scripts/corpus.sh keeps in its cache. make corpus-verify runs it.
//
//	corpus [-btfgen FILE] [-clang NAME]... [-each N] [-fast] [-kernels GLOB] CACHE
//	corpus -packages [-btfgen FILE] [-kernels GLOB] CACHE
//
// Each kernel's types are verified by themselves, then with those of all its
// modules in one header, then with those of one module at a time. The newest
// compiler reads back what it compiled, unless -fast keeps it from doing so with all
// modules; the others do so where that is cheap: for kernels by themselves.
//
// With -packages it compares instead what btfgen reads from the kernels' packages
// with what scripts/corpus/extract.sh took out of them without btfgen.
//
// A table goes to standard output, mismatches and progress go to standard error.
// The exit status is 1 if any header does not hold or could not be verified.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/btfgen/btfgen/goldens/clangtest"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("corpus: ")
	d := driver{each: 24, log: log.Printf}
	var names []string
	var kernels string
	flag.StringVar(&d.btfgen, "btfgen", "bin/btfgen", "the `FILE` to run")
	flag.Func("clang", "verify with the compilers `NAME`, separated by blanks or by repeating the flag; default: every clang that is found", func(s string) error {
		names = append(names, strings.Fields(s)...)
		return nil
	})
	flag.Func("each", "verify `N` modules of each kernel by themselves, from the largest to the smallest, or \"all\"; default: 24", func(s string) (err error) {
		d.each, err = parseEach(s)
		return err
	})
	flag.BoolVar(&d.fast, "fast", false, "compare headers with all modules by static assertions alone: less than a minute a kernel in place of up to 20")
	packages := flag.Bool("packages", false, "compare the BTF in the kernels' packages instead")
	flag.StringVar(&kernels, "kernels", "*", "only kernels whose names match one of these `GLOBS`, separated by blanks")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: corpus [FLAGS] CACHE; corpus.sh path prints where the cache is")
	}
	dirs, err := findKernels(flag.Arg(0), strings.Fields(kernels))
	if err != nil {
		log.Fatal(err)
	}
	run := d.packages
	if !*packages {
		if d.clangs, err = compilers(names); err != nil {
			log.Fatal(err)
		}
		run = d.verify
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	rows, runErr := run(ctx, dirs)
	stop()
	if err := writeTable(os.Stdout, rows); err != nil {
		log.Fatal(err)
	}
	if runErr != nil {
		log.Fatal(runErr)
	}
	if bad := countBad(rows); bad > 0 {
		log.Fatalf("%d of %d rows of the table do not hold", bad, len(rows))
	}
}

func parseEach(s string) (int, error) {
	if s == "all" {
		return math.MaxInt, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, errors.New("it takes a number of modules, or \"all\"")
	}
	return n, nil
}

// compilers returns the clangs of those names, oldest first, or all that there
// are if none is named.
func compilers(names []string) ([]string, error) {
	found := clangtest.Find(names...)
	if len(found) == 0 {
		return nil, fmt.Errorf("no clang found (%q): install one, as with apt-get install clang", names)
	}
	var clangs []string
	for _, c := range found {
		clangs = append(clangs, c.Name)
	}
	for _, name := range names {
		if !slices.Contains(clangs, name) {
			return nil, fmt.Errorf("%s is no clang that runs, or of the same version as another one that was named", name)
		}
	}
	return clangs, nil
}

// findKernels returns the directories of the kernels in a cache whose names
// match one of the globs.
func findKernels(cache string, globs []string) ([]string, error) {
	var dirs []string
	for _, glob := range globs {
		manifests, err := filepath.Glob(filepath.Join(cache, "kernels", glob, "manifest"))
		if err != nil {
			return nil, fmt.Errorf("-kernels %q: %w", glob, err)
		}
		for _, manifest := range manifests {
			dirs = append(dirs, filepath.Dir(manifest))
		}
	}
	if len(dirs) == 0 {
		return nil, fmt.Errorf("no kernel in %s matches %s: run make corpus", cache, strings.Join(globs, " "))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs), nil
}
