package gogen

import (
	"bytes"
	"github.com/btfgen/btfgen/btfdump"
	"go/format"
	"os"
	"runtime"
	"testing"
	"time"
)

func TestTry(t *testing.T) {
	raw, err := os.ReadFile("/sys/kernel/btf/vmlinux")
	if err != nil {
		t.Fatal(err)
	}
	v, err := btfdump.New(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 3; i++ {
		start := time.Now()
		out, err := Generate(v, nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		t.Log(time.Since(start), len(out), m.Sys>>20)
		if i == 0 {
			os.MkdirAll("/tmp/h3all", 0o755)
			os.WriteFile("/tmp/h3all/k.go", out, 0o644)
			f, err := format.Source(out)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(f, out) {
				os.WriteFile("/tmp/h3all/k.fmt", f, 0o644)
				t.Error("not gofmt clean")
			}
		}
	}
}
