package cgen

import "github.com/btfgen/btfgen/btfdump"

// cInt is a C integer type as BPF compilers lay it out.
type cInt struct {
	spelling string
	size     uint32 // bytes
}

// intSpellings maps the names that gcc, clang and pahole give to C's integer
// types to how C writes them.
var intSpellings = map[string]cInt{
	"char":                   {"char", 1},
	"signed char":            {"signed char", 1},
	"unsigned char":          {"unsigned char", 1},
	"_Bool":                  {"_Bool", 1},
	"bool":                   {"_Bool", 1},
	"short":                  {"short", 2},
	"short int":              {"short int", 2},
	"unsigned short":         {"unsigned short", 2},
	"short unsigned int":     {"short unsigned int", 2},
	"int":                    {"int", 4},
	"unsigned int":           {"unsigned int", 4},
	"unsigned":               {"unsigned int", 4},
	"long":                   {"long", 8},
	"long int":               {"long int", 8},
	"unsigned long":          {"unsigned long", 8},
	"long unsigned int":      {"long unsigned int", 8},
	"long long":              {"long long", 8},
	"long long int":          {"long long int", 8},
	"unsigned long long":     {"unsigned long long", 8},
	"long long unsigned int": {"long long unsigned int", 8},
	"__int128":               {"__int128", 16},
	"unsigned __int128":      {"unsigned __int128", 16},
	"__int128 unsigned":      {"unsigned __int128", 16},
}

// intSpelling returns how an int is written in C so that it has, on BPF, the
// size that the BTF states: a 32-bit kernel's long becomes an int, and names
// that are not C's, such as gcc's ssizetype, become the type of their size.
// It returns "" for sizes that C has no integer for.
func intSpelling(t btfdump.Type) string {
	if c, ok := intSpellings[t.Name()]; ok && c.size == t.Size() {
		return c.spelling
	}
	if t.IntEncoding()&btfdump.IntBool != 0 && t.Size() == 1 {
		return "_Bool"
	}
	return sizedInt(t.Size(), t.Signed())
}

// sizedInt returns a C integer type by its size in bytes, "" if there is none.
func sizedInt(size uint32, signed bool) string {
	spellings := map[uint32][2]string{
		1:  {"unsigned char", "signed char"},
		2:  {"short unsigned int", "short int"},
		4:  {"unsigned int", "int"},
		8:  {"long long unsigned int", "long long int"},
		16: {"unsigned __int128", "__int128"},
	}
	if signed {
		return spellings[size][1]
	}
	return spellings[size][0]
}

// floatSpelling returns how a floating-point type is written in C, "" if BPF
// has none of its size. There, long double has 8 bytes, and is still another
// type than double.
func floatSpelling(t btfdump.Type) string {
	switch {
	case t.Size() == 4:
		return "float"
	case t.Size() == 8 && t.Name() == "long double":
		return "long double"
	case t.Size() == 8:
		return "double"
	}
	return ""
}
