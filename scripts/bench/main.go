// Command bench measures btfgen: against bpftool, and against itself on an
// input ten times as large. scripts/bench.sh runs it.
//
//	bench prepare DIR CORPUS   unpacks the corpus's kernels into DIR, and makes DIR/ten-times
//	bench compare FLAGS FILE...    btfgen and bpftool on the same files
//	bench linear FLAGS ONE TEN     btfgen on a file and on one ten times as large
//	bench verify FLAGS FILE...     btfgen verify, and a plain compile of the same header
//	bench minimal FLAGS FILE...    the BTF that an object needs of kernels, and bpftool gen min_core_btf
//	bench packages FLAGS DEB...    btfgen on Debian packages, and dpkg -x; on the kernel images in them, and their decompressors
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"strings"

	"github.com/ulikunitz/xz"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if len(os.Args) < 2 {
		log.Fatal("usage: bench prepare|compare|linear|verify|minimal|packages ARGS...")
	}
	var err error
	switch args := os.Args[2:]; os.Args[1] {
	case "prepare":
		err = prepare(args)
	case "compare":
		err = compare(args)
	case "linear":
		err = linear(args)
	case "verify":
		err = verification(args)
	case "minimal":
		err = minimal(args)
	case "packages":
		err = packages(args)
	default:
		err = fmt.Errorf("there is no %q", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// tenfold is the kernel that is replicated.
const tenfold = "amd64-7.2-cloud"

// prepare unpacks those BTFs of the corpus that stand by themselves.
func prepare(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: bench prepare DIR CORPUS")
	}
	dir, corpus := args[0], args[1]
	paths, err := filepath.Glob(filepath.Join(corpus, "*.btf.xz"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".btf.xz")
		if isSplit(name) {
			continue
		}
		raw, err := unpack(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".btf"), raw, 0o644); err != nil {
			return err
		}
		if name == tenfold {
			large, err := replicate(raw, 10)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			if err := os.WriteFile(filepath.Join(dir, "ten-times"), large, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// isSplit tells modules, whose names have their kernel's and a dot in front,
// and the kernel's own test module, from kernels: ARCH-VERSION.
func isSplit(name string) bool {
	return strings.HasPrefix(name, "btf_testmod") || strings.LastIndexFunc(name, func(r rune) bool { return r == '.' }) > strings.LastIndexByte(name, '-')+2
}

func unpack(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	r, err := xz.NewReader(file)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// settings are the flags of all but prepare.
type settings struct {
	rounds  int
	btfgen  string
	bpftool string
	clang   string
	out     string
	files   []string
}

func parse(name string, args []string) (settings, error) {
	var s settings
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.IntVar(&s.rounds, "rounds", 31, "run each program `N` times")
	flags.StringVar(&s.btfgen, "btfgen", "bin/btfgen", "btfgen's `FILE`")
	flags.StringVar(&s.bpftool, "bpftool", "bpftool", "bpftool's `FILE`")
	flags.StringVar(&s.clang, "clang", "clang", "clang's `FILE`")
	flags.StringVar(&s.out, "out", os.TempDir(), "write what the programs print into `DIR`")
	err := flags.Parse(args)
	s.files = flags.Args()
	if err == nil && (len(s.files) == 0 || s.rounds < 1) {
		err = fmt.Errorf("%s: no files, or no rounds", name)
	}
	return s, err
}
