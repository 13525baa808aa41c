package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/btfdump/source"
	"github.com/btfgen/btfgen/cgen/verify"
)

// Why a program does not compile with all types of the kernel
//
// clang says what is wrong with a program as it is, in up to hundreds of errors
// that have one cause. The usual causes are named in one sentence, each only where
// it can be told from what clang says.

const (
	// maxErrors is how many errors of a program are shown, and with a sentence
	// that explains them.
	maxErrors          = 20
	maxExplainedErrors = 3
	// moduleSearchLimit is how long modules are looked through for a hint.
	moduleSearchLimit = 10 * time.Second
	// maxNamed is how many names are listed in a sentence.
	maxNamed = 4
)

// An explanation is what can be said of a compilation that failed.
type explanation struct {
	cause string   // what all of the errors, or most, come from
	hints []string // what to do about some of them
}

// doesNotCompile is the error for a program that does not compile with all types
// of the kernel.
func (r slimRequest) doesNotCompile(ctx context.Context, p *slimProgram, result verify.Compiled, types *slimTypes) error {
	var lines []string
	for _, d := range result.Diagnostics {
		if d.Warning {
			continue
		}
		d.File = p.header.called(d.File)
		lines = append(lines, "   "+printable(d.String()))
	}
	if m := driverError().FindStringSubmatch(result.Messages); m != nil && len(lines) == 0 {
		return fmt.Errorf("%s does not take the flags for %s: %s", p.compiler.Name(), p.path, printable(m[1]))
	}
	if len(lines) == 0 {
		lines = append(lines, "   "+printableText(strings.TrimSpace(result.Messages)))
	}
	e, err := r.explain(ctx, p, result, types)
	if err != nil {
		return err
	}
	most, cause := maxErrors, ""
	if e.cause != "" {
		most, cause = maxExplainedErrors, " "+printable(e.cause)
	}
	if more := len(lines) - most; more > 0 {
		lines = append(lines[:most], fmt.Sprintf("   ... and %d more", more))
	}
	for _, hint := range e.hints {
		lines = append(lines, printableText(hint))
	}
	return linesError{fmt.Errorf("%s does not compile with %s, with all types of the kernel:%s\n%s", printable(p.path), printable(p.compiler.Name()), cause, strings.Join(lines, "\n"))}
}

// driverError is what clang says before it looks at a program.
var driverError = onDemand(`(?m)^[^ :]+: error: (.*)$`)

// explain looks for causes that are known.
func (r slimRequest) explain(ctx context.Context, p *slimProgram, result verify.Compiled, types *slimTypes) (e explanation, err error) {
	hint := func(text string) {
		if text != "" {
			e.hints = append(e.hints, text)
		}
	}
	if e.cause, err = p.clash(ctx, result); e.cause != "" || err != nil {
		return e, err
	}
	if e.cause, err = p.macroInHeader(ctx, result.Diagnostics); e.cause != "" || err != nil {
		return e, err
	}
	if name, from, ok := absentInclude(result.Diagnostics); ok {
		text, err := p.absentHint(ctx, name, from)
		hint(text)
		return e, err
	}
	unknown := unknownNames(types, result.Diagnostics)
	hint(unknown.macroHint())
	text, err := r.moduleHint(ctx, unknown, types)
	if err != nil {
		return e, err
	}
	hint(text)
	if !r.options.Kfuncs && unknown.kfuncs {
		hint("kfuncs are left out of the header by --no-kfuncs")
	}
	hint(p.wrapperHint())
	if len(p.flags) == 0 && len(unknown.words) > 0 {
		hint(flagsHint)
	}
	return e, nil
}

// compilesForArch reports whether the program, which did not compile, does so
// with the kernel's own architecture. What the flags say is kept.
func (p *slimProgram) compilesForArch(ctx context.Context) (verify.Compiled, bool, error) {
	given := p.flags
	defer func() { p.flags = given }()
	p.flags = withArch(given, p.arch)
	_, result, err := p.compile(ctx, "other-arch.o", verify.Arguments{})
	return result, err == nil && !result.Failed, err
}

// otherArch returns the architecture that the flags or the program name, if that
// is not the kernel's.
func (p *slimProgram) otherArch() string {
	archs := targetArchs(p.flags)
	if p.ownArch != "" {
		archs = append(archs, p.ownArch)
	}
	if p.arch == "" || len(archs) == 0 || slices.Contains(archs, p.arch) {
		return ""
	}
	return archs[0]
}

// definedArch returns the architecture that one of the project's files defines
// itself, "" if none does. libbpf's headers take the first that they know, so
// that another one among the flags could win.
func definedArch(files []string, isHeader func(string) bool) string {
	for _, path := range files {
		if isSystem(path) || isHeader(path) {
			continue
		}
		text, err := readFile(path, maxText)
		if err != nil {
			continue
		}
		if m := archDefined().FindSubmatch(text); m != nil {
			return string(m[1])
		}
	}
	return ""
}

var archDefined = onDemand(`(?m)^\s*#\s*define\s+__TARGET_ARCH_(\w+)`)

var (
	clashing  = onDemand(`^(?:typedef )?(?:redefinition of|redefinition with|redeclaration of|conflicting types for|nested redefinition of|use of '.*' with tag type that does not match|enumerator .* redefined)`)
	anyNote   = onDemand(`^(.+):(\d+):\d+: (fatal error|error|warning|note): (.*)$`)
	included  = onDemand(`(?m)^(\.+) (.+)$`)
	isPlace   = onDemand(`^previous (?:definition|declaration) is here`)
	quotedAny = onDemand(`'((?:struct |union |enum )?\w+)'`)
)

// clash says that a file declares what the kernel's header declares too, if most
// of the errors come from that.
func (p *slimProgram) clash(ctx context.Context, result verify.Compiled) (string, error) {
	files := make(map[string]int)
	var names []string // the first, in the order of the errors
	var at verify.Diagnostic
	total, clashes := 0, 0
	for line := range strings.Lines(result.Messages) {
		m := anyNote().FindStringSubmatch(strings.TrimRight(line, "\n"))
		switch {
		case m == nil:
		case m[3] == "note" && at.File != "" && isPlace().MatchString(m[4]):
			if other := m[1]; p.isHeader(at.File) != p.isHeader(other) {
				if p.isHeader(other) {
					other = at.File
				}
				files[other]++
				clashes++
				if name := p.declaredName(at); len(names) < maxNamed && name != "" && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
			at.File = ""
		case m[3] == "error" || m[3] == "fatal error":
			total++
			at.File = ""
			if clashing().MatchString(m[4]) {
				number, _ := strconv.Atoi(m[2])
				at = verify.Diagnostic{File: m[1], Line: number, Text: m[4]}
			}
		}
	}
	if clashes == 0 || 2*clashes < total {
		return "", nil
	}
	// The first by name among those with the most.
	worst := slices.MinFunc(slices.Collect(maps.Keys(files)), func(a, b string) int {
		return cmp.Or(cmp.Compare(files[b], files[a]), strings.Compare(a, b))
	})
	what := ""
	if len(names) > 0 {
		what = listed(names)
		if more := clashes - len(names); more > 0 && len(names) == maxNamed {
			what = strings.Join(names, ", ") + fmt.Sprintf(" and %d more", more)
		}
		what = " (" + what + ")"
	}
	if filepath.Clean(worst) == filepath.Clean(p.path) {
		return "it declares itself what the kernel's header declares" + what + ": leave that out, or give it other names", nil
	}
	top, inner, err := p.includedBy(ctx, worst)
	if err != nil {
		return "", err
	}
	through := ""
	if top != inner {
		through = "leads to " + inner + ", which "
	}
	return fmt.Sprintf("it includes %s, which %sdeclares what the kernel's header declares%s: leave that include out; macros of it that are needed take a #define in the program", top, through, what), nil
}

// declaredName returns the name that a diagnostic about a clash is about, "" if
// it can't be told.
func (p *slimProgram) declaredName(d verify.Diagnostic) string {
	if strings.HasPrefix(d.Text, "typedef ") { // the quoted ones are those of the types
		if m := typedefName().FindStringSubmatch(p.textLine(d)); m != nil {
			return m[1]
		}
		return ""
	}
	if m := quotedAny().FindStringSubmatch(d.Text); m != nil {
		return m[1]
	}
	return ""
}

var typedefName = onDemand(`(\w+)\)?(?:\s*[\[(][^;]*)?;`)

// textLine returns the line that a diagnostic is about, of the header too.
func (p *slimProgram) textLine(d verify.Diagnostic) string {
	if p.isHeader(d.File) {
		d.File = p.headerPath()
	}
	return lineOf(d.File, d.Line)
}

// macroInHeader says that a macro that is defined before the header has the name
// of something in it, if the first error is in the header and comes from that.
func (p *slimProgram) macroInHeader(ctx context.Context, diagnostics []verify.Diagnostic) (string, error) {
	i := slices.IndexFunc(diagnostics, func(d verify.Diagnostic) bool { return !d.Warning })
	if i < 0 || !p.isHeader(diagnostics[i].File) {
		return "", nil
	}
	var what verify.Arguments
	what.Flags("-E", "-dM")
	result, err := p.run(ctx, what)
	if err != nil || result.Failed {
		return "", err
	}
	header, err := readFile(p.headerPath(), maxText)
	if err != nil {
		return "", err
	}
	for _, m := range word().FindAllStringSubmatch(p.textLine(diagnostics[i]), -1) {
		define := "#define " + m[2]
		if strings.Contains(result.Stdout, define+" ") && !bytes.Contains(header, []byte(define)) {
			return fmt.Sprintf("%s is a macro where the header is included, and a name in it: include the header before what defines the macro", m[2]), nil
		}
	}
	return "", nil
}

// includedBy returns the file through which the program's own text includes
// another one, and that one, as an include would name them.
func (p *slimProgram) includedBy(ctx context.Context, file string) (top, inner string, err error) {
	var what verify.Arguments
	what.Flags("-v", "-H", "-E", "-o", os.DevNull)
	result, err := p.run(ctx, what)
	if err != nil {
		return "", "", err
	}
	directories := verify.SearchDirectories(result.Messages)
	named := func(path string) string {
		for _, dir := range directories {
			if below, err := filepath.Rel(absolutePath(dir), absolutePath(path)); err == nil && filepath.IsLocal(below) {
				return "<" + below + ">"
			}
		}
		return path
	}
	top = file // if clang does not tell
	first := ""
	for _, m := range included().FindAllStringSubmatch(result.Messages, -1) {
		if len(m[1]) == 1 {
			first = m[2]
		}
		if m[2] == file {
			top = first
			break
		}
	}
	return named(top), named(file), nil
}

// absentHint is what to say of an include that leads nowhere.
func (p *slimProgram) absentHint(ctx context.Context, name, from string) (string, error) {
	base := filepath.Base(name)
	starts := func(prefixes ...string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
	}
	switch {
	case slices.Contains(p.names(), base) && p.output != "":
		return fmt.Sprintf("the header will be %s, and %s is another file: name that as the output, or give clang the directory that it is in: -- -I DIRECTORY", p.output, name), nil
	case slices.Contains(p.names(), filepath.Base(from)) && strings.Contains(base, "vmlinux"):
		return fmt.Sprintf("if %s is the header to be made, name the output so: btfgen --for %s %s", name, p.path, base), nil
	case starts("bpf/bpf_", "bpf/usdt"), starts("bpf_") && base == name:
		return "libbpf's headers are missing: install them (Debian, Ubuntu, Alpine: libbpf-dev; Fedora: libbpf-devel; Arch: libbpf), or say where they are: -- -I DIRECTORY", nil
	case starts("asm/", "asm-generic/", "gnu/", "bits/", "sys/"):
		top, _, err := p.includedBy(ctx, from)
		return fmt.Sprintf("%s, which %s includes, needs it, as a program in user space has it: leave that include out; macros of it that are needed take a #define in the program", top, p.path), err
	case starts("linux/", "uapi/", "net/"):
		return "it is a header of the kernel's, whose types are in the generated one: leave that include out", nil
	}
	return flagsHint, nil
}

const flagsHint = "flags for clang go behind \"--\", as in: btfgen --for prog.bpf.c slim.h -- -I include"

// wrapperHint is what to say if the header takes the place of one that includes
// others.
func (p *slimProgram) wrapperHint() string {
	if p.header.other == "" {
		return ""
	}
	text, err := readFile(p.header.other, maxText)
	if err != nil {
		return ""
	}
	m := includeLine().FindSubmatch(text)
	if m == nil {
		return ""
	}
	return fmt.Sprintf("the header took the place of %s, which includes %.100s: if that is the one to be made, name the output so", p.header.other, m[1])
}

var includeLine = onDemand(`(?m)^\s*#\s*include(?:_next)?\s*[<"]([\w./+-]+)[>"]`)

// unknown are names that a program uses and the kernel does not have.
type unknown struct {
	types []string // as C writes them: struct x, or x
	words []string // called, or used as a value

	kfuncs bool // kfuncs of the kernel's are unknown, since the header has none
}

// unknownNames reads them from errors.
func unknownNames(types *slimTypes, diagnostics []verify.Diagnostic) unknown {
	var u unknown
	add := func(list *[]string, name string) {
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	for _, d := range diagnostics {
		if d.Warning {
			continue
		}
		if m := unknownType().FindStringSubmatch(d.Text); m != nil {
			if types.index.Ordinary[m[1]] == 0 && types.index.Tags[m[1]] == 0 {
				add(&u.types, m[1])
			}
		} else if m := undeclared().FindStringSubmatch(d.Text); m != nil {
			if id := types.index.Ordinary[m[1]]; id == 0 {
				add(&u.words, m[1])
			} else if types.view.Type(id).Kind() == btfdump.KindFunc {
				u.kfuncs = true
			}
		} else if incomplete().MatchString(d.Text) {
			for _, m := range incompleteTag().FindAllStringSubmatch(d.Text, -1) {
				if id := types.index.Tags[m[2]]; id == 0 || types.view.Type(id).IsForward() {
					add(&u.types, m[1]+" "+m[2])
				}
			}
		}
	}
	return u
}

var incompleteTag = onDemand(`'(?:[^']*\b)?(struct|union|enum) (\w+)[^']*'`)

// macros returns those names that are written like macros.
func (u unknown) macros() []string {
	var macros []string
	for _, word := range u.words {
		if strings.ToUpper(word) == word {
			macros = append(macros, word)
		}
	}
	return macros
}

// macroHint is what to say of names that are written like macros, for BTF has
// none.
func (u unknown) macroHint() string {
	macros := u.macros()
	switch len(macros) {
	case 0:
		return ""
	case 1:
		return macros[0] + " looks like a macro, and BTF has none: define it in the program, or include a header that does"
	}
	return listed(macros) + " look like macros, and BTF has none: define them in the program, or include a header that does"
}

// moduleHint is what to say of types that the kernel does not have: which modules
// have them, or which of its names are close.
func (r slimRequest) moduleHint(ctx context.Context, u unknown, types *slimTypes) (string, error) {
	if len(u.types) == 0 && len(u.words) == 0 {
		return "", nil
	}
	var names []string
	for _, name := range slices.Concat(u.types, u.words) {
		names = append(names, name[strings.LastIndexByte(name, ' ')+1:])
	}
	limited, cancel := context.WithTimeout(ctx, moduleSearchLimit)
	defer cancel()
	modules, looked, err := source.ModulesDeclaring(limited, r.input, names, r.source)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	lines, inModules := moduleLines(modules, slices.Concat(u.types, u.words))
	absent := slices.DeleteFunc(slices.Clone(u.types), func(name string) bool { return inModules[name] })
	if len(absent) > 0 {
		where := "not in this kernel's types; types of a module need -m"
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			where = fmt.Sprintf("not in this kernel's types, nor in the %s that could be looked through in %v; types of a module need -m", count(looked, "module"), moduleSearchLimit)
		case looked > 0:
			where = fmt.Sprintf("neither in this kernel's types nor in those of its %s", count(looked, "module"))
		}
		lines = append(lines, fmt.Sprintf("%s %s %s%s", listed(absent), isOrAre(absent), where, closeNames(types.view, absent)))
	}
	helpers := slices.DeleteFunc(slices.Clone(u.words), func(name string) bool { return inModules[name] || !strings.HasPrefix(name, "bpf_") })
	if len(helpers) > 0 {
		no := "no kfunc"
		if len(helpers) > 1 {
			no = "no kfuncs"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s of this kernel's, and not declared as helpers: newer headers of libbpf's may do that", listed(helpers), isOrAre(helpers), no))
	}
	return strings.Join(lines, "\n"), nil
}

// moduleLines says which modules to add for names, as few as do: several may have
// the same types. known are the names that some module has.
func moduleLines(modules []source.Declaring, names []string) (lines []string, known map[string]bool) {
	known = make(map[string]bool)
	// has returns which of the names a module has that none before it has.
	has := func(m source.Declaring) (news []string) {
		for _, name := range names {
			if !known[name] && slices.Contains(m.Names, name[strings.LastIndexByte(name, ' ')+1:]) {
				news = append(news, name)
			}
		}
		return news
	}
	for range modules {
		best := slices.MaxFunc(modules, func(a, b source.Declaring) int {
			return cmp.Or(cmp.Compare(len(has(a)), len(has(b))), strings.Compare(b.Module, a.Module))
		})
		news := has(best)
		if len(news) == 0 {
			break
		}
		var others []string
		for _, m := range modules {
			if m.Module != best.Module && len(has(m)) == len(news) && slices.Equal(has(m), news) {
				others = append(others, m.Module)
			}
		}
		add := cmp.Or(best.Path, best.Module)
		line := fmt.Sprintf("%s %s in the module %s: add -m %s", listed(news), isOrAre(news), best.Module, add)
		if len(others) > 0 {
			line += ", or one of " + listed(others)
		}
		lines = append(lines, line)
		for _, name := range news {
			known[name] = true
		}
	}
	return lines, known
}

func isOrAre(names []string) string {
	if len(names) > 1 {
		return "are"
	}
	return "is"
}

// closeNames names types of the kernel's that are like the first of those that
// it does not have.
func closeNames(view *btfdump.View, absent []string) string {
	if len(absent) != 1 {
		return ""
	}
	if names := likeNames(view, absent[0]); len(names) > 0 {
		return "; close to it: " + strings.Join(names, ", ")
	}
	return ""
}

// listed writes names as a list, of which there may be many.
func listed(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return strings.Join(names[:maxNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " and " + names[last]
	}
	return strings.Join(names, "")
}
