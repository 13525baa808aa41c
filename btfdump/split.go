package btfdump

// NewSplit checks a blob of split BTF, as kernel modules have, and returns a
// view of it and its base together: type IDs and string offsets go on from
// where those of base end. The base may itself be split, but not made by
// [Join]: the blob's IDs would have no meaning there.
func NewSplit(raw []byte, base *View) (*View, error) {
	for i, l := range base.levels {
		if i > 0 && l.base != base.levels[i-1] {
			return nil, formatErrorf("the base of split BTF can't be a join of several modules")
		}
	}
	l, err := newLevel(raw, base.top())
	if err != nil {
		return nil, err
	}
	return newView(append(base.levels[:len(base.levels):len(base.levels)], l)), nil
}

// Join returns one view of several split views of the same base. The base's
// types keep their IDs; those of the splits follow in the order given, so that
// all are distinct. Each of splits must have been made by [NewSplit] on base.
func Join(base *View, splits ...*View) (*View, error) {
	levels := base.levels[:len(base.levels):len(base.levels)]
	for i, s := range splits {
		n := len(base.levels)
		if len(s.levels) <= n || s.levels[n-1] != base.levels[n-1] {
			return nil, formatErrorf("view %d to be joined is not split BTF on the given base", i)
		}
		parent := base.levels[n-1]
		for _, l := range s.levels[n:] {
			moved := *l
			moved.base = parent
			moved.first = levels[len(levels)-1].end()
			moved.plain = l.plain && moved.first == moved.firstRaw
			if uint64(moved.first)+uint64(len(moved.offsets)) > maxTypes {
				return nil, formatErrorf("more than 2^31 types together")
			}
			levels = append(levels, &moved)
			parent = &moved
		}
	}
	return newView(levels), nil
}

// FitsBase looks for signs that a split view stands on another base than the one
// it was made for, which need not show in any range: names that start in the
// middle of a string. Nothing in BTF names the base. An error says which type
// is at fault; nil is no proof. What merges strings with the ends of others,
// which no encoder of split BTF does, would be reported too.
func (v *View) FitsBase() error {
	top := v.top()
	for i, off := range top.offsets {
		t := Type{level: top, off: off, info: top.word(off + 4), id: top.first + TypeID(i)}
		if t.Kind() >= numKinds {
			continue
		}
		whole := top.startsString(t.u32(0))
		t.names(func(at uint32) { whole = whole && top.startsString(t.u32(at)) })
		if !whole {
			return errorAt(t, "a name starts in the middle of another, so its base is a different one")
		}
	}
	return nil
}

// startsString says whether the string at an offset is a whole one.
func (l *level) startsString(off uint32) bool {
	if off == 0 {
		return true
	}
	for off < l.strStart {
		l = l.base
	}
	off -= l.strStart
	return off == 0 || int(off) < len(l.strings) && l.strings[off-1] == 0
}
