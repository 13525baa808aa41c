package source

import (
	"bytes"
	"testing"
)

func TestFreshMemory(t *testing.T) {
	const huge = 2 << 20 // bytes
	for _, n := range []int64{0, 1, huge - 1, huge, huge + 1, 5*huge + 12345} {
		data := freshMemory(n)
		if int64(len(data)) != n || int64(cap(data)) != n && n >= huge {
			t.Errorf("asked for %d bytes and got %d, of %d that could be written to", n, len(data), cap(data))
		}
		if bytes.Trim(data, "\x00") != nil {
			t.Errorf("%d bytes are not all 0", n)
		}
		for i := range data {
			data[i] = 1 // or a signal ends this
		}
	}
}
