package source

import (
	"bufio"
	"errors"
	"slices"
)

// openInitramfs opens a cpio archive and what stands behind it.
func openInitramfs(s *search, in *input) error {
	before := len(s.found)
	rest := bufio.NewReaderSize(in.reader(), 64<<10)
	err := openCpio(s, streamInput(rest, -1))
	return s.behindCpio(rest, before, err)
}

// behindCpio opens what stands behind a cpio archive: the kernel takes several in
// a row, each compressed or not, with zeros between them. The first is often
// microcode, which has to be found before anything is unpacked
// (Documentation/driver-api/early-userspace/buffer-format.rst). And a kernel may
// stand behind them. What no format is known of is searched for one, unless the
// archive is part of an image that is searched anyway.
//
// err is the error of the archive, and before is how much had been found in front
// of it.
func (s *search) behindCpio(rest *bufio.Reader, before int, err error) error {
	if s.done() || err != nil && !errors.Is(err, ErrNoBTF) {
		return err
	}
	if skipZeros(rest) != nil || len(s.layers) >= maxDepth {
		return err
	}
	head, _ := rest.Peek(headSize)
	known := identify(head) != nil
	if !known && (s.known.scanned || !s.wants.kernel || slices.ContainsFunc(s.found, func(f Found) bool { return f.rank() > rankProgram })) {
		return err
	}
	s.known.searched = true
	behind := s.descend("", -1, streamInput(rest, -1))
	var without *withoutBTFError
	switch {
	case len(s.found) > before:
		return nil
	case behind != nil && (known && !errors.Is(behind, ErrNoBTF) || errors.Is(behind, ErrTooLarge) || errors.As(behind, &without)):
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
