package gogen

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/btfgen/btfgen/btfdump"
)

// Architectures are those whose Go layouts Verify compares by default: both
// byte orders, 32 and 64 bits, and the two ways to align 64-bit numbers.
var Architectures = []string{"amd64", "arm64", "386", "arm", "riscv64", "s390x", "ppc64le", "mips64le"}

// A Report says what Verify compared and what was wrong.
type Report struct {
	Architectures []string `json:"architectures"` // as $GOARCH has them
	Types         int      `json:"types"`         // records, enums and typedefs of them
	Fields        int      `json:"fields"`        // members that are fields: size and offset, on each architecture
	Accessors     int      `json:"accessors"`     // members that methods read: place in the bytes they read from
	Constants     int      `json:"constants"`     // enumerators
	// Mismatches are sorted. The list is empty, not nil, if the file is right.
	Mismatches []Mismatch `json:"mismatches"`
	// Uncompared are the file's struct types whose comments name no type in C and
	// that no type with such a comment holds, sorted.
	Uncompared []string `json:"uncompared,omitempty"`
}

// Holds reports whether nothing in the file is wrong, and there is something in
// it that could be: at least one type.
func (r *Report) Holds() bool { return len(r.Mismatches) == 0 && r.Types > 0 }

// A Mismatch is a difference between the Go file and the BTF.
type Mismatch struct {
	Type    string `json:"type"`                   // in Go
	Member  string `json:"member,omitempty"`       // in C, "" where the type as a whole is meant
	Arch    string `json:"architecture,omitempty"` // "" where it is the same on all
	Problem string `json:"problem"`
}

func (m Mismatch) String() string {
	s := m.Type
	if m.Member != "" {
		s += "." + m.Member
	}
	if m.Arch != "" {
		s += " on " + m.Arch
	}
	return s + ": " + m.Problem
}

// Verify compares a Go file that Generate has written, perhaps from other BTF,
// with the types of a view: every size, every offset and every constant, for
// each of the architectures, which are [Architectures] if none is given. Go's
// side comes from package go/types, nothing is run. The file's comments tell
// which C type and member is meant. An error means that the file can't be read
// as Go code, or is an [ErrTooLarge].
func Verify(src []byte, v *btfdump.View, archs ...string) (*Report, error) {
	if len(archs) == 0 {
		archs = Architectures
	}
	report := Report{Architectures: slices.Clone(archs), Mismatches: []Mismatch{}}
	c := &verifier{view: v, report: report, maps: mapVariables(v), structs: make(map[string]*goRecord), consts: make(map[string][]string)}
	for _, arch := range archs {
		sizes := types.SizesFor("gc", arch)
		if sizes == nil {
			return nil, fmt.Errorf("the Go compiler knows no architecture %q", arch)
		}
		c.archs = append(c.archs, archSizes{arch, sizes})
	}
	if err := c.parse(src); err != nil {
		return nil, err
	}
	c.compare()
	slices.SortFunc(c.report.Mismatches, func(a, b Mismatch) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Member, b.Member), strings.Compare(a.Arch, b.Arch), strings.Compare(a.Problem, b.Problem))
	})
	return &c.report, nil
}

type archSizes struct {
	name  string
	sizes types.Sizes
}

type verifier struct {
	view    *btfdump.View
	archs   []archSizes
	file    *ast.File
	pkg     *types.Package
	structs map[string]*goRecord // by Go name
	maps    map[btfdump.TypeID]bool
	consts  map[string][]string // Go names of constants by their type's Go name, a space and the C name
	report  Report
}

// A goRecord is what the file says about one type.
type goRecord struct {
	name      string
	cName     string // as in the doc comment: "struct foo", or a typedef's name
	typ       types.Type
	fields    map[string]goField // by name in C
	accessors map[string]goAccessor
	storage   map[string]int // index of the fields without a member, by name
	compared  bool
}

type goField struct {
	index  int
	offset uint64 // as the comment says
}

// A goAccessor is what the doc comment of a getter says, and where its code
// starts to read.
type goAccessor struct {
	name      string
	bit, bits uint64
	field     string // the bytes that it reads, "" if it reads none
	index     uint64 // the first byte in them
}

var (
	typeDoc     = onDemand(`^(\w+) is ((?:struct |union |enum |the type of the variable |the type of each key in the map |the type of each value in the map )?\w+), \d+ bytes?\.`)
	fieldDoc    = onDemand(`^// offset (\d+), (\w+): `)
	getterDoc   = onDemand(`^\w+ returns (\w+), (?:which has no bytes, )?at offset (\d+): `)
	bitfieldDoc = onDemand(`^\w+ returns the bitfield (\w+), (\d+) bits? at bit offset (\d+): `)
	flexibleDoc = onDemand(`^\w+ returns the first n elements of (\w+)\. (?s:.*) at offset (\d+): `)
)

// collect reads what the comments say.
func (c *verifier) collect() {
	for _, d := range c.file.Decls {
		switch d := d.(type) {
		case *ast.GenDecl:
			switch d.Tok {
			case token.TYPE:
				c.collectType(d)
			case token.CONST:
				c.collectConstants(d)
			}
		}
	}
	for _, d := range c.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Recv != nil && f.Doc != nil {
			c.collectMethod(f)
		}
	}
}

func (c *verifier) collectType(d *ast.GenDecl) {
	if len(d.Specs) != 1 || d.Doc == nil {
		return
	}
	spec := d.Specs[0].(*ast.TypeSpec)
	obj := c.pkg.Scope().Lookup(spec.Name.Name)
	if obj == nil {
		return
	}
	r := &goRecord{
		name: spec.Name.Name, typ: obj.Type(),
		fields: make(map[string]goField), accessors: make(map[string]goAccessor), storage: make(map[string]int),
	}
	c.structs[r.name] = r
	if m := typeDoc().FindStringSubmatch(d.Doc.Text()); m != nil && m[1] == r.name {
		r.cName = m[2]
	}
	s, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for i, f := range s.Fields.List {
		if f.Comment == nil || len(f.Names) != 1 {
			continue
		}
		if m := fieldDoc().FindStringSubmatch(f.Comment.List[0].Text); m != nil {
			offset, _ := strconv.ParseUint(m[1], 10, 64)
			r.fields[m[2]] = goField{i, offset}
		} else {
			r.storage[f.Names[0].Name] = i
		}
	}
}

func (c *verifier) collectConstants(d *ast.GenDecl) {
	for _, s := range d.Specs {
		spec := s.(*ast.ValueSpec)
		if spec.Comment == nil || len(spec.Names) != 1 {
			continue
		}
		typ := ""
		if id, ok := spec.Type.(*ast.Ident); ok {
			typ = id.Name
		}
		key := typ + " " + strings.TrimPrefix(spec.Comment.List[0].Text, "// ")
		c.consts[key] = append(c.consts[key], spec.Names[0].Name)
	}
}

func (c *verifier) collectMethod(f *ast.FuncDecl) {
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	if !ok || c.structs[id.Name] == nil {
		return
	}
	a := goAccessor{name: f.Name.Name}
	member, doc := "", f.Doc.Text()
	doc = strings.ReplaceAll(doc, "\n", " ")
	number := func(s string) uint64 { n, _ := strconv.ParseUint(s, 10, 64); return n }
	if m := bitfieldDoc().FindStringSubmatch(doc); m != nil {
		member, a.bits, a.bit = m[1], number(m[2]), number(m[3])
	} else if m := getterDoc().FindStringSubmatch(doc); m != nil {
		member, a.bit = m[1], 8*number(m[2])
	} else if m := flexibleDoc().FindStringSubmatch(doc); m != nil {
		member, a.bit = m[1], 8*number(m[2])
	} else {
		return
	}
	a.field, a.index = firstRead(f.Body)
	c.structs[id.Name].accessors[member] = a
}

// firstRead returns which field of the receiver a method's code indexes first,
// and where.
func firstRead(body *ast.BlockStmt) (field string, index uint64) {
	ast.Inspect(body, func(n ast.Node) bool {
		if field != "" {
			return false
		}
		var x, at ast.Expr
		switch n := n.(type) {
		case *ast.IndexExpr:
			x, at = n.X, n.Index
		case *ast.SliceExpr:
			x, at = n.X, n.Low
		}
		sel, ok := x.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if lit, ok := at.(*ast.BasicLit); ok {
			index, _ = strconv.ParseUint(lit.Value, 10, 64)
		}
		field = sel.Sel.Name
		return false
	})
	return field, index
}

// compare compares every type of the file that has a name in C.
func (c *verifier) compare() {
	for _, name := range sortedKeys(c.structs) {
		r := c.structs[name]
		if r.cName == "" {
			continue // compared with what holds it, or a typedef of another type
		}
		candidates := c.lookup(r.cName)
		if len(candidates) == 0 {
			c.report.Mismatches = append(c.report.Mismatches, Mismatch{Type: name, Problem: "the BTF has no " + r.cName})
			continue
		}
		// Where C has several types of the name, one of them is meant.
		var best Report
		for i, id := range candidates {
			var one Report
			c.typ(&one, r, c.view.Type(id), 0)
			if i == 0 || len(one.Mismatches) < len(best.Mismatches) {
				best = one
			}
		}
		c.report.Types += best.Types
		c.report.Fields += best.Fields
		c.report.Accessors += best.Accessors
		c.report.Constants += best.Constants
		c.report.Mismatches = append(c.report.Mismatches, best.Mismatches...)
	}
	for _, name := range sortedKeys(c.structs) {
		r := c.structs[name]
		if _, ok := r.typ.Underlying().(*types.Struct); ok && r.cName == "" && !r.compared {
			c.report.Uncompared = append(c.report.Uncompared, name)
		}
	}
}

func sortedKeys[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// lookup returns the records and enums that a name in C stands for.
func (c *verifier) lookup(cName string) []btfdump.TypeID {
	kind, name, found := strings.Cut(cName, " ")
	if !found {
		var ids []btfdump.TypeID
		for _, id := range c.view.Lookup(cName, btfdump.KindTypedef) {
			ids = append(ids, c.view.Resolve(id))
		}
		return ids
	}
	switch kind {
	case "the":
		return c.lookupHeld(cName)
	case "struct":
		return c.view.Lookup(name, btfdump.KindStruct)
	case "union":
		return c.view.Lookup(name, btfdump.KindUnion)
	}
	return c.view.Lookup(name, btfdump.KindEnum, btfdump.KindEnum64)
}

// lookupHeld returns what variables hold, by the text that Generate has for it.
func (c *verifier) lookupHeld(text string) []btfdump.TypeID {
	var ids []btfdump.TypeID
	words := strings.Fields(text)
	for _, id := range c.view.Lookup(words[len(words)-1], btfdump.KindVar) {
		t := c.view.Type(id)
		for _, h := range holds(c.view, t, c.maps[id]) {
			if heldDoc(h, t) == text {
				ids = append(ids, c.view.Resolve(h.typ))
			}
		}
	}
	return ids
}

func (r *Report) wrong(m Mismatch, format string, args ...any) {
	m.Problem = fmt.Sprintf(format, args...)
	r.Mismatches = append(r.Mismatches, m)
}

// typ compares one type.
func (c *verifier) typ(report *Report, r *goRecord, t btfdump.Type, depth int) {
	report.Types++
	r.compared = true
	for _, a := range c.archs {
		if size := a.sizes.Sizeof(r.typ); size != int64(t.Size()) {
			report.wrong(Mismatch{Type: r.name, Arch: a.name}, "%d bytes in Go, %d in C", size, t.Size())
		}
	}
	if t.Kind().IsEnum() {
		c.enum(report, r, t)
		return
	}
	s, ok := r.typ.Underlying().(*types.Struct)
	if !ok || !t.Kind().IsRecord() {
		report.wrong(Mismatch{Type: r.name}, "in C it is of kind %s", t.Kind())
		return
	}
	fields := make([]*types.Var, s.NumFields())
	for i := range fields {
		fields[i] = s.Field(i)
	}
	offsets := make([][]int64, len(c.archs))
	for i, a := range c.archs {
		offsets[i] = a.sizes.Offsetsof(fields)
	}
	seen := make(map[string]bool)
	c.members(t, 0, depth, func(m btfdump.Member, bit uint64) {
		seen[m.Name] = true
		at := Mismatch{Type: r.name, Member: m.Name}
		if f, ok := r.fields[m.Name]; ok {
			report.Fields++
			size := c.view.SizeOf(m.Type)
			if m.BitSize != 0 {
				report.wrong(at, "a bitfield in C, a field in Go")
				return
			}
			if f.offset*8 != bit {
				report.wrong(at, "the comment says offset %d, in C it is %d", f.offset, bit/8)
			}
			for i, a := range c.archs {
				at.Arch = a.name
				if got := offsets[i][f.index]; uint64(got)*8 != bit {
					report.wrong(at, "offset %d in Go, %d in C", got, bit/8)
				}
				if got := a.sizes.Sizeof(fields[f.index].Type()); uint64(got) != size {
					report.wrong(at, "%d bytes in Go, %d in C", got, size)
				}
			}
			c.inner(report, fields[f.index].Type(), m.Type, depth)
			return
		}
		a, ok := r.accessors[m.Name]
		if !ok {
			report.wrong(at, "neither a field nor a method in Go")
			return
		}
		report.Accessors++
		if a.bit != bit || a.bits != uint64(m.BitSize) {
			report.wrong(at, "%s is for %d bits at bit %d, in C there are %d at %d", a.name, a.bits, a.bit, m.BitSize, bit)
		}
		size := c.view.SizeOf(m.Type)
		if size == 0 {
			return
		}
		end := bit + size*8
		if m.BitSize != 0 {
			end = bit + uint64(m.BitSize)
		}
		i, ok := r.storage[a.field]
		if !ok {
			report.wrong(at, "%s reads no bytes of the record", a.name)
			return
		}
		for j, arch := range c.archs {
			at.Arch = arch.name
			start := uint64(offsets[j][i])
			if start+a.index != bit/8 || (start+uint64(arch.sizes.Sizeof(fields[i].Type())))*8 < end {
				report.wrong(at, "%s reads from byte %d of bytes at offset %d, in C it is at bit %d", a.name, a.index, start, bit)
			}
		}
		if f := c.getterType(r.typ, a.name); f != nil {
			c.inner(report, f, m.Type, depth)
		}
	})
	for name := range r.fields {
		if !seen[name] {
			report.wrong(Mismatch{Type: r.name, Member: name}, "C has no such member")
		}
	}
	for name := range r.accessors {
		if !seen[name] {
			report.wrong(Mismatch{Type: r.name, Member: name}, "C has no such member")
		}
	}
}

// getterType returns the type of the site that a getter returns. Functions are
// not type-checked, but the type's name is that of record and method.
func (c *verifier) getterType(record types.Type, method string) types.Type {
	named, ok := record.(*types.Named)
	if !ok {
		return nil
	}
	if r := c.structs[named.Obj().Name()+"_"+method]; r != nil {
		return r.typ
	}
	return nil
}

// members calls f for the members of a record and those of the records without
// a name in it, with their offsets in bits.
func (c *verifier) members(t btfdump.Type, base uint64, depth int, f func(btfdump.Member, uint64)) {
	for _, m := range t.Members() {
		at := base + uint64(m.BitOffset)
		if m.Name != "" {
			f(m, at)
		} else if inner := c.view.Type(c.view.Resolve(m.Type)); inner.Kind().IsRecord() && depth < maxDepth {
			c.members(inner, at, depth+1, f)
		}
	}
}

// inner compares the type of a member that has no name in C.
func (c *verifier) inner(report *Report, goType types.Type, id btfdump.TypeID, depth int) {
	for {
		array, ok := goType.(*types.Array)
		if !ok {
			break
		}
		goType = array.Elem()
	}
	named, ok := goType.(*types.Named)
	if !ok || depth > maxNesting {
		return
	}
	r := c.structs[named.Obj().Name()]
	if r == nil || r.cName != "" {
		return
	}
	t := c.view.Type(c.view.Resolve(id))
	for t.Kind() == btfdump.KindArray {
		t = c.view.Type(c.view.Resolve(t.Ref()))
	}
	if (t.Kind().IsRecord() || t.Kind().IsEnum()) && !t.HasName() {
		c.typ(report, r, t, depth+1)
	}
}

// enum compares the constants of an enum.
func (c *verifier) enum(report *Report, r *goRecord, t btfdump.Type) {
	for i := range t.NumEnumerators() {
		e := t.Enumerator(i)
		names := c.consts[r.name+" "+e.Name]
		if len(names) == 0 {
			if t.HasName() { // one without may share its constants
				report.wrong(Mismatch{Type: r.name, Member: e.Name}, "no constant in Go")
			}
			continue
		}
		report.Constants++
		var value constant.Value
		right := slices.ContainsFunc(names, func(name string) bool {
			value = c.pkg.Scope().Lookup(name).(*types.Const).Val()
			if v := enumValue(t, e.Value); t.Signed() {
				got, exact := constant.Int64Val(value)
				return exact && got == int64(v)
			} else {
				got, exact := constant.Uint64Val(value)
				return exact && got == v
			}
		})
		if !right {
			report.wrong(Mismatch{Type: r.name, Member: e.Name}, "the constant is %s in Go, %d in C", value, int64(e.Value))
		}
	}
}

// onDemand compiles a pattern when it is first used: most runs of btfgen use none.
func onDemand(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}
