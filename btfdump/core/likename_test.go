package core

import (
	"cmp"
	"slices"
	"testing"

	"github.com/btfgen/btfgen/btfdump"
	"github.com/btfgen/btfgen/goldens/btftest"
)

// The index finds what looking at all names does.
func TestNameIndex(t *testing.T) {
	names := []string{
		"tcp_sendmsg", "tcp_sendmsg_locked", "__tcp_sendmsg", "tcp_recvmsg", "TCP_sendmsg", "tcp_sendmsgs", "tcp_sendpage", "tcp_send_msg",
		"vfs_read", "vfs_readv", "__vfs_read", "vfs_write", "vfs_iter_read", "do_unlinkat", "do_unlink", "do_unlinkat_2", "_", "___", "ab", "vf",
		"very_long_name_of_a_function_that_is_there", "very_long_name_of_a_function_that_was_there", "aaaaaaaabbbb", "aaaabbbbbbbb", "p0p0p0", "pppp00",
	}
	b := btftest.New()
	proto := b.FuncProto(0)
	for _, n := range names {
		b.Func(n, proto, 1)
	}
	v, err := btfdump.New(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	wanted := func(t btfdump.Type) bool { return t.Kind() == btfdump.KindFunc }
	index := newNameIndex(v, wanted)
	sorted := func(found []likeName) []likeName { // those that are shown
		slices.SortFunc(found, func(a, b likeName) int {
			return cmp.Or(cmp.Compare(b.likeness, a.likeness), cmp.Compare(len(a.name), len(b.name)), cmp.Compare(a.name, b.name))
		})
		return found[:min(len(found), maxSuggestions)]
	}
	some := 0
	for _, n := range append(slices.Clone(names), "tcp_sendmsx", "vfs_reader", "xvfs_read", "do_unlinkat_", "__do_unlink", "very_long_name_of_a_function_that_is_not", "____", "aaaaaaaabbbbb", "nothing_like_it") {
		if len(n) <= 3 {
			continue
		}
		want, got := sorted(likeAmong(n, v, wanted)), sorted(index.like(n))
		if !slices.Equal(got, want) {
			t.Errorf("%s: the index finds %v, not %v", n, got, want)
		}
		some += len(want)
	}
	if some < 2*len(names) {
		t.Errorf("only %d names are like others", some)
	}
}
