package verify_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
)

func Example() {
	b := btftest.New()
	u32 := b.Int("unsigned int", 4, btftest.Unsigned)
	b.Struct("point", 8, btftest.Field("x", u32, 0), btftest.Field("y", u32, 32))
	view, err := btfdump.New(b.Bytes())
	if err != nil {
		log.Fatal(err)
	}

	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "point.h")
	text := "struct point { unsigned short x; unsigned y; } __attribute__((preserve_access_index));\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		log.Fatal(err)
	}

	report, err := verify.Header(context.Background(), path, view, nil, verify.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range report.Mismatches {
		fmt.Printf("%s, %s of %s: %s, and not %s\n", m.Type, m.Aspect, m.Member, m.Compiler, m.BTF)
	}
	// Output:
	// struct point, type of x: unsigned short (2 bytes), and not unsigned int (4 bytes)
}
