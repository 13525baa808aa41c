package source

import (
	"archive/zip"
	"bytes"
	"compress/bzip2"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/klauspost/compress/zstd"
)

const zipMagic = "PK\x03\x04"

// isZip knows a zip archive by the header of its first file, or by its end if it
// has none (section 4.3 of PKWARE's APPNOTE.TXT).
func isZip(head []byte) bool { return prefix(zipMagic)(head) || prefix("PK\x05\x06")(head) }

// maxDirectory is how large a zip archive's list of files may be, in bytes. In
// memory it takes some four times that: an archive of 400,000 files is read.
const maxDirectory = 32 << 20

// openZip opens a zip archive, whose list of files stands at its end.
func openZip(s *search, in *input) error {
	if err := in.reachable(s.budget); err != nil {
		return err
	}
	list := &listReader{at: in.at, left: maxDirectory}
	archive, err := zip.NewReader(list, in.size)
	if err != nil {
		return fmt.Errorf("cut short or corrupt: %w", err)
	}
	list.left = math.MaxInt64
	archive.RegisterDecompressor(12, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	archive.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(maxDictionary)))
	again := func() func() (member, error) { return s.zipMembers(archive, in) }
	return s.members(again(), again)
}

// zipMembers returns what gives the files and links of a zip archive, one after
// the other.
func (s *search) zipMembers(archive *zip.Reader, in *input) func() (member, error) {
	var last io.Closer
	next := 0
	return func() (member, error) {
		if last != nil {
			last.Close()
			last = nil
		}
		for {
			if next == len(archive.File) {
				return member{}, io.EOF
			}
			f := archive.File[next]
			next++
			mode := f.Mode()
			isLink := mode&fs.ModeSymlink != 0
			if !mode.IsRegular() && !isLink || f.UncompressedSize64 == 0 || f.UncompressedSize64 > math.MaxInt64 {
				continue
			}
			m := member{path: f.Name, size: int64(f.UncompressedSize64)}
			const encrypted = 1
			if f.Flags&encrypted != 0 {
				m.r = failing{fmt.Errorf("it is encrypted")}
				m.size = max(m.size, 1)
				return m, nil
			}
			if f.Method == zip.Store && !isLink {
				offset, err := f.DataOffset()
				if err == nil && offset <= in.size && m.size <= in.size-offset {
					// The files of an archive may be the same bytes, time and again.
					m.in, m.shared = in.section(offset, m.size), true
					return m, nil
				}
			}
			r, err := f.Open()
			if err != nil {
				m.r = failing{fmt.Errorf("compressed by method %d: %w", f.Method, err)}
				return m, nil
			}
			m.r = &unpacked{r: r, budget: s.budget}
			last = r
			if isLink {
				target, err := io.ReadAll(io.LimitReader(m.r, 4096))
				r.Close()
				last = nil
				if err != nil || len(bytes.TrimSpace(target)) == 0 {
					continue
				}
				return member{path: f.Name, link: string(target)}, nil
			}
			return m, nil
		}
	}
}

// failing is the content of what can't be read.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// A listReader is what a zip archive's list is read through: package zip takes a
// list of any size.
type listReader struct {
	at   io.ReaderAt
	left int64
}

func (l *listReader) ReadAt(p []byte, off int64) (int, error) {
	if l.left -= int64(len(p)); l.left < 0 {
		return 0, fmt.Errorf("%w: its list of files has more than %d bytes", ErrTooLarge, maxDirectory)
	}
	return l.at.ReadAt(p, off)
}
