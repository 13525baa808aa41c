package verify

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What a header may read
//
// A header from elsewhere can include any file of the machine, and errors about
// what is in it would show that. So a header may read, by #include, #embed and
// whatever asks if there is a file: what lies where the compiler looks by itself
// and where flags say; files that flags include; and files called *.h in its own
// directory and below it. Which it read is known before anything that the compiler
// made of it, or said about it, is used. The assembler reads nothing at all.

// readable are the files that a header may read.
type readable struct {
	header   string
	dir      string   // the header's, "" if none of its files may be read
	included []string // paths of what flags include
	roots    []string // directories
}

// newReadable starts with what is known without the compiler.
func newReadable(header string, included []string) *readable {
	r := &readable{header: header, included: included, dir: filepath.Dir(header)}
	// Its name is in a list that search reads line by line.
	if strings.ContainsAny(r.dir, "\n\r") {
		r.dir = ""
	}
	return r
}

// search adds the directories that a compiler looks into, by what it says with
// -v.
func (r *readable) search(messages string) {
	for _, dir := range SearchDirectories(messages) {
		if dir != r.dir {
			r.roots = append(r.roots, dir)
		}
	}
}

// SearchDirectories returns where clang looks for includes, by what it says with
// -v.
func SearchDirectories(messages string) []string {
	_, list, _ := strings.Cut(messages, "search starts here:")
	list, _, _ = strings.Cut(list, "End of search list.")
	var directories []string
	for line := range strings.Lines(list) {
		if dir, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), " "); ok {
			directories = append(directories, dir)
		}
	}
	return directories
}

// has reports whether a file may be read that a compiler running in dir names.
func (r *readable) has(dir, path string) bool {
	if !filepath.IsAbs(path) {
		path = dir + string(filepath.Separator) + path // not cleaned: what is before a ".." may be a link
	}
	if slices.Contains(r.included, path) {
		return true
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	if info, err := os.Stat(real); err != nil || !info.Mode().IsRegular() && !info.IsDir() {
		return false
	}
	for _, root := range r.roots {
		// Links in those are their owners' business.
		if isBelow(root, path) && !strings.Contains(path, "..") || isBelowReal(root, real) {
			return true
		}
	}
	if own, err := filepath.EvalSymlinks(r.header); err == nil && own == real {
		return true
	}
	return r.dir != "" && filepath.Ext(real) == ".h" && isBelowReal(r.dir, real)
}

func isBelowReal(dir, path string) bool {
	dir, err := filepath.EvalSymlinks(dir)
	return err == nil && isBelow(dir, path)
}

func isBelow(dir, path string) bool {
	below, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(below)
}

// refusal says that a header reads what it may not.
func (r *readable) refusal(header, file string) diagnostic {
	return diagnostic{file: header, text: fmt.Sprintf("it reads %q, and may read only headers (*.h) beside it and below, and what lies where the compiler looks by itself or by its flags", file)}
}

// enteredFiles returns the files that clang says, with -H, it included.
func enteredFiles(messages string) []string {
	var files []string
	for _, m := range enteredPattern().FindAllStringSubmatch(messages, -1) {
		files = append(files, entered.Replace(m[1]))
	}
	return files
}

var (
	enteredPattern = onDemand(`(?m)^\.+ (.+)$`)
	// clang writes these as in a string.
	entered = strings.NewReplacer(`\\`, `\`, `\"`, `"`, `\n`, "\n")
)

// assemblerReads says why an asm in preprocessed text is refused, "" if none is.
// The assembler has directives that read files (.incbin, .include), and macros
// that make directives of anything: so only those are taken that stand for data,
// and strings only in the forms that leave no doubt about what is in them.
func assemblerReads(text string) string {
	for rest := text; ; {
		at := strings.Index(rest, "asm")
		if at < 0 {
			return ""
		}
		before, after := strings.TrimSuffix(rest[:at], "__"), strings.TrimPrefix(rest[at+len("asm"):], "__")
		rest = rest[at+len("asm"):]
		if before != "" && isWord(before[len(before)-1]) || after != "" && isWord(after[0]) {
			continue // a part of another name
		}
		body := asmBody(after)
		for _, word := range directivePattern().FindAllString(body, -1) {
			if !slices.Contains(dataDirectives, strings.ToLower(word)) {
				return fmt.Sprintf("it has an asm with %.40q, and only directives for data are taken there, since others can read files", word)
			}
		}
		if odd := escapePattern().FindString(body); odd != "" {
			return fmt.Sprintf("it has an asm with %q in a string, which can hide a directive that reads files", odd)
		}
	}
}

var (
	directivePattern = onDemand(`\.[A-Za-z_][A-Za-z0-9_]*`)
	// Other escapes than those for a newline, a tab, a quote and a backslash; raw strings.
	escapePattern = onDemand(`\\[^nt"\\]|\?\?/|R"`)
)

var dataDirectives = []string{".byte", ".2byte", ".4byte", ".8byte", ".short", ".hword", ".word", ".int", ".long", ".quad", ".reloc"}

// asmBody is the text of an asm up to the parenthesis that ends it, or all of it if
// there is none.
func asmBody(text string) string {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"', '\'':
			quote := text[i]
			for i++; i < len(text) && text[i] != quote && text[i] != '\n'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return text[:i]
			}
		}
	}
	return text
}
