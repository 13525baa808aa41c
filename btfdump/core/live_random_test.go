package core_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
)

// randomVariable names an environment variable with how many random programs are
// tried with each compiler, for more than a test run has time for.
const randomVariable = "BTFGEN_RANDOM_GUARDS"

func randomPrograms(t testing.TB) int {
	text := os.Getenv(randomVariable)
	if text == "" {
		return 10
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is no number of programs", randomVariable, text)
	}
	return n
}

// randomLiveCases are programs with guards in each other, right and wrong ones.
// What is said of them is left open: only that the kernel agrees counts.
func randomLiveCases(from, n int) []liveCase {
	var cases []liveCase
	for i := from; i < from+n; i++ {
		w := guardWriter{rand.New(rand.NewPCG(uint64(i), 0))}
		before := "static noinline int get(int n, int has, void *ctx, u64 a, u32 b) { if (has) { " + w.statement(2) + " } " + w.statement(3) + " return n; }"
		cases = append(cases, liveCase{name: fmt.Sprint("random ", i), before: before, body: "int n = 0; u64 a = bpf_ktime_get_ns(); u32 b = bpf_get_prandom_u32(); " + w.statements(0) + " sink = n;"})
	}
	return cases
}

type guardWriter struct{ *rand.Rand }

func (w guardWriter) pick(from ...string) string { return from[w.IntN(len(from))] }

// access reads a member that is there, or one that is not.
func (w guardWriter) access() string {
	return w.pick("BPF_CORE_READ(task(), pid)", "BPF_CORE_READ(task(), mm, exe_file, f_mode)", "missing(task())", "missing(task())",
		"BPF_CORE_READ((struct task_struct___gone *)task(), never_was_either)", "(int)bpf_core_field_size(task()->never_was)")
}

// unknown is a condition that the verifier can't decide, or only after others.
func (w guardWriter) unknown() string {
	number := w.pick("bpf_get_prandom_u32()", "bpf_ktime_get_ns()", "(bpf_get_current_pid_tgid() >> 32)", "(u32)bpf_get_current_pid_tgid()", "(int)bpf_get_prandom_u32()",
		"sink", "a", "a", "b", "b", "(a + b)", "(a ^ b)", "BPF_CORE_READ(task(), tgid)", "*(u64 *)ctx", "*(u32 *)(ctx + 8)", "*(short *)(ctx + 16)", "(u8)a", "bpf_get_smp_processor_id()")
	switch w.IntN(6) {
	case 0:
		number = fmt.Sprintf("((%s >> %d) & %d)", number, w.IntN(20), 1+w.IntN(200))
	case 1:
		number = fmt.Sprintf("(%s * %d + %d)", number, 1+w.IntN(9), w.IntN(100))
	case 2:
		number = fmt.Sprintf("((u32)%s %s %du)", number, // not every clang divides signed numbers
			w.pick("/", "%"), 1+w.IntN(12))
	}
	if w.IntN(4) == 0 {
		return fmt.Sprintf("(%s %s %s)", number, w.pick("<", ">", "==", "!=", "<="), w.pick("a", "b", "sink"))
	}
	return fmt.Sprintf("(%s %s %d)", number, w.pick("<", ">", "==", "!=", ">=", "<=", "&"), w.pickNumber())
}

func (w guardWriter) pickNumber() int {
	return []int{0, 1, 2, 5, 7, 31, 100, 255, 1000, 65535, 1 << 20, -1, -5}[w.IntN(13)]
}

func (w guardWriter) condition() string {
	if w.IntN(3) == 0 {
		return w.unknown()
	}
	return w.pick("", "!") + w.pick("there(task())", "there(task())", "there(task())", "bpf_core_type_exists(struct task_struct___gone)", "bpf_core_type_exists(struct sock)",
		"bpf_core_field_exists(((struct task_struct___gone *)0)->never_was_either)", "bpf_core_enum_value_exists(enum bpf_func_id___x, BPF_FUNC_never___x)",
		"bpf_core_type_size(struct mm_struct)", "bpf_get_prandom_u32()", "(sink & 4)")
}

func (w guardWriter) statement(depth int) string {
	if depth > 3 || w.IntN(4) == 0 {
		return fmt.Sprintf("if (%s) n += %s;", w.condition(), w.access())
	}
	switch w.IntN(7) {
	case 0:
		return fmt.Sprintf("if (%s && %s) { %s }", w.condition(), w.condition(), w.statements(depth+1))
	case 1:
		return fmt.Sprintf("if (%s || %s) { %s }", w.condition(), w.condition(), w.statements(depth+1))
	case 2:
		return fmt.Sprintf("n += %s ? %s : %d;", w.condition(), w.access(), w.IntN(9))
	case 3:
		return fmt.Sprintf("for (int i = 0; i < %d; i++) { if (%s) break; n += bpf_get_prandom_u32(); %s }", 1+w.IntN(4), w.condition(), w.statement(depth+2))
	case 4:
		return fmt.Sprintf("switch (%s) { case 0: %s break; case 1: %s break; default: n++; }", w.condition(), w.statement(depth+1), w.statement(depth+1))
	case 5:
		if depth < 2 {
			return fmt.Sprintf("n += get(n, %s, ctx, %s, %s);", w.condition(), w.pick("a", "b", "7"), w.pick("a", "b", "n"))
		}
	}
	return fmt.Sprintf("if (%s) { %s } else { %s }", w.condition(), w.statements(depth+1), w.statement(depth+1))
}

func (w guardWriter) statements(depth int) string {
	list := make([]string, 1+w.IntN(2))
	for i := range list {
		list[i] = w.statement(depth)
	}
	return strings.Join(list, " ")
}
