package btfdump

// MemberSet is a set of members of a view's records. A nil *MemberSet stands
// for all members. It may be read by several goroutines, but not while it is
// changed.
type MemberSet struct {
	whole   map[TypeID]bool
	members map[TypeID][]uint64 // bits, by index
}

// NewMemberSet returns an empty set.
func NewMemberSet() *MemberSet {
	return &MemberSet{whole: make(map[TypeID]bool), members: make(map[TypeID][]uint64)}
}

// Add puts a member, by its index, into the set and reports whether it was new
// there.
func (s *MemberSet) Add(record TypeID, index int) bool {
	if s.Has(record, index) {
		return false
	}
	words := s.members[record]
	for len(words) <= index/64 {
		words = append(words, 0)
	}
	words[index/64] |= 1 << (index % 64)
	s.members[record] = words
	return true
}

// AddAll puts all members of a record into the set and reports whether they
// had not been put there so before.
func (s *MemberSet) AddAll(record TypeID) bool {
	isNew := !s.whole[record]
	s.whole[record] = true
	return isNew
}

// Has reports whether a record's member is in the set.
func (s *MemberSet) Has(record TypeID, index int) bool {
	if s == nil || s.whole[record] {
		return true
	}
	words := s.members[record]
	return index/64 < len(words) && words[index/64]>>(index%64)&1 != 0
}
