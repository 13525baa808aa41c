package gogen

import (
	"bytes"
	"slices"
	"strconv"

	"github.com/btfgen/btfgen/btfdump"
)

// A printer prints units, one goroutine's at a time.
type printer struct {
	// What is fixed.
	*plan
	bool_ string
	ptr   string

	// What changes.
	out     []byte
	guards  []byte
	helpers helpers
	err     error
	counted int            // bytes of out and guards that plan.printed has
	held    []slotContents // of the current record's slots
	used    map[string]int // names in the current record, and which number to try behind each
	leaves  []string       // Go names of the current record's leaves
	sites   []site         // types without a name in C that wait to be printed
	rows    rows
}

// A site is a type without a name in C, which is called after the member that
// has it.
type site struct {
	name  string
	what  string // for the comment
	id    btfdump.TypeID
	depth int
}

func newPrinter(p *plan) *printer {
	return &printer{plan: p, out: make([]byte, 0, 256<<10), guards: make([]byte, 0, 64<<10), used: make(map[string]int), bool_: p.helper("Bool"), ptr: p.helper("Ptr")}
}

func (p *plan) helper(name string) string { return helperName(p.opts.Prefix, name) }

// chunk prints units.
func (p *printer) chunk(units []unit) part {
	p.out, p.guards, p.counted = p.out[:0], p.guards[:0], 0
	p.helpers, p.err = 0, nil
	for _, u := range units {
		p.unit(u)
		if p.err == nil {
			p.count(u.id, 0)
		}
		if p.err != nil {
			return part{err: p.err}
		}
	}
	return part{text: bytes.Clone(p.out), guards: bytes.Clone(p.guards), helpers: p.helpers}
}

// count keeps the output, and more bytes that are to come, within its limit.
func (p *printer) count(id btfdump.TypeID, more int) {
	n := len(p.out) + len(p.guards) - p.counted
	p.counted += n
	if p.printed.Add(int64(n+more)) > p.limit {
		p.fail(id, errTooMuch)
	}
}

// tooMuch ends a declaration that takes the output over its limit, where more
// bytes follow: names stored once can be printed often.
func (p *printer) tooMuch(id btfdump.TypeID, more int) bool {
	if n := len(p.out); n > 1<<20 && cap(p.out)-n < 4<<10 {
		p.out = slices.Grow(p.out, n) // append would copy more often
	}
	if p.printed.Load()+int64(len(p.out)+len(p.rows.text)+len(p.guards)-p.counted+more) > p.limit {
		p.fail(id, errTooMuch)
	}
	return p.err != nil
}

func (p *printer) fail(id btfdump.TypeID, err error) {
	if p.err == nil {
		p.err = typeError(p.view.Type(id), err)
	}
}

func (p *printer) add(parts ...string) {
	for _, s := range parts {
		p.out = append(p.out, s...)
	}
}

func (p *printer) num(n uint64) { p.out = strconv.AppendUint(p.out, n, 10) }

// unit prints one declaration and the types that only it uses.
func (p *printer) unit(u unit) {
	t := p.view.Type(u.id)
	if u.name == "" {
		p.fail(u.id, errBadName)
		return
	}
	switch u.kind {
	case unitRecord:
		p.record(u.name, p.view.Resolve(u.id), string(appendCName(nil, t)), 0)
	case unitEnum:
		p.enum(u.name, p.view.Resolve(u.id), string(appendCName(nil, t)))
	case unitConstants:
		p.constants(u.id, "")
	case unitAlias:
		p.alias(u.name, t)
	case unitVariable:
		p.variable(u.name, t)
	}
	for len(p.sites) > 0 && p.err == nil {
		s := p.sites[0]
		p.sites = p.sites[1:]
		if s.depth > maxNesting {
			p.fail(s.id, errNesting)
			return
		}
		if p.view.Type(s.id).Kind().IsEnum() {
			p.enum(s.name, s.id, s.what)
		} else {
			p.record(s.name, s.id, s.what, s.depth)
		}
		// The budget counts them at once: they can multiply.
		p.count(u.id, len(s.name)+256)
	}
	p.sites = p.sites[:0]
}

// alias prints a typedef.
func (p *printer) alias(name string, t btfdump.Type) {
	if !hasValues(p.view.Type(p.view.Resolve(t.ID()))) {
		p.add("\n// ", name, " is ", t.Name(), ", of which there are no values, only pointers: ")
		p.out = appendCType(p.out, p.view, t.Ref())
		p.add(".\ntype ", name, " struct{}\n")
		return
	}
	v, err := p.value(t.ID())
	if err != nil {
		p.fail(t.ID(), err)
		return
	}
	p.add("\n// ", name, " is ", t.Name(), ": ")
	p.out = appendCType(p.out, p.view, t.Ref())
	p.add(".\ntype ", name, " = ")
	p.goType(&v, name+"_Element")
	p.add("\n")
	if v.namer == 0 && (v.class == classRecord || v.class == classEnum) {
		p.site(&v, name+"_Element", "the type of "+t.Name()+" in "+name, 0)
	}
}

// site notes that a type has to be printed which the value has, and which has
// no name of its own.
func (p *printer) site(v *value, name, what string, depth int) {
	if v.namer == 0 && (v.class == classRecord || v.class == classEnum) {
		p.sites = append(p.sites, site{name, what, v.id, depth})
	}
}

var (
	uintNames = [9]string{1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64"}
	intNames  = [9]string{1: "int8", 2: "int16", 4: "int32", 8: "int64"}
)

// goType prints the Go type of a value; site is its name if it has none in C.
func (p *printer) goType(v *value, site string) {
	for _, d := range v.dims {
		p.out = append(p.out, '[')
		p.num(uint64(d))
		p.out = append(p.out, ']')
	}
	p.out = append(p.out, p.element(v, site)...)
}

// element returns the Go type of an element.
func (p *printer) element(v *value, site string) string {
	switch v.class {
	case classUint, classInt:
		if v.char && len(v.dims) > 0 {
			return "byte"
		}
		if v.class == classInt {
			return intNames[v.size]
		}
		return uintNames[v.size]
	case classFloat:
		if v.size == 4 {
			return "float32"
		}
		return "float64"
	case classBool:
		p.helpers.add(helperBool)
		return p.bool_
	case classPtr:
		p.helpers.add(helperPtr)
		return p.ptr
	case classInt128:
		if v.signed {
			p.helpers.add(helperInt128)
			return p.helper("Int128")
		}
		p.helpers.add(helperUint128)
		return p.helper("Uint128")
	case classBytes:
		return "[" + strconv.FormatUint(uint64(v.size), 10) + "]byte"
	}
	if v.namer == 0 {
		return site
	}
	name := p.goName[p.canonical(v.namer)]
	if name == "" {
		p.fail(v.namer, errBadName)
	}
	return name
}

// rows are lines of a declaration whose columns are aligned as gofmt does it.
type rows struct {
	text []byte
	ends []int // of the cells in text: three a row
}

// cell ends a cell, whose text has been added to p.out since start.
func (p *printer) cell(start int) {
	p.rows.text = append(p.rows.text, p.out[start:]...)
	p.rows.ends = append(p.rows.ends, len(p.rows.text))
	p.out = p.out[:start]
}

// flush prints rows of n cells. The last cell of each must not be empty. A long
// name in one row makes all of them long.
func (p *printer) flush(id btfdump.TypeID, n int) {
	r := &p.rows
	var width [4]int
	start := 0
	for i, end := range r.ends {
		width[i%n] = max(width[i%n], end-start)
		start = end
	}
	columns := 0
	for _, w := range width[:n-1] {
		columns += w
	}
	if p.tooMuch(id, columns*len(r.ends)/n) {
		r.text, r.ends = r.text[:0], r.ends[:0]
		return
	}
	start = 0
	for i, end := range r.ends {
		if i%n == 0 {
			p.out = append(p.out, '\t')
		}
		p.out = append(p.out, r.text[start:end]...)
		if i%n == n-1 {
			p.out = append(p.out, '\n')
		} else if width[i%n] > 0 {
			for range width[i%n] - (end - start) + 1 {
				p.out = append(p.out, ' ')
			}
		}
		start = end
	}
	r.text, r.ends = r.text[:0], r.ends[:0]
}

// addFunc prints the end of a function that stands on one line, and breaks the
// line where gofmt would: a header and body of 100 characters or more.
func (p *printer) addFunc(parts ...string) {
	const limit = 100
	p.add(parts...)
	end := len(p.out) - len(" }\n")
	start := bytes.LastIndexByte(p.out[:end], '\n') + 1
	if bytes.HasSuffix(p.out, []byte(" {}\n")) {
		if header := len(p.out) - len(" {}\n"); header-start >= limit {
			p.out = append(p.out[:header], " {\n}\n"...)
		}
		return
	}
	if end-start-len(" { ") < limit {
		return
	}
	brace := start + bytes.Index(p.out[start:], []byte(" { "))
	body := string(p.out[brace+len(" { ") : end])
	p.out = append(p.out[:brace], " {\n\t"...)
	p.add(body, "\n}\n")
}
