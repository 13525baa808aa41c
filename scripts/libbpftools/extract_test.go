package main

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/goldens/clangtest"
)

func TestEmbedded(t *testing.T) {
	path, output, err := clangtest.Newest(t).Compile(t, map[string]string{
		"main.c": "__attribute__((section(\"socket\"), used)) int f(void) { return 0; }\n",
	}, "-target", "bpf", "-g", "-O2")
	if err != nil {
		t.Fatal(err, output)
	}
	object, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	program := slices.Concat([]byte("\x7fELF that is none"), object, []byte("between\x7fELF"), object, []byte("\x7f"))
	got, err := embedded(program)
	if err != nil || len(got) != 2 || !bytes.Equal(got[0], object) || !bytes.Equal(got[1], object) {
		t.Errorf("found %d objects, err %v; want the same one twice", len(got), err)
	}
	for name, data := range map[string][]byte{"nothing": nil, "no object": []byte("\x7fELF"), "a cut object": object[:len(object)-1]} {
		if _, err := embedded(data); err == nil || !strings.Contains(err.Error(), "no BPF object") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
