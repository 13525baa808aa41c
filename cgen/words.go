package cgen

// keywords are those of C11, C17 and the GNU dialects.
var keywords = []string{
	"auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern",
	"float", "for", "goto", "if", "inline", "int", "long", "register", "restrict", "return", "short", "signed",
	"sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void", "volatile", "while",
	"_Alignas", "_Alignof", "_Atomic", "_Bool", "_Complex", "_Generic", "_Imaginary", "_Noreturn",
	"_Static_assert", "_Thread_local", "asm", "typeof",
	"__alignof", "__alignof__", "__asm", "__asm__", "__attribute", "__attribute__", "__auto_type", "__const", "__const__",
	"__extension__", "__float128", "__func__", "__FUNCTION__", "__PRETTY_FUNCTION__", "__inline", "__inline__", "__int128",
	"__label__", "__real", "__real__", "__imag", "__imag__", "__restrict", "__restrict__", "__signed", "__signed__",
	"__thread", "__typeof", "__typeof__", "__volatile", "__volatile__", "__null", "_Float16", "_Float32", "_Float64", "_Float128",
	"_BitInt", "_ExtInt", "_Nonnull", "_Nullable", "_Null_unspecified", "__bf16", "__ibm128", "__complex__",
}

// keywordsC23 are the keywords that C23 adds. As names of types and
// enumerators they get a suffix; members keep them (see [printer.member]).
var keywordsC23 = []string{
	"alignas", "alignof", "bool", "constexpr", "false", "nullptr", "static_assert", "thread_local", "true",
	"typeof_unqual", "_Decimal128", "_Decimal32", "_Decimal64",
}

// keywordsCXX are the keywords of C++ that C does not have, and that a macro
// can stand for. (Alternative operators such as "and" can't be macros.)
var keywordsCXX = [...]string{
	"catch", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "concept", "const_cast",
	"consteval", "constinit", "decltype", "delete", "dynamic_cast", "explicit", "export", "friend", "mutable", "namespace",
	"new", "noexcept", "operator", "private", "protected", "public", "reinterpret_cast", "requires", "static_cast",
	"template", "this", "throw", "try", "typeid", "typename", "using", "virtual",
}

// builtinNames belong to the compiler or to this header's own macros: a type
// of the kernel with such a name gets a suffix.
//
// __builtin_va_list has another size on BPF than on the kernel's architecture.
// stdarg.h defines the other two in its terms.
var builtinNames = []string{
	"__builtin_va_list", "__builtin_ms_va_list", "__gnuc_va_list", "va_list",
	"__ksym", "__weak", "__bpf_fastcall", macroCoRE, macroAddressSpace, "__VMLINUX_H__", "btf_type_tag",
}

// wordSet returns a set of words.
func wordSet(lists ...[]string) map[string]bool {
	m := make(map[string]bool)
	for _, list := range lists {
		for _, w := range list {
			m[w] = true
		}
	}
	return m
}

var (
	keywordCXXIndex = func() map[string]int {
		m := make(map[string]int)
		for i, w := range keywordsCXX {
			m[w] = i
		}
		return m
	}()
	keywordSet    = wordSet(keywords)
	keywordC23Set = wordSet(keywordsC23)
	builtinSet    = wordSet(builtinNames)
)

// shapes tells for each first and each last letter which lengths the words of a
// list have, as bit sets. Nearly every identifier is told from keywords by it,
// without being hashed.
type shapes struct{ first, last [256]uint32 }

func shapesOf(lists ...[]string) *shapes {
	s := new(shapes)
	for _, list := range lists {
		for _, w := range list {
			s.first[w[0]] |= 1 << len(w)
			s.last[w[len(w)-1]] |= 1 << len(w)
		}
	}
	return s
}

func (s *shapes) mayHave(w string) bool {
	return w != "" && len(w) < 32 && s.first[w[0]]&s.last[w[len(w)-1]]>>len(w)&1 != 0
}

var (
	keywordShapes    = shapesOf(keywords)
	keywordC23Shapes = shapesOf(keywordsC23)
	keywordCXXShapes = shapesOf(keywordsCXX[:])
	builtinShapes    = shapesOf(builtinNames)
	wordShapes       = shapesOf(keywords, keywordsC23, keywordsCXX[:])
)

// mayBeWord is false for names that are no keywords, of whichever language.
func mayBeWord(s string) bool { return wordShapes.mayHave(s) }

func isKeyword(s string) bool    { return keywordShapes.mayHave(s) && keywordSet[s] }
func isKeywordC23(s string) bool { return keywordC23Shapes.mayHave(s) && keywordC23Set[s] }

// isBuiltin reports whether a name is one of builtinNames.
func isBuiltin(s string) bool { return builtinShapes.mayHave(s) && builtinSet[s] }

// keywordCXX returns the index of a C++ keyword in keywordsCXX, -1 for other
// words.
func keywordCXX(s string) int {
	if keywordCXXShapes.mayHave(s) {
		if i, ok := keywordCXXIndex[s]; ok {
			return i
		}
	}
	return -1
}
