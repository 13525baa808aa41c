package cgen

import (
	"fmt"
	"hash/maphash"
)

// memberSet finds names that occur twice among the members of a record: C
// refuses them. It is reused from record to record.
type memberSet struct {
	slots []memberSlot // a power of two of them
	used  int
	round uint32 // slots of other rounds are free
}

type memberSlot struct {
	name  string
	round uint32
}

// memberSeed keeps names from being made so that all go to one slot.
var memberSeed = maphash.MakeSeed()

func (s *memberSet) reset() {
	s.round++
	s.used = 0
}

// add notes a member's name. The error says why C can't have it.
func (s *memberSet) add(name string) error {
	if !isIdentifier(name) {
		return fmt.Errorf("member %.80q: its name is no C identifier", name)
	}
	if isKeyword(name) {
		return fmt.Errorf("member %.80q: its name is a keyword of C", name)
	}
	if 2*(s.used+1) > len(s.slots) {
		s.grow()
	}
	if !s.insert(name) {
		return fmt.Errorf("member %.80q: another one has the same name", name)
	}
	return nil
}

func (s *memberSet) grow() {
	old, round := s.slots, s.round
	s.slots = make([]memberSlot, max(64, 2*len(old)))
	s.round, s.used = 1, 0
	for _, slot := range old {
		if slot.round == round && slot.name != "" {
			s.insert(slot.name)
		}
	}
}

func (s *memberSet) insert(name string) bool {
	i := uint32(maphash.String(memberSeed, name)) & uint32(len(s.slots)-1)
	for ; s.slots[i].round == s.round && s.slots[i].name != ""; i = (i + 1) & uint32(len(s.slots)-1) {
		if s.slots[i].name == name {
			return false
		}
	}
	s.slots[i] = memberSlot{name, s.round}
	s.used++
	return true
}
