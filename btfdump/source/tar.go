package source

import (
	"archive/tar"
	"bytes"
	"io"
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
		again = func() func() (member, error) { return s.tarMembers(in.reader(), nil) }
	}
	return s.members(s.tarMembers(in.reader(), nil), again)
}

// tarMembers returns what gives the files and links of a tar archive, one after
// the other. all, if it is not nil, is told of everything in it.
func (s *search) tarMembers(in io.Reader, all func(*tar.Header)) func() (member, error) {
	r := tar.NewReader(in)
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
				if isSparse(header) {
					// Its holes are unpacked to zeros.
					m.r = &unpacked{r: r, budget: s.budget}
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
		case len(top) == 64 && isHex(top) && (rest == "" || rest == "layer.tar" || rest == "json" || rest == "VERSION"):
			return true // the older layout of docker save
		case len(name) > 64 && isHex(name[:64]) && (name[64:] == ".json" || name[64:] == ".tar"):
			return true // the same, as skopeo writes it
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
	at := io.NewSectionReader(in.at, 0, in.size)
	r := tar.NewReader(at)
	index := &tarIndex{in: in, files: map[string]span{}}
	for len(index.files) < maxIndex {
		header, err := r.Next()
		if err != nil {
			break // of an archive that is cut short, what is there may be enough
		}
		switch {
		case header.Typeflag == tar.TypeReg && !isSparse(header):
			offset, _ := at.Seek(0, io.SeekCurrent)
			if offset <= in.size {
				index.files[cleanPath(header.Name)] = span{offset, min(header.Size, in.size-offset)}
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
