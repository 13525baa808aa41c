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
			if uint64(moved.first)+uint64(len(moved.offsets)) > maxTypes {
				return nil, formatErrorf("more than 2^31 types together")
			}
			levels = append(levels, &moved)
			parent = &moved
		}
	}
	return newView(levels), nil
}
