package core

// Calls: of helpers, of the kernel's functions, of the object's own.

// The helpers that matters here, by their numbers in enum bpf_func_id.
const (
	helperProbeRead          = 4
	helperProbeReadStr       = 45
	helperGetComm            = 16
	helperGetStack           = 67
	helperProbeReadUser      = 112
	helperProbeReadKernel    = 113
	helperProbeReadUserStr   = 114
	helperProbeReadKernelStr = 115
	helperDPath              = 147
	helperSnprintf           = 165
)

// writes are the helpers that write to memory that they are given: which
// argument is its address, and which its size.
var writes = map[int32][2]int{
	helperProbeRead: {1, 2}, helperProbeReadStr: {1, 2}, helperGetComm: {1, 2}, helperGetStack: {2, 3},
	helperProbeReadUser: {1, 2}, helperProbeReadKernel: {1, 2}, helperProbeReadUserStr: {1, 2}, helperProbeReadKernelStr: {1, 2},
	helperDPath: {2, 3}, helperSnprintf: {1, 2},
}

// readers are helpers that only read the memory that they are given: keys and
// values of maps, what is sent to user space, formats.
var readers = map[int32]bool{
	1: true, 2: true, 3: true, 6: true, 25: true, 130: true, // map_{lookup,update,delete}_elem, trace_printk, perf_event_output, ringbuf_output
	87: true, 107: true, 156: true, // map_push_elem, sk_storage_get, task_storage_get
}

// The helpers whose results are not just any number.
const (
	helperMapLookup        = 1
	helperGetSmpID         = 8
	helperGetLocalStorage  = 81
	helperGetTaskStack     = 141
	helperThisCPUPtr       = 154
	helperGetCurrentTask   = 158 // with BTF
	firstHelperNotLookedAt = 165
)

// pointers are helpers that return an address or null.
var pointers = map[int32]bool{
	84: true, 85: true, 95: true, 96: true, 98: true, 99: true, // sk_lookup_{tcp,udp}, sk_fullsock, tcp_sock, get_listener_sock, skc_lookup_tcp
	107: true, 131: true, 136: true, 137: true, 138: true, 139: true, 140: true, // sk_storage_get, ringbuf_reserve, skc_to_*
	145: true, 153: true, 156: true, 162: true, // inode_storage_get, per_cpu_ptr, task_storage_get, sock_from_file
}

// someAddress is the address of something in a kernel.
const someAddress = 0xffff_8881_2345_6000

// result returns what a helper returns: of some, the verifier knows a range, of
// others that they are no null pointers.
func (a *activation) result(at int, helper int32, s *state) value {
	f := a.flow
	get := func(samples ...uint64) value { return a.fresh(at, s, 0, 64, f.vector(samples)) }
	switch helper {
	case helperGetSmpID:
		return get(0)
	case helperProbeReadStr, helperProbeReadUserStr, helperProbeReadKernelStr:
		// An error, or how much was read, with the zero at the end.
		if size := s.registers[2]; size.kind == constant && size.n >= 1 && size.n < 1<<20 {
			return get(1<<64-14, 1, uint64(size.n))
		}
		return get(1<<64 - 14)
	case helperGetStack, helperGetTaskStack:
		return get(1<<64 - 14)
	case helperGetLocalStorage, helperThisCPUPtr, helperGetCurrentTask:
		return value{}
	case helperMapLookup:
		if f.mayLack != nil && f.mayLack(f, s.registers[1]) {
			return get(someAddress, 0)
		}
		return get(someAddress)
	}
	switch {
	case helper <= 0 || helper >= firstHelperNotLookedAt:
		return value{}
	case pointers[helper]:
		return get(someAddress, 0)
	}
	return get(f.vectors[a.anything(at, 64)]...)
}

// call follows a call. ok is false if it does not return.
func (a *activation) call(at int, in Instruction, s *state) (ok bool) {
	ref := a.reference(at)
	switch {
	case in.Opcode&sourceMask != 0:
		a.flow.giveUp("it calls a function whose address it computes")
		return false
	case ref != nil && ref.Kind == ReferenceFunction:
		return a.callFunction(at, ref.Index, s)
	case ref != nil && ref.Kind == ReferenceExtern && a.flow.missingKfunc(ref.Index):
		a.stop(stop{place{a.function, at}, stopKfunc, ref.Index}, s.doubt)
		return false
	case ref != nil && ref.Kind == ReferenceExtern, in.Src == callKfunc:
		a.callKernel(s, -1, value{})
		return true
	case in.Src == callLocal:
		// A call within the section: linkers that resolve relocations leave these.
		if f := a.localCallee(at, in); f >= 0 {
			return a.callFunction(at, f, s)
		}
		a.flow.giveUp("it calls something that is no function of the object")
		return false
	case in.Src != callHelper:
		return false
	}
	if !a.flow.hasHelper(in.Constant) {
		a.stop(stop{place{a.function, at}, stopHelper, int(in.Constant)}, s.doubt)
		return false
	}
	result := a.result(at, in.Constant, s)
	a.callKernel(s, in.Constant, result)
	return true
}

// localCallee returns the function that a call within a section is to, -1 if
// there is none.
func (a *activation) localCallee(at int, in Instruction) int {
	caller := &a.flow.object.Functions[a.function]
	offset := int64(caller.Offset) + (int64(at)+1+int64(in.Constant))*InstructionSize
	functions := a.flow.object.Functions
	for i := range functions {
		if functions[i].Section == caller.Section && int64(functions[i].Offset) == offset {
			return i
		}
	}
	return -1
}

// callFunction follows a call of a function of the object.
func (a *activation) callFunction(at, function int, s *state) (ok bool) {
	var arguments [5]value
	copy(arguments[:], s.registers[1:6])
	callee := a.flow.activate(function, arguments, false)
	if callee == nil {
		return false
	}
	site := callSite{at, callee}
	doubt := s.doubt
	if d, ok := a.calls[site]; ok {
		doubt = doubt.with(d)
	}
	a.calls[site] = doubt
	if len(callee.exits) == 0 {
		return false
	}
	a.afterCall(s, -1)
	// What the function compared, it compared of the caller's copies too.
	for _, v := range arguments {
		if v.kind == free {
			s.each(v.id, func(v value) value {
				v.n = 0
				return v
			})
		}
	}
	global := a.flow.isGlobal(function)
	for i, exit := range callee.exits {
		result := exit.result
		next := *s
		switch {
		case result.kind == free:
			result = a.fresh(at, &next, 0, result.width, result.n)
		case global && result.kind == constant:
			// The verifier takes it for any number, unless the function is hidden.
			result = a.fresh(at, &next, 0, 64, a.flow.vector([]uint64{uint64(result.n)}))
		}
		next.registers[0] = result
		next.doubt |= exit.doubt
		if i == len(callee.exits)-1 {
			*s = next
			return true
		}
		a.steps[at] |= stepNext
		a.work = append(a.work, pending{at + 1, next})
	}
	return true
}

// callKernel follows a call of a helper, or of a kfunc (helper -1).
func (a *activation) callKernel(s *state, helper int32, result value) {
	a.afterCall(s, helper)
	s.registers[0] = result
}

// afterCall forgets what a call may have changed.
func (a *activation) afterCall(s *state, helper int32) {
	touched := a.escaped
	for r := 1; r <= 5; r++ {
		touched = touched || s.registers[r].mayPointToStack()
	}
	if !touched || readers[helper] {
		a.clearArguments(s)
		return
	}
	to, known := writes[helper]
	if !known {
		a.forgetStack(s)
		a.clearArguments(s)
		return
	}
	pointer, size := s.registers[to[0]], s.registers[to[1]]
	switch {
	case pointer.kind == stacked, pointer.kind == frame && (size.kind != constant || size.n < 0 || size.n > stackSlots*8):
		a.forgetStack(s)
	case pointer.kind == frame:
		from := pointer.n + stackSlots*8
		for i := range stackSlots {
			low, high := int64(i)*8, int64(i)*8+8
			switch {
			case from <= low && high <= from+size.n:
				// Of what was read the verifier knows nothing.
				s.setSlot(i, value{kind: free, width: 64})
			case low < from+size.n && from < high && (s.stack[i].kind != free || s.stack[i].id != 0):
				part := value{kind: mixed}
				if s.stack[i].kind == mixed {
					part.width = s.stack[i].width
				}
				for b := max(low, from); b < min(high, from+size.n); b++ {
					part.width |= 1 << (b - low)
				}
				s.setSlot(i, part)
			}
		}
	}
	a.clearArguments(s)
}

func (a *activation) clearArguments(s *state) {
	for r := 1; r <= 5; r++ {
		s.registers[r] = value{}
	}
}
