package main

import "testing"

// TestOrigin sees to it that a message about thousands of modules can be read.
func TestOrigin(t *testing.T) {
	for _, c := range []struct {
		request headerRequest
		want    string
	}{
		{headerRequest{}, "the running kernel"},
		{headerRequest{input: "-", modules: []string{"a"}}, "standard input with modules a"},
		{headerRequest{input: "k.btf", modules: []string{"a", "b", "c", "d"}}, "k.btf with modules a, b, c, d"},
		{headerRequest{input: "k.btf", modules: []string{"a", "b", "c", "d", "e"}}, "k.btf with modules a, b, c and 2 more"},
	} {
		if got := c.request.origin(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}
