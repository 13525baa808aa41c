package cgen

import (
	"errors"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

//go:generate go run ../scripts/words -o compiler_words.go

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
	"_Decimal32", "_Decimal64", "_Decimal128", "_BitInt", "_ExtInt", "_Nonnull", "_Nullable", "_Null_unspecified", "__bf16", "__ibm128", "__complex__",
}

// keywordsC23 are the keywords that C23 adds. As names of types and
// enumerators they get a suffix; members keep them (see [printer.member]).
var keywordsC23 = []string{
	"alignas", "alignof", "bool", "constexpr", "false", "nullptr", "static_assert", "thread_local", "true",
	"typeof_unqual",
}

// keywordsCXX are the keywords of C++ that C does not have, and that a macro
// can stand for. (Alternative operators such as "and" can't be macros.)
var keywordsCXX = [...]string{
	"catch", "char16_t", "char32_t", "char8_t", "class", "co_await", "co_return", "co_yield", "concept", "const_cast",
	"consteval", "constinit", "decltype", "delete", "dynamic_cast", "explicit", "export", "friend", "mutable", "namespace",
	"new", "noexcept", "operator", "private", "protected", "public", "reinterpret_cast", "requires", "static_cast",
	"template", "this", "throw", "try", "typeid", "typename", "using", "virtual",
}

// standardNames are types of the compiler and of the headers that come with it,
// which a type of the kernel can't be, or need not: it gets a suffix.
//
// __builtin_va_list has another size on BPF than on the kernel's architecture.
// stdarg.h defines the other two in its terms. Those in standardTypes can be what
// the kernel says, and are not here.
var standardNames = []string{
	"__builtin_va_list", "__builtin_ms_va_list", "__gnuc_va_list", "va_list", "max_align_t", "nullptr_t", "wint_t",
	"int_fast8_t", "int_fast16_t", "int_fast32_t", "int_fast64_t", "uint_fast8_t", "uint_fast16_t", "uint_fast32_t", "uint_fast64_t",
}

// otherMacros are those of isOwnMacro that start with no underscore.
var otherMacros = []string{"btf_type_tag", "BPF_NO_PRESERVE_ACCESS_INDEX", "BPF_NO_KFUNC_PROTOTYPES"}

// ownPrefix starts the names of macros that only this header has.
const ownPrefix = "__btfgen_"

// isOwnMacro reports whether a name is, or may be, a macro while this header is
// compiled, which is not the compiler's.
func isOwnMacro(name string) bool {
	switch name {
	case macroCoRE, "__VMLINUX_H__", "btf_type_tag", "BPF_NO_PRESERVE_ACCESS_INDEX", "BPF_NO_KFUNC_PROTOTYPES", // coRETop
		"__ksym", "__weak", "__bpf_fastcall", // kernelMacros
		"__bool_true_false_are_defined", // unlessBool
		// Headers called stdint.h tell each other with these what they have declared.
		"__CLANG_STDINT_H", "_GCC_STDINT_H", "_STDINT_H", "_BITS_STDINT_INTN_H", "_BITS_STDINT_UINTN_H",
		"__DEFINED_int64_t", "_INT64_T_DECLARED", "__DEFINED_uint64_t", "_UINT64_T_DECLARED":
		return true
	}
	return strings.HasPrefix(name, ownPrefix)
}

// isLeftMacro reports whether this header leaves a macro of a name to programs.
// With a suffix, a tag can stand beside it: "struct __weak" does not compile. But a
// program that says such a typedef or enumerator could, and mean something else.
func isLeftMacro(name string) bool {
	switch name {
	case "__VMLINUX_H__", "__ksym", "__weak", "__bpf_fastcall":
		return true
	}
	return false
}

// isTaken reports whether a name can stand nowhere in a header that every
// compiler takes, for other reasons than that it is a keyword of C23: it is a
// predefined macro, a keyword of a compiler's, or a macro of this header's.
func isTaken(name string) bool {
	return (name[0] == '_' || otherMacroShapes.mayHave(name)) && !isKeywordC23(name) && (isCompilersWord(name) || isOwnMacro(name))
}

// isTakenInFile reports whether no type, enumerator or function can have a name
// that no keyword has: it is the compiler's there, or this header's.
func isTakenInFile(name string) bool {
	switch {
	case isStandardName(name) || isTaken(name) || strings.HasSuffix(name, noneSuffix):
		return true
	case name[0] == '_':
		return isCompilersType(name) || strings.HasPrefix(name, "__builtin_")
	}
	return false
}

// isInt128 recognises the two types of the compiler's that a typedef can declare
// once more.
func isInt128(name string) bool { return name == "__int128_t" || name == "__uint128_t" }

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
	standardSet   = wordSet(standardNames)
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
	standardShapes   = shapesOf(standardNames)
	otherMacroShapes = shapesOf(otherMacros, plainWords)
	wordShapes       = shapesOf(keywords, keywordsC23, keywordsCXX[:], otherMacros, plainWords)
)

// mayBeWord is false for names that are no keywords, of whichever language, and
// that nobody has taken.
func mayBeWord(s string) bool { return s[0] == '_' || wordShapes.mayHave(s) }

func isKeyword(s string) bool    { return keywordShapes.mayHave(s) && keywordSet[s] }
func isKeywordC23(s string) bool { return keywordC23Shapes.mayHave(s) && keywordC23Set[s] }

// isStandardName reports whether a name is one of standardNames.
func isStandardName(s string) bool { return standardShapes.mayHave(s) && standardSet[s] }

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

var (
	errKeyword  = errors.New("its name is a keyword of C")
	errTaken    = errors.New("its name is a predefined macro or a keyword of a compiler's, or a macro that headers define")
	errMacro    = errors.New("its name is a macro that this header leaves to programs")
	errFunction = errors.New("its name is a function of C's or of a compiler's, which is of another type there")
	errType     = errors.New("its name is a type of C's or of a compiler's")
)

// memberNameError says why no member can have a name, which is an identifier.
// CO-RE and programs know members by their names alone: there is no other name
// for it.
func memberNameError(name string) error {
	switch {
	case isKeyword(name):
		return errKeyword
	case isTaken(name):
		return errTaken
	}
	return nil
}

// kfuncNameError says why no kfunc can have a name. Loaders know kfuncs by their
// names alone.
func kfuncNameError(name string) error {
	_, isStandard := standardTypes[name]
	switch {
	case !btfdump.IsIdentifier(name):
		return errName
	case isKeyword(name), isKeywordC23(name):
		return errKeyword
	case isTaken(name):
		return errTaken
	case isStandard, isTakenInFile(name):
		return errType
	case isCompilersFunction(name):
		return errFunction
	}
	return nil
}
