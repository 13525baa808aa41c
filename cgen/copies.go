package cgen

import (
	"cmp"
	"slices"
)

// copies divides ambiguous types into classes, so that all types of a class are
// equal in the sense of [equality]. Types of different classes may be equal too.
// Types are numbers here: their places in equality.types.
type copies struct {
	contents []hash // of types, but for the ambiguous types that they refer to
	refs     []int32
	refsEnd  []int // of each type, where its references end in refs
	class    []int32
	size     []int // by class: the number of types
}

// maxRounds bounds how many references away a difference between types of one
// name can be. In kernels with all of their modules it is up to 28.
const maxRounds = 500

// readContents reads each type once, so that telling types apart takes no more
// than its references.
func (e *equality) readContents() error {
	e.contents, e.refsEnd = make([]hash, len(e.types)), make([]int, len(e.types))
	for i, t := range e.types {
		if e.budget--; e.budget < 0 {
			return typeError(e.view.Type(t.id), errTooMuch)
		}
		if !t.fwd {
			content, err := e.content(e.view.Type(t.id))
			if err != nil {
				return typeError(e.view.Type(t.id), err)
			}
			e.contents[i] = content
		}
		e.refsEnd[i] = len(e.refs)
	}
	return nil
}

// refsOf returns the ambiguous types that a type refers to.
func (c *copies) refsOf(i int32) []int32 {
	start := 0
	if i > 0 {
		start = c.refsEnd[i-1]
	}
	return c.refs[start:c.refsEnd[i]]
}

// A changed type is one that refers to a type whose class is new.
type changed struct {
	class   int32
	typ     int32
	content hash
}

// partition finds the classes. It starts with one for each name and kind, and
// divides those whose types differ, then those whose types refer to types in
// classes that were divided, and so on. When a class is divided, its largest
// part stays what it was, if all of the class is looked at, and else the part
// that need not be looked at: so, as Hopcroft has shown for automata, types are
// seldom looked at again.
func (e *equality) partition(groups [][]named) error {
	c := &e.copies
	work := c.begin(groups, e.types)
	users, usersEnd := c.users()
	content := make([]hash, len(c.size)) // by class: of those of its types that are not looked at
	var moved []int32
	waiting := make([]bool, len(e.types))
	for round := 0; len(work) > 0; round++ {
		if round == maxRounds {
			return typeError(e.view.Type(e.types[work[0].typ].id), errRounds)
		}
		for i := range work {
			w := &work[i]
			w.class = c.class[w.typ]
			w.content = c.contents[w.typ]
			for _, ref := range c.refsOf(w.typ) {
				w.content = w.content.word(uint64(c.class[ref]))
			}
			if e.budget -= 1 + len(c.refsOf(w.typ))/8; e.budget < 0 {
				return typeError(e.view.Type(e.types[w.typ].id), errRounds)
			}
		}
		slices.SortFunc(work, func(a, b changed) int {
			return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.content, b.content))
		})
		moved = moved[:0]
		for len(work) > 0 {
			n := 1
			for n < len(work) && work[n].class == work[0].class {
				n++
			}
			content, moved = c.divide(work[:n], content, moved)
			work = work[n:]
		}
		work = work[:0]
		for _, i := range moved {
			start := 0
			if i > 0 {
				start = usersEnd[i-1]
			}
			for _, user := range users[start:usersEnd[i]] {
				if !waiting[user] {
					waiting[user] = true
					work = append(work, changed{typ: user})
				}
			}
		}
		for _, w := range work {
			waiting[w.typ] = false
		}
	}
	return nil
}

// begin makes the first classes, and returns the types to look at: all but
// forward declarations, which have no contents.
func (c *copies) begin(groups [][]named, types []named) []changed {
	c.class = make([]int32, 0, len(types))
	work := make([]changed, 0, len(types))
	for _, g := range groups {
		var first [classNone][2]int32 // by class and whether it is a forward declaration, plus 1
		for _, t := range g {
			fwd := 0
			if t.fwd {
				fwd = 1
			} else {
				work = append(work, changed{typ: int32(len(c.class))})
			}
			at := &first[t.class][fwd]
			if *at == 0 {
				c.size = append(c.size, 0)
				*at = int32(len(c.size))
			}
			c.size[*at-1]++
			c.class = append(c.class, *at-1)
		}
	}
	return work
}

// users returns the types that refer to each type, one type's after the other's,
// and where each one's end.
func (c *copies) users() (users []int32, ends []int) {
	ends = make([]int, len(c.class)+1)
	for _, ref := range c.refs {
		ends[ref+1]++
	}
	for i := range c.class {
		ends[i+1] += ends[i]
	}
	users = make([]int32, len(c.refs))
	for i := range c.class {
		for _, ref := range c.refsOf(int32(i)) {
			users[ends[ref]] = int32(i)
			ends[ref]++
		}
	}
	return users, ends[:len(c.class)]
}

// divide divides a class, of which it is given the types that were looked at,
// sorted by content. It appends the contents of new classes to content, and
// their types to moved.
func (c *copies) divide(work []changed, content []hash, moved []int32) ([]hash, []int32) {
	class := work[0].class
	if len(work) == c.size[class] {
		most := 0
		eachContent(work, func(part []changed) {
			if len(part) > most {
				most, content[class] = len(part), part[0].content
			}
		})
	}
	eachContent(work, func(part []changed) {
		if part[0].content == content[class] {
			return
		}
		for _, w := range part {
			c.class[w.typ] = int32(len(c.size))
			moved = append(moved, w.typ)
		}
		c.size[class] -= len(part)
		c.size = append(c.size, len(part))
		content = append(content, part[0].content)
	})
	return content, moved
}

// eachContent calls f for each run of types with the same content.
func eachContent(work []changed, f func(part []changed)) {
	for len(work) > 0 {
		n := 1
		for n < len(work) && work[n].content == work[0].content {
			n++
		}
		f(work[:n])
		work = work[n:]
	}
}
