package gogen

import (
	"strconv"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// A BitfieldPlace is where the methods of a bitfield look for it, for tests
// that ask a C compiler for the same.
type BitfieldPlace struct {
	Record btfdump.TypeID // a record with a name, or a typedef of one without
	Path   string         // the designator in C: ".a.b[0].c"
	Bits   []int          // each bit, from the record's start: 8 times the byte, plus the bit's significance
}

// BitfieldPlaces returns the places of all bitfields of a view, also those of
// types without a name in other records.
func BitfieldPlaces(v *btfdump.View) ([]BitfieldPlace, error) {
	n, err := newNames(v, "", nil)
	if err != nil {
		return nil, err
	}
	p := &plan{view: v, names: n, layouter: newLayouter(v), big: v.ByteOrder().String() == "BigEndian"}
	needed, err := p.need(nil)
	if err != nil {
		return nil, err
	}
	p.choose(needed)
	var places []BitfieldPlace
	for _, u := range p.units {
		if u.kind == unitRecord {
			places = appendPlaces(places, p, u.id, v.Resolve(u.id), "", 0)
		}
	}
	return places, nil
}

func appendPlaces(places []BitfieldPlace, p *plan, root, id btfdump.TypeID, path string, base int) []BitfieldPlace {
	l := p.known[id]
	r := &recordPrinter{printer: newPrinter(p), layout: l}
	for _, f := range l.leaves {
		r.leaves = append(r.leaves, f.name)
	}
	for i := range l.leaves {
		f := &l.leaves[i]
		if f.bits == 0 {
			if f.value.class == classRecord && f.value.namer == 0 && f.value.bytes() > 0 {
				places = appendPlaces(places, p, root, f.value.id, path+"."+f.name+strings.Repeat("[0]", len(f.value.dims)), base+int(f.off))
			}
			continue
		}
		place := BitfieldPlace{Record: root, Path: path + "." + f.name}
		ranges := []bitRange{r.bits(f, f.bit, min(f.bits, 64))}
		if f.bits > 64 {
			high, low := r.halves(f)
			ranges = []bitRange{high, low}
		}
		for _, part := range ranges {
			// "x.bits8[2:4]": what the generated code indexes
			name, index, _ := strings.Cut(strings.TrimPrefix(part.first, "x."), "[")
			start, _ := strconv.Atoi(strings.TrimSuffix(index, "]"))
			for j := range l.slots {
				if r.field(j) == name {
					start += int(l.slots[j].off)
				}
			}
			for b := range int(part.width) {
				bit := int(part.low) + b
				at := start + bit/8
				if p.big {
					at = start + int(part.count) - 1 - bit/8
				}
				place.Bits = append(place.Bits, 8*(base+at)+bit%8)
			}
		}
		places = append(places, place)
	}
	return places
}
