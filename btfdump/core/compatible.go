package core

import (
	"errors"

	"github.com/btfgen/btfgen/btfdump"
)

// The comparisons below are those of libbpf's relo_core.c, whose verdict on an
// object counts: each step that it takes is taken here, and its limits of depth
// are the same. The budget is ours: types that share parts can make the number
// of steps grow exponentially with the depth.

// maxDepth is how many pointers, arrays and prototypes are followed.
const maxDepth = 32

var (
	errTooDeep  = errors.New("its types are nested too deeply to be compared")
	errTooMuch  = errors.New("comparing its types takes too many steps")
	errNotKnown = errors.New("no such kind of relocation")
)

// comparer compares types of an object with those of a kernel.
type comparer struct {
	local, target *btfdump.View
	budget        *int
}

func (c *comparer) spend() error {
	if *c.budget <= 0 {
		return errTooMuch
	}
	*c.budget--
	return nil
}

// sameKind treats the two kinds of enums as one.
func sameKind(a, b btfdump.Kind) bool { return a == b || a.IsEnum() && b.IsEnum() }

// resolve skips typedefs, qualifiers and type tags on both sides.
func (c *comparer) resolve(local, target btfdump.TypeID) (l, t btfdump.Type) {
	return c.local.Type(c.local.Resolve(local)), c.target.Type(c.target.Resolve(target))
}

// plainInts rejects ints that are parts of bitfields, as BTF of before Linux
// 5.1 has them. All others go with each other.
func plainInts(l, t btfdump.Type) bool { return l.IntBitOffset() == 0 && t.IntBitOffset() == 0 }

// fields says whether the types of two members of the same name are alike
// enough for one to be read in place of the other.
func (c *comparer) fields(local, target btfdump.TypeID) (bool, error) {
	for {
		if err := c.spend(); err != nil {
			return false, err
		}
		l, t := c.resolve(local, target)
		if l.Kind().IsRecord() && t.Kind().IsRecord() {
			return true, nil
		}
		if !sameKind(l.Kind(), t.Kind()) {
			return false, nil
		}
		switch l.Kind() {
		case btfdump.KindPtr, btfdump.KindFloat:
			return true, nil
		case btfdump.KindFwd, btfdump.KindEnum, btfdump.KindEnum64:
			ln, tn := EssentialName(l.Name()), EssentialName(t.Name())
			return ln == "" || tn == "" || ln == tn, nil
		case btfdump.KindInt:
			return plainInts(l, t), nil
		case btfdump.KindArray:
			local, target = l.Ref(), t.Ref()
		default:
			return false, nil
		}
	}
}

// types says whether two types of the same name are compatible: of the same
// kind, through pointers and prototypes. Records are not looked into.
func (c *comparer) types(local, target btfdump.TypeID, level int) (bool, error) {
	if !sameKind(c.local.Type(local).Kind(), c.target.Type(target).Kind()) {
		return false, nil
	}
	for range maxDepth {
		if err := c.spend(); err != nil {
			return false, err
		}
		l, t := c.resolve(local, target)
		if !sameKind(l.Kind(), t.Kind()) {
			return false, nil
		}
		switch l.Kind() {
		case btfdump.KindVoid, btfdump.KindStruct, btfdump.KindUnion, btfdump.KindEnum, btfdump.KindEnum64, btfdump.KindFwd:
			return true, nil
		case btfdump.KindInt:
			return plainInts(l, t), nil
		case btfdump.KindPtr, btfdump.KindArray:
		case btfdump.KindFuncProto:
			if l.NumParams() != t.NumParams() {
				return false, nil
			}
			for i, p := range l.Params() {
				if level <= 0 {
					return false, errTooDeep
				}
				same, err := c.types(c.local.Resolve(p.Type), c.target.Resolve(t.Param(i).Type), level-1)
				if !same || err != nil {
					return false, err
				}
			}
		default:
			return false, nil
		}
		local, target = l.Ref(), t.Ref()
	}
	return false, errTooDeep
}

// sameName compares names without their flavours.
func sameName(local, target string) bool {
	if target == "" {
		return local == ""
	}
	return EssentialName(local) == EssentialName(target)
}

// matches says whether the target has all that the local type has: names, sizes
// of integers, members and enumerators. Behind a pointer, records match by name.
func (c *comparer) matches(local, target btfdump.TypeID, behindPointer bool, level int) (bool, error) {
	if level <= 0 {
		return false, errTooDeep
	}
	for range maxDepth {
		if err := c.spend(); err != nil {
			return false, err
		}
		l, t := c.resolve(local, target)
		if !sameName(l.Name(), t.Name()) {
			return false, nil
		}
		lk, tk := l.Kind(), t.Kind()
		switch lk {
		case btfdump.KindVoid:
			return lk == tk, nil
		case btfdump.KindFwd: // its flag says that it is a union
			if lk == tk || !behindPointer {
				return lk == tk && l.KindFlag() == t.KindFlag(), nil
			}
			return tk == btfdump.KindStruct && !l.KindFlag() || tk == btfdump.KindUnion && l.KindFlag(), nil
		case btfdump.KindEnum, btfdump.KindEnum64:
			if !tk.IsEnum() {
				return false, nil
			}
			return c.enums(l, t)
		case btfdump.KindStruct, btfdump.KindUnion:
			if !behindPointer {
				if lk != tk {
					return false, nil
				}
				return c.records(l, t, behindPointer, level)
			}
			if lk == tk {
				return true, nil
			}
			return tk == btfdump.KindFwd && (lk == btfdump.KindUnion) == t.KindFlag(), nil
		case btfdump.KindInt:
			return lk == tk && l.Size() == t.Size() && l.Signed() == t.Signed(), nil
		case btfdump.KindPtr:
			if lk != tk {
				return false, nil
			}
			behindPointer = true
		case btfdump.KindArray:
			if lk != tk || l.ArrayLen() != t.ArrayLen() {
				return false, nil
			}
		case btfdump.KindFuncProto:
			if lk != tk || l.NumParams() != t.NumParams() {
				return false, nil
			}
			for i, p := range l.Params() {
				same, err := c.matches(p.Type, t.Param(i).Type, behindPointer, level-1)
				if !same || err != nil {
					return false, err
				}
			}
		default:
			return false, nil
		}
		local, target = l.Ref(), t.Ref()
	}
	return false, errTooDeep
}

// enums says whether the target has all enumerators of the local enum.
func (c *comparer) enums(l, t btfdump.Type) (bool, error) {
	if l.NumEnumerators() > t.NumEnumerators() {
		return false, nil
	}
	for _, want := range l.Enumerators() {
		found := false
		for _, e := range t.Enumerators() {
			if err := c.spend(); err != nil {
				return false, err
			}
			if found = sameName(want.Name, e.Name); found {
				break
			}
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}

// records says whether the target has all members of the local record.
func (c *comparer) records(l, t btfdump.Type, behindPointer bool, level int) (bool, error) {
	if l.NumMembers() > t.NumMembers() {
		return false, nil
	}
	for _, want := range l.Members() {
		found := false
		for _, m := range t.Members() {
			if err := c.spend(); err != nil {
				return false, err
			}
			if !sameName(want.Name, m.Name) {
				continue
			}
			var err error
			if found, err = c.matches(want.Type, m.Type, behindPointer, level-1); err != nil {
				return false, err
			} else if found {
				break
			}
		}
		if !found {
			return false, nil
		}
	}
	return true, nil
}
