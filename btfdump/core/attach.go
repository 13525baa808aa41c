package core

import (
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// AttachKind is what a program is attached to, by the name that section names
// start with: Documentation/bpf/libbpf/program_types.rst of the kernel.
type AttachKind string

// The kinds that ask something of a kernel. Programs of others, such as xdp,
// have the first part of their section's name as their kind.
const (
	AttachFentry        AttachKind = "fentry"   // a function's start,
	AttachFexit         AttachKind = "fexit"    // its end,
	AttachFsession      AttachKind = "fsession" // both,
	AttachFmodRet       AttachKind = "fmod_ret" // or in place of its result
	AttachLSM           AttachKind = "lsm"
	AttachLSMCgroup     AttachKind = "lsm_cgroup"
	AttachIter          AttachKind = "iter"
	AttachStructOps     AttachKind = "struct_ops"
	AttachTPBTF         AttachKind = "tp_btf" // a tracepoint, with typed arguments
	AttachRawTracepoint AttachKind = "raw_tp"
	AttachTracepoint    AttachKind = "tp" // a trace event
	AttachKprobe        AttachKind = "kprobe"
	AttachKprobeMulti   AttachKind = "kprobe.multi"
	AttachSyscall       AttachKind = "ksyscall"
)

// attachKinds are the names that differ from those of their kinds.
var attachKinds = map[string]AttachKind{
	"raw_tracepoint": AttachRawTracepoint, "raw_tp.w": AttachRawTracepoint, "raw_tracepoint.w": AttachRawTracepoint,
	"tracepoint": AttachTracepoint, "kretprobe": AttachKprobe, "kretsyscall": AttachSyscall,
	"kretprobe.multi": AttachKprobeMulti, "kprobe.session": AttachKprobeMulti, "ksession": AttachKprobeMulti,
}

// Attach is what a program is for.
type Attach struct {
	Kind AttachKind
	// Target is what it is attached to: a function, a tracepoint, a trace event
	// as "category/name", a hook of the LSM, the name of an iterator. It is "" if
	// the section's name doesn't say.
	Target string
	// Module is the module that Target is looked for in, as in "mod:function".
	Module string
	// Optional is true if the loader loads the program only if it is told to:
	// SEC("?...").
	Optional bool
}

// Attach returns what one of the object's programs is for, from the name of its
// section.
func (o *Object) Attach(function int) Attach {
	var a Attach
	section := o.Functions[function].Section
	section, a.Optional = strings.CutPrefix(section, "?")
	prefix, target, _ := strings.Cut(section, "/")
	sleepable := strings.TrimSuffix(prefix, ".s")
	a.Kind = AttachKind(sleepable)
	if kind, ok := attachKinds[sleepable]; ok {
		a.Kind = kind
	}
	switch a.Kind {
	case AttachFentry, AttachFexit, AttachFsession, AttachFmodRet:
		if module, rest, ok := strings.Cut(target, ":"); ok {
			a.Module, target = module, rest
		}
	case AttachKprobe:
		target, _, _ = strings.Cut(target, "+") // an offset into the function
		if module, rest, ok := strings.Cut(target, ":"); ok {
			a.Module, target = module, rest
		}
	}
	a.Target = target
	return a
}

// isTyped reports whether the program's context holds the arguments of a kernel
// function, with the types that BTF gives them.
func (a Attach) isTyped() bool {
	switch a.Kind {
	case AttachFentry, AttachFexit, AttachFsession, AttachFmodRet, AttachLSM, AttachLSMCgroup, AttachIter, AttachStructOps, AttachTPBTF:
		return true
	}
	return false
}

// hasNumbers reports whether the program's context holds nothing but numbers to
// the verifier: registers, and arguments without types.
func (a Attach) hasNumbers() bool {
	switch a.Kind {
	case AttachKprobe, AttachKprobeMulti, AttachSyscall, AttachTracepoint, AttachRawTracepoint,
		"uprobe", "uretprobe", "uprobe.multi", "uretprobe.multi", "uprobe.session", "usdt", "perf_event", "syscall":
		return true
	}
	return false
}

// typeInBTF returns the type that libbpf looks up to attach the program: its
// name and kind; "" if it looks up none.
func (a Attach) typeInBTF() (name string, kind btfdump.Kind) {
	if a.Target == "" {
		return "", 0
	}
	switch a.Kind {
	case AttachFentry, AttachFexit, AttachFsession, AttachFmodRet:
		return a.Target, btfdump.KindFunc
	case AttachLSM, AttachLSMCgroup:
		return "bpf_lsm_" + a.Target, btfdump.KindFunc
	case AttachIter:
		return "bpf_iter_" + a.Target, btfdump.KindFunc
	case AttachTPBTF:
		return "btf_trace_" + a.Target, btfdump.KindTypedef
	}
	return "", 0
}

// A signature is the prototype of what a program is attached to.
type signature struct {
	proto btfdump.Type
	skip  int // how many of its parameters the program does not see
	// slots is how many slots of 8 bytes the program's context has.
	slots int
	// result is the slot of the function's result, -1 if the context has none.
	result int
}

// signatureOf returns the prototype of a function or tracepoint; ok is false if
// the type is none of those.
func signatureOf(v *btfdump.View, kind AttachKind, id btfdump.TypeID) (s signature, ok bool) {
	t := v.Type(id)
	switch t.Kind() {
	case btfdump.KindFunc:
		s.proto = v.Type(t.Ref())
	case btfdump.KindTypedef: // void (*btf_trace_NAME)(void *, arguments)
		pointer := v.Type(v.Resolve(id))
		if pointer.Kind() != btfdump.KindPtr {
			return s, false
		}
		s.proto = v.Type(v.Resolve(pointer.Ref()))
		s.skip = 1
	}
	if s.proto == (btfdump.Type{}) || s.proto.Kind() != btfdump.KindFuncProto {
		return s, false
	}
	for i, p := range s.proto.Params() {
		if i < s.skip {
			continue
		}
		// A struct that is passed by value takes as many slots as it needs.
		s.slots += max(1, int((min(v.SizeOf(p.Type), 1<<16)+7)/8))
	}
	s.result = -1
	result := v.Type(v.Resolve(s.proto.Ref())).Kind()
	switch kind {
	case AttachFexit, AttachFsession, AttachFmodRet, AttachLSM, AttachLSMCgroup:
		if result != btfdump.KindVoid {
			s.result = s.slots
			s.slots++
		}
	}
	return s, true
}

// parameter returns the type of the value in a slot; ok is false if it is not
// the first slot of a parameter.
func (s signature) parameter(v *btfdump.View, slot int) (btfdump.TypeID, bool) {
	at := 0
	for i, p := range s.proto.Params() {
		if i < s.skip {
			continue
		}
		if at == slot {
			return p.Type, true
		}
		at += max(1, int((min(v.SizeOf(p.Type), 1<<16)+7)/8))
	}
	if slot == s.result {
		return s.proto.Ref(), true
	}
	return 0, false
}
