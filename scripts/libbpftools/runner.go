package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/btfgen/btfgen/goldens/clangtest"
	"github.com/btfgen/btfgen/goldens/libbpftest"
)

// A runner has what the commands need that compile programs.
type runner struct {
	ctx                    context.Context
	btfgen, clang, bpftool string
	libbpf                 string // directory with libbpf's headers
	work                   string // directory for all that is made
	boot                   bool
	cache                  string
	oracle                 *libbpftest.Oracle

	kernels []*kernel
	tools   []tool
	// shipped are objects that Debian compiled; fit for x86 alone.
	shipped []string

	bpftoolHeaders sync.Mutex
}

// addFlags adds those flags that such commands have in common.
func (r *runner) addFlags(flags *flag.FlagSet) {
	flags.StringVar(&r.btfgen, "btfgen", "", "the `FILE` to run; default: what is in this repository")
	flags.StringVar(&r.clang, "clang", "", "the `COMPILER`; default: the newest clang")
	flags.StringVar(&r.bpftool, "bpftool", "bpftool", "the bpftool `FILE` to compare with")
	flags.StringVar(&r.cache, "cache", "", "corpus.sh's cache, a `DIRECTORY`, with the programs in libbpf-tools/")
	flags.StringVar(&r.work, "work", "", "a `DIRECTORY` for headers and objects, which stay there; default: a temporary one")
}

// equip finds, builds or makes what the flags don't name. remove removes the
// directory for all that is made, unless that is the user's.
func (r *runner) equip() (remove func(), err error) {
	remove = func() {}
	if r.work == "" {
		if r.work, err = os.MkdirTemp("", "libbpf-tools-"); err != nil {
			return nil, err
		}
		dir := r.work
		remove = func() { os.RemoveAll(dir) }
		defer func() {
			if err != nil {
				remove()
			}
		}()
	}
	if r.work, err = filepath.Abs(r.work); err != nil {
		return nil, err
	}
	r.libbpf = filepath.Join(r.cache, "libbpf-tools", "include")
	if r.clang == "" {
		found := clangtest.Find()
		if len(found) == 0 {
			return nil, errors.New("no clang found: install one, as with apt-get install clang")
		}
		r.clang = found[len(found)-1].Name
	}
	if _, err := exec.LookPath(r.bpftool); err != nil {
		return nil, fmt.Errorf("%w: install it, as with apt-get install bpftool", err)
	}
	if r.btfgen == "" {
		r.btfgen = filepath.Join(r.work, "btfgen")
		if built := command(r.ctx, "go", "build", "-o", r.btfgen, "./cmd/btfgen"); built.err != nil {
			return nil, built.err
		}
	}
	return remove, nil
}

// inParallel does n things, as many at a time as there are processors, and tells
// progress before each. The error is the first one's.
func (r *runner) inParallel(n int, do func(i int) error, progress func(i int)) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := range next {
				if errs[i] = r.ctx.Err(); errs[i] == nil {
					errs[i] = do(i)
				}
			}
		})
	}
	for i := range n {
		progress(i)
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
