package verify

import (
	"context"
	"fmt"
	"strconv"
)

// A Compiler is a clang that compiles programs rather than headers: with the
// flags that the program needs, and in the directory where they hold.
type Compiler struct{ cc *clang }

// NewCompiler finds a clang, by its path or a name to be looked up on the PATH.
// "" stands for that of [FindClang]. Where the name is that of a wrapper, args
// are what it gets first, as in "ccache", "clang". The error is an [ErrNoClang].
func NewCompiler(ctx context.Context, name string, args ...string) (*Compiler, error) {
	if name == "" {
		var err error
		if name, err = FindClang(); err != nil {
			return nil, err
		}
	}
	cc, err := newClang(name, args, "")
	if err != nil {
		return nil, err
	}
	return &Compiler{cc}, cc.identify(ctx)
}

// Name returns what to call the compiler in messages, such as "clang 19.1.7".
func (c *Compiler) Name() string { return "clang " + c.cc.version }

// A Diagnostic is an error or a warning of a compiler's.
type Diagnostic struct {
	File    string // as the compiler calls it, "" where it concerns no file
	Line    int    // from 1
	Warning bool
	Text    string // it may be any string
}

func (d Diagnostic) String() string {
	text := "error: " + d.Text
	if d.Warning {
		text = "warning: " + d.Text
	}
	if d.File == "" {
		return text
	}
	return fmt.Sprintf("%s:%d: %s", d.File, d.Line, text)
}

// Compiled is what a compiler made of a program.
type Compiled struct {
	Stdout      string
	Diagnostics []Diagnostic
	Failed      bool   // there are errors, though maybe none among Diagnostics
	Messages    string // all that it said
}

var programPattern = onDemand(`(?m)^(?:(.+):(\d+):\d+: |)(?:fatal )?(error|warning): (.*)$`)

// Run runs the compiler. Errors in what it compiles are in the result; err says
// that it could not do its work, or that the context was cancelled.
func (c *Compiler) Run(ctx context.Context, args Arguments) (Compiled, error) {
	var all Arguments
	all.Flags("-fno-color-diagnostics", "-fno-caret-diagnostics", "-ferror-limit=0")
	all.Append(args)
	stdout, messages, failed, err := c.cc.run(ctx, all)
	if err != nil {
		return Compiled{}, err
	}
	result := Compiled{Stdout: stdout, Failed: failed, Messages: messages}
	for _, m := range programPattern().FindAllStringSubmatch(messages, -1) {
		line, _ := strconv.Atoi(m[2])
		result.Diagnostics = append(result.Diagnostics, Diagnostic{m[1], line, m[3] == "warning", m[4]})
	}
	return result, nil
}
