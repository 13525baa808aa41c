package cgen

import "fmt"

// memberSet finds names that occur twice among the members of a record: C
// refuses them. It is reused from record to record.
type memberSet struct {
	slots []memberSlot // a power of two of them
	used  int
	round uint32 // slots of other rounds are free
}

type memberSlot struct {
	name  string
	hash  uint32
	round uint32
}

func (s *memberSet) reset() {
	s.round++
	s.used = 0
}

// add notes a member's name, an identifier with the given hash. The error says
// why C can't have it.
func (s *memberSet) add(name string, h hash) error {
	if 2*(s.used+1) > len(s.slots) {
		s.grow()
	}
	if !s.insert(name, uint32(h)) {
		return fmt.Errorf("member %.80q: another one has the same name", name)
	}
	return nil
}

func (s *memberSet) grow() {
	old, round := s.slots, s.round
	s.slots = fresh[memberSlot](max(64, 2*len(old)))
	s.round, s.used = 1, 0
	for _, slot := range old {
		if slot.round == round && slot.name != "" {
			s.insert(slot.name, slot.hash)
		}
	}
}

func (s *memberSet) insert(name string, h uint32) bool {
	i := h & uint32(len(s.slots)-1)
	for ; s.slots[i].round == s.round && s.slots[i].name != ""; i = (i + 1) & uint32(len(s.slots)-1) {
		if s.slots[i].hash == h && s.slots[i].name == name {
			return false
		}
	}
	s.slots[i] = memberSlot{name, h, s.round}
	s.used++
	return true
}
