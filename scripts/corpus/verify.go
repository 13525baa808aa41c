package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/btfgen/btfgen/cgen/verify"
)

// A driver runs btfgen on kernels of the cache.
type driver struct {
	btfgen string
	clangs []string // oldest first
	each   int      // how many modules of a kernel are verified by themselves
	fast   bool     // no compiler reads back a header with all modules
	log    func(format string, args ...any)
}

// A result is one row of the table: what one compiler says of a header, or of
// the headers of several modules.
type result struct {
	kernel     string // its directory's name
	header     string // which one
	clang      string
	fast       bool
	types      int // that were compared
	modules    int // whose types are in the header, or which have a header each
	mismatches int
	absent     int
	broken     int // headers that do not compile, or could not be verified
	seconds    float64
}

func (r result) holds() bool { return r.mismatches == 0 && r.broken == 0 }

// verify goes through all kernels. What does not hold is in the rows and in the
// log; an error says that not all could be tried. The rows are those of the
// kernels that were done before, so that hours of work are not lost.
func (d driver) verify(ctx context.Context, dirs []string) ([]result, error) {
	tmp, err := os.MkdirTemp("", "btfgen-corpus-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	var rows []result
	for _, dir := range dirs {
		kernel, err := d.kernel(ctx, dir, tmp)
		if ctx.Err() != nil {
			return rows, fmt.Errorf("interrupted at %s", filepath.Base(dir))
		}
		if err != nil {
			return rows, err
		}
		rows = append(rows, kernel...)
	}
	return rows, nil
}

func (d driver) kernel(ctx context.Context, dir, tmp string) ([]result, error) {
	modules, err := modulesBySize(filepath.Join(dir, "modules"))
	if err != nil {
		return nil, err
	}
	newest := d.clangs[len(d.clangs)-1]
	var rows []result
	header := filepath.Join(tmp, "vmlinux.h")
	for _, whole := range []struct {
		name    string
		modules []string
	}{{"kernel", nil}, {"with all modules", modules}} {
		if whole.name != "kernel" && len(modules) == 0 {
			continue
		}
		problem := d.generate(ctx, dir, whole.modules, header)
		for _, clang := range d.clangs {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			row := result{
				kernel: filepath.Base(dir), header: whole.name, clang: clang, modules: len(whole.modules),
				fast: len(whole.modules) > 0 && (d.fast || clang != newest),
			}
			start := time.Now()
			if problem != nil {
				row.broken = 1
				d.log("%s, %s: %v", row.kernel, row.header, problem)
			} else {
				d.check(ctx, &row, row.header, dir, whole.modules, header)
			}
			row.seconds = time.Since(start).Seconds()
			d.progress(row)
			rows = append(rows, row)
			if problem != nil {
				break // it is the same for all compilers
			}
		}
	}
	if chosen := spread(modules, d.each); len(chosen) > 0 {
		row := d.modules(ctx, dir, chosen, newest, tmp)
		row.kernel, row.header = filepath.Base(dir), "each module"
		d.progress(row)
		rows = append(rows, row)
	}
	return rows, nil
}

func (d driver) progress(r result) {
	d.log("%s, %s, %s: %d types, %d mismatches, %d absent, %d broken, %.1f s", r.kernel, r.header, r.clang, r.types, r.mismatches, r.absent, r.broken, r.seconds)
}

// modules verifies the header of each module by itself, as many at a time as
// there are cores.
func (d driver) modules(ctx context.Context, dir string, modules []string, clang, tmp string) result {
	start := time.Now()
	total := result{clang: clang, fast: true, modules: len(modules)}
	var mu sync.Mutex
	var group sync.WaitGroup
	queue := make(chan string)
	for i := range runtime.GOMAXPROCS(0) {
		header := filepath.Join(tmp, fmt.Sprintf("module-%d.h", i))
		group.Go(func() {
			for module := range queue {
				row := result{kernel: filepath.Base(dir), clang: clang, fast: true}
				name := strings.TrimSuffix(filepath.Base(module), ".btf")
				if err := d.generate(ctx, dir, []string{module}, header); err != nil {
					row.broken = 1
					d.log("%s, with module %s: %v", row.kernel, name, err)
				} else {
					d.check(ctx, &row, "with module "+name, dir, []string{module}, header)
				}
				mu.Lock()
				total.types += row.types
				total.mismatches += row.mismatches
				total.absent += row.absent
				total.broken += row.broken
				mu.Unlock()
			}
		})
	}
	for _, module := range modules {
		if ctx.Err() != nil {
			break
		}
		queue <- module
	}
	close(queue)
	group.Wait()
	total.seconds = time.Since(start).Seconds()
	return total
}

// inputs are the flags that name a kernel and modules.
func inputs(dir string, modules []string) []string {
	args := []string{"-i", filepath.Join(dir, "vmlinux.btf")}
	for _, module := range modules {
		args = append(args, "-m", module)
	}
	return args
}

// command runs btfgen. When ctx is cancelled it gets an interrupt, not a kill,
// so that it removes its temporary files.
func (d driver) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.btfgen, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	return cmd
}

// generate makes the header.
func (d driver) generate(ctx context.Context, dir string, modules []string, header string) error {
	var stderr bytes.Buffer
	cmd := d.command(ctx, append(inputs(dir, modules), header)...)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("btfgen makes no header: %w: %s", err, lastLine(stderr.String()))
	}
	return nil
}

// shown is how many mismatches of a header are logged: enough to see what is
// wrong, when all of a kernel is.
const shown = 10

// check has the row's compiler verify the header, and adds up what it says.
func (d driver) check(ctx context.Context, row *result, what, dir string, modules []string, header string) {
	args := append([]string{"verify", header}, inputs(dir, modules)...)
	args = append(args, "--json", "--clang", row.clang)
	if row.fast {
		args = append(args, "--fast")
	}
	var stdout, stderr bytes.Buffer
	cmd := d.command(ctx, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	r, err := readReport(&stdout, cmd.Run())
	if err != nil {
		row.broken++
		d.log("%s, %s, %s: %v: %s", row.kernel, what, row.clang, err, lastLine(stderr.String()))
	}
	if r == nil {
		return
	}
	row.types += types(r)
	row.mismatches += len(r.Mismatches)
	row.absent += len(r.Absent)
	if len(r.Errors) > 0 {
		row.broken++
	}
	for _, e := range r.Errors[:min(len(r.Errors), shown)] {
		d.log("%s, %s, %s: does not compile: %s", row.kernel, what, row.clang, e)
	}
	own := r.Own()
	for _, m := range own[:min(len(own), shown)] {
		d.log("%s, %s, %s: %s %s: %s is %s, with the compiler %s", row.kernel, what, row.clang, m.Type, m.Member, m.Aspect, m.BTF, m.Compiler)
	}
}

// types is the number of types that were compared.
func types(r *verify.Report) int {
	return r.Counts.Records + r.Counts.Enums + r.Counts.Typedefs + r.Counts.Functions
}

// readReport reads what btfgen verify --json printed before it ended with
// status. What was printed and the exit code have to say the same, and
// something must have been compared: else nothing has been shown.
func readReport(stdout io.Reader, status error) (*verify.Report, error) {
	code := 0
	if status != nil {
		var exit *exec.ExitError
		if !errors.As(status, &exit) {
			return nil, status
		}
		if code = exit.ExitCode(); code != 1 {
			return nil, fmt.Errorf("btfgen verify could not run: %w", status)
		}
	}
	var printed struct{ Reports []*verify.Report }
	if err := json.NewDecoder(stdout).Decode(&printed); err != nil {
		return nil, fmt.Errorf("output of btfgen verify --json: %w", err)
	}
	if len(printed.Reports) != 1 {
		return nil, fmt.Errorf("btfgen verify printed %d reports, for one compiler", len(printed.Reports))
	}
	r := printed.Reports[0]
	if !r.Holds() && len(r.Errors) == 0 && len(r.Mismatches) == 0 {
		return nil, errors.New("btfgen verify compared too little")
	}
	if r.Holds() != (code == 0) {
		return r, fmt.Errorf("btfgen verify ended with %d, which is not what its report says", code)
	}
	return r, nil
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// modulesBySize returns the files of modules in a directory, largest first.
func modulesBySize(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	type file struct {
		path string
		size int64
	}
	var files []file
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		files = append(files, file{filepath.Join(dir, e.Name()), info.Size()})
	}
	slices.SortFunc(files, func(a, b file) int {
		return cmp.Or(cmp.Compare(b.size, a.size), cmp.Compare(a.path, b.path))
	})
	paths := make([]string, len(files))
	for i, f := range files {
		paths[i] = f.path
	}
	return paths, nil
}

// spread chooses n of the modules, evenly from the first to the last.
func spread(modules []string, n int) []string {
	if n >= len(modules) {
		return modules
	}
	if n <= 1 {
		return modules[:n]
	}
	chosen := make([]string, n)
	for i := range chosen {
		chosen[i] = modules[i*(len(modules)-1)/(n-1)]
	}
	return chosen
}
