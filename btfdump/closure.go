package btfdump

// Policy says what a closure does at a pointer to a record.
type Policy uint8

const (
	// PointersForward leaves records out that are only pointed to: a forward
	// declaration is enough for them.
	PointersForward Policy = iota
	// PointersFollowed takes those records in too, and what they need.
	PointersFollowed
)

// Closure returns the types that a declaration of the roots needs, and the
// roots. Typedefs and enums are needed wherever they are mentioned; records
// where they are members, elements, or the unnamed target of anything.
// The time taken is linear in the size of the result.
func (v *View) Closure(roots []TypeID, policy Policy) *Set {
	return v.ClosureOf(roots, policy, nil)
}

// ClosureOf is [View.Closure] for records that keep only the members of a set:
// the others need nothing. nil stands for all members.
func (v *View) ClosureOf(roots []TypeID, policy Policy, members *MemberSet) *Set {
	c := closure{view: v, policy: policy, members: members, set: v.NewSet(), mentioned: v.NewSet()}
	for _, id := range roots {
		c.define(id)
	}
	for len(c.todo) > 0 {
		id := c.todo[len(c.todo)-1]
		c.todo = c.todo[:len(c.todo)-1]
		c.expand(v.Type(id))
	}
	return c.set
}

type closure struct {
	view    *View
	policy  Policy
	members *MemberSet // those that records keep
	set     *Set       // what is to be declared
	// mentioned are the types whose names, but not values, are used. They are
	// in set too unless a forward declaration can stand for them.
	mentioned *Set
	todo      []TypeID // in set, not expanded yet
}

// define adds a type whose values are used.
func (c *closure) define(id TypeID) {
	if id != 0 && c.set.Add(id) {
		c.todo = append(c.todo, id)
	} else if id != 0 {
		c.complete(id)
	}
}

// complete adds the record that a typedef or qualifier which is only mentioned
// so far stands for.
func (c *closure) complete(id TypeID) {
	if c.view.Type(id).Kind().IsModifier() {
		if id := c.view.Resolve(id); id != 0 && c.set.Add(id) {
			c.todo = append(c.todo, id)
		}
	}
}

// mention adds a type whose name is used behind a pointer.
func (c *closure) mention(id TypeID) {
	for id != 0 && c.mentioned.Add(id) {
		t := c.view.Type(id)
		k := t.Kind()
		if (k.IsRecord() || k == KindFwd) && t.HasName() && c.policy == PointersForward {
			return
		}
		if !c.set.Add(id) {
			return
		}
		if !k.IsModifier() {
			c.todo = append(c.todo, id)
			return
		}
		id = t.Ref() // a qualifier's or typedef's target is only mentioned too
	}
}

// expand visits what a type of the set refers to.
func (c *closure) expand(t Type) {
	switch k := t.Kind(); k {
	case KindStruct, KindUnion:
		for i := range t.NumMembers() {
			if c.members.Has(t.ID(), i) {
				m, _ := t.MemberPlace(i)
				c.define(m.Type)
			}
		}
	case KindPtr, KindFunc, KindDeclTag:
		c.mention(t.Ref())
	case KindFuncProto:
		c.mention(t.Ref())
		for _, p := range t.Params() {
			c.mention(p.Type)
		}
	case KindArray, KindVar:
		c.define(t.Ref())
	case KindDatasec:
		for i := range t.NumSectionVars() {
			c.define(t.SectionVar(i).Type)
		}
	default:
		if k.IsModifier() {
			c.mention(t.Ref())
			c.complete(t.ID())
		}
	}
}
