package btftest

// record adds a struct or union whose members mostly lie where C puts them.
func (g *randomTypes) record(b *Builder, name string) ID {
	n := g.r.IntN(7)
	if g.is(oddRecords, 30) {
		n = 0
	} else if n == 0 && !g.odd[oddRecords] {
		n = 1
	}
	union := g.chance(25)
	packed := g.is(oddPacking, 60)
	seen := map[string]bool{}
	var members []Member
	var end, align uint64 = 0, 1 // bits, bytes
	for range n {
		m, size, a := g.member(seen)
		if packed {
			a = 1
		}
		at := end
		switch {
		case union:
			at = 0
		case m.BitSize == 0:
			at = (end + 8*a - 1) &^ (8*a - 1)
		case end%(8*a)+uint64(m.BitSize) > 8*size && !packed:
			at = (end + 8*a - 1) &^ (8*a - 1)
		}
		switch {
		case g.is(oddGaps, 10) && !union:
			at += 8 * g.pick(1, 8, 16, 4096, 1<<20, 1<<26, 1<<28)
		case union && g.chance(98):
		case g.chance(5) && m.BitSize == 0:
			at += 8 * g.pick(1, a, 2*a, 8)
		case g.is(oddPlaces, 15):
			at -= min(at, 8*g.pick(1, a))
		case m.BitSize != 0 && g.is(oddBitfields, 20):
			at += uint64(g.r.IntN(9))
		}
		if at >= 1<<32 {
			at = 0
		}
		m.Offset = uint32(at)
		bits := 8 * size
		if m.BitSize != 0 {
			bits = uint64(m.BitSize)
		}
		end, align = max(end, at+bits), max(align, a)
		members = append(members, m)
	}
	if hasBitfield(members) {
		for i := range members {
			if members[i].Offset >= 1<<24 {
				members[i].Offset &= 1<<24 - 8
			}
		}
	}
	size := (end + 8*align - 1) / (8 * align) * align
	switch {
	case g.is(oddSizes, 30):
		size = g.pick(size+1, size+align, (end+7)/8, size*2, size+100, max(size, 1)-1)
	case g.is(oddGaps, 10):
		size += g.pick(1<<20, 1<<29, 1<<31)
	case g.is(oddRecords, 20) && n == 0:
		size = g.pick(0, 1, 3, 8, 24, 1<<20, 1<<29, 1<<31, 1<<32-1)
	}
	if g.is(oddPlaces, 20) {
		g.r.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	}
	size = min(size, 1<<32-1)
	kind := KindStruct
	if union {
		kind = KindUnion
	}
	id := b.composite(kind, name, uint32(size), hasBitfield(members) || g.chance(10) && maxOffset(members) < 1<<24, members)
	if b == g.b {
		g.addValue(id, size, align, 0)
		g.records = append(g.records, id)
	}
	return id
}

func maxOffset(members []Member) (most uint32) {
	for _, m := range members {
		most = max(most, m.Offset)
	}
	return most
}

// member returns a member without its place, and the size and alignment of its
// type.
func (g *randomTypes) member(seen map[string]bool) (m Member, size, align uint64) {
	t := g.value()
	m = Member{Name: g.name(), Type: t.id}
	for (!g.odd[oddNames] || g.chance(90)) && seen[m.Name] {
		m.Name += "_"
	}
	seen[m.Name] = true
	switch {
	case g.is(oddVoid, 10) || g.is(oddForwards, 5):
		m.Type = g.any()
		return m, t.size, t.align
	case t.bits > 0 && (g.chance(20) || g.is(oddBitfields, 50)):
		most := t.bits
		if g.is(oddBitfields, 20) {
			most = uint32(8*t.size) + 1
		}
		m.BitSize = min(1+g.r.Uint32N(max(most, 1)), 255)
		if g.is(oddUnnamed, 15) {
			m.Name = ""
		}
	case g.is(oddLegacy, 50):
		size := uint32(g.pick(1, 2, 4, 8))
		bits := 1 + g.r.Uint32N(8*size)
		offset := uint32(0)
		if g.chance(30) {
			offset = g.r.Uint32N(8*size - bits + 1)
		}
		m.Type = g.b.IntBits(randomInts[g.r.IntN(len(randomInts))].name, size, g.r.Uint32N(2), offset, bits)
		return m, uint64(size), uint64(size)
	case g.is(oddUnnamed, 30), t.bits == 0 && g.chance(15):
		m.Name = ""
	}
	return m, t.size, t.align
}
