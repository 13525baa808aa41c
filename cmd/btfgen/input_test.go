package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/btfgen/btfgen/btfdump/source"
)

func TestInputHint(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{errors.New("another"), ""},
		{&source.NotShownError{Path: "/sys/kernel/btf/vmlinux"}, ""},
		{fmt.Errorf("x: %w", &source.NotShownError{Files: []string{"/boot/vmlinuz-6.1", "/lib/modules/6.1/vmlinuz"}}), ": give it with -i /boot/vmlinuz-6.1"},
	} {
		if got := inputHint(test.err); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, got, test.want)
		}
	}
}
