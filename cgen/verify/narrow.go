package verify

import (
	"context"
	"fmt"
	"slices"

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
	for changed := true; changed; {
		changed = false
		for t := range v.All() {
			if narrow[t.ID()] {
				continue
			}
			for _, m := range t.Members() {
				inner := v.Type(v.Resolve(m.Type))
				for inner.Kind() == btfdump.KindArray {
					inner = v.Type(v.Resolve(inner.Ref()))
				}
				if inner.Kind() == btfdump.KindPtr || narrow[inner.ID()] {
					narrow[t.ID()] = true
					changed = true
					break
				}
			}
		}
	}
	return narrow
}

// assertNarrow checks facts about such records.
func (c *check) assertNarrow(ctx context.Context, cc *clang, facts []fact) ([]Mismatch, error) {
	target := narrowTarget(c.view)
	arm, err := newClang(ctx, cc.path, target, cc.dir)
	if err != nil {
		return nil, err
	}
	arm.flags = slices.Clone(cc.flags)
	arm.flags[1] = target // see Header
	c.progress(fmt.Sprintf("%s: checking records with pointers for %s", cc.label(), target))
	// Records hold nothing there that BPF has and ARM lacks: __int128 is not in
	// 32-bit kernels.
	return c.assert(ctx, arm, "narrow.c", facts)
}
