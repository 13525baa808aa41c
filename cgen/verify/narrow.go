package verify

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// How a 32-bit kernel's header is proven
//
// A pointer in a header stays a pointer, which CO-RE relocates, and BPF's has 8
// bytes where the kernel's has 4. So records that hold pointers are longer for
// BPF than the BTF says, and their members lie further back. That this, and
// nothing else, is why they differ is shown by compiling the same header for a
// machine whose pointers have 4 bytes and which aligns everything else as BPF
// does: 32-bit ARM's EABI. There, their sizes and offsets must be the BTF's.
// clang writes no BTF for ARM, so a bitfield's place is read from a variable in
// which all of its bits are set, and no others.

// narrowTarget is that machine, in the byte order of the view.
func narrowTarget(v *btfdump.View) string {
	if isBig(v) {
		return "armebv7-linux-gnueabi"
	}
	return "armv7-linux-gnueabi"
}

// narrowRecords are the records of a 32-bit kernel that hold pointers by value.
func narrowRecords(v *btfdump.View) map[btfdump.TypeID]bool {
	narrow := make(map[btfdump.TypeID]bool)
	if v.PointerSize() == 8 {
		return narrow
	}
	holders := make(map[btfdump.TypeID][]btfdump.TypeID) // of a record
	var found []btfdump.TypeID
	for t := range v.All() {
		for _, m := range t.Members() {
			inner := v.Type(v.Resolve(m.Type))
			for inner.Kind() == btfdump.KindArray {
				inner = v.Type(v.Resolve(inner.Ref()))
			}
			switch {
			case inner.Kind() == btfdump.KindPtr:
				found = append(found, t.ID())
			case inner.Kind().IsRecord():
				holders[inner.ID()] = append(holders[inner.ID()], t.ID())
			}
		}
	}
	for len(found) > 0 {
		id := found[len(found)-1]
		found = found[:len(found)-1]
		if !narrow[id] {
			narrow[id] = true
			found = append(found, holders[id]...)
		}
	}
	return narrow
}

// narrowed is the header for that machine.
func (c *check) narrowed(ctx context.Context) (*unit, error) {
	if c.narrowUnit != nil {
		return c.narrowUnit, nil
	}
	arm := *c.unit.cc
	// These macros BPF has not, and a member may be called unix. What has been
	// preprocessed is spared -U by the driver, but not the macros.
	arm.flags = slices.Insert(slices.Clone(arm.flags), 2, "-Xclang", "-Ulinux", "-Xclang", "-Uunix", "-Xclang", "-U_ILP32")
	arm.flags[1] = narrowTarget(c.view) // see Header
	u, err := preprocess(ctx, &arm, c.header, c.included)
	c.narrowUnit = u
	return u, err
}

// assertNarrow checks facts about such records, and their bitfields.
func (c *check) assertNarrow(ctx context.Context, facts *factSet) ([]Mismatch, error) {
	u, err := c.narrowed(ctx)
	if err != nil {
		return nil, err
	}
	c.progress(fmt.Sprintf("%s: checking records with pointers for %s", u.cc.label(), narrowTarget(c.view)))
	found, err := c.assert(ctx, u, "narrow", facts.narrow)
	if err != nil {
		return nil, err
	}
	bitfields, err := c.narrowBitfields(ctx, u, facts.narrowFields)
	return append(found, bitfields...), err
}

// assertUnsettled checks such records of which several have one name, or several
// names in the header. Reading back has told which may belong together.
func (c *check) assertUnsettled(ctx context.Context, facts *factSet) ([]Mismatch, error) {
	var list []fact
	for _, e := range c.names.entries {
		if !facts.unsettled[e] || e.class == classEnum || len(e.heads) == 0 {
			continue
		}
		byType, byHead := map[btfdump.TypeID][][]fact{}, map[string][][]fact{}
		for _, p := range c.probes {
			if p.entry != e || p.view == nil {
				continue
			}
			for _, id := range e.ids {
				if s := c.factsOf(e, id, p.head); len(c.compare(id, p)) == 0 {
					all := slices.Concat(s.facts, s.narrow)
					byType[id], byHead[p.head] = append(byType[id], all), append(byHead[p.head], all)
				}
			}
		}
		// What equals nothing has been reported.
		const no, yes = "none of the types with this name has these sizes and offsets", "these sizes and offsets"
		for _, id := range e.ids {
			if len(byType[id]) > 0 && len(byType[id][0]) > 0 {
				list = append(list, anyOf(byType[id], e.title(), AspectSize, no, yes))
			}
		}
		for _, head := range e.heads {
			if len(byHead[head]) > 0 && len(byHead[head][0]) > 0 {
				list = append(list, anyOf(byHead[head], e.title(), AspectSize, no, yes))
			}
		}
	}
	if len(list) == 0 {
		return nil, nil
	}
	u, err := c.narrowed(ctx)
	if err != nil {
		return nil, err
	}
	return c.assert(ctx, u, "unsettled", list)
}

// field is a bitfield of a record that holds pointers.
type field struct {
	entry  *entry
	record string // C type of the innermost record with members that are not unnamed
	name   string // in C
	title  string // designates it, in reports
	offset uint64 // bits, from the start of that record
	btfdump.Member
}

// narrowBitfields checks where bitfields lie.
func (c *check) narrowBitfields(ctx context.Context, u *unit, fields []field) ([]Mismatch, error) {
	var list []Mismatch
	for range maxRounds {
		var b strings.Builder
		for i, f := range fields {
			fmt.Fprintf(&b, "const %s %sb%d = { .%s = -1 };\n", f.record, u.key, i, f.name)
		}
		path, diagnostics, err := u.object(ctx, "bitfields", b.String())
		if err != nil {
			return nil, err
		}
		if len(diagnostics) == 0 {
			err := readObject(path, func(o object) error {
				found, err := c.bitfieldPlaces(o, u.key, fields)
				list = append(list, found...)
				return err
			})
			return list, err
		}
		missing := make(map[int]bool)
		for _, d := range diagnostics {
			if d.file != ours || d.line < 1 || d.line > len(fields) {
				return nil, headerError{[]diagnostic{d}}
			}
			if f := fields[d.line-1]; !missing[d.line-1] {
				missing[d.line-1] = true
				list = append(list, Mismatch{Type: f.entry.title(), Member: f.title, Aspect: AspectMember, BTF: width(f.BitSize), Compiler: "none: " + d.text})
			}
		}
		var kept []field
		for i, f := range fields {
			if !missing[i] {
				kept = append(kept, f)
			}
		}
		fields = kept
	}
	return nil, errChanges
}

// bitfieldPlaces compares the bits that are set with those that should be.
func (c *check) bitfieldPlaces(o object, key string, fields []field) ([]Mismatch, error) {
	if len(fields) == 0 {
		return nil, nil
	}
	variables, err := o.variables()
	if err != nil {
		return nil, err
	}
	c.bitfields += len(fields)
	var list []Mismatch
	for i, f := range fields {
		v := variables[fmt.Sprintf("%sb%d", key, i)]
		if v == nil {
			return nil, fmt.Errorf("it lacks a variable of %s that it was given", f.entry.title())
		}
		first, count := setBits(v.data, isBig(c.view))
		at, size := f.offset, uint64(f.BitSize)
		if t := c.view.Type(c.view.Resolve(f.Type)); t.IntEncoding()&btfdump.IntBool != 0 {
			if isBig(c.view) {
				at += size - 1
			}
			size = 1 // the value is 1
		}
		if first != at || count != size {
			list = append(list, Mismatch{
				Type: f.entry.title(), Member: f.title, Aspect: AspectWidth,
				BTF:      fmt.Sprintf("%s at bit %d", width(uint32(size)), at),
				Compiler: fmt.Sprintf("%s at bit %d", width(uint32(count)), first),
			})
		}
	}
	return list, nil
}

// setBits returns the first bit that is set, as BTF counts bits in the byte
// order, and the number of them.
func setBits(data []byte, big bool) (first, count uint64) {
	for i, b := range data {
		if b == 0 {
			continue
		}
		if count == 0 {
			first = uint64(8*i + bits.TrailingZeros8(b))
			if big {
				first = uint64(8*i + bits.LeadingZeros8(b))
			}
		}
		count += uint64(bits.OnesCount8(b))
	}
	return first, count
}
