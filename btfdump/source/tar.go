package source

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// isTar knows tar by the magic of its POSIX and GNU forms (tar(5)), and older
// ones by their checksum.
func isTar(head []byte) bool { return at(257, "ustar")(head) || isOldTar(head) }

// isOldTar knows the tar of Unix version 7, which has no magic, by the checksum
// of its header: the sum of all bytes, those of the checksum itself taken as
// spaces.
func isOldTar(head []byte) bool {
	const size, start, end = 512, 148, 156
	if len(head) < size || head[0] == 0 || head[100] == 0 {
		return false
	}
	want, err := strconv.ParseUint(strings.Trim(string(head[start:end]), " \x00"), 8, 32)
	if err != nil {
		return false
	}
	sum := uint64(' ' * (end - start))
	for i, b := range head[:size] {
		if i < start || i >= end {
			sum += uint64(b)
		}
	}
	return sum == want
}

func openTar(s *search, in *input) error {
	if imageFiles(in) {
		if err := in.reachable(s.budget); err != nil {
			return err
		}
		if ok, err := s.layered(indexTar(in).open); ok {
			return err
		}
	}
	var again func() func() (member, error)
	if in.at != nil {
		again = func() func() (member, error) { return s.tarMembers(in, nil) }
	}
	return s.members(s.tarMembers(in, nil), again)
}

// tarMembers returns what gives the files and links of a tar archive, one after
// the other. all, if it is not nil, is told of everything in it.
func (s *search) tarMembers(in *input, all func(*tar.Header)) func() (member, error) {
	at := newSeekReader(in)
	r := tar.NewReader(in.stream)
	if at != nil {
		r = tar.NewReader(at)
	}
	return func() (member, error) {
		for {
			header, err := r.Next()
			if err != nil {
				return member{}, err
			}
			if all != nil {
				all(header)
			}
			switch header.Typeflag {
			case tar.TypeReg, tar.TypeGNUSparse:
				m := member{path: header.Name, size: header.Size, r: r}
				switch {
				case isSparse(header):
					// Its holes are unpacked to zeros.
					m.r = &unpacked{r: r, budget: s.budget}
				case at != nil && header.Size <= in.size-at.offset:
					m.in = in.section(at.offset, header.Size)
				}
				return m, nil
			case tar.TypeSymlink, tar.TypeLink:
				if header.Linkname != "" {
					return member{path: header.Name, link: header.Linkname, hard: header.Typeflag == tar.TypeLink}, nil
				}
			}
		}
	}
}

// A seekReader reads an archive in pieces of some size, for headers are small,
// and skips without reading.
type seekReader struct {
	in     *input
	offset int64  // of the next byte
	buffer []byte // what was read
	start  int64  // its offset
}

// newSeekReader returns a reader of an input of which every byte can be reached,
// nil for others.
func newSeekReader(in *input) *seekReader {
	if in.at == nil {
		return nil
	}
	return &seekReader{in: in}
}

func (r *seekReader) Read(p []byte) (int, error) {
	if at := r.offset - r.start; at < 0 || at >= int64(len(r.buffer)) {
		size := min(16<<10, r.in.size-r.offset)
		if size <= 0 {
			return 0, io.EOF
		}
		r.buffer = slices.Grow(r.buffer[:0], int(size))[:size]
		n, err := r.in.at.ReadAt(r.buffer, r.offset)
		r.buffer, r.start = r.buffer[:max(n, 0)], r.offset
		if n <= 0 {
			return 0, err
		}
	}
	n := copy(p, r.buffer[r.offset-r.start:])
	r.offset += int64(n)
	return n, nil
}

// Seek implements [io.Seeker] as far as package tar needs it.
func (r *seekReader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.offset
	case io.SeekEnd:
		offset += r.in.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("negative offset %d", offset)
	}
	r.offset = offset
	return offset, nil
}

func isSparse(header *tar.Header) bool {
	if header.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range header.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// imageFiles says by the first names of a tar archive whether it may be an OCI
// or Docker image, which has its files in layers.
func imageFiles(in *input) bool {
	start := in.start(32 << 10)
	r := tar.NewReader(bytes.NewReader(start))
	for range 64 {
		header, err := r.Next()
		if err != nil {
			return false
		}
		name := cleanPath(header.Name)
		top, rest, _ := strings.Cut(name, "/")
		switch {
		case name == "oci-layout", name == "index.json", name == "manifest.json", top == "blobs":
			return true
		case rest == "layer.tar", len(top) == 64 && isHex(top) && (rest == "" || rest == "json" || rest == "VERSION"):
			return true // the older layout of docker save
		case len(name) > 64 && isHex(name[:64]) && slices.Contains([]string{".json", ".tar", ".tar.gz", ".tar.zst"}, name[64:]), strings.HasPrefix(name, "sha256:"):
			return true // the same, as skopeo and go-containerregistry (crane, ko, kaniko) write it
		}
	}
	return false
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

// A tarIndex has the files of a tar archive of which every byte can be reached.
type tarIndex struct {
	in    *input
	files map[string]span
	links links
}

type span struct{ offset, size int64 }

// maxIndex is how many files the index of an archive may have: images have some
// hundred.
const maxIndex = 1 << 16

func indexTar(in *input) *tarIndex {
	at := newSeekReader(in)
	r := tar.NewReader(at)
	index := &tarIndex{in: in, files: map[string]span{}}
	for len(index.files) < maxIndex {
		header, err := r.Next()
		if err != nil {
			break // of an archive that is cut short, what is there may be enough
		}
		switch {
		case header.Typeflag == tar.TypeReg && !isSparse(header):
			if at.offset <= in.size {
				index.files[cleanPath(header.Name)] = span{at.offset, min(header.Size, in.size-at.offset)}
			}
		case header.Typeflag == tar.TypeSymlink || header.Typeflag == tar.TypeLink:
			index.links.add(cleanPath(header.Name), member{link: header.Linkname, hard: header.Typeflag == tar.TypeLink})
		}
	}
	return index
}

// open returns a file of the archive, nil if it has none of the name.
func (t *tarIndex) open(name string) *input {
	name, _ = t.links.resolve(cleanPath(name))
	if at, ok := t.files[name]; ok {
		return t.in.section(at.offset, at.size)
	}
	return nil
}
