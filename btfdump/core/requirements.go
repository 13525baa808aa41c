package core

import (
	"fmt"
	"strings"

	"github.com/btfgen/btfgen/btfdump"
)

// What a program is attached to, and the struct_ops maps of an object.

// attachment looks up what a program is attached to. known is false if its
// prototype isn't known.
func (r *run) attachment(p *program) (s signature, known bool, findings []Finding) {
	a := p.attach
	if a.Target == "" {
		return s, false, nil // set by the loader
	}
	var f *Finding
	switch a.Kind {
	case AttachKprobe:
		f = r.kprobe(a)
	case AttachSyscall:
		f = r.syscall(a.Target)
	case AttachTracepoint:
		f = r.traceEvent(a.Target)
	case AttachRawTracepoint:
		f = r.tracepoint(a.Target)
	default:
		name, kind := a.typeInBTF()
		if name == "" {
			return s, false, nil
		}
		if f = r.typed(a, name, kind); f == nil {
			ids := r.kernel.Target.View.Lookup(name, kind)
			s, known = signatureOf(r.kernel.Target.View, a.Kind, ids[0])
			if a.Kind == AttachFmodRet && !strings.HasPrefix(a.Target, "security_") && !strings.Contains(a.Target, "_sys_") {
				f = &Finding{Verdict: MayFail, Reason: "whether its result may be replaced, BTF does not tell: the kernel allows it for functions of the LSM, system calls, and those marked for error injection"}
			}
		}
	}
	if f == nil {
		return s, known, nil
	}
	f.Subject, f.Name = AboutAttach, string(a.Kind)+"/"+plainSection(a.Target)
	f.place = place{p.function, 0}
	return s, known, []Finding{*f}
}

// typed looks up what BTF has to have for a program to be loaded.
func (r *run) typed(a Attach, name string, kind btfdump.Kind) *Finding {
	v := r.kernel.Target.View
	if ids := v.Lookup(name, kind); len(ids) > 0 {
		if _, ok := signatureOf(v, a.Kind, ids[0]); !ok {
			return &Finding{Verdict: Fails, Reason: fmt.Sprintf("what the kernel's BTF has as %s is no function", plainName(name))}
		}
		return nil
	}
	f := &Finding{Verdict: Fails}
	f.Reason = fmt.Sprintf("the kernel's BTF has no %s %s", map[btfdump.Kind]string{btfdump.KindFunc: "function", btfdump.KindTypedef: "typedef"}[kind], plainSection(name))
	switch {
	case a.Kind == AttachLSM || a.Kind == AttachLSMCgroup:
		if len(v.Lookup("bpf_lsm_file_open", btfdump.KindFunc)) == 0 {
			f.Reason = "the kernel has no hooks for BPF: it was built without CONFIG_BPF_LSM"
		}
		f.Instead = r.kernel.likeFunctions(name)
	case kind == btfdump.KindFunc:
		f.Instead = r.kernel.likeFunctions(name)
	}
	if a.Kind != AttachLSM && a.Kind != AttachLSMCgroup && !r.kernel.Complete {
		f.Verdict = MayFail
		f.Reason += r.otherModules()
	}
	return f
}

// isPattern reports whether a name stands for several functions.
func isPattern(name string) bool { return strings.ContainsAny(name, "*?[") }

// kprobe looks a function up that need not be in BTF.
func (r *run) kprobe(a Attach) *Finding {
	v := r.kernel.Target.View
	if isPattern(a.Target) || len(v.Lookup(a.Target, btfdump.KindFunc)) > 0 {
		return nil
	}
	return &Finding{
		Verdict: MayFail, Instead: r.kernel.likeFunctions(a.Target),
		Reason: "the kernel's BTF has no function of this name. It has not all that can be probed: /proc/kallsyms of a running kernel tells" + r.otherModules(),
	}
}

// syscall looks a system call's function up.
func (r *run) syscall(name string) *Finding {
	v := r.kernel.Target.View
	for _, prefix := range []string{"__x64_sys_", "__arm64_sys_", "__s390x_sys_", "__riscv_sys_", "__ia32_sys_", "__se_sys_", "__do_sys_", "sys_", "ksys_"} {
		if len(v.Lookup(prefix+name, btfdump.KindFunc)) > 0 {
			return nil
		}
	}
	return &Finding{Verdict: MayFail, Reason: "the kernel's BTF has no function of such a system call. It has not all that can be probed"}
}

// traceEvent looks up a trace event, "category/name".
func (r *run) traceEvent(target string) *Finding {
	category, name, ok := strings.Cut(target, "/")
	if !ok {
		return nil
	}
	if category == "syscalls" {
		for _, prefix := range []string{"sys_enter_", "sys_exit_"} {
			if call, ok := strings.CutPrefix(name, prefix); ok {
				return r.syscall(call)
			}
		}
	}
	return r.tracepoint(name)
}

// tracepoint looks up a tracepoint by the typedef that the kernel has for it
// since Linux 5.5.
func (r *run) tracepoint(name string) *Finding {
	v := r.kernel.Target.View
	if len(v.Lookup("btf_trace_"+name, btfdump.KindTypedef)) > 0 {
		return nil
	}
	f := &Finding{Verdict: MayFail, Reason: "the kernel's BTF has no tracepoint of this name" + r.otherModules()}
	if len(v.Lookup("btf_trace_sys_enter", btfdump.KindTypedef))+len(v.Lookup("btf_trace_sched_switch", btfdump.KindTypedef)) == 0 {
		f.Reason = "the kernel's BTF does not tell which tracepoints there are"
	}
	return f
}

// structOps compares the object's struct_ops maps with the kernel's types.
func (r *run) structOps() []Finding {
	var findings []Finding
	v := r.kernel.Target.View
	for t := range r.View.All() {
		if t.Kind() != btfdump.KindDatasec || t.Name() != ".struct_ops" && t.Name() != ".struct_ops.link" {
			continue
		}
		for i := range t.NumSectionVars() {
			variable := r.View.Type(t.SectionVar(i).Type)
			local := r.View.Type(r.View.Resolve(variable.Ref()))
			name := EssentialName(local.Name())
			f := Finding{Subject: AboutMap, Name: plainName(variable.Name()), Verdict: Fails, place: place{-1, len(r.Externs) + i}}
			ids := r.kernel.Target.Candidates(name, btfdump.KindStruct)
			if local.Kind() != btfdump.KindStruct {
				continue
			}
			if len(ids) == 0 || len(v.Lookup("bpf_struct_ops_"+name, btfdump.KindStruct)) == 0 {
				f.Reason = fmt.Sprintf("programs can't implement struct %s on this kernel%s", plainName(name), r.otherModules())
				if !r.kernel.Complete {
					f.Verdict = MayFail
				}
				findings = append(findings, f)
				continue
			}
			var content []byte
			if t.NumSectionVars() == 1 || t.Size() > 0 { // else linkers have not filled the offsets in yet
				content = r.contentOf(t.Name(), t.SectionVar(i).Offset, local.Size())
			}
			if r.compareOps(&f, local, v.Type(ids[0]), content) {
				findings = append(findings, f)
			}
		}
	}
	return findings
}

// contentOf returns what a variable in a section holds, nil if that is not known.
func (r *run) contentOf(section string, offset, size uint32) []byte {
	for i := range r.Sections {
		if s := &r.Sections[i]; s.Name == section && uint64(offset)+uint64(size) <= uint64(len(s.Data)) {
			return s.Data[offset : offset+size]
		}
	}
	return nil
}

// compareOps reports whether the kernel's struct lacks a member of the object's,
// or has it with another type.
func (r *run) compareOps(f *Finding, local, target btfdump.Type, content []byte) bool {
	v := r.kernel.Target.View
	members := make(map[string]btfdump.Member)
	for _, m := range target.Members() {
		members[m.Name] = m
	}
	for _, m := range local.Members() {
		if m.Name == "" {
			continue
		}
		name := EssentialName(m.Name)
		have, ok := members[name]
		l := r.View.Type(r.View.Resolve(m.Type))
		if !ok {
			f.Reason = fmt.Sprintf("struct %s has no member %s there", plainName(target.Name()), plainName(name))
			from, to := uint64(m.BitOffset/8), uint64(m.BitOffset/8)+r.View.SizeOf(m.Type)
			if to <= uint64(len(content)) && strings.Trim(string(content[from:to]), "\x00") != "" {
				f.Verdict = Fails
				return true
			}
			if l.Kind() == btfdump.KindPtr || to > uint64(len(content)) {
				// A pointer to a program is filled in by a relocation, and 0 in the file.
				f.Verdict = MayFail
				f.Reason += ", and the object may set it"
				return true
			}
			continue
		}
		t := v.Type(v.Resolve(have.Type))
		if !sameKind(l.Kind(), t.Kind()) || l.Kind() != btfdump.KindPtr && r.View.SizeOf(m.Type) != v.SizeOf(have.Type) {
			f.Verdict = Fails
			f.Reason = fmt.Sprintf("member %s of struct %s is %s there, and %s in the object", plainName(name), plainName(target.Name()), describeType(v, have.Type), describeType(r.View, m.Type))
			return true
		}
	}
	return false
}
