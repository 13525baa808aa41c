package source

import (
	"bufio"
	"errors"
	"slices"
)

// segmentFormats are what an initramfs is made of, and what a kernel is that
// stands behind one.
var segmentFormats = []string{"cpio", "gzip", "xz", "zstd", "lz4", "bzip2", "lzop", "lzma", "bzImage", "EFI zboot image", "arm64 Image", "riscv64 Image"}

// openInitramfs opens a cpio archive and what stands behind it: the kernel takes
// several archives in a row, each compressed or not, with zeros between them.
// The first is often microcode, which has to be found before anything is
// unpacked (Documentation/driver-api/early-userspace/buffer-format.rst).
func openInitramfs(s *search, in *input) error {
	before := len(s.found)
	rest := bufio.NewReaderSize(in.reader(), 64<<10)
	err := openCpio(s, streamInput(rest, -1))
	if s.done() || err != nil && !errors.Is(err, ErrNoBTF) {
		return err
	}
	if skipZeros(rest) != nil {
		return err
	}
	head, _ := rest.Peek(headSize)
	c := identify(head)
	if c == nil || !slices.Contains(segmentFormats, c.name) || len(s.layers) >= maxDepth {
		return err
	}
	switch behind := s.descend("", -1, streamInput(rest, -1)); {
	case len(s.found) > before:
		return nil
	case behind != nil && !errors.Is(behind, ErrNoBTF):
		return behind
	}
	return err
}

// skipZeros reads on to the first byte that is not zero.
func skipZeros(r *bufio.Reader) error {
	for {
		if _, err := r.Peek(1); err != nil {
			return err
		}
		there, _ := r.Peek(r.Buffered())
		n := slices.IndexFunc(there, func(b byte) bool { return b != 0 })
		if n < 0 {
			n = len(there)
		}
		if _, err := r.Discard(n); err != nil {
			return err
		}
		if n < len(there) {
			return nil
		}
	}
}
