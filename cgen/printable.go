package cgen

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/btfgen/btfgen/btfdump"
)

// Printable returns a view of as much of v as C can express, and what it had to
// leave out: one error for each name, type, member, enumerator or kfunc, sorted
// by the type's name. Types keep their IDs. Where nothing had to be left out,
// the view is v. A blob made to be printed at endless length has no such view:
// that is the error returned.
//
//   - A record or enum whose name is no C identifier, such as "Option<u64>",
//     is without a name. A value of it keeps all of its members; a pointer to
//     it is one to void, and so is one to a function that takes or returns it.
//     A typedef with such a name gives way to its target.
//   - Members and enumerators that C can't have are left out. Records keep
//     their size, and what is left its place.
//   - What is made of a type without a form in C, such as a number of 12 bytes,
//     is left out: typedefs, members and kfuncs. A pointer to it is one to void.
func Printable(v *btfdump.View) (*btfdump.View, []*TypeError, error) {
	if tryToPrint(v) == nil {
		return v, nil, nil
	}
	forced := make(map[btfdump.TypeID]error)
	for round := 0; ; round++ {
		f := finder{
			view: v, forced: forced, edit: btfdump.NewEdit(v),
			reasons: make(map[btfdump.TypeID]*TypeError), known: v.NewSet(), noted: v.NewSet(), unnamed: v.NewSet(), budget: budget(v), seen: make(map[string]bool),
		}
		if err := f.find(); err != nil {
			return nil, nil, err
		}
		view, err := f.edit.View()
		if err != nil {
			return nil, nil, err
		}
		err = tryToPrint(view)
		if err == nil {
			return view, f.sorted(), nil
		}
		// What finder does not foresee, such as types that nest too deeply, the
		// printer meets, one after the other.
		var at *TypeError
		if !errors.As(err, &at) || round == maxForced || forced[at.ID] != nil {
			return nil, nil, err
		}
		forced[at.ID] = at.Err
	}
}

// maxForced is how many types are found by printing the header once more.
const maxForced = 32

func tryToPrint(v *btfdump.View) error {
	p, err := NewPlan(v, nil, Options{Kfuncs: true, NoProvenance: true})
	if err == nil {
		_, err = p.Print()
	}
	return err
}

// finder finds what C can't express, and what follows from that.
type finder struct {
	view   *btfdump.View
	forced map[btfdump.TypeID]error // types that the printer has refused
	edit   *btfdump.Edit
	found  []*TypeError

	// reasons say why C has no form for a type, and which type that lies at;
	// known are those of which it has been found out whether there is one.
	reasons map[btfdump.TypeID]*TypeError
	known   *btfdump.Set
	noted   *btfdump.Set // types in found
	unnamed *btfdump.Set // records that have lost their name
	budget  int

	seen  map[string]bool // names of the members of one record
	names []string
}

// note notes what is left out, or of what.
func (f *finder) note(t btfdump.Type, err error) {
	f.noted.Add(t.ID())
	f.found = append(f.found, &TypeError{ID: t.ID(), Kind: t.Kind(), Name: t.Name(), Err: err})
}

func (f *finder) sorted() []*TypeError {
	slices.SortStableFunc(f.found, func(a, b *TypeError) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Err.Error(), b.Err.Error()))
	})
	return f.found
}

func (f *finder) find() error {
	for t := range f.view.AllOf(btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64) {
		if t.HasName() && !btfdump.IsIdentifier(t.Name()) && !t.IsForward() {
			f.note(t, errName)
			f.edit.Unname(t.ID())
			if t.Kind().IsRecord() {
				f.unnamed.Add(t.ID())
			}
		}
		if t.Kind().IsEnum() {
			f.enum(t)
		}
	}
	for t := range f.view.AllOf(btfdump.KindTypedef, btfdump.KindFwd, btfdump.KindTypeTag, btfdump.KindEnum, btfdump.KindEnum64) {
		f.declared(t)
	}
	for t := range f.view.AllOf(btfdump.KindStruct, btfdump.KindUnion) {
		f.record(t)
	}
	for t := range f.view.AllOf(btfdump.KindStruct, btfdump.KindUnion) {
		if err := f.scope(t); err != nil {
			return err
		}
	}
	for t := range f.view.AllOf(btfdump.KindPtr) {
		reason := f.reason(t.Ref(), 0)
		if reason != nil && !f.noted.Has(reason.ID) { // nothing else will tell
			f.note(f.view.Type(reason.ID), reason.Err)
		}
		if reason != nil || f.nameless(t.Ref()) != 0 {
			f.edit.PointToVoid(t.ID())
		}
	}
	for _, k := range findKfuncs(f.view) {
		t := f.view.Type(k.id)
		err := f.forced[k.id]
		if reason := f.reason(t.Ref(), 0); reason != nil {
			err = reason.Err
		}
		if err == nil {
			err = kfuncNameError(k.name)
		}
		if err != nil {
			f.note(t, err)
			f.edit.Blank(k.id)
		}
	}
	return nil
}

// declared decides on a type that is a name for another one, or for none.
func (f *finder) declared(t btfdump.Type) {
	reason := f.reason(t.ID(), 0)
	switch k := t.Kind(); {
	case k == btfdump.KindTypeTag:
		if !isPrintableTag(t) {
			f.note(t, errTag)
			f.edit.Skip(t.ID())
		}
	case reason != nil && (k == btfdump.KindTypedef || t.IsForward()):
		f.note(t, reason.Err)
		f.edit.Blank(t.ID())
	case k == btfdump.KindTypedef && !t.HasName():
		f.note(t, errNoName)
		f.edit.Skip(t.ID())
	case k == btfdump.KindTypedef && !btfdump.IsIdentifier(t.Name()):
		f.note(t, errName)
		f.edit.Skip(t.ID())
	case k == btfdump.KindTypedef && isLeftMacro(t.Name()):
		f.note(t, errMacro)
		f.edit.Skip(t.ID())
	}
}

// enum drops the enumerators that C can't have.
func (f *finder) enum(t btfdump.Type) {
	if err := f.forced[t.ID()]; err != nil {
		f.dropAll(t, err)
		return
	}
	drop := func(i int, err error) {
		f.note(t, fmt.Errorf("enumerator %.80q: %w", t.Enumerator(i).Name, err))
		f.edit.Drop(t.ID(), i)
	}
	var kept []int
	negative := false
	for i, e := range t.Enumerators() {
		_, isNegative, ok := enumValue(t, e.Value)
		switch {
		case !btfdump.IsIdentifier(e.Name):
			drop(i, errName)
		case isLeftMacro(e.Name):
			drop(i, errMacro)
		case !ok:
			drop(i, errEnumValue)
		default:
			kept = append(kept, i)
			negative = negative || isNegative
		}
	}
	for _, i := range kept {
		v, isNegative, _ := enumValue(t, t.EnumeratorValue(i))
		if limit := uint64(1) << (8*t.Size() - 1); negative && !isNegative && v >= limit {
			drop(i, errEnumValue)
		}
	}
}

var (
	errEnumValue = errors.New("its value does not fit the enum's size")
	errTwins     = errors.New("another one has the same name")
	errValue     = errors.New("a function takes or returns it by value, and its name is no C identifier")
)

// isChain reports whether a kind's form in C is that of what it refers to.
func isChain(k btfdump.Kind) bool {
	return k.IsModifier() || k == btfdump.KindArray
}

// reason returns why C has no form for a type; nil if it has one.
func (f *finder) reason(id btfdump.TypeID, depth int) *TypeError {
	var chain []btfdump.TypeID
	for !f.known.Has(id) && isChain(f.view.Type(id).Kind()) {
		chain = append(chain, id)
		id = f.view.Type(id).Ref()
	}
	decide := func(id btfdump.TypeID, reason *TypeError) {
		if reason != nil {
			f.reasons[id] = reason
		}
	}
	if f.known.Add(id) {
		decide(id, f.ownReason(f.view.Type(id), depth))
	}
	reason := f.reasons[id]
	for _, id := range slices.Backward(chain) {
		if reason == nil {
			reason = f.layerReason(f.view.Type(id))
		}
		f.known.Add(id)
		decide(id, reason)
	}
	return reason
}

// because makes a reason; nil of no error.
func because(t btfdump.Type, err error) *TypeError {
	if err == nil {
		return nil
	}
	return &TypeError{ID: t.ID(), Kind: t.Kind(), Name: t.Name(), Err: err}
}

// layerReason is reason for what refers to a type that has a form.
func (f *finder) layerReason(t btfdump.Type) *TypeError {
	switch {
	case t.Kind() == btfdump.KindTypedef:
		return because(t, f.forced[t.ID()])
	case t.Kind() != btfdump.KindArray:
		return nil
	case f.view.SizeOf(t.ID()) >= maxArray(f.view):
		return because(t, errArrayTooLarge)
	case f.view.Resolve(t.Ref()) == 0:
		return because(t, errVoidValue)
	}
	return nil
}

// ownReason is reason for a type at the end of a chain.
func (f *finder) ownReason(t btfdump.Type, depth int) *TypeError {
	switch k := t.Kind(); {
	case k == btfdump.KindInt && t.Size() == 16 && f.view.PointerSize() == 4:
		return because(t, errInt128)
	case k == btfdump.KindInt && intSpelling(t) == "", k == btfdump.KindFloat && floatSpelling(t) == "":
		return because(t, errNoScalar)
	case k == btfdump.KindFwd || k.IsEnum() && t.IsForward():
		switch {
		case !t.HasName():
			return because(t, errNoName)
		case !btfdump.IsIdentifier(t.Name()):
			return because(t, errName)
		}
		return because(t, f.forced[t.ID()])
	case k == btfdump.KindFuncProto:
		return f.protoReason(t, depth)
	case k == btfdump.KindVoid || k == btfdump.KindInt || k == btfdump.KindFloat || k == btfdump.KindPtr || k.IsRecord() || k.IsEnum():
		return nil
	}
	return because(t, errUnknownKind)
}

func (f *finder) protoReason(t btfdump.Type, depth int) *TypeError {
	if depth > maxNesting {
		return because(t, errNesting)
	}
	value := func(id btfdump.TypeID) *TypeError {
		if record := f.nameless(id); record != 0 {
			return because(f.view.Type(record), errValue)
		}
		return f.reason(id, depth+1)
	}
	for i, param := range t.Params() {
		isLast := i+1 == t.NumParams() // where void stands for variable arguments
		if (param.Type != 0 || !isLast) && f.view.Resolve(param.Type) == 0 {
			return because(t, errVoidParam)
		}
		if reason := value(param.Type); reason != nil {
			return reason
		}
	}
	switch f.view.Type(f.view.Resolve(t.Ref())).Kind() {
	case btfdump.KindArray, btfdump.KindFuncProto:
		return because(t, errReturnsNoObject)
	}
	return value(t.Ref())
}

// nameless returns the record that a type is made of if that has lost its name,
// else 0. All that such a type is made of is printed where it stands: behind a
// pointer, a list would have no end.
func (f *finder) nameless(id btfdump.TypeID) btfdump.TypeID {
	for isChain(f.view.Type(id).Kind()) {
		id = f.view.Type(id).Ref()
	}
	if !f.unnamed.Has(id) {
		return 0
	}
	return id
}

// record drops the members that C can't have in a record, each by itself and
// beside the others.
func (f *finder) record(t btfdump.Type) {
	if err := f.forced[t.ID()]; err != nil {
		f.dropAll(t, err)
		return
	}
	clear(f.seen)
	var end uint64 // of the members so far, in bits
	for _, i := range inOrder(f.view, t) {
		m := t.Member(i)
		if m.Name == "" && !f.holdsRecord(m.Type) {
			continue // padding
		}
		at, size := uint64(m.BitOffset), uint64(m.BitSize)
		if size == 0 {
			size = f.view.SizeOf(m.Type) * 8
		}
		var err error
		reason := f.reason(m.Type, 0)
		switch {
		case reason != nil:
			err = reason.Err
		case f.view.Resolve(m.Type) == 0:
			err = errVoidValue
		case m.Name != "" && !btfdump.IsIdentifier(m.Name):
			err = errName
		case m.Name != "" && memberNameError(m.Name) != nil:
			err = memberNameError(m.Name)
		case m.Name != "" && (f.seen[m.Name] || f.seen[nameC23(m.Name)]):
			err = errTwins
		case m.BitOffset >= maxFar && hasBitfield(t):
			err = errFarBitfield
		case t.Kind() == btfdump.KindUnion && at != 0:
			err = errUnionAt
		case t.Kind() == btfdump.KindStruct && at < end:
			err = errOverlap
		case at+size > uint64(t.Size())*8:
			err = errTooFar
		case m.BitSize > 1 && isBool(f.view.Type(f.view.Resolve(m.Type))):
			err = errBoolWidth
		}
		if err != nil {
			f.dropMember(t, i, err)
			continue
		}
		f.see(m.Name)
		end = max(end, at+size)
	}
}

// dropAll leaves nothing of a record but its size, or of an enum.
func (f *finder) dropAll(t btfdump.Type, err error) {
	f.note(t, err)
	for i := range t.Vlen() {
		f.edit.Drop(t.ID(), i)
	}
}

func (f *finder) dropMember(t btfdump.Type, i int, err error) {
	f.note(t, fmt.Errorf("member %.80q: %w", t.Member(i).Name, err))
	f.edit.Drop(t.ID(), i)
}

func (f *finder) holdsRecord(id btfdump.TypeID) bool {
	return f.view.Type(f.view.Resolve(id)).Kind().IsRecord()
}

// scope drops members without a name that hold a name which their record has
// already: C puts their members into its name space.
func (f *finder) scope(t btfdump.Type) error {
	clear(f.seen)
	for i, m := range t.Members() {
		if m.Name != "" && !f.edit.Drops(t.ID(), i) {
			f.see(m.Name)
		}
	}
	for i, m := range t.Members() {
		if m.Name != "" || !f.holdsRecord(m.Type) || f.edit.Drops(t.ID(), i) {
			continue
		}
		before := len(f.names)
		f.collect(m.Type, 0)
		if f.budget < 0 {
			return typeError(t, errTooMuch)
		}
		names := f.names[before:]
		f.names = f.names[:before]
		if j := slices.IndexFunc(names, func(name string) bool { return f.seen[name] }); j >= 0 {
			f.dropMember(t, i, fmt.Errorf("its member %.80q: %w", names[j], errTwins))
			continue
		}
		for _, name := range names {
			f.seen[name] = true
		}
	}
	return nil
}

// nameC23 is a member's name in C23.
func nameC23(name string) string {
	if isKeywordC23(name) {
		return name + "_"
	}
	return name
}

// see notes the names that a member has.
func (f *finder) see(name string) {
	f.seen[name] = true
	f.seen[nameC23(name)] = true
}

// collect appends the names that a member without a name brings along to
// f.names.
func (f *finder) collect(id btfdump.TypeID, depth int) {
	t := f.view.Type(f.view.Resolve(id))
	for i, m := range t.Members() {
		if f.budget--; f.budget < 0 || depth > maxNesting {
			return
		}
		switch {
		case f.edit.Drops(t.ID(), i):
		case m.Name != "":
			f.names = append(f.names, m.Name)
			if isKeywordC23(m.Name) {
				f.names = append(f.names, nameC23(m.Name))
			}
		case f.holdsRecord(m.Type):
			f.collect(m.Type, depth+1)
		}
	}
}
