package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/btfgen/btfgen/cgen/verify"
)

// clangCommand returns the compiler that is named, with what it gets first. ""
// stands for what $CLANG says: as in makefiles, a command, which may be a wrapper
// with the compiler as its argument. If that is not set, the name stays empty,
// which stands for the one that package verify finds.
func clangCommand(name string) (program string, args []string, err error) {
	if name != "" {
		return name, nil, nil
	}
	words, err := shellWords(os.Getenv("CLANG"))
	if err != nil {
		return "", nil, fmt.Errorf("$CLANG: %w", err)
	}
	if len(words) == 0 {
		return "", nil, nil
	}
	return words[0], words[1:], nil
}

// newCompiler is the first of the compilers that are named, or the default one.
func newCompiler(ctx context.Context, names []string) (*verify.Compiler, error) {
	program, args, err := clangCommand(strings.Join(names[:min(1, len(names))], ""))
	if err != nil {
		return nil, err
	}
	compiler, err := verify.NewCompiler(ctx, program, args...)
	return compiler, err
}

// withClangHint says what to do where there is no clang, or no room for its files.
func withClangHint(err error) error {
	if errors.As(err, new(*verify.TempError)) {
		name := map[bool]string{false: "TMPDIR", true: "TMP"}[runtime.GOOS == "windows"]
		return fmt.Errorf("%w: set $%s to a directory that can be written, and has room for 100 MB", err, name)
	}
	if errors.Is(err, verify.ErrNoClang) {
		return fmt.Errorf("%w: install one (Debian: \"apt-get install clang\"), or name it with --clang or $CLANG", err)
	}
	return err
}

// shellWords splits a command as a shell does: at blanks, but for those in
// quotes and behind backslashes. Nothing is expanded.
func shellWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	var quote byte
	started := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c != quote, quote == '"' && c != quote && c != '\\':
			word.WriteByte(c)
		case quote != 0 && c == quote:
			quote = 0
		case c == '\\' && runtime.GOOS != "windows": // where it stands in every path
			if i++; i == len(text) {
				return nil, fmt.Errorf("%q ends in a backslash", text)
			}
			if quote == '"' && !strings.ContainsRune("\\\"$`", rune(text[i])) {
				word.WriteByte(c)
			}
			word.WriteByte(text[i])
			started = true
		case c == '\'' || c == '"':
			quote, started = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if started {
				words = append(words, word.String())
				word.Reset()
				started = false
			}
		default:
			word.WriteByte(c)
			started = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("%q has a quote that is not closed", text)
	}
	if started {
		words = append(words, word.String())
	}
	return words, nil
}
