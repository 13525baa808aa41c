package goldens_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/cgen"
	"github.com/btfgen/btfgen/cgen/verify"
	"github.com/btfgen/btfgen/goldens/btftest"
	"github.com/btfgen/btfgen/goldens/clangtest"
)

// verifyText verifies the text of a header.
func verifyText(t *testing.T, v *btfdump.View, text string, c clangtest.Clang, fast bool) *verify.Report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vmlinux.h")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := verify.Header(context.Background(), path, v, nil, verify.Options{Clang: c.Name, Fast: fast})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mustHold verifies a header with the newest clang in full, and fast with the
// others.
func mustHold(t *testing.T, v *btfdump.View, text string) *verify.Report {
	t.Helper()
	return mustHoldWith(t, v, text, clangtest.Compilers(t))
}

// mustHoldWith is mustHold for those clangs alone, of which the last looks at all.
func mustHoldWith(t *testing.T, v *btfdump.View, text string, all []clangtest.Clang) *verify.Report {
	t.Helper()
	all = slices.Clone(all)
	slices.Reverse(all)
	var full *verify.Report
	for i, c := range all {
		r := verifyText(t, v, text, c, i > 0)
		full = cmp.Or(full, r)
		for _, e := range r.Errors {
			t.Errorf("%s: does not compile: %s", c.Name, e)
		}
		for _, m := range r.Mismatches[:min(len(r.Mismatches), 10)] {
			t.Errorf("%s: %+v", c.Name, m)
		}
		if len(r.Mismatches) > 10 {
			t.Errorf("%s: %d mismatches", c.Name, len(r.Mismatches))
		}
		if len(r.Absent) > 0 {
			t.Errorf("%s: absent: %q", c.Name, r.Absent[:min(len(r.Absent), 10)])
		}
	}
	return full
}

// Every kernel of the corpus, with all of its modules at once.
func TestKernelsHold(t *testing.T) {
	for _, k := range btftest.Kernels {
		if k.Base != "" {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			var modules [][]byte
			for _, m := range btftest.Kernels {
				if m.Base == k.Name {
					modules = append(modules, btftest.Corpus(t, m.Name))
				}
			}
			v := readView(t, btftest.Corpus(t, k.Name), modules...)
			_, text := header(t, v, cgen.Options{Kfuncs: true})
			compilers := clangtest.Compilers(t)
			if k.Name != "amd64-7.2-cloud" && len(compilers) > 2 { // the oldest and the newest do for the others
				compilers = []clangtest.Clang{compilers[0], compilers[len(compilers)-1]}
			}
			r := mustHoldWith(t, v, text, compilers)
			// What was compared is the bulk of the BTF: a kernel has some 9,000
			// records and enums in 120,000 types. btf_testmod's base has 140.
			n := r.Counts
			if compared := n.Records + n.Enums + n.Typedefs; compared < v.NumTypes()/20 || n.ReadBack < compared || n.Assertions < compared {
				t.Errorf("of %d types, %+v was compared", v.NumTypes(), n)
			}
			withMembers := map[string]bool{}
			for typ := range v.All() {
				if typ.HasName() && typ.NumMembers() > 0 {
					withMembers[typ.Name()] = true
				}
			}
			if n.Relocations < len(withMembers)*9/10 {
				t.Errorf("of %d records with members, %d had an access tried", len(withMembers), n.Relocations)
			}
			if narrow := v.PointerSize() == 4; narrow != (r.PointerClass > 1000) {
				t.Errorf("pointers have %d bytes, and %d records are in the pointer class", v.PointerSize(), r.PointerClass)
			}
		})
	}
}

// mutation is a mistake in a header.
type mutation struct {
	what     string
	in       string // start of the declaration
	old, new string // in it; the declaration as a whole if old is ""
	want     []verify.Mismatch
	fast     bool   // --fast finds it too
	absent   string // instead of want
}

func mismatch(typ, member string, a verify.Aspect) verify.Mismatch {
	return verify.Mismatch{Type: typ, Member: member, Aspect: a}
}

var mutations = []mutation{
	{what: "member deleted", in: "struct udphdr {", old: "\t__be16 len;\n", fast: true, want: []verify.Mismatch{
		mismatch("struct udphdr", "len", verify.AspectMember), mismatch("struct udphdr", "check", verify.AspectOffset), mismatch("struct udphdr", "", verify.AspectSize)}},
	{what: "members swapped", in: "struct arphdr {", old: "__be16 ar_hrd;\n\t__be16 ar_pro;", new: "__be16 ar_pro;\n\t__be16 ar_hrd;", fast: true, want: []verify.Mismatch{
		mismatch("struct arphdr", "ar_hrd", verify.AspectOffset), mismatch("struct arphdr", "ar_pro", verify.AspectOffset)}},
	{what: "offset shifted", in: "struct igmphdr {", old: "\t__be32 group;", new: "\tint: 32;\n\t__be32 group;", fast: true, want: []verify.Mismatch{
		mismatch("struct igmphdr", "group", verify.AspectOffset)}},
	{what: "member renamed", in: "struct vlan_hdr {", old: "h_vlan_TCI", new: "h_vlan_tci", want: []verify.Mismatch{
		mismatch("struct vlan_hdr", "h_vlan_TCI", verify.AspectMember), mismatch("struct vlan_hdr", "h_vlan_tci", verify.AspectMember)}},
	{what: "member added", in: "struct itimerspec64 {", old: "struct timespec64 it_value;", new: "struct timespec64 it_value;\n\tint it_more[0];", want: []verify.Mismatch{
		mismatch("struct itimerspec64", "it_more", verify.AspectMember)}},
	{what: "enumerator changed", in: "enum xdp_action {", old: "XDP_TX = 3", new: "XDP_TX = 7", fast: true, want: []verify.Mismatch{
		mismatch("enum xdp_action", "XDP_TX", verify.AspectValue)}},
	{what: "enumerator deleted", in: "enum tcp_ca_state {", old: "\tTCP_CA_Loss = 4,\n", fast: true, want: []verify.Mismatch{
		mismatch("enum tcp_ca_state", "TCP_CA_Loss", verify.AspectMember)}},
	{what: "enumerator added", in: "enum pid_type {", old: "PIDTYPE_MAX = 4", new: "PIDTYPE_MAX = 4, PIDTYPE_MORE = 5", fast: true, want: []verify.Mismatch{
		mismatch("enum pid_type", "PIDTYPE_MORE", verify.AspectMember)}},
	{what: "value in an anonymous enum changed", in: "enum {\n\tAAFS_LOADDATA_ABI", old: "AAFS_LOADDATA_REVISION = 1", new: "AAFS_LOADDATA_REVISION = 77", fast: true, want: []verify.Mismatch{
		mismatch("enum {AAFS_LOADDATA_ABI, …}", "AAFS_LOADDATA_REVISION", verify.AspectValue)}},
	{what: "enum became signed", in: "enum migrate_mode {", old: "MIGRATE_ASYNC = 0", new: "MIGRATE_ASYNC = -1", fast: true, want: []verify.Mismatch{
		mismatch("enum migrate_mode", "", verify.AspectSign), mismatch("enum migrate_mode", "MIGRATE_ASYNC", verify.AspectValue)}},
	{what: "packed removed from an enum", in: "enum rw_hint {", old: " __attribute__((packed))", fast: true, want: []verify.Mismatch{
		mismatch("enum rw_hint", "", verify.AspectSize)}},
	{what: "bitfield widened", in: "struct bpf_insn {", old: "dst_reg: 4;\n\t__u8 src_reg: 4;", new: "dst_reg: 5;\n\t__u8 src_reg: 3;", want: []verify.Mismatch{
		mismatch("struct bpf_insn", "dst_reg", verify.AspectWidth), mismatch("struct bpf_insn", "src_reg", verify.AspectWidth), mismatch("struct bpf_insn", "src_reg", verify.AspectOffset)}},
	{what: "bitfield made a member", in: "struct iphdr {", old: "__u8 ihl: 4;\n\t__u8 version: 4;", new: "__u8 ihl;", want: []verify.Mismatch{
		mismatch("struct iphdr", "ihl", verify.AspectWidth), mismatch("struct iphdr", "version", verify.AspectMember)}},
	{what: "typedef of the other sign", in: "typedef unsigned int vm_fault_t;", old: "unsigned int", new: "int", want: []verify.Mismatch{
		mismatch("typedef vm_fault_t", "", verify.AspectType)}},
	{what: "typedef of another size", in: "typedef unsigned int __poll_t;", old: "unsigned int", new: "unsigned long", fast: true, want: []verify.Mismatch{
		mismatch("typedef __poll_t", "", verify.AspectType), mismatch("typedef __poll_t", "", verify.AspectSize)}},
	{what: "parameter of a function pointer", in: "typedef void (*kthread_work_func_t)", old: "struct kthread_work *", new: "struct work_struct *", want: []verify.Mismatch{
		mismatch("typedef kthread_work_func_t", "", verify.AspectType)}},
	// A record that another one mentions before it is defined gets the mark from there.
	{what: "CO-RE mark removed", in: "struct rlimit {", old: " __co_re;", new: ";", want: []verify.Mismatch{
		mismatch("struct rlimit", "rlim_cur", verify.AspectRelocation)}},
	{what: "packed removed", in: "struct e820_entry {", old: " __attribute__((packed, aligned(4)))", fast: true, want: []verify.Mismatch{
		mismatch("struct e820_entry", "", verify.AspectSize)}},
	{what: "alignment added", in: "struct rusage {", old: "} __co_re", new: "} __attribute__((aligned(32))) __co_re", fast: true, want: []verify.Mismatch{
		mismatch("struct rusage", "", verify.AspectSize)}},
	{what: "member of the other sign", in: "struct sched_attr {", old: "__s32 sched_nice", new: "__u32 sched_nice", want: []verify.Mismatch{
		mismatch("struct sched_attr", "sched_nice", verify.AspectType)}},
	{what: "pointer to something else", in: "struct robust_list_head {", old: "struct robust_list *list_op", new: "struct list_head *list_op", want: []verify.Mismatch{
		mismatch("struct robust_list_head", "list_op_pending", verify.AspectType)}},
	{what: "const lost", in: "struct qstr {", old: "const unsigned char", new: "unsigned char", want: []verify.Mismatch{
		mismatch("struct qstr", "name", verify.AspectType)}},
	{what: "array shortened", in: "struct ethhdr {", old: "h_source[6]", new: "h_source[4]", fast: true, want: []verify.Mismatch{
		mismatch("struct ethhdr", "h_source", verify.AspectType), mismatch("struct ethhdr", "h_proto", verify.AspectOffset)}},
	{what: "members of an anonymous record swapped", in: "struct icmphdr {", old: "__be16 id;\n\t\t\t__be16 sequence;", new: "__be16 sequence;\n\t\t\t__be16 id;", fast: true, want: []verify.Mismatch{
		mismatch("struct icmphdr", "un.echo.id", verify.AspectOffset), mismatch("struct icmphdr", "un.echo.sequence", verify.AspectOffset)}},
	{what: "kfunc's result changed", in: "extern u64 bpf_dynptr_size(", old: "u64", new: "u32", want: []verify.Mismatch{
		mismatch("function bpf_dynptr_size", "", verify.AspectType)}},
	{what: "kfunc's parameter lost", in: "extern struct task_struct *bpf_task_from_pid(", old: "s32 pid", new: "void", want: []verify.Mismatch{
		mismatch("function bpf_task_from_pid", "", verify.AspectType)}},
	{what: "typedef of the other rank", in: "typedef long long int __kernel_loff_t;", old: "long long int", new: "long int", want: []verify.Mismatch{
		mismatch("typedef __kernel_loff_t", "", verify.AspectType)}},
	{what: "member of the other rank", in: "struct cpumask {", old: "long unsigned int", new: "long long unsigned int", want: []verify.Mismatch{
		mismatch("struct cpumask", "bits", verify.AspectType)}},
	{what: "pointee of the other rank", in: "typedef efi_status_t efi_get_next_variable_t(", old: "long unsigned int *", new: "long long unsigned int *", want: []verify.Mismatch{
		mismatch("typedef efi_get_next_variable_t", "", verify.AspectType)}},
	{what: "parameter of the other rank", in: "typedef void (*ftrace_func_t)(", old: "long unsigned int, struct", new: "long long unsigned int, struct", want: []verify.Mismatch{
		mismatch("typedef ftrace_func_t", "", verify.AspectType)}},
	{what: "record deleted", in: "struct frag_hdr {", absent: "struct frag_hdr", fast: true},
	{what: "typedef deleted", in: "typedef void (*btf_trace_workqueue_execute_end)", absent: "typedef btf_trace_workqueue_execute_end", fast: true},
	{what: "kfunc deleted", in: "extern void bpf_rcu_read_lock(", absent: "function bpf_rcu_read_lock"},
}

// apply makes the mistake.
func (m mutation) apply(t *testing.T, text string) string {
	t.Helper()
	start := strings.Index(text, "\n"+m.in) + 1
	if start == 0 {
		t.Fatalf("%s: no %q in the header", m.what, m.in)
	}
	end := start + strings.Index(text[start:], ";\n") + 2
	if strings.HasSuffix(m.in, "{") || strings.HasPrefix(m.in, "enum {") {
		end = start + strings.Index(text[start:], "\n}")
		end += 1 + strings.Index(text[end+1:], "\n") + 1
	}
	if m.old == "" {
		return text[:start] + text[end:]
	}
	if strings.Count(text[start:end], m.old) != 1 {
		t.Fatalf("%s: %q is not once in\n%s", m.what, m.old, text[start:end])
	}
	return text[:start] + strings.Replace(text[start:end], m.old, m.new, 1) + text[end:]
}

// Each kind of mistake is found in a whole kernel's header, and nothing else is
// reported but what follows from one.
func TestMistakesAreFound(t *testing.T) {
	v := readView(t, btftest.Corpus(t, "amd64-7.2-cloud"))
	_, text := header(t, v, cgen.Options{Kfuncs: true})
	wrong := map[string]bool{}
	for _, m := range mutations {
		text = m.apply(t, text)
		for _, w := range m.want {
			wrong[w.Type] = true
		}
	}
	for _, fast := range []bool{false, true} {
		r := verifyText(t, v, text, clangtest.Newest(t), fast)
		for _, e := range r.Errors {
			t.Fatalf("does not compile: %s", e)
		}
		for _, m := range mutations {
			if fast && !m.fast {
				continue
			}
			if m.absent != "" && !slices.Contains(r.Absent, m.absent) {
				t.Errorf("fast=%v: %s: %s is not reported as absent", fast, m.what, m.absent)
			}
			for _, w := range m.want {
				found := slices.ContainsFunc(r.Mismatches, func(g verify.Mismatch) bool {
					return g.Type == w.Type && g.Member == w.Member && g.Aspect == w.Aspect && g.BTF != g.Compiler
				})
				// --fast does not compare types of members and targets.
				if !found && !(fast && w.Aspect == verify.AspectType) {
					t.Errorf("fast=%v: %s: no mismatch of %s %s %s", fast, m.what, w.Type, w.Member, w.Aspect)
				}
			}
		}
		for _, m := range r.Own() {
			if !wrong[m.Type] {
				t.Errorf("fast=%v: a mismatch without a mistake: %+v", fast, m)
			}
		}
		if !slices.ContainsFunc(r.Mismatches, func(m verify.Mismatch) bool {
			return m.Type == "struct inode" && m.Aspect == verify.AspectOffset && m.Cause == "enum rw_hint"
		}) {
			t.Errorf("fast=%v: struct inode's offsets are not put down to enum rw_hint", fast)
		}
		if len(r.Absent) > 3 {
			t.Errorf("fast=%v: absent: %q", fast, r.Absent)
		}
	}
}

// The header of another tool: bpftool declares nothing for members that are
// unnamed but of a named type.
func TestBpftoolsMistakesAreFound(t *testing.T) {
	raw := btftest.Corpus(t, "amd64-7.2-cloud")
	file := filepath.Join(t.TempDir(), "vmlinux.btf")
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command("bpftool", "btf", "dump", "file", file, "format", "c").Output()
	if err != nil {
		t.Fatalf("bpftool (scripts/install-test-tools.sh installs it): %v", err)
	}
	r := verifyText(t, readView(t, raw), string(text), clangtest.Newest(t), false)
	if len(r.Errors) > 0 {
		t.Fatalf("does not compile: %q", r.Errors)
	}
	for _, want := range []verify.Mismatch{
		mismatch("struct ns_common", "ns_id", verify.AspectMember),
		mismatch("struct slab", "", verify.AspectSize),
		mismatch("struct filename", "", verify.AspectSize),
		mismatch("struct pipe_inode_info", "", verify.AspectSize),
	} {
		if !slices.ContainsFunc(r.Own(), func(m verify.Mismatch) bool {
			return m.Type == want.Type && m.Member == want.Member && m.Aspect == want.Aspect
		}) {
			t.Errorf("no mismatch of %s %s %s", want.Type, want.Member, want.Aspect)
		}
	}
	t.Logf("%d mismatches of bpftool's header, %d of them on their own, %d absent", len(r.Mismatches), len(r.Own()), len(r.Absent))
}

// Bitfields of records whose pointers make them longer for BPF.
func TestBitfieldsOf32BitKernelsAreCompared(t *testing.T) {
	v := readView(t, btftest.Corpus(t, "armhf-6.1"))
	_, text := header(t, v, cgen.Options{Kfuncs: true})
	m := mutation{what: "bitfield widened", in: "struct task_struct {", old: "in_execve: 1;", new: "in_execve: 2;"}
	r := verifyText(t, v, m.apply(t, text), clangtest.Newest(t), true)
	if len(r.Errors) > 0 {
		t.Fatalf("does not compile: %q", r.Errors)
	}
	own := r.Own()
	if !slices.ContainsFunc(own, func(m verify.Mismatch) bool {
		return m.Type == "struct task_struct" && m.Member == "in_execve" && m.Aspect == verify.AspectWidth
	}) {
		t.Errorf("not found: %+v", own)
	}
	for _, m := range own {
		if m.Type != "struct task_struct" {
			t.Errorf("a mismatch without a mistake: %+v", m)
		}
	}
}
