package verify

import (
	"slices"
	"strings"
)

// A header holds or does not, whoever asks: what variables would have clang do
// otherwise is kept from it. Those are left that have it work at all (PATH,
// LD_LIBRARY_PATH), and all with which a wrapper may be told something
// (CCACHE_DIR). clang 16, the first with a configuration file that
// it reads unasked, is told not to.

// clangVariables change what clang reads, does, or prints.
var clangVariables = []string{
	"CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "OBJC_INCLUDE_PATH", "OBJCPLUS_INCLUDE_PATH", // where it looks for includes
	"INCLUDE", "EXTERNAL_INCLUDE", "CL", "_CL_", // likewise, and options, on Windows
	"COMPILER_PATH", "LIBRARY_PATH", "GCC_EXEC_PREFIX", "SDKROOT", // where it looks for programs and systems
	"CLANG_CONFIG_FILE_SYSTEM_DIR", "CLANG_CONFIG_FILE_USER_DIR",
	"QA_OVERRIDE_GCC3_OPTIONS", "SOURCE_DATE_EPOCH",
	"DEPENDENCIES_OUTPUT", "SUNPRO_DEPENDENCIES", "RC_DEBUG_OPTIONS", // what it writes beside
	"LLVM_PROFILE_FILE",
}

// clangPrefixes are those of more such variables: CCC_OVERRIDE_OPTIONS changes the
// command line, CC_PRINT_OPTIONS what is printed.
var clangPrefixes = []string{"CCC_", "CC_PRINT_", "CC_LOG_", "FORCE_CLANG_"}

// ownEnvironment is an environment without what changes clang's answers.
func ownEnvironment(environment []string) []string {
	own := slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(clangVariables, name) || slices.ContainsFunc(clangPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	})
	return append(own, "CLANG_NO_DEFAULT_CONFIG=1")
}
