package main

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestTableIsReadBack(t *testing.T) {
	w := newWords()
	for _, name := range []string{"__LINE__", "typeof"} {
		w.taken[name] = true
	}
	w.ordinary["__int128_t"] = true
	for _, name := range []string{"memcpy", "abs", "a_function_with_a_name_that_is_longer_than_others_and_more_of_it", "a_function_that_begins_a_line_of_the_table"} {
		w.functions[name] = true
	}
	source, err := w.table()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "table.go")
	if err := os.WriteFile(path, source, 0o600); err != nil {
		t.Fatal(err)
	}
	have, err := readTable(path)
	if err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(have.taken, w.taken) || !maps.Equal(have.ordinary, w.ordinary) || !maps.Equal(have.functions, w.functions) {
		t.Errorf("have %v", have)
	}
	if missing := w.minus(have); len(missing) > 0 {
		t.Errorf("missing: %q", missing)
	}
	delete(have.taken, "typeof")
	delete(have.functions, "abs")
	if missing := w.minus(have); !slices.Equal(missing, []string{"abs", "typeof"}) {
		t.Errorf("missing: %q", missing)
	}
	// What is taken everywhere is so as a function, too.
	have.taken["abs"] = true
	have.ordinary["typeof"] = true
	if missing := w.minus(have); !slices.Equal(missing, []string{"typeof"}) {
		t.Errorf("missing: %q", missing)
	}
}

func TestTexts(t *testing.T) {
	var have []string
	texts([]byte("\x00memcpy\x00%s: abs\x00_ZN5clang\x009to5\x00x\x00__LINE__"), func(text string) { have = append(have, text) })
	if want := []string{"memcpy", "abs", "__LINE__"}; !slices.Equal(have, want) {
		t.Errorf("have %q, want %q", have, want)
	}
}

// Each compiler here says what everyone knows of it, in the places where it
// matters.
func TestFailing(t *testing.T) {
	names := []string{"harmless", "__LINE__", "typeof", "memcpy", "__int128_t", "linux", "u32", "__extension__", "while"}
	want := [][]string{
		{"__LINE__", "__extension__", "typeof", "while"},
		{"__LINE__", "__extension__", "__int128_t", "memcpy", "typeof", "while"},
		{"__LINE__", "__extension__", "__int128_t", "typeof", "while"},
		{"__LINE__", "__extension__", "__int128_t", "typeof", "while"},
	}

	compilers := findCompilers()
	if len(compilers) == 0 {
		t.Fatal("there is no clang and no gcc for BPF")
	}
	for _, c := range compilers {
		for i, p := range places {
			want := want[i]
			if c.isGCC { // its types of 128 bits are hidden by others
				want = slices.DeleteFunc(slices.Clone(want), func(name string) bool { return i >= 2 && name == "__int128_t" })
			}
			failed, err := c.failing("gnu11", p.line, names)
			if err != nil {
				t.Error(err)
			}
			slices.Sort(failed)
			if !slices.Equal(failed, want) {
				t.Errorf("%s, %s: have %q, want %q", c.name, p.line, failed, want)
			}
		}
	}
}
